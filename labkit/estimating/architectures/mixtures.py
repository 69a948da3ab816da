"""Architectures with experts (MoE). Llama's and gpt-oss's stand with their dense kin.

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labkit.estimating.architectures.blocks import (
    Attention,
    EitherFFN,
    Experts,
    GatedFFN,
    LatentAttention,
    NextTokenHead,
    Norm,
    SharedExpert,
    expert_width,
    latent_widths,
)
from labkit.estimating.architectures.dense import (
    QWEN3_ATTENTION,
    deepstack_keys,
    granite_keys,
    llama3_table,
    longrope_tables,
    phi3_common,
    phi3_keys,
    rotary_dims,
)
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig, finite
from labkit.estimating.architectures.metadata import common_keys
from labkit.estimating.architectures.rope import rope_parameters
from labkit.estimating.hyperparameters import MOST_LAYERS

SIGMOID = 2


def n_shared_experts(config: HFConfig) -> int:
    """Experts that every token uses."""
    return config.integer("n_shared_experts", "num_shared_experts", default=0, least=0)


def shared_width(config: HFConfig) -> int:
    """Shared experts are stored as one, as wide as all of them."""
    return n_shared_experts(config) * expert_width(config)


def leading_dense(config: HFConfig) -> int:
    """How many layers without experts come first: all of them in a configuration without experts."""
    if not config.n_experts:
        return config.n_layers
    n_dense = config.integer("first_k_dense_replace", "num_dense_layers", default=None, least=0)
    if n_dense is not None:
        return n_dense
    kinds = list(config.per_layer("mlp_layer_types") or ())
    return next((layer for layer, kind in enumerate(kinds) if kind != "dense"), len(kinds))


def after_leading_dense(config: HFConfig, layer: int) -> bool:
    """Has this layer experts?"""
    return config.n_experts > 0 and layer >= leading_dense(config)


def _qwen_expert_keys(config: HFConfig) -> dict[str, Any]:
    keys = {"expert_feed_forward_length": expert_width(config)}
    if shared := config.integer("shared_expert_intermediate_size", default=None, least=0):
        keys["expert_shared_feed_forward_length"] = shared
    return keys


def _qwen_has_experts(config: HFConfig, layer: int) -> bool:
    """All layers in the models so far; the class also takes a list or a step of dense ones."""
    dense_layers = config.get("mlp_only_layers") or ()
    step = config.integer("decoder_sparse_step", default=1)
    listed = isinstance(dense_layers, list | tuple) and layer in dense_layers
    return config.n_experts > 0 and not listed and (layer + 1) % step == 0


def _has_selection_bias(config: HFConfig) -> bool:
    """DeepSeek-V3 and its kin balance experts with a bias; DeepSeek-V2 does not."""
    method = config.text("topk_method")
    return method == "noaux_tc" or (not method and config.text("model_type") != "deepseek_v2")


def deepseek_common(config: HFConfig) -> dict[str, Any]:
    """Latent attention caches one short vector a token, as if there were one key/value head."""
    nope, rope, value = latent_widths(config)
    kv_rank = config.integer("kv_lora_rank")
    keys = common_keys(config) | {
        "attention.head_count_kv": 1,
        "attention.kv_lora_rank": kv_rank,
        "attention.key_length": kv_rank + rope,
        "attention.value_length": kv_rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": value,
        "rope.dimension_count": rope,
        # llama.cpp demands this key for most depths; the converter leaves it out where there is no rank
        "attention.q_lora_rank": config.integer("q_lora_rank", default=0),
    }
    full, _ = rope_parameters(config)
    if (mscale := full.get("mscale_all_dim")) is not None:
        keys["rope.scaling.yarn_log_multiplier"] = 0.1 * finite(mscale, "mscale_all_dim")
    return keys


def deepseek_keys(config: HFConfig) -> dict[str, Any]:
    """Leading dense layers, shared experts, and how the experts' answers are weighed."""
    keys: dict[str, Any] = {
        "leading_dense_block_count": leading_dense(config),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared_experts(config),
    }
    if (scale := config.number("routed_scaling_factor", default=None)) is not None:
        keys["expert_weights_scale"] = scale
    if config.flag("norm_topk_prob"):
        keys["expert_weights_norm"] = True
    return keys


