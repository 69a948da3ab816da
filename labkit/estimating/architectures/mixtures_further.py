"""Further architectures with experts (MoE), made of the blocks of the ones in `mixtures.py`.

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from typing import Any

from labkit.estimating.architectures.blocks import (
    Attention,
    EitherFFN,
    Experts,
    LatentAttention,
    NextTokenHead,
    Norm,
    SharedExpert,
    expert_width,
)
from labkit.estimating.architectures.dense import (
    QWEN3_ATTENTION,
    llama3_table,
    rotary_dims,
    rotated_head,
)
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.further import hunyuan_rope
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.metadata import common_keys, window_keys
from labkit.estimating.architectures.mixtures import (
    SHARED,
    SIGMOID,
    after_leading_dense,
    deepseek_common,
    deepseek_keys,
    glm4_moe_keys,
    leading_dense,
    n_next_token_layers,
    n_shared_experts,
    shared_width,
)
from labkit.estimating.architectures.windowed import stated_pattern

_BALANCED = (Experts(selection_bias=lambda config: True), SHARED)


def _deepseek1_keys(config: HFConfig) -> dict[str, Any]:
    return rotated_head(config) | {
        "leading_dense_block_count": leading_dense(config),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared_experts(config),
        "expert_weights_scale": 1.0,
        "rope.scaling.type": "none",
    }


def _glm_lite_keys(config: HFConfig) -> dict[str, Any]:
    n_next = n_next_token_layers(config)
    keys = deepseek_keys(config) | {"block_count": config.n_layers + n_next}
    return keys | {"nextn_predict_layers": n_next} if n_next else keys


def _afmoe_keys(config: HFConfig) -> dict[str, Any]:
    return (
        rotated_head(config)
        | window_keys(config, 4)
        | {
            "leading_dense_block_count": leading_dense(config),
            "expert_feed_forward_length": expert_width(config),
            "expert_shared_count": n_shared_experts(config),
            "expert_weights_norm": config.flag("route_norm", default=True),
            "expert_weights_scale": config.number("route_scale"),
        }
    )


def _exaone_moe_keys(config: HFConfig) -> dict[str, Any]:
    return stated_pattern(config) | {
        "leading_dense_block_count": leading_dense(config),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared_experts(config),
        "expert_shared_feed_forward_length": shared_width(config),
        "expert_weights_scale": config.number("routed_scaling_factor"),
        "expert_weights_norm": config.flag("norm_topk_prob"),
        "expert_gating_func": SIGMOID,
        "nextn_predict_layers": 0,
        "rope.scaling.type": "none",
    }


def _bailing_keys(config: HFConfig) -> dict[str, Any]:
    return rotated_head(config) | {
        "leading_dense_block_count": leading_dense(config),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared_experts(config),
        "expert_weights_scale": 1.0,
        "expert_weights_norm": config.flag("norm_topk_prob"),
    }


def _bailing2_keys(config: HFConfig) -> dict[str, Any]:
    return _bailing_keys(config) | {
        "rope.dimension_count": rotary_dims(config, 0.5),
        "expert_shared_feed_forward_length": expert_width(config),
        "expert_weights_scale": config.number("routed_scaling_factor"),
        "expert_gating_func": SIGMOID,
    }


def _hunyuan_common(config: HFConfig) -> dict[str, Any]:
    keys = common_keys(config) | hunyuan_rope(config, 1000.0)
    return keys | {
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_feed_forward_length": config.n_ff,
        "expert_shared_count": config.integer_of_all_layers("num_shared_expert"),
    }


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "deepseek",
        ("deepseek",),
        ("DeepseekForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm"),
            EitherFFN(after_leading_dense, (Experts(), SHARED)),
        ),
        keys=_deepseek1_keys,
    ),
    Architecture(
        "deepseek2",
        ("glm4_moe_lite",),
        ("Glm4MoeLiteForCausalLM",),
        (
            Norm("attn_norm"),
            LatentAttention(),
            Norm("ffn_norm"),
            EitherFFN(after_leading_dense, _BALANCED),
            NextTokenHead(),
        ),
        common=deepseek_common,
        keys=_glm_lite_keys,
        n_further_layers=n_next_token_layers,
    ),
    Architecture(
        "glm4moe",
        ("solar_open",),
        ("SolarOpenForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias"),
            Norm("post_attention_norm"),
            EitherFFN(after_leading_dense, _BALANCED),
        ),
        keys=glm4_moe_keys,
    ),
    Architecture(
        "afmoe",
        ("afmoe",),
        ("AfmoeForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(qk_norm="head", gated=True),
            Norm("post_attention_norm"),
            Norm("ffn_norm"),
            EitherFFN(after_leading_dense, _BALANCED),
            Norm("post_ffw_norm"),
        ),
        keys=_afmoe_keys,
        tables=llama3_table,
    ),
    Architecture(
        "exaone-moe",
        ("exaone_moe",),
        ("ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM"),
        (*QWEN3_ATTENTION, EitherFFN(after_leading_dense, _BALANCED)),
        keys=_exaone_moe_keys,
        tables=llama3_table,
    ),
    Architecture(
        "bailingmoe",
        ("bailing_moe",),
        ("BailingMoeForCausalLM",),
        (Norm("attn_norm"), Attention(), Norm("ffn_norm"), Experts(), SHARED),
        keys=_bailing_keys,
    ),
    Architecture(
        "bailingmoe2",
        ("bailing_moe_v2",),
        ("BailingMoeV2ForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(fused=True, qk_norm="head"),
            Norm("ffn_norm"),
            EitherFFN(after_leading_dense, _BALANCED),
        ),
        keys=_bailing2_keys,
    ),
    Architecture(
        "hunyuan-moe",
        ("hunyuan_v1_moe",),
        ("HunYuanMoEV1ForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(qk_norm="head"),
            Norm("ffn_norm"),
            Experts(),
            SharedExpert(lambda config: config.integer_of_all_layers("num_shared_expert") * config.n_ff),
        ),
        common=_hunyuan_common,
    ),
)
