"""Weights that llama.cpp stores a second time, in an order that suits the processor's instructions.

On the CPU some tensor types are computed faster when several rows lie interleaved. llama.cpp copies such
tensors into a buffer called CPU_REPACK (or AMX, KleidiAI) while it loads them. With a mapped file that is
memory on top: the file's own pages stay in RAM as well.

Source: ggml/src/ggml-cpu/repack.cpp (`ggml_repack_get_optimal_repack_type`), amx/amx.cpp and kleidiai.cpp of
llama.cpp, as built into llama-cpp-python 0.3.36. Taught in chapter 6.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from labkit.estimating.blueprint import Blueprint, TensorSpec

#: what a build for common PCs can do, in the words of `llama_print_system_info`
USUAL_FEATURES = frozenset({"AVX2", "REPACK"})

#: looked up row by row, or not multiplied at all
_NOT_MULTIPLIED = re.compile(
    r"^(token_embd|position_embd|token_types|per_layer_token_embd|rope_\w+)\.|norm|conv1d|ssm_[ad]\b|sinks|\.bias$"
)
#: type → rows that are interleaved, by instructions; the first that the processor has counts
_REPACKED: dict[str, tuple[tuple[frozenset[str], int], ...]] = {}
_AVX2, _AVX512 = frozenset({"AVX2"}), frozenset({"AVX512"})
_DOT, _MATMUL = frozenset({"NEON", "DOTPROD"}), frozenset({"NEON", "MATMUL_INT8"})
for _names, _rules in {
    "Q4_0": ((_AVX2, 8), (_MATMUL, 4), (_DOT, 4), (frozenset({"VXE"}), 4)),
    "Q4_K": ((_AVX2, 8), (_MATMUL, 8), (_DOT, 8)),
    "Q2_K": ((_AVX512, 8),),
    "Q5_K Q6_K": ((_MATMUL, 8), (_DOT, 8)),
    "IQ4_NL MXFP4": ((_AVX2, 8), (_DOT, 4)),
    "Q8_0 Q1_0": ((_MATMUL, 4), (_DOT, 4)),
}.items():
    _REPACKED.update(dict.fromkeys(_names.split(), _rules))

_AMX_TYPES = frozenset({"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"})
_AMX_ROWS = 32
_KLEIDIAI_TYPES = frozenset({"Q4_0", "Q8_0"})


def repacked_tensors(
    blueprint: Blueprint, features: Collection[str] = USUAL_FEATURES
) -> Iterator[TensorSpec]:
    """The tensors that get a second copy, as they are in the file; the output matrix also where it is tied.

    `features` are those of the processor and the build: the words that `llama_print_system_info` prints.
    """
    for spec in blueprint.tensors:
        if not _NOT_MULTIPLIED.search(spec.name) and _is_repacked(spec, features):
            yield spec
        elif spec.name == "token_embd.weight" and blueprint.tied_embeddings and _is_repacked(spec, features):
            yield spec  # read as the output matrix


def _is_repacked(spec: TensorSpec, features: Collection[str]) -> bool:
    if len(spec.shape) < 2:
        return False
    rows, flat = spec.shape[1], len(spec.shape) == 2
    if flat and "AMX_INT8" in features and spec.type_name in _AMX_TYPES and rows % _AMX_ROWS == 0:
        return True
    if flat and "KLEIDIAI" in features and spec.type_name in _KLEIDIAI_TYPES:
        return True
    if "REPACK" not in features or not (flat or spec.is_routed_expert):
        return False
    for needed, interleaved in _REPACKED.get(spec.type_name, ()):
        if needed <= frozenset(features):
            return rows % interleaved == 0
    return False