def _dots1_keys(config: HFConfig) -> dict[str, Any]:
    return deepseek_keys(config) | {
        "expert_weights_norm": config.flag("norm_topk_prob"),
        "expert_gating_func": SIGMOID,
    }


def _granite_shared_width(config: HFConfig) -> int:
    return config.integer("shared_intermediate_size", default=0, least=0)


def _granite_moe_keys(config: HFConfig) -> dict[str, Any]:
    keys = granite_keys(config)
    if shared := _granite_shared_width(config):
        keys["expert_shared_feed_forward_length"] = shared
    return keys


def _phimoe_common(config: HFConfig) -> dict[str, Any]:
    return phi3_common(config) | {
        "expert_count": config.n_experts,
        "expert_used_count": config.n_experts_used,
    }


def glm4_moe_keys(config: HFConfig) -> dict[str, Any]:
    """Positions rotate half a head; a sigmoid chooses the experts; layers for further tokens follow."""
    keys = {
        "rope.dimension_count": rotary_dims(config, 0.5),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared_experts(config),
        "leading_dense_block_count": leading_dense(config),
        "expert_gating_func": SIGMOID,
        "expert_weights_scale": config.number("routed_scaling_factor", default=1.0),
        "expert_weights_norm": config.flag("norm_topk_prob"),
        "nextn_predict_layers": n_next_token_layers(config),
    }
    return keys | {"block_count": config.n_layers + n_next_token_layers(config)}


def n_next_token_layers(config: HFConfig) -> int:
    """Layers that predict further tokens (MTP), stored after the others."""
    return config.integer("num_nextn_predict_layers", default=0, least=0, most=MOST_LAYERS)


def _ernie_keys(config: HFConfig) -> dict[str, Any]:
    n_shared = config.integer("moe_num_shared_experts", default=0, least=0)
    keys = {
        "interleave_moe_layer_step": config.integer("moe_layer_interval"),
        "leading_dense_block_count": config.integer("moe_layer_start_index", least=0),
        "expert_feed_forward_length": expert_width(config),
        "expert_shared_count": n_shared,
    }
    if n_shared:
        keys["expert_shared_feed_forward_length"] = _ernie_shared_width(config)
    return keys


def _ernie_shared_width(config: HFConfig) -> int:
    return config.integer("moe_num_shared_experts", default=0, least=0) * expert_width(config)


def _ernie_has_experts(config: HFConfig, layer: int) -> bool:
    first = config.integer("moe_layer_start_index", least=0)
    last = config.integer("moe_layer_end_index", default=-1, least=-1)
    return config.n_experts > 0 and first <= layer and (last < 0 or layer <= last)


def _llama4_keys(config: HFConfig) -> dict[str, Any]:
    keys = {
        "feed_forward_length": config.integer("intermediate_size_mlp"),
        "expert_feed_forward_length": config.n_ff,
        "interleave_moe_layer_step": config.integer("interleave_moe_layer_step"),
        "rope.dimension_count": config.head_dim,
    }
    types = config.per_layer("layer_types")
    if types and all(layer_type == "full_attention" for layer_type in types):
        keys["attention.sliding_window"] = 0
    return keys


def _llama4_has_experts(config: HFConfig, layer: int) -> bool:
    return (layer + 1) % config.integer("interleave_moe_layer_step") == 0


def _minimax_keys(config: HFConfig) -> dict[str, Any]:
    return {
        "expert_feed_forward_length": config.n_ff,
        "expert_gating_func": SIGMOID,
        "rope.dimension_count": config.integer("rotary_dim", default=rotary_dims(config)),
    }


SHARED = SharedExpert(shared_width)
_QWEN_SHARED = SharedExpert(
    lambda config: config.integer("shared_expert_intermediate_size", least=0), gated=True
)

