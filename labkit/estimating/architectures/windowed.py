"""Architectures of which some layers look back on a sliding window only.

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from typing import Any

from labkit.estimating.architectures.blocks import Attention, Experts, GatedFFN, Norm
from labkit.estimating.architectures.dense import PRE_NORM, llama3_table
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.metadata import norm_keys, shape_keys, window_keys, window_pattern

_SANDWICH_NORM = (
    Norm("attn_norm"),
    Attention(),
    Norm("post_attention_norm"),
    Norm("ffn_norm"),
    GatedFFN(),
    Norm("post_ffw_norm"),
)


def _gemma_common(config: HFConfig) -> dict[str, Any]:
    """Gemma and Gemma 2 have their own list in the converter, without rotary positions."""
    return shape_keys(config) | norm_keys(config)


def _gemma2_keys(config: HFConfig) -> dict[str, Any]:
    return _softcaps(config, "attn_logit_softcapping", "final_logit_softcapping") | window_keys(config, 2)


def _gemma3_keys(config: HFConfig) -> dict[str, Any]:
    keys = _softcaps(config, "final_logit_softcapping")
    if config.get("sliding_window_pattern") == 1:  # every layer looks back on everything
        return keys
    return keys | window_keys(config, 6)


def _softcaps(config: HFConfig, *names: str) -> dict[str, Any]:
    caps = {name: config.number(name, default=None) for name in names}
    return {name: cap for name, cap in caps.items() if cap}


def _gpt_oss_keys(config: HFConfig) -> dict[str, Any]:
    return window_keys(config, 2) | {"expert_feed_forward_length": config.n_ff}


def _cohere2_keys(config: HFConfig) -> dict[str, Any]:
    rotary_share = config.number("rotary_pct", default=1.0)
    return window_keys(config, 4) | {
        "logit_scale": config.number("logit_scale"),
        "rope.dimension_count": int(rotary_share * (config.n_embd // config.n_heads)),
        "rope.scaling.type": "none",
    }


def stated_pattern(config: HFConfig) -> dict[str, Any]:
    """The converter writes window and pattern where the configuration has a window."""
    window = config.integer("sliding_window", default=None, least=0)
    if window is None:
        return {}
    every_fourth_full = [(layer + 1) % 4 != 0 for layer in range(config.n_layers)]
    return {
        "attention.sliding_window": window,
        "attention.sliding_window_pattern": window_pattern(config) or every_fourth_full,
    }


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("gemma", ("gemma",), ("GemmaForCausalLM",), PRE_NORM, tied=True, common=_gemma_common),
    Architecture(
        "gemma2",
        ("gemma2",),
        ("Gemma2ForCausalLM",),
        _SANDWICH_NORM,
        tied=True,
        common=_gemma_common,
        keys=_gemma2_keys,
    ),
    Architecture(
        "gemma3",
        ("gemma3_text", "gemma3"),
        ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"),
        (
            Norm("attn_norm"),
            Attention(qk_norm="head"),
            *_SANDWICH_NORM[2:],
        ),
        keys=_gemma3_keys,
    ),
    Architecture(
        "gpt-oss",
        ("gpt_oss",),
        ("GptOssForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_bias", sinks=True),
            Norm("post_attention_norm"),
            Experts(lambda config: config.n_ff, bias=True),
        ),
        keys=_gpt_oss_keys,
    ),
    Architecture(
        "olmo2",
        ("olmo3",),
        ("Olmo3ForCausalLM",),
        (
            Attention(qk_norm="all"),
            Norm("post_attention_norm"),
            GatedFFN(),
            Norm("post_ffw_norm"),
        ),
        keys=stated_pattern,
    ),
    Architecture(
        "exaone4",
        ("exaone4",),
        ("Exaone4ForCausalLM",),
        (
            Attention(qk_norm="head"),
            Norm("post_attention_norm"),
            GatedFFN(),
            Norm("post_ffw_norm"),
        ),
        keys=stated_pattern,
        tables=llama3_table,
    ),
    Architecture(
        "cohere2",
        ("cohere2",),
        ("Cohere2ForCausalLM",),
        (Norm("attn_norm"), Attention(), GatedFFN()),
        tied=True,
        keys=_cohere2_keys,
    ),
)
