"""The compute buffer: memory for what is computed between the layers. Taught in chapter 6.

llama.cpp reserves it once, for the worst case: a batch of 512 tokens, of each of which the scores are wanted.
The scores of a batch (512 · vocabulary · 4 bytes) fill most of it for a small model with a large vocabulary;
a chat asks for the scores of one token only, and never touches the rest. See `touched_compute_bytes`.

The size follows from the graph of the computation (`transformer_graph`) and from how ggml lays its results
out (`graph`). A model whose layers are of other kinds gets a rule of thumb instead.
"""

from __future__ import annotations

from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint
from labkit.estimating.graph import Graph
from labkit.estimating.kv_cache import N_BATCH, N_UBATCH, KVLayer, check_kv_type, kv_layers, padded
from labkit.estimating.layer_tensors import is_known
from labkit.estimating.transformer_graph import Batch, transformer_graph

_F16, _F32 = 2, 4
_ROTATION_ROWS = 64


def compute_bytes(
    blueprint: Blueprint,
    context: int,
    *,
    flash_attention: bool = True,
    parallel: int = 1,
    n_ubatch: int = N_UBATCH,
    type_k: str = "f16",
    type_v: str = "f16",
) -> int:
    """Bytes that llama.cpp reserves for the computation on the CPU. Arguments as for `kv_cache.kv_bytes`."""
    layers = kv_layers(blueprint)
    batch = _reserved(layers, context, parallel, n_ubatch, flash_attention, type_k, type_v)
    graph = _graph(blueprint, layers, batch)
    return graph.planned_bytes() if graph else _rule_of_thumb(blueprint, layers, batch)


def touched_compute_bytes(
    blueprint: Blueprint,
    context: int,
    *,
    tokens: int,
    flash_attention: bool = True,
    parallel: int = 1,
    n_ubatch: int = N_UBATCH,
    type_k: str = "f16",
    type_v: str = "f16",
) -> int:
    """Bytes of the buffer that a chat uses once `tokens` tokens lie in the cache: prompts, one score each."""
    layers = kv_layers(blueprint)
    n_tokens = min(tokens, context, N_BATCH, n_ubatch)
    n_cells = min(padded(padded(context) // parallel), padded(tokens))
    used = _batch(layers, n_tokens, 1, n_cells, flash_attention, type_k, type_v)
    reserved = _reserved(layers, context, parallel, n_ubatch, flash_attention, type_k, type_v)
    buffer, smaller = _graph(blueprint, layers, reserved), _graph(blueprint, layers, used)
    if buffer is None or smaller is None:
        return _rule_of_thumb(blueprint, layers, used)
    buffer.planned_bytes()
    return buffer.touched_bytes(smaller)


def output_bytes(blueprint: Blueprint, parallel: int = 1) -> int:
    """Bytes of the scores of the next token, one for each sequence."""
    return blueprint.vocabulary_size * _F32 * parallel


def _graph(blueprint: Blueprint, layers: tuple[KVLayer, ...], batch: Batch) -> Graph | None:
    """The graph; None where the layers are of other kinds, or one lacks what the others have."""
    if not is_known(blueprint, layers):
        return None
    try:
        return transformer_graph(blueprint, layers, batch)
    except LookupError:
        return None


def _reserved(
    layers: tuple[KVLayer, ...],
    context: int,
    parallel: int,
    n_ubatch: int,
    flash_attention: bool,
    type_k: str,
    type_v: str,
) -> Batch:
    """The batch that needs most: all its scores are wanted, and all cells are in use."""
    n_outputs = min(context, N_BATCH, n_ubatch)
    n_tokens = -(-n_outputs // parallel) * parallel  # as many for each sequence
    n_cells = padded(padded(context) // parallel)
    return _batch(layers, n_tokens, n_outputs, n_cells, flash_attention, type_k, type_v)


def _batch(
    layers: tuple[KVLayer, ...],
    n_tokens: int,
    n_outputs: int,
    n_cells: int,
    flash_attention: bool,
    type_k: str,
    type_v: str,
) -> Batch:
    windows = [layer.window for layer in layers if layer.window is not None]
    return Batch(
        n_tokens=n_tokens,
        n_outputs=n_outputs,
        n_cells=n_cells,
        n_window_cells=padded(min(n_cells, max(windows) + n_tokens)) if windows else 0,
        flash_attention=flash_attention,
        rotated_keys=_is_rotated(type_k, {layer.key_dim for layer in layers}),
        rotated_values=_is_rotated(type_v, {layer.value_dim for layer in layers}),
    )


def _is_rotated(kv_type: str, dims: set[int]) -> bool:
    """Before it rounds them to few bits, llama.cpp rotates keys and values, so that none sticks out."""
    blocks = TYPES_BY_NAME[check_kv_type(kv_type).upper()].block_elements > 1
    return blocks and len(dims) == 1 and min(dims) > 0 and min(dims) % _ROTATION_ROWS == 0


def _rule_of_thumb(blueprint: Blueprint, layers: tuple[KVLayer, ...], batch: Batch) -> int:
    """For layers that the graph does not know: the scores, or three times the feed-forward block's width."""
    width = max(blueprint.per_layer("feed_forward_length", default=0))
    if blueprint.n_experts:
        expert = max(blueprint.per_layer("expert_feed_forward_length", default=width))
        width = max(expert * blueprint.n_experts_used, width)
    scores = _F32 * batch.n_outputs * blueprint.vocabulary_size + 2 * _F32 * batch.n_tokens * blueprint.n_embd
    masks = (_F16 if batch.flash_attention else _F32) * (batch.n_cells + batch.n_window_cells)
    inside = _F32 * (3 * width + 4 * blueprint.n_embd)
    if layers and not batch.flash_attention:
        inside = max(inside, _F32 * (batch.n_cells * blueprint.n_heads + 6 * blueprint.n_embd))
    return max(scores, batch.n_tokens * (masks + inside))
