"""Rotary positions: what a `config.json` says about them, in its old and its new form. Taught in chapter 1.

Source: convert_rope_params_to_dict in transformers/modeling_rope_utils.py; TextModel, LlamaModel and
Phi3MiniModel in llama.cpp's conversion/.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.hf_config import HFConfig, finite

_FULL, _SLIDING = "full_attention", "sliding_attention"
_THETA_KEYS = ("global_rope_theta", "rope_theta", "rotary_emb_base", "rope_base")
_LOCAL_THETA_KEYS = ("local_rope_theta", "rope_local_base_freq", "swa_rope_theta")


def rope_parameters(config: HFConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of layers with full attention and of those with a window; the second may be empty.

    `rope_type`, `rope_theta` and, for the types that need it, `original_max_position_embeddings` are filled
    in as Hugging Face's class does.
    """
    said = config.table("rope_parameters", "rope_scaling")
    if isinstance(said.get(_FULL), Mapping):
        full, sliding = dict(said[_FULL]), dict(said.get(_SLIDING) or {})
    else:
        full, sliding = dict(said), {}
    theta = config.number(*_THETA_KEYS, default=None)
    if full.get("rope_theta") is None and theta is not None:
        full["rope_theta"] = theta
    local_theta = config.number(*_LOCAL_THETA_KEYS, default=None)
    if sliding.get("rope_theta") is None and local_theta is not None:
        sliding["rope_theta"] = local_theta
    for key in ("original_max_position_embeddings", "partial_rotary_factor"):
        if (value := config.number(key, default=None)) is not None:
            full.setdefault(key, value)
    rope_type = full.get("rope_type") or full.get("type") or "default"
    if not isinstance(rope_type, str):
        raise LabError(
            f"config.json says rope_type = {rope_type!r:.40}, which is not text.", "Check the file."
        )
    full["rope_type"] = rope_type
    if rope_type in ("llama3", "yarn", "longrope", "su"):
        full.setdefault("original_max_position_embeddings", config.context_length)
    return full, sliding


def rope_keys(config: HFConfig) -> dict[str, Any]:
    """GGUF's `rope.*` keys, as the converter writes them for most architectures."""
    full, sliding = rope_parameters(config)
    keys: dict[str, Any] = {}
    rope_type = full["rope_type"]
    if rope_type in ("linear", "yarn") and full.get("factor") is not None:
        keys["rope.scaling.type"] = rope_type
        keys["rope.scaling.factor"] = finite(full["factor"], "factor", above=0)
    if rope_type == "yarn" and full.get("factor") is not None:
        keys["rope.scaling.original_context_length"] = original_context_length(config)
        for name, options in _YARN_KEYS.items():
            value = next((full[option] for option in options if full.get(option) is not None), None)
            if value is not None:
                keys[f"rope.scaling.yarn_{name}"] = finite(value, options[0])
    if rope_type in ("su", "longrope"):
        keys["rope.scaling.type"] = "longrope"
    if full.get("rope_theta") is not None:
        keys["rope.freq_base"] = finite(full["rope_theta"], "rope_theta", above=0)
    if sliding.get("rope_theta") is not None:
        keys["rope.freq_base_swa"] = finite(sliding["rope_theta"], "rope_theta", above=0)
    return keys


_YARN_KEYS = {
    "ext_factor": ("extrapolation_factor",),
    "attn_factor": ("attention_factor", "attn_factor"),
    "beta_fast": ("beta_fast",),
    "beta_slow": ("beta_slow",),
}


def original_context_length(config: HFConfig) -> int:
    """Tokens of the context before positions were stretched: all of them where config.json does not say."""
    key = "original_max_position_embeddings"
    stated = rope_parameters(config)[0].get(key, config.get(key)) or config.context_length
    return int(finite(stated, key, above=0))


def has_llama3_factors(config: HFConfig) -> bool:
    """Does the converter write a table `rope_freqs.weight`, half a head long, for this configuration?"""
    return rope_parameters(config)[0]["rope_type"].lower() == "llama3"


def has_longrope_factors(config: HFConfig, rotary_dims: int) -> bool:
    """Does the converter write the tables `rope_factors_long` and `_short`? Their lengths are checked."""
    full, _ = rope_parameters(config)
    long, short = full.get("long_factor"), full.get("short_factor")
    if not long:
        return False
    for key, factors in (("long_factor", long), ("short_factor", short)):
        is_list = isinstance(factors, Sequence) and not isinstance(factors, str)
        if not is_list or len(factors) != rotary_dims // 2:
            raise LabError(
                f"config.json's {key} must be a list of {rotary_dims // 2} numbers, half a rotated head.",
                "Check config.json against the model's page.",
            )
    return True


def longrope_attention_factor(config: HFConfig) -> float:
    """The factor on attention that goes with the long factors: sqrt(1 + ln(scale) / ln(original length))."""
    original = original_context_length(config)
    scale = config.context_length / original
    return math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 and original > 1 else 1.0
