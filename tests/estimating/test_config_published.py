"""Parameters from a config.json are the published ones, for models of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.estimating.config import blueprint_from_config
from tests.estimating.configs import LLAMA3_ROPE, SMALL, Config, config


def real(model_type: str, class_name: str, shape: tuple[int, ...], **keys: Any) -> Config:
    """A published configuration; `shape` is width, FFN, layers, heads, key/value heads, vocabulary."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers")
    names += ("num_attention_heads", "num_key_value_heads", "vocab_size")
    return config(model_type, class_name, **dict(zip(names, shape, strict=True)) | keys)


_MLA = {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64}
_MLA |= {"v_head_dim": 128}
_V3 = _MLA | {"moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1}
_V3 |= {"num_experts_per_tok": 8, "first_k_dense_replace": 3, "topk_method": "noaux_tc"}
_LITE = _MLA | {"q_lora_rank": None, "moe_intermediate_size": 1408, "n_routed_experts": 64}
_LITE |= {
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "first_k_dense_replace": 1,
    "topk_method": "greedy",
}
_TIED = {"tie_word_embeddings": True}
_GPT_OSS = {"head_dim": 64, "num_experts_per_tok": 4}

#: the number of parameters that the model's page on Hugging Face shows (safetensors), and those in use
PUBLISHED: dict[str, tuple[Config, int, int | None]] = {
    "Llama-3.1-8B": (
        real("llama", "LlamaForCausalLM", (4096, 14336, 32, 32, 8, 128256), **LLAMA3_ROPE),
        8_030_261_248,
        None,
    ),
    "Llama-3.2-1B": (
        real("llama", "LlamaForCausalLM", (2048, 8192, 16, 32, 8, 128256), head_dim=64, **_TIED),
        1_235_814_400,
        None,
    ),
    "Mistral-Nemo": (
        real("mistral", "MistralForCausalLM", (5120, 14336, 40, 32, 8, 131072), head_dim=128),
        12_247_782_400,
        None,
    ),
    "Mixtral-8x7B": (
        real(
            "mixtral",
            "MixtralForCausalLM",
            (4096, 14336, 32, 32, 8, 32000),
            num_local_experts=8,
            num_experts_per_tok=2,
        ),
        46_702_792_704,
        12_879_925_248,
    ),
    "Qwen2.5-7B": (
        real("qwen2", "Qwen2ForCausalLM", (3584, 18944, 28, 28, 4, 152064)),
        7_615_616_512,
        None,
    ),
    "Qwen3-0.6B": (
        real("qwen3", "Qwen3ForCausalLM", (1024, 3072, 28, 16, 8, 151936), head_dim=128, **_TIED),
        596_049_920,
        None,
    ),
    "Qwen3-30B-A3B": (
        real(
            "qwen3_moe",
            "Qwen3MoeForCausalLM",
            (2048, 6144, 48, 32, 4, 151936),
            head_dim=128,
            num_experts=128,
            num_experts_per_tok=8,
            moe_intermediate_size=768,
        ),
        30_532_122_624,
        3_353_032_704,
    ),
    "gemma-2-2b": (
        real("gemma2", "Gemma2ForCausalLM", (2304, 9216, 26, 8, 4, 256000), head_dim=256),
        2_614_341_888,
        None,
    ),
    "gemma-3-270m": (
        real("gemma3_text", "Gemma3ForCausalLM", (640, 2048, 18, 4, 1, 262144), head_dim=256),
        268_098_176,
        None,
    ),
    "Phi-3-mini": (
        real("phi3", "Phi3ForCausalLM", (3072, 8192, 32, 32, 32, 32064)),
        3_821_079_552,
        None,
    ),
    "gpt-oss-20b": (
        real(
            "gpt_oss",
            "GptOssForCausalLM",
            (2880, 2880, 24, 64, 8, 201088),
            num_local_experts=32,
            **_GPT_OSS,
        ),
        20_914_757_184,
        None,
    ),
    "gpt-oss-120b": (
        real(
            "gpt_oss",
            "GptOssForCausalLM",
            (2880, 2880, 36, 64, 8, 201088),
            num_local_experts=128,
            **_GPT_OSS,
        ),
        116_829_156_672,
        None,
    ),
    "DeepSeek-V2-Lite": (
        real("deepseek_v2", "DeepseekV2ForCausalLM", (2048, 10944, 27, 16, 16, 102400), **_LITE),
        15_706_484_224,
        None,
    ),
    "DeepSeek-V3 without its MTP layer": (
        real("deepseek_v3", "DeepseekV3ForCausalLM", (7168, 18432, 61, 128, 128, 129280), **_V3),
        671_026_419_200,
        37_552_297_472,
    ),
    "OLMo-2-7B": (
        real("olmo2", "Olmo2ForCausalLM", (4096, 11008, 32, 32, 32, 100352)),
        7_298_617_344,
        None,
    ),
    "starcoder2-3b": (
        real("starcoder2", "Starcoder2ForCausalLM", (3072, 12288, 30, 24, 2, 49152)),
        3_030_371_328,
        None,
    ),
    "gpt2": (
        SMALL["gpt2"] | {"n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257},
        124_439_808,
        None,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str) -> None:
    published, parameters, active = PUBLISHED[name]
    blueprint = blueprint_from_config(published, name)
    assert blueprint.parameters == parameters
    assert active is None or blueprint.parameters_active == active
    assert sum(blueprint.parameters_by_part().values()) == parameters
