"""Architectures with one FFN in each layer, and full attention (Llama's also comes with experts).

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.blocks import (
    Attention,
    EitherFFN,
    Experts,
    GatedFFN,
    LatentAttention,
    Named,
    Norm,
    PlainFFN,
    any_experts,
)
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig, finite
from labkit.estimating.architectures.metadata import norm_keys, shape_keys
from labkit.estimating.architectures.rope import (
    has_llama3_factors,
    has_longrope_factors,
    longrope_attention_factor,
    original_context_length,
    rope_parameters,
)

PRE_NORM = (Norm("attn_norm"), Attention(), Norm("ffn_norm"), GatedFFN())
#: with biases where config.json asks for them
LLAMA_LAYER = (
    Norm("attn_norm"),
    Attention(bias="attention_bias", output_bias="attention_bias"),
    Norm("ffn_norm"),
    EitherFFN(any_experts, (Experts(lambda config: config.n_ff),), GatedFFN(bias="mlp_bias")),
)


def llama3_table(config: HFConfig) -> Iterator[Named]:
    """Llama 3.1's table of rotary frequencies, half a head long."""
    if has_llama3_factors(config):
        yield "rope_freqs.weight", (config.head_dim // 2,)


def rotated_head(config: HFConfig) -> dict[str, Any]:
    """Positions rotate a whole head."""
    return {"rope.dimension_count": config.head_dim}


def partly_rotated_head(config: HFConfig) -> dict[str, Any]:
    """Positions rotate `partial_rotary_factor` of a head."""
    return {"rope.dimension_count": rotary_dims(config)}


def rotary_dims(config: HFConfig, default: float = 1.0) -> int:
    """How many numbers of a head positions rotate; `default` is the share where config.json has none."""
    full, _ = rope_parameters(config)
    share = finite(full.get("partial_rotary_factor", default), "partial_rotary_factor", above=0)
    return int(min(share, 1.0) * config.head_dim)


def granite_keys(config: HFConfig) -> dict[str, Any]:
    """Granite scales embedding, residual stream, attention and logits."""
    names = {
        "attention.scale": "attention_multiplier",
        "embedding_scale": "embedding_multiplier",
        "residual_scale": "residual_multiplier",
        "logit_scale": "logits_scaling",
    }
    scales = {name: config.number(key) for name, key in names.items()}
    return rotated_head(config) | {name: scale for name, scale in scales.items() if scale}


def _ministral_keys(config: HFConfig) -> dict[str, Any]:
    """Ministral 3 also scales attention with the position; Mistral Small 3.1 does not."""
    full, _ = rope_parameters(config)
    keys = rotated_head(config)
    if config.text("model_type") == "ministral3":
        keys["rope.scaling.yarn_log_multiplier"] = finite(full.get("mscale_all_dim"), "mscale_all_dim")
        keys["attention.temperature_scale"] = finite(full.get("llama_4_scaling_beta"), "llama_4_scaling_beta")
    return keys


def phi3_common(config: HFConfig) -> dict[str, Any]:
    """Phi-3 has its own list in the converter; its window is written down and not used by llama.cpp."""
    full, _ = rope_parameters(config)
    keys = shape_keys(config) | norm_keys(config)
    return keys | {
        "rope.scaling.original_context_length": original_context_length(config),
        "rope.dimension_count": rotary_dims(config),
        "rope.freq_base": finite(full.get("rope_theta"), "rope_theta", above=0),
        "attention.sliding_window": config.integer("sliding_window", default=0, least=0),
    }


def phi3_keys(config: HFConfig) -> dict[str, Any]:
    """Attention is scaled where positions are stretched."""
    if has_longrope_factors(config, rotary_dims(config)):
        return {"rope.scaling.attn_factor": longrope_attention_factor(config)}
    return {}


def longrope_tables(config: HFConfig) -> Iterator[Named]:
    """Tables of rotary frequencies for short and for long texts."""
    dims = rotary_dims(config)
    if has_longrope_factors(config, dims):
        yield "rope_factors_long.weight", (dims // 2,)
        yield "rope_factors_short.weight", (dims // 2,)


def _phi_common(config: HFConfig) -> dict[str, Any]:
    keys = shape_keys(config) | norm_keys(config)
    return keys | {"attention.head_count_kv": config.n_heads, "rope.dimension_count": rotary_dims(config)}


def _stablelm_common(config: HFConfig) -> dict[str, Any]:
    return (
        shape_keys(config)
        | norm_keys(config)
        | {
            "rope.dimension_count": rotary_dims(config),
            "use_parallel_residual": config.flag("use_parallel_residual"),
        }
    )


def _minicpm3_common(config: HFConfig) -> dict[str, Any]:
    nope, rope = config.integer("qk_nope_head_dim"), config.integer("qk_rope_head_dim", least=2)
    keys = shape_keys(config) | norm_keys(config)
    keys.pop("attention.value_length", None)
    value = config.integer("v_head_dim")
    if value * config.n_heads != config.n_embd:  # llama.cpp takes it so where the key is missing
        keys["attention.value_length"] = value
    return keys | {
        "attention.q_lora_rank": config.integer("q_lora_rank"),
        "attention.kv_lora_rank": config.integer("kv_lora_rank"),
        "attention.key_length": nope + rope,
        "rope.dimension_count": rope,
    }


def mrope_keys(config: HFConfig) -> dict[str, Any]:
    """How a head is shared between time, height and width."""
    stated = rope_parameters(config)[0].get("mrope_section")
    if not isinstance(stated, list | tuple):
        raise LabError(
            "config.json does not say how positions are shared between time, height and width "
            "(rope_scaling, mrope_section).",
            "Check config.json against the model's page.",
        )
    sections = [int(finite(part, "mrope_section", above=-1)) for part in stated[:4]]
    return {"rope.dimension_sections": (sections + [0] * 4)[:4]}


def deepstack_keys(config: HFConfig) -> dict[str, Any]:
    """Into how many layers Qwen3-VL also feeds what it sees."""
    vision = config.table("vision_config")
    indexes = vision.get("deepstack_visual_indexes")
    return mrope_keys(config) | {"n_deepstack_layers": len(indexes) if isinstance(indexes, list) else 0}


QWEN3_ATTENTION = (
    Norm("attn_norm"),
    Attention(bias="attention_bias", output_bias="attention_bias", qk_norm="head"),
    Norm("ffn_norm"),
)


LLAMA = Architecture(
    "llama",
    ("llama",),
    (
        *("LlamaForCausalLM", "LLaMAForCausalLM", "VLlama3ForCausalLM", "IQuestCoderForCausalLM"),
        *("LlavaForConditionalGeneration", "VoxtralForConditionalGeneration"),
    ),
    LLAMA_LAYER,
    keys=rotated_head,
    tables=llama3_table,
)

ARCHITECTURES: tuple[Architecture, ...] = (
    LLAMA,
    replace(LLAMA, model_types=("mistral",), classes=("MistralForCausalLM",)),
    replace(LLAMA, model_types=("mixtral",), classes=("MixtralForCausalLM",)),
    replace(LLAMA, model_types=("internlm3",), classes=("InternLM3ForCausalLM",)),
    Architecture(
        "mistral3",
        ("ministral3", "mistral3"),
        ("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM"),
        LLAMA_LAYER,
        keys=_ministral_keys,
        tables=llama3_table,
    ),
    Architecture(
        "smollm3",
        ("smollm3",),
        ("SmolLM3ForCausalLM",),
        LLAMA_LAYER,
        keys=rotated_head,
        tables=llama3_table,
    ),
    Architecture(
        "arcee",
        ("arcee",),
        ("ArceeForCausalLM",),
        (Norm("attn_norm"), Attention(), Norm("ffn_norm"), PlainFFN()),
        keys=rotated_head,
        tables=llama3_table,
    ),
    Architecture(
        "granite",
        ("granite",),
        ("GraniteForCausalLM",),
        LLAMA_LAYER,
        keys=granite_keys,
        tables=llama3_table,
    ),
    Architecture(
        "qwen2",
        ("qwen2",),
        ("Qwen2ForCausalLM", "Qwen2Model", "Qwen2AudioForConditionalGeneration"),
        (Norm("attn_norm"), Attention(bias=True), Norm("ffn_norm"), GatedFFN()),
    ),
    Architecture(
        "qwen2vl",
        ("qwen2_vl_text", "qwen2_5_vl_text", "qwen2_vl", "qwen2_5_vl"),
        ("Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration"),
        (Norm("attn_norm"), Attention(bias=True), Norm("ffn_norm"), GatedFFN()),
        keys=mrope_keys,
    ),
    Architecture(
        "qwen3",
        ("qwen3",),
        ("Qwen3ForCausalLM", "Qwen3Model"),
        (*QWEN3_ATTENTION, GatedFFN()),
    ),
    Architecture(
        "qwen3vl",
        ("qwen3_vl_text", "qwen3_vl"),
        ("Qwen3VLForConditionalGeneration",),
        (*QWEN3_ATTENTION, GatedFFN()),
        keys=deepstack_keys,
    ),
    Architecture(
        "seed_oss",
        ("seed_oss",),
        ("SeedOssForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias", output_bias="attention_out_bias"),
            Norm("post_attention_norm"),
            GatedFFN(bias="mlp_bias"),
        ),
    ),
    Architecture(
        "phi3",
        ("phi3",),
        ("Phi3ForCausalLM",),
        (Norm("attn_norm"), Attention(fused=True), Norm("ffn_norm"), GatedFFN(fused=True)),
        common=phi3_common,
        keys=phi3_keys,
        tables=longrope_tables,
    ),
    Architecture(
        "phi2",
        ("phi",),
        ("PhiForCausalLM",),
        (Norm("attn_norm", bias=True), Attention(bias=True, output_bias=True), PlainFFN(bias=True)),
        output_norm_bias=True,
        output_bias=True,
        common=_phi_common,
    ),
    Architecture(
        "starcoder2",
        ("starcoder2",),
        ("Starcoder2ForCausalLM",),
        (
            Norm("attn_norm", bias=True),
            Attention(bias="use_bias", output_bias="use_bias"),
            Norm("ffn_norm", bias=True),
            PlainFFN(bias="use_bias"),
        ),
        output_norm_bias=True,
    ),
    Architecture(
        "stablelm",
        ("stablelm", "stablelm_epoch"),
        ("StableLmForCausalLM", "StableLMEpochForCausalLM"),
        (
            Norm("attn_norm", bias=True),
            Attention(bias="use_qkv_bias", qk_norm="each", qk_norm_if="qk_layernorm"),
            Norm("ffn_norm", bias=True),
            GatedFFN(),
        ),
        output_norm_bias=True,
        common=_stablelm_common,
    ),
    Architecture(
        "olmo2",
        ("olmo2",),
        ("Olmo2ForCausalLM",),
        (
            Attention(qk_norm="all"),
            Norm("post_attention_norm"),
            GatedFFN(),
            Norm("post_ffw_norm"),
        ),
    ),
    Architecture(
        "glm4",
        ("glm4",),
        ("Glm4ForCausalLM",),
        (
            Norm("attn_norm"),
            Attention(bias="attention_bias"),
            Norm("post_attention_norm"),
            Norm("ffn_norm"),
            GatedFFN(fused=True),
            Norm("post_ffw_norm"),
        ),
        keys=partly_rotated_head,
    ),
    Architecture(
        "ernie4_5",
        ("ernie4_5",),
        ("Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"),
        (
            Norm("attn_norm"),
            Attention(bias="use_bias", output_bias="use_bias"),
            Norm("ffn_norm"),
            GatedFFN(bias="use_bias"),
        ),
    ),
    Architecture(
        "minicpm3",
        ("minicpm3",),
        ("MiniCPM3ForCausalLM",),
        (Norm("attn_norm"), LatentAttention(split=False), Norm("ffn_norm"), GatedFFN()),
        common=_minicpm3_common,
    ),
)
