"""GGUF's keys for a `config.json`, as llama.cpp's converter writes them for every architecture.

Source: TextModel.set_gguf_parameters in llama.cpp's conversion/base.py.
"""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.rope import rope_keys

#: config.json's name of the router's function → GGUF's number
_GATING = {"softmax": 1, "sigmoid": 2, "noaux_tc": 2}
_GATING_KEYS = ("score_function", "scoring_func", "score_func", "moe_router_activation_func")


def common_keys(config: HFConfig) -> dict[str, Any]:
    """Keys, without the architecture's prefix, that do not depend on the architecture."""
    keys = shape_keys(config) | rope_keys(config) | norm_keys(config)
    return keys | expert_keys(config) if config.n_experts else keys


def shape_keys(config: HFConfig) -> dict[str, Any]:
    """Depth, widths and heads."""
    keys: dict[str, Any] = {
        "block_count": config.n_layers,
        "context_length": config.context_length,
        "embedding_length": config.n_embd,
        "feed_forward_length": config.n_ff,
        "attention.head_count": config.n_heads,
        "attention.head_count_kv": config.n_kv_heads,
    }
    if config.states_head_dim:
        keys["attention.key_length"] = keys["attention.value_length"] = config.head_dim
    return keys


def norm_keys(config: HFConfig) -> dict[str, Any]:
    """The small number that a norm adds before it divides."""
    keys = {}
    if (eps := config.number("rms_norm_eps", "norm_eps", default=None)) is not None:
        keys["attention.layer_norm_rms_epsilon"] = eps
    eps = config.number("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", default=None)
    if eps is not None:
        keys["attention.layer_norm_epsilon"] = eps
    return keys


def expert_keys(config: HFConfig) -> dict[str, Any]:
    """How many experts there are, how many a token uses, and how they are chosen."""
    keys: dict[str, Any] = {"expert_count": config.n_experts, "expert_used_count": config.n_experts_used}
    for name, key in (("expert_group_count", "n_group"), ("expert_group_used_count", "topk_group")):
        if (n := config.integer(key, default=None, least=0)) is not None:
            keys[name] = n
    if function := config.text(*_GATING_KEYS):
        if function not in _GATING:
            raise LabError(
                f"config.json names a router function that llama.cpp does not have: {function:.40}.",
                "Give a GGUF file of the model.",
            )
        keys["expert_gating_func"] = _GATING[function]
    return keys


def window_keys(config: HFConfig, period: int) -> dict[str, Any]:
    """The sliding window, and which layers have one where that is not llama.cpp's pattern.

    llama.cpp takes it that of `period` layers all but the last look back on a window. The converter does not
    write down another pattern for these architectures; it is written here, since llama.cpp reads it.
    """
    window = config.integer("sliding_window", default=None, least=0)
    if window is None:
        return {}
    keys: dict[str, Any] = {"attention.sliding_window": window}
    pattern = window_pattern(config)
    if pattern is not None and pattern != [layer % period < period - 1 for layer in range(config.n_layers)]:
        keys["attention.sliding_window_pattern"] = pattern
    return keys


def window_pattern(config: HFConfig) -> list[bool] | None:
    """For each layer: does it look back on a window only? None when config.json does not say."""
    if (types := config.per_layer("layer_types")) is not None:
        return [layer_type == "sliding_attention" for layer_type in types]
    period = config.get("sliding_window_pattern", "_sliding_window_pattern")
    if isinstance(period, str) and period:
        return [period[layer % len(period)] == "L" for layer in range(config.n_layers)]
    period = config.integer("sliding_window_pattern", "_sliding_window_pattern", default=None)
    return None if period is None else [(layer + 1) % period != 0 for layer in range(config.n_layers)]
