"""Every number that llama.cpp computes for a model, looked at while it computes it."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labkit.models import native
from labkit.models.native import ggml_function

_F32, _I32 = 0, 26
_SMALLEST_NORMAL = np.finfo(np.float32).tiny
#: offsets in the struct ggml_tensor (ggml.h): the type first, then lengths and strides of four dimensions
_LENGTHS, _STRIDES = 16, 48


@dataclass
class NodeValues:
    """What was seen in a prompt and some generated tokens."""

    n_nodes: int = 0
    n_values: int = 0
    not_finite: set[str] = field(default_factory=set)
    denormal: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    experts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Node with the choice of experts → the experts chosen, token after token."""
    logits: np.ndarray = field(default_factory=lambda: np.empty(0))


def node_values(path: Path, *, prompt: int = 48, generate: int = 4) -> NodeValues:
    """Runs the model on random tokens."""
    lib, seen = native.llama(), NodeValues()
    callback = lib.ggml_backend_sched_eval_callback(
        lambda tensor, ask, _: True if ask else _look(tensor, seen)
    )
    model = native.open_model(path, gpu_layers=0)
    assert model, native.log.reason(0)
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch, params.swa_full = 256, 1, 1, False
    params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
    params.cb_eval = callback
    context = lib.llama_init_from_model(model, params)
    assert context, native.log.reason(0)
    n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    tokens = np.random.default_rng(0).integers(0, n_vocab, prompt + generate).tolist()
    for batch in (tokens[:prompt], *([token] for token in tokens[prompt:])):
        array = (lib.llama_token * len(batch))(*batch)
        assert lib.llama_decode(context, lib.llama_batch_get_one(array, len(batch))) == 0
    scores = lib.llama_get_logits_ith(context, -1)
    seen.logits = np.ctypeslib.as_array(scores, (n_vocab,)).copy()
    lib.llama_free(context)
    lib.llama_model_free(model)
    return seen


def _look(tensor: int, seen: NodeValues) -> bool:
    name = _function("ggml_get_name", ctypes.c_char_p)(tensor).decode(errors="replace")
    data = _function("ggml_get_data", ctypes.c_void_p)(tensor)
    kind = ctypes.c_int.from_address(tensor).value
    if kind == _I32 and "topk" in name:
        seen.experts[name] += _chosen(tensor, data)
    if kind == _F32 and data and _function("ggml_is_contiguous", ctypes.c_bool)(tensor):
        n = _function("ggml_nelements", ctypes.c_int64)(tensor)
        values = np.ctypeslib.as_array(ctypes.cast(data, ctypes.POINTER(ctypes.c_float)), (n,))
        sizes = np.abs(values)
        seen.n_nodes += 1
        seen.n_values += n
        if not np.isfinite(values).all():
            seen.not_finite.add(name)
        if n_denormal := int(((sizes > 0) & (sizes < _SMALLEST_NORMAL)).sum()):
            seen.denormal[name] += n_denormal
    return True


def _chosen(tensor: int, data: int) -> list[int]:
    """The numbers of a matrix of I32 that may be a part of a wider one."""
    lengths = (ctypes.c_int64 * 4).from_address(tensor + _LENGTHS)
    strides = (ctypes.c_size_t * 4).from_address(tensor + _STRIDES)
    return [
        number
        for row in range(lengths[1])
        for number in (ctypes.c_int32 * lengths[0]).from_address(data + row * strides[1])
    ]


def _function(name: str, result: type) -> ctypes._FuncPointer:  # type: ignore[name-defined]
    function = ggml_function(name)
    function.restype, function.argtypes = result, [ctypes.c_void_p]
    return function
