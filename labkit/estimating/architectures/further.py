"""Architectures with a detail of their own: no norms, scaled residuals, stretched rotary bases.

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.blocks import Attention, GatedFFN, Norm, PlainFFN
from labkit.estimating.architectures.dense import (
    LLAMA_LAYER,
    granite_keys,
    llama3_table,
    longrope_tables,
    rotary_dims,
)
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig, finite
from labkit.estimating.architectures.metadata import common_keys, shape_keys
from labkit.estimating.architectures.rope import rope_parameters


def _olmo_keys(config: HFConfig) -> dict[str, Any]:
    keys = {"attention.layer_norm_epsilon": 1e-5}
    if (clamp := config.number("clip_qkv", default=None)) is not None:
        keys["attention.clamp_kqv"] = clamp
    return keys


def _cohere_keys(config: HFConfig) -> dict[str, Any]:
    """The real context is `model_max_length`: max_position_embeddings was written too small."""
    return {
        "context_length": config.integer("model_max_length", default=config.context_length),
        "logit_scale": config.number("logit_scale"),
        "rope.scaling.type": "none",
    }


def _nemotron_keys(config: HFConfig) -> dict[str, Any]:
    full, _ = rope_parameters(config)
    keys = {
        "attention.layer_norm_epsilon": config.number("layer_norm_eps", "norm_epsilon", "norm_eps"),
        "rope.dimension_count": rotary_dims(config),
        "rope.scaling.type": "none",
    }
    if full.get("factor") is not None:
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": finite(full["factor"], "factor")}
    return keys


def _exaone_keys(config: HFConfig) -> dict[str, Any]:
    eps = config.number("rms_norm_eps", "layer_norm_epsilon")
    return {"attention.layer_norm_rms_epsilon": eps, "rope.dimension_count": config.head_dim}


def hunyuan_rope(config: HFConfig, alpha: float) -> dict[str, Any]:
    """A base stretched by alpha, and the context that Hunyuan's report gives for it."""
    full, _ = rope_parameters(config)
    if full["rope_type"] != "dynamic":
        return {}
    base = finite(full.get("rope_theta", 10_000.0), "rope_theta")
    alpha = finite(full.get("alpha", alpha), "alpha", above=0)
    return {
        "rope.freq_base": base * alpha ** (config.head_dim / max(1, config.head_dim - 2)),
        "rope.scaling.type": "none",
        "rope.scaling.factor": 1.0,
        "rope.scaling.original_context_length": 256 * 1024,
        "context_length": 256 * 1024,
    }


def _chatglm_common(config: HFConfig) -> dict[str, Any]:
    keys = shape_keys(config)
    keys.pop("attention.key_length", None)
    keys.pop("attention.value_length", None)
    return keys | {
        "context_length": config.integer("seq_length", default=config.n_embd),
        "attention.layer_norm_rms_epsilon": config.number("layernorm_epsilon", default=1e-5),
        "rope.dimension_count": rotary_dims(config),
        "rope.freq_base": 10_000.0 * config.number("rope_ratio", default=1.0),
    }


def _minicpm_keys(config: HFConfig) -> dict[str, Any]:
    return {
        "embedding_scale": config.number("scale_emb"),
        "residual_scale": config.number("scale_depth") / config.n_layers**0.5,
        "logit_scale": config.n_embd / config.number("dim_model_base", above=0),
    }


def _granite_hybrid_common(config: HFConfig) -> dict[str, Any]:
    """Granite 4 without recurrent layers and without experts is a Granite, its FFN the shared one."""
    types = config.per_layer("layer_types") or ()
    if not types or any(layer_type != "attention" for layer_type in types) or config.n_experts:
        raise LabError(
            "This Granite 4 has recurrent layers or experts beside them, which labkit can't derive from a "
            "config.json.",
            "Give a GGUF file of the model: its header says everything.",
        )
    return common_keys(config)


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "olmo",
        ("olmo",),
        ("OlmoForCausalLM", "OLMoForCausalLM"),
        (Attention(), GatedFFN()),
        output_norm=False,
        keys=_olmo_keys,
    ),
    Architecture(
        "command-r",
        ("cohere",),
        ("CohereForCausalLM",),
        (Norm("attn_norm"), Attention(qk_norm="each", qk_norm_if="use_qk_norm"), GatedFFN()),
        tied=True,
        keys=_cohere_keys,
    ),
    Architecture(
        "nemotron",
        ("nemotron",),
        ("NemotronForCausalLM",),
        (
            Norm("attn_norm", bias=True),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm", bias=True),
            PlainFFN(bias="mlp_bias"),
        ),
        output_norm_bias=True,
        keys=_nemotron_keys,
    ),
    Architecture(
        "exaone",
        ("exaone",),
        ("ExaoneForCausalLM",),
        (Norm("attn_norm"), Attention(), Norm("ffn_norm"), GatedFFN()),
        keys=_exaone_keys,
        tables=llama3_table,
    ),
    Architecture(
        "hunyuan-dense",
        ("hunyuan_v1_dense",),
        ("HunYuanDenseV1ForCausalLM",),
        (Norm("attn_norm"), Attention(qk_norm="head"), Norm("ffn_norm"), GatedFFN()),
        keys=lambda config: hunyuan_rope(config, 50.0),
    ),
    Architecture(
        "chatglm",
        ("glm",),
        ("GlmForCausalLM",),
        (Norm("attn_norm"), Attention(bias="attention_bias"), Norm("ffn_norm"), GatedFFN(fused=True)),
        common=_chatglm_common,
    ),
    Architecture(
        "internlm2",
        ("internlm2",),
        ("InternLM2ForCausalLM",),
        (Norm("attn_norm"), Attention(bias="bias", output_bias="bias"), Norm("ffn_norm"), GatedFFN()),
    ),
    Architecture(
        "minicpm",
        ("minicpm",),
        ("MiniCPMForCausalLM",),
        LLAMA_LAYER,
        keys=_minicpm_keys,
        tables=longrope_tables,
    ),
    Architecture(
        "granite",
        ("granitemoehybrid",),
        ("GraniteMoeHybridForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_bias"),
            Norm("ffn_norm"),
            GatedFFN(width=lambda config: config.integer("shared_intermediate_size")),
        ),
        common=_granite_hybrid_common,
        keys=granite_keys,
        tables=llama3_table,
    ),
)
