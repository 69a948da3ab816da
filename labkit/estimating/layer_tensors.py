"""The tensors of each layer, and whether `transformer_graph` knows what llama.cpp computes with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from labkit.estimating.blueprint import Blueprint
from labkit.estimating.hyperparameters import MOST_EXPERTS
from labkit.estimating.kv_cache import KVLayer

#: fused, separate, latent
_ATTENTION = (
    {"attn_qkv", "attn_output"},
    {"attn_q", "attn_k", "attn_v", "attn_output"},
    {"attn_kv_a_mqa", "attn_k_b", "attn_v_b", "attn_output"},
)
_KNOWN = re.compile(
    r"^(attn_(q|k|v|qkv|output|q_a|q_b|kv_a_mqa|k_b|v_b|kv_b)|attn_(\w+_)?norm(_2)?|post_\w+_norm|attn_sinks"
    r"|ffn_(up|gate|down|gate_up)(_exps|_shexp)?|ffn_gate_inp(_shexp)?|ffn_norm|exp_probs_b|layer_output_\w+"
    r"|rope_\w+|nextn\.\w+)(\.bias)?$"
)


@dataclass
class LayerTensors:
    """Shapes of one layer's tensors by name, without the layer's number and `.weight`."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def rows(self, name: str) -> int:
        """The width of what a product with the matrix gives."""
        return self.shapes[name][1]


def layer_tensors(blueprint: Blueprint) -> dict[int, LayerTensors]:
    """Number of the layer → its tensors."""
    layers: dict[int, LayerTensors] = {}
    for spec in blueprint.tensors:
        index, name = _place_of(spec.name)
        if index >= 0:
            layers.setdefault(index, LayerTensors()).shapes[name] = spec.shape
    return layers


def is_known(blueprint: Blueprint, layers: tuple[KVLayer, ...]) -> bool:
    """Can the graph of this model be built: do all its layers attend, with tensors of known kinds?"""
    tensors = layer_tensors(blueprint)
    n_layers = blueprint.n_layers - blueprint.number("nextn_predict_layers", 0)
    experts_fit = blueprint.n_experts_used <= blueprint.n_experts <= MOST_EXPERTS
    enough = len(layers) >= n_layers and all(index in tensors for index in range(n_layers))
    return experts_fit and enough and all(_layer_is_known(layer) for layer in tensors.values())


def _layer_is_known(layer: LayerTensors) -> bool:
    names = layer.shapes.keys()
    attends = any(kind <= names for kind in _ATTENTION)
    feeds = {"ffn_up", "ffn_down"} <= names or {"ffn_gate_inp", "ffn_down_exps"} <= names
    matrices = (
        name
        for name in names
        if "norm" not in name and not re.search("bias|probs|sinks|rope|nextn|out_", name)
    )
    flat = any(len(layer.shapes[name]) < 2 for name in matrices)
    return attends and feeds and not flat and all(map(_KNOWN.match, names))


@lru_cache(maxsize=65_536)
def _place_of(name: str) -> tuple[int, str]:
    """Layer of a tensor and its name there: `blk.3.attn_q.weight` → 3, attn_q; -1 for one of no layer."""
    match = re.match(r"blk\.(\d+)\.(.+?)(?:\.weight)?$", name)
    return (int(match[1]), match[2]) if match else (-1, name)
