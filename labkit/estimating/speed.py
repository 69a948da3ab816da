"""How many bytes one generated token reads, and the speed that follows. Taught in chapters 3, 6 and 19.

To write one token a model reads the weights that the token uses and the whole filled cache, and does little
arithmetic with each byte. So where they do not fit the processor's cache, memory bandwidth over bytes is a
ceiling. What of it a machine reaches depends on its cores, its kernels and the quantization.

Prompt processing is not predicted: it is bound by arithmetic, which nothing here measures. Measure it with
`lk.bench`, or before a download with `labkit bench --twin`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.kv_cache import kv_layers, row_bytes

#: The share of the ceiling that llama.cpp reached where both are published, each of the rated bandwidth: 0.29
#: with Q4_K_XL on an M4 Max, 0.44 to 0.58 with Q3_K_M to IQ4_NL on an M1 Max (ggml-org/llama.cpp, issue
#: 27525), 0.70 with F16 on an M2 Ultra (pull request 2891), 0.71 with Q4_0 on an M5 (pull request 16634).
#: A share above 1 needs a cache that holds the weights.
LEAST_SHARE, MOST_SHARE = 0.3, 1.0

#: Tables of which a token reads one row, whatever the model's other tensors.
_ROW_TABLES = re.compile(r"^(position_embd|token_types|per_layer_token_embd)\.weight$")


def weight_bytes_per_token(blueprint: Blueprint) -> int:
    """Bytes of weights read to generate one token.

    All tensors, except: of the token embedding one row, unless it is the output matrix too (then it is read
    whole); of a mixture of experts only the experts that a token uses.
    """
    return round(sum(_read_of(tensor, blueprint) for tensor in blueprint.tensors))


def _read_of(tensor: TensorSpec, blueprint: Blueprint) -> float:
    """Bytes of one tensor that a token reads."""
    is_lookup = tensor.name == "token_embd.weight" and not blueprint.tied_embeddings
    if is_lookup or _ROW_TABLES.match(tensor.name):
        return tensor.n_bytes / max(1, math.prod(tensor.shape[1:]))
    if tensor.is_routed_expert and 0 < blueprint.n_experts_used <= blueprint.n_experts:
        return tensor.n_bytes * blueprint.n_experts_used / blueprint.n_experts
    return tensor.n_bytes


def kv_bytes_read(blueprint: Blueprint, tokens: int, type_k: str = "f16", type_v: str = "f16") -> int:
    """Bytes of the KV cache read to generate one token when `tokens` tokens stand before it.

    A layer whose window slides reads no more than its window. Raises LabError as `kv_cache.kv_layers` does.
    """
    total = 0
    for layer in kv_layers(blueprint):
        held = tokens if layer.window is None else min(tokens, layer.window)
        total += held * row_bytes(layer, type_k, type_v)
    return total


@dataclass(frozen=True)
class SpeedPrediction:
    """Generation speed in tokens/s, predicted, not measured: from `low` to `high`, the ceiling.

    `bytes_per_token` is what one token reads, `basis` says in words where the range comes from.
    """

    low: float
    high: float
    bytes_per_token: int
    basis: str

    def text(self) -> str:
        """`'12 to 30 tokens/s (predicted)'`."""
        return f"{speed_range(self.low, self.high)} tokens/s (predicted)"


def predicted_speed(
    bytes_per_token: int,
    bandwidth_bytes_per_s: float | None,
    *,
    gpu_share: float = 0.0,
    gpu_bandwidth_bytes_per_s: float | None = None,
) -> SpeedPrediction:
    """Generation speed: seconds per token = bytes in RAM / its bandwidth + bytes on the GPU / its bandwidth.

    Parameters
    ----------
    bytes_per_token : weights and cache that one token reads.
    bandwidth_bytes_per_s : of the machine's memory, measured; None is enough when all lies on the GPU.
    gpu_share : 0 to 1, the part of those bytes that lies in the GPU's memory.
    gpu_bandwidth_bytes_per_s : of the GPU's memory; needed when `gpu_share` is above 0.

    Raises LabError when a number is not possible.
    """
    if not 0 <= gpu_share <= 1 or bytes_per_token <= 0:
        raise LabError(
            "A prediction of the speed needs a model with weights, and a share of it from 0 to 1.",
            "Check the numbers.",
        )
    on_gpu = bytes_per_token * gpu_share
    seconds = _seconds(bytes_per_token - on_gpu, bandwidth_bytes_per_s)
    seconds += _seconds(on_gpu, gpu_bandwidth_bytes_per_s)
    basis = (
        f"{LEAST_SHARE:.0%} to {MOST_SHARE:.0%} of memory bandwidth over the bytes that a token reads: what "
        "llama.cpp reached on machines where both were published"
    )
    return SpeedPrediction(LEAST_SHARE / seconds, MOST_SHARE / seconds, bytes_per_token, basis)


def _seconds(n_bytes: float, bandwidth: float | None) -> float:
    if n_bytes == 0:
        return 0.0
    if bandwidth is None or not (math.isfinite(bandwidth) and bandwidth > 0):
        raise LabError("A prediction of the speed needs the memory's bandwidth.", "Measure it first.")
    return n_bytes / bandwidth


def speed_range(low: float, high: float) -> str:
    """`'12 to 30'`: two digits are all that such a range is worth."""
    return " to ".join(f"{float(f'{speed:.2g}'):,.10g}" for speed in (low, high))
