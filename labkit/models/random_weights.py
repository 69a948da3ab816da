"""What a twin's tensors are filled with: by their name, so that the model computes with ordinary numbers.

Matrices are random with a standard deviation of 1 / sqrt(row length), which keeps the size of what flows
through the model about the same from layer to layer. Norms are one, so they change nothing. Embeddings are
far larger than what a layer adds: what tells one token from another must outweigh what attention mixes from
all of them, or a mixture of experts would send every token to the same few. Taught in chapter 2.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import numpy as np

from labkit.estimating.blueprint import TYPES_BY_NAME, TensorSpec
from labkit.models.random_blocks import block_pool

_SEED = 20261122
_BIAS = 0.01
_EMBEDDING = 32.0

#: the first pattern that fits a tensor's name decides; what fits none is random
_FILLED_WITH: tuple[tuple[str, str], ...] = (
    (r"\.bias$|exp_probs_b", "small"),
    (r"norm|^rope_|scale|ssm_d$", "ones"),
    # A recurrent state fades with exp(a · time): a positive number here would let it grow without end.
    (r"ssm_a$", "negative"),
    (r"^(token_embd|position_embd|token_types)$", "embedding"),
)
#: a table from tokens to experts: whole numbers below the number of experts
_INTEGERS = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
_INTEGER_POOL = 100_003
#: how often a number that fills a tensor stands in its pool
_SAME = 65_536


class RandomWeights:
    """The bytes of a twin's tensors, the same each time. `n_experts` bounds tables that name experts."""

    def __init__(self, n_experts: int = 0) -> None:
        self._n_experts = n_experts
        self._pools: dict[tuple[str, str, int], np.ndarray] = {}
        self._n_made = 0

    def pieces(self, spec: TensorSpec) -> Iterator[memoryview]:
        """The tensor's bytes in pieces of up to 1 MiB: its pool from some block on, over and over."""
        pool = self._pool(spec)
        block_bytes = pool.shape[1]
        flat = memoryview(pool.reshape(-1))
        # Each tensor starts elsewhere in the pool, so that no two layers are alike.
        self._n_made += 1
        position = self._n_made * 7919 % pool.shape[0] * block_bytes
        left = spec.n_bytes
        while left:
            piece = flat[position : position + left]
            yield piece
            left -= len(piece)
            position = 0

    def _pool(self, spec: TensorSpec) -> np.ndarray:
        """A pool for each kind of tensor: were the embeddings drawn from another matrix's pool, a token could
        equal one of its rows, and their product be enormous."""
        filling = self._filling(spec)
        kind = re.sub(r"^blk\.\d+\.", "", spec.name)
        key = (spec.type_name, kind if filling in ("random", "embedding") else filling, spec.shape[0])
        if key not in self._pools:
            self._pools[key] = self._make_pool(spec, filling, _SEED + zlib.crc32(kind.encode()))
        return self._pools[key]

    def _filling(self, spec: TensorSpec) -> str:
        if spec.type_name in _INTEGERS:
            return "experts"
        return next((kind for pattern, kind in _FILLED_WITH if re.search(pattern, _stem(spec))), "random")

    def _make_pool(self, spec: TensorSpec, filling: str, seed: int) -> np.ndarray:
        if filling == "experts":
            numbers = np.random.default_rng(seed).integers(0, max(1, self._n_experts), _INTEGER_POOL)
            return numbers.astype(_INTEGERS[spec.type_name]).view(np.uint8).reshape(_INTEGER_POOL, -1)
        if filling in ("ones", "negative") and TYPES_BY_NAME[spec.type_name].block_elements == 1:
            return np.tile(_number(spec.type_name, -1.0 if filling == "negative" else 1.0), (_SAME, 1))
        std = {"small": _BIAS, "embedding": _EMBEDDING, "random": spec.shape[0] ** -0.5}.get(filling, 1.0)
        return block_pool(spec.type_name, std, seed, spread=1.5 if filling == "embedding" else 1.0)


def _stem(spec: TensorSpec) -> str:
    """`blk.3.attn_norm.weight` → `blk.3.attn_norm`; a bias keeps its ending."""
    return spec.name.removesuffix(".weight")


def _number(type_name: str, value: float) -> np.ndarray:
    """The bytes of one number of a type that stores numbers singly."""
    numbers = np.array([value], dtype="<f2" if type_name == "F16" else "<f4")
    if type_name == "BF16":
        numbers = (numbers.view("<u4") >> 16).astype("<u2")
    return numbers.view(np.uint8)
