"""The size of a KV cache, worked out step by step. Taught in chapter 6."""

from __future__ import annotations

from collections import Counter

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint
from labkit.estimating.kv_cache import (
    N_UBATCH,
    KVLayer,
    kv_bytes,
    kv_bytes_per_token,
    kv_layers,
    padded,
    row_bytes,
)
from labkit.models.model_file import twin_of
from labkit.models.source import SourceLike, blueprint_of
from labkit.tables import Table
from labkit.units import KIB, format_bytes


def kv_steps(source: SourceLike, *, context: int = 8192, kv_type: str = "f16") -> Table:
    """From one token in one layer to the whole cache, a line for each step.

    Parameters
    ----------
    source : a model: its file, a name of `labkit models`, a `config.json`.
    context : tokens.
    kv_type : what the cache is stored in, such as "f16", "q8_0", "q4_0".

    Raises LabError when the model has no such cache, or the type does not exist. Taught in chapter 6.
    """
    blueprint = blueprint_of(source)
    whole = kv_bytes(blueprint, context, type_k=kv_type, type_v=kv_type)
    per_token = kv_bytes_per_token(blueprint, kv_type, kv_type)
    # Layers of one shape on one line: a model with windows has two sorts, most have one.
    sorts = Counter(
        (layer.n_kv_heads, layer.key_dim, layer.value_dim, layer.window) for layer in kv_layers(blueprint)
    )
    if not sorts:
        raise LabError(f"{_title(blueprint)} keeps no KV cache.", "Choose a model with attention layers.")
    rows: list[list[str]] = []
    for shape, n_layers in sorts.items():
        rows += _rows_of(KVLayer(0, *shape), n_layers, one_sort=len(sorts) == 1)
    numbers = sum(n * heads * (key + value) for (heads, key, value, _), n in sorts.items())
    size = TYPES_BY_NAME[kv_type.upper()]
    width = size.block_bytes / size.block_elements
    rows.append(
        ["one token, in bytes", f"{numbers:,} numbers × {width:g} bytes ({kv_type})", _with_kib(per_token)]
    )
    if any(window for *_, window in sorts):
        rows += _windowed(sorts, context, kv_type, whole)
    else:
        rows.append([f"{context:,} tokens", *_last(per_token, context, whole)])
    notes = [
        f"Some layers look back only on the last {window:,} tokens, so they stop growing."
        for window in sorted({window for *_, window in sorts if window})
    ]
    return Table(f"The KV cache of {_title(blueprint)}", ["step", "calculation", "result"], rows, notes)


def _rows_of(layer: KVLayer, n_layers: int, *, one_sort: bool) -> list[list[str]]:
    """Two steps: one token in one of these layers, and in all of them."""
    which = "" if one_sort else f" (window {layer.window:,})" if layer.window else " (no window)"
    numbers = layer.key_row + layer.value_row
    if layer.value_dim == layer.key_dim:
        calculation = f"2 (key and value) × {_kv_heads(layer)} × head size {layer.key_dim}"
    elif not layer.value_dim:
        calculation = f"one compressed list of {layer.key_dim} numbers for all heads (MLA)"
    else:
        calculation = f"{_kv_heads(layer)} × ({layer.key_dim} for the key + {layer.value_dim} for the value)"
    return [
        [f"one token, one layer{which}", calculation, f"{numbers:,} numbers"],
        [
            f"one token, {n_layers} layers{which}",
            f"{numbers:,} × {n_layers}",
            f"{numbers * n_layers:,} numbers",
        ],
    ]


def _windowed(sorts: Counter, context: int, kv_type: str, whole: int) -> list[list[str]]:
    """A line for each sort of layers, with the tokens that it keeps; then the sum."""
    rows, parts = [], []
    for shape, n_layers in sorts.items():
        layer = KVLayer(0, *shape)
        tokens, why = padded(context), ""
        if layer.window and layer.window + N_UBATCH < context:
            tokens = padded(layer.window + min(context, N_UBATCH))
            why = f" (window {layer.window:,} + a batch of {N_UBATCH})"
        per_token = n_layers * row_bytes(layer, kv_type, kv_type)
        parts.append(per_token * tokens)
        which = f"window {layer.window:,}" if layer.window else "no window"
        rows.append(
            [
                f"{n_layers} layers ({which}), {tokens:,} tokens",
                f"{per_token:,} bytes × {tokens:,}{why}",
                format_bytes(parts[-1]),
            ]
        )
    added = " + ".join(map(format_bytes, parts))
    rest = "" if sum(parts) == whole else " + states of other layers"
    return [*rows, [f"{context:,} tokens, all layers", f"{added}{rest}", format_bytes(whole)]]


def _kv_heads(layer: KVLayer) -> str:
    return "1 KV head" if layer.n_kv_heads == 1 else f"{layer.n_kv_heads} KV heads"


def _last(per_token: int, context: int, whole: int) -> tuple[str, str]:
    product = per_token * context
    if whole == product:
        return f"{per_token:,} bytes × {context:,}", format_bytes(whole)
    return f"{per_token:,} bytes × {context:,}, but llama.cpp rounds the tokens up to 256", format_bytes(
        whole
    )


def _with_kib(n_bytes: int) -> str:
    return f"{n_bytes:,} bytes = {n_bytes / KIB:,.4g} KiB"


def _title(blueprint: Blueprint) -> str:
    """The model's name; a twin goes by that of its model."""
    return twin_of(blueprint.metadata) or blueprint.title or blueprint.architecture
