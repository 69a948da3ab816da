"""The same model with fewer layers: what a twin of a large model is written from. Taught in chapter 2.

What differs from layer to layer stays in proportion: sliding windows, leading dense layers of a mixture of
experts, and the tensor types that a mixture such as Q4_K_M gives to some layers only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.sliding_window import layer_windows

_BLOCK = re.compile(r"^blk\.(\d+)\.(.+)$")
#: lists whose length is not the number of layers, even where it happens to be equal
_NOT_PER_LAYER = ("rope.dimension_sections",)
_LEADING_DENSE = "leading_dense_block_count"
_DRAFTING = "nextn_predict_layers"
_SHARED_KV = "attention.shared_kv_layers"

#: tensors of one layer, by the name without `blk.N.`
Layer = dict[str, TensorSpec]


def shallow(blueprint: Blueprint, layers: int) -> Blueprint:
    """`blueprint` with `layers` layers; embedding, output and widths as they are.

    Layers that only draft further tokens (multi-token prediction) are left out. Raises LabError when `layers`
    is not between 1 and the model's own number, or llama.cpp could not tell the layers apart by their place.
    """
    total = main_layers(blueprint)
    if isinstance(layers, bool) or not isinstance(layers, int) or not 1 <= layers <= total:
        model = blueprint.title or "the model"
        raise LabError(
            f"`layers` must be a whole number from 1 to {total:,}, as many as {model} has, not {layers!r}.",
            "Leave it out for the whole model.",
        )
    if layers == total:
        return blueprint
    by_layer = _by_layer(blueprint)
    places = _places(blueprint, by_layer, layers, total)
    structures = _with_types_in_proportion(by_layer[:total], [by_layer[i] for i in places])
    blocks = [
        replace(spec, name=f"blk.{new}.{name}")
        for new, layer in enumerate(structures)
        for name, spec in layer.items()
    ]
    tensors = _in_file_order(blueprint, blocks)
    return replace(blueprint, tensors=tensors, metadata=_metadata(blueprint, places, total))


def main_layers(blueprint: Blueprint) -> int:
    """Layers that process each token: without those that only draft further ones."""
    drafting = blueprint.number(_DRAFTING, 0)
    return blueprint.n_layers - drafting if drafting < blueprint.n_layers else blueprint.n_layers


def layer_tensors(blueprint: Blueprint) -> tuple[TensorSpec, ...]:
    """The tensors of the layers that process each token."""
    return tuple(spec for layer in _by_layer(blueprint)[: main_layers(blueprint)] for spec in layer.values())


def layer_period(blueprint: Blueprint) -> int:
    """After how many layers their kinds repeat (shapes, sliding windows): 6 for Gemma 3, 1 for most."""
    total = main_layers(blueprint)
    layers = _by_layer(blueprint)[:total]
    windows = layer_windows(blueprint, total)
    kinds = [(_shapes(layer), window) for layer, window in zip(layers, windows, strict=True)]
    kinds = kinds[blueprint.number(_LEADING_DENSE, 0) :]
    for period in range(1, len(kinds) // 2 + 1):
        if kinds[period:] == kinds[:-period]:
            return period
    return 1


def _by_layer(blueprint: Blueprint) -> list[Layer]:
    layers: dict[int, Layer] = defaultdict(dict)
    for spec in blueprint.tensors:
        if match := _BLOCK.match(spec.name):
            layers[int(match[1])][match[2]] = spec
    if len(layers) < main_layers(blueprint):
        raise LabError(
            f"The model's description says {blueprint.n_layers:,} layers, but has tensors "
            f"for {len(layers):,}.",
            "Check the file, or choose another model.",
        )
    return [layers[index] for index in sorted(layers)]


def _places(blueprint: Blueprint, by_layer: list[Layer], layers: int, total: int) -> list[int]:
    """For each layer of the shallow model, the layer whose place it takes.

    llama.cpp knows the kind of a layer by its number (every sixth without a window, the first three dense).
    So the shallow model takes the first layers; of leading dense ones, as many as keep the proportion.
    """
    dense = blueprint.number(_LEADING_DENSE, 0)
    kept = min(dense, max(1, round(dense * layers / total)))
    skipped = dense - kept
    moved = [i if i < kept else i + skipped for i in range(layers)]
    if skipped and 0 < kept < layers and _alike_but_ffn(by_layer, moved):
        return moved
    return list(range(layers))


def _alike_but_ffn(by_layer: list[Layer], places: list[int]) -> bool:
    """Does each layer have the attention tensors of the one whose number it gets?"""
    return all(_attention_shapes(by_layer[i]) == _attention_shapes(by_layer[p]) for i, p in enumerate(places))


def _attention_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    return {name: spec.shape for name, spec in layer.items() if "ffn" not in name and "exp" not in name}


def _shapes(layer: Layer) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, spec.shape) for name, spec in layer.items())


def _with_types_in_proportion(whole: list[Layer], chosen: list[Layer]) -> list[Layer]:
    """`chosen` with tensor types drawn evenly from all layers of the same shape."""
    alike: dict[Any, list[Layer]] = defaultdict(list)
    for layer in whole:
        alike[_shapes(layer)].append(layer)
    for group in alike.values():
        group.sort(key=lambda layer: [spec.type_name for spec in layer.values()])
    counts: dict[Any, int] = defaultdict(int)
    for layer in chosen:
        counts[_shapes(layer)] += 1
    taken: dict[Any, int] = defaultdict(int)
    result = []
    for layer in chosen:
        shapes = _shapes(layer)
        group, n = alike[shapes], counts[shapes]
        result.append(group[(2 * taken[shapes] + 1) * len(group) // (2 * n)])
        taken[shapes] += 1
    return result


def _in_file_order(blueprint: Blueprint, blocks: list[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The tensors outside the layers before and after them, as in the whole file."""
    first = next((i for i, spec in enumerate(blueprint.tensors) if _BLOCK.match(spec.name)), 0)
    rest = [(i, spec) for i, spec in enumerate(blueprint.tensors) if not _BLOCK.match(spec.name)]
    before = [spec for i, spec in rest if i < first]
    after = [spec for i, spec in rest if i >= first]
    return tuple([*before, *blocks, *after])


def _metadata(blueprint: Blueprint, places: list[int], total: int) -> Mapping[str, Any]:
    prefix = f"{blueprint.architecture}."
    metadata = dict(blueprint.metadata)
    for key, value in metadata.items():
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        short = key.removeprefix(prefix)
        if (
            key != short
            and is_list
            and len(value) in (blueprint.n_layers, total)
            and short not in _NOT_PER_LAYER
        ):
            metadata[key] = [value[place] for place in places]
    layers = len(places)
    metadata[prefix + "block_count"] = layers
    if blueprint.number(_DRAFTING, 0):
        metadata[prefix + _DRAFTING] = 0
    dense = blueprint.number(_LEADING_DENSE, 0)
    if dense:
        skipped = places[-1] - (layers - 1)
        metadata[prefix + _LEADING_DENSE] = min(dense - skipped, layers)
    if shared := blueprint.number(_SHARED_KV, 0):  # the last layers use the keys and values of earlier ones
        metadata[prefix + _SHARED_KV] = max(0, layers - (total - shared))
    return metadata