DEEPSEEK_V3 = Architecture(
    "deepseek2",
    ("deepseek_v3", "kimi_k2"),
    ("DeepseekV3ForCausalLM",),
    (
        Norm("attn_norm"),
        LatentAttention(),
        Norm("ffn_norm"),
        EitherFFN(after_leading_dense, (Experts(selection_bias=_has_selection_bias), SHARED)),
    ),
    common=deepseek_common,
    keys=deepseek_keys,
)

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "qwen2moe",
        ("qwen2_moe",),
        ("Qwen2MoeForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="qkv_bias"),
            Norm("ffn_norm"),
            EitherFFN(_qwen_has_experts, (Experts(), _QWEN_SHARED)),
        ),
        keys=_qwen_expert_keys,
    ),
    Architecture(
        "qwen3moe",
        ("qwen3_moe",),
        ("Qwen3MoeForCausalLM",),
        (*QWEN3_ATTENTION, EitherFFN(_qwen_has_experts, (Experts(),))),
        keys=_qwen_expert_keys,
    ),
    Architecture(
        "qwen3vlmoe",
        ("qwen3_vl_moe_text", "qwen3_vl_moe"),
        ("Qwen3VLMoeForConditionalGeneration",),
        (*QWEN3_ATTENTION, EitherFFN(_qwen_has_experts, (Experts(),))),
        keys=lambda config: _qwen_expert_keys(config) | deepstack_keys(config),
    ),
    DEEPSEEK_V3,
    replace(DEEPSEEK_V3, model_types=("deepseek_v2",), classes=("DeepseekV2ForCausalLM",)),
    replace(DEEPSEEK_V3, model_types=("youtu",), classes=("YoutuForCausalLM",)),
    Architecture(
        "dots1",
        ("dots1",),
        ("Dots1ForCausalLM",),
        (
            *QWEN3_ATTENTION,
            EitherFFN(after_leading_dense, (Experts(selection_bias=lambda config: True), SHARED)),
        ),
        keys=_dots1_keys,
    ),
    Architecture(
        "olmoe",
        ("olmoe",),
        ("OlmoeForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(qk_norm="all"),
            Norm("ffn_norm"),
            Experts(lambda config: config.n_ff),
        ),
        keys=lambda config: {"attention.layer_norm_rms_epsilon": 1e-5},
    ),
    Architecture(
        "granitemoe",
        ("granitemoe", "granitemoeshared"),
        ("GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm"),
            Experts(lambda config: config.n_ff),
            SharedExpert(_granite_shared_width),
        ),
        keys=_granite_moe_keys,
        tables=llama3_table,
    ),
    Architecture(
        "phimoe",
        ("phimoe",),
        ("PhiMoEForCausalLM", "PhimoeForCausalLM"),
        (
            Norm("attn_norm", bias=True),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm", bias=True),
            Experts(lambda config: config.n_ff),
        ),
        output_norm_bias=True,
        output_bias="lm_head_bias",
        common=_phimoe_common,
        keys=phi3_keys,
        tables=longrope_tables,
    ),
    Architecture(
        "minimax-m2",
        ("minimax_m2",),
        ("MiniMaxM2ForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(qk_norm="all"),
            Norm("ffn_norm"),
            Experts(lambda config: config.n_ff, selection_bias=lambda config: True),
        ),
        keys=_minimax_keys,
    ),
    Architecture(
        "glm4moe",
        ("glm4_moe",),
        ("Glm4MoeForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", qk_norm="head", qk_norm_if="use_qk_norm"),
            Norm("post_attention_norm"),
            EitherFFN(after_leading_dense, (Experts(selection_bias=lambda config: True), SHARED)),
            NextTokenHead(),
        ),
        n_further_layers=n_next_token_layers,
        keys=glm4_moe_keys,
    ),
    Architecture(
        "ernie4_5-moe",
        ("ernie4_5_moe",),
        ("Ernie4_5_MoeForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="use_bias", output_bias="use_bias"),
            Norm("ffn_norm"),
            EitherFFN(
                _ernie_has_experts,
                (Experts(selection_bias=lambda config: True), SharedExpert(_ernie_shared_width)),
            ),
        ),
        keys=_ernie_keys,
    ),
    Architecture(
        "llama4",
        ("llama4_text", "llama4"),
        ("Llama4ForCausalLM", "Llama4ForConditionalGeneration"),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm"),
            EitherFFN(
                _llama4_has_experts,
                (Experts(lambda config: config.n_ff), SharedExpert(lambda config: config.n_ff)),
                GatedFFN(width=lambda config: config.integer("intermediate_size_mlp")),
            ),
        ),
        keys=_llama4_keys,
        tables=llama3_table,
    ),
)
