"""Small configurations of every family as in a config.json, and altered ones, for the tests of `config`."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Config = dict[str, Any]

LLAMA3_ROPE = {
    "rope_theta": 500_000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
YARN = {
    "type": "yarn",
    "factor": 40,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "original_max_position_embeddings": 4096,
    "beta_fast": 32,
    "beta_slow": 1,
}
LATENT = {
    "num_key_value_heads": 8,
    "q_lora_rank": 96,
    "kv_lora_rank": 64,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
}
DEEPSEEK = LATENT | {
    "moe_intermediate_size": 128,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "rope_scaling": YARN,
}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


def config(model_type: str, class_name: str, **keys: Any) -> Config:
    """A configuration of three layers, 256 wide, with 8 heads of 32 that share 2 key/value heads."""
    return {
        "model_type": model_type,
        "architectures": [class_name],
        "vocab_size": 320,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
    } | keys


def gpt(model_type: str, class_name: str, **keys: Any) -> Config:
    """A configuration of the older kind, whose names differ from class to class."""
    return {"model_type": model_type, "architectures": [class_name], "vocab_size": 320} | keys


def longrope(n: int) -> Config:
    """Positions stretched from 4,096 to 131,072 tokens, with factors for `n` rotated pairs."""
    factors = {"type": "longrope", "long_factor": [1.2] * n, "short_factor": [1.1] * n}
    return {
        "max_position_embeddings": 131_072,
        "original_max_position_embeddings": 4096,
        "rope_scaling": factors,
    }


def nested(model_type: str, class_name: str, text: Config, **keys: Any) -> Config:
    """A model that also sees: its language model stands in `text_config`."""
    text = {key: value for key, value in text.items() if key != "architectures"}
    return {"model_type": model_type, "architectures": [class_name], "text_config": text} | keys


_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 96, "num_shared_experts": 1}
_MOE |= {"first_k_dense_replace": 1, "norm_topk_prob": True, "routed_scaling_factor": 2.5}
_MROPE = {"rope_scaling": {"rope_type": "default", "mrope_section": [8, 4, 4]}}
_GRANITE = {
    "embedding_multiplier": 12.0,
    "logits_scaling": 8.0,
    "residual_multiplier": 0.22,
    "attention_multiplier": 0.0078125,
}

SMALL: dict[str, Config] = {
    "llama": config("llama", "LlamaForCausalLM", **LLAMA3_ROPE),
    "llama-biased": config("llama", "LlamaForCausalLM", attention_bias=True, mlp_bias=True),
    "llama-tied": config("llama", "LlamaForCausalLM", tie_word_embeddings=True),
    "mistral": config("mistral", "MistralForCausalLM", sliding_window=1024),
    "mistral-nemo": config("mistral", "MistralForCausalLM", head_dim=48),
    "mixtral": config("mixtral", "MixtralForCausalLM", **EXPERTS),
    "mistral3": nested(
        "mistral3",
        "Mistral3ForConditionalGeneration",
        config("mistral", "MistralForCausalLM", head_dim=64, rope_theta=1e9),
    ),
    "ministral3": config("ministral3", "Ministral3ForCausalLM", head_dim=64),
    "smollm3": config("smollm3", "SmolLM3ForCausalLM"),
    "arcee": config("arcee", "ArceeForCausalLM"),
    "internlm3": config("internlm3", "InternLM3ForCausalLM", head_dim=32),
    "granite": config("granite", "GraniteForCausalLM", tie_word_embeddings=True, **_GRANITE),
    "granite4": config(
        "granitemoehybrid",
        "GraniteMoeHybridForCausalLM",
        layer_types=["attention"] * 3,
        num_local_experts=0,
        shared_intermediate_size=512,
        **_GRANITE,
    ),
    "granitemoe": config("granitemoe", "GraniteMoeForCausalLM", **EXPERTS, **_GRANITE),
    "granitemoeshared": config(
        "granitemoeshared",
        "GraniteMoeSharedForCausalLM",
        shared_intermediate_size=96,
        **EXPERTS,
        **_GRANITE,
    ),
    "qwen2": config("qwen2", "Qwen2ForCausalLM", tie_word_embeddings=True),
    "qwen2_moe": config(
        "qwen2_moe",
        "Qwen2MoeForCausalLM",
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=96,
        shared_expert_intermediate_size=160,
    ),
    "qwen2_vl": config(
        "qwen2_vl",
        "Qwen2VLForConditionalGeneration",
        rope_scaling={"type": "mrope", "mrope_section": [4, 6, 6]},
    ),
    "qwen3": config("qwen3", "Qwen3ForCausalLM", head_dim=64),
    "qwen3_moe": config(
        "qwen3_moe",
        "Qwen3MoeForCausalLM",
        head_dim=64,
        num_experts=8,
        num_experts_per_tok=3,
        moe_intermediate_size=96,
    ),
    "qwen3_vl": nested(
        "qwen3_vl",
        "Qwen3VLForConditionalGeneration",
        config("qwen3_vl_text", "", head_dim=32, **_MROPE),
        vision_config={"deepstack_visual_indexes": [0]},
    ),
    "gemma": config("gemma", "GemmaForCausalLM", head_dim=64),
    "gemma2": config("gemma2", "Gemma2ForCausalLM", head_dim=64),
    "gemma3": config("gemma3_text", "Gemma3ForCausalLM", head_dim=64, sliding_window=512),
    "gemma3-nested": nested(
        "gemma3",
        "Gemma3ForConditionalGeneration",
        {"model_type": "gemma3_text", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 7},
    ),
    "gemma4-small": config(
        "gemma4_text",
        "Gemma4ForCausalLM",
        head_dim=32,
        global_head_dim=64,
        hidden_size_per_layer_input=16,
        vocab_size_per_layer_input=320,
        num_kv_shared_layers=1,
        use_double_wide_mlp=True,
    ),
    "gemma4-moe": config(
        "gemma4_text",
        "Gemma4ForCausalLM",
        head_dim=32,
        global_head_dim=64,
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        hidden_size_per_layer_input=0,
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=96,
    ),
    "phi": config("phi", "PhiForCausalLM", num_key_value_heads=8, intermediate_size=1024),
    "phi3": config("phi3", "Phi3ForCausalLM", sliding_window=2047),
    "phi3-128k": config("phi3", "Phi3ForCausalLM", **longrope(16)),
    "phimoe": config(
        "phimoe", "PhiMoEForCausalLM", attention_bias=True, lm_head_bias=True, **EXPERTS, **longrope(16)
    ),
    "gpt_oss": config("gpt_oss", "GptOssForCausalLM", head_dim=64, **EXPERTS),
    "deepseek_v2": config("deepseek_v2", "DeepseekV2ForCausalLM", **DEEPSEEK),
    "deepseek_v2-lite": config(
        "deepseek_v2", "DeepseekV2ForCausalLM", **DEEPSEEK | {"q_lora_rank": None, "topk_method": "greedy"}
    ),
    "deepseek_v3": config(
        "deepseek_v3", "DeepseekV3ForCausalLM", topk_method="noaux_tc", scoring_func="sigmoid", **DEEPSEEK
    ),
    "youtu": config("youtu", "YoutuForCausalLM", **LATENT),
    "minicpm3": config("minicpm3", "MiniCPM3ForCausalLM", **LATENT),
    "minicpm": config("minicpm", "MiniCPMForCausalLM", scale_emb=12, dim_model_base=256, scale_depth=1.4)
    | {"rms_norm_eps": 1e-5},
    "minimax_m2": config("minimax_m2", "MiniMaxM2ForCausalLM", head_dim=64, rotary_dim=32, **EXPERTS),
    "dots1": config(
        "dots1",
        "Dots1ForCausalLM",
        num_key_value_heads=8,
        moe_intermediate_size=128,
        n_routed_experts=8,
        n_shared_experts=2,
        num_experts_per_tok=2,
        first_k_dense_replace=1,
    ),
    "glm": config("glm", "GlmForCausalLM", head_dim=32),
    "glm4": config("glm4", "Glm4ForCausalLM", head_dim=32),
    "glm4_moe": config(
        "glm4_moe",
        "Glm4MoeForCausalLM",
        head_dim=32,
        attention_bias=True,
        use_qk_norm=True,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=96,
    ),
    "olmo": config("olmo", "OlmoForCausalLM", clip_qkv=8.0),
    "olmo2": config("olmo2", "Olmo2ForCausalLM"),
    "olmo3": config("olmo3", "Olmo3ForCausalLM", sliding_window=1024),
    "olmoe": config("olmoe", "OlmoeForCausalLM", num_key_value_heads=8, num_experts=4, num_experts_per_tok=2),
    "starcoder2": config("starcoder2", "Starcoder2ForCausalLM"),
    "stablelm": config("stablelm", "StableLmForCausalLM", use_qkv_bias=True, qk_layernorm=True),
    "cohere": config("cohere", "CohereForCausalLM"),
    "cohere2": config("cohere2", "Cohere2ForCausalLM"),
    "exaone": config("exaone", "ExaoneForCausalLM", layer_norm_epsilon=1e-5, **LLAMA3_ROPE),
    "exaone4": config("exaone4", "Exaone4ForCausalLM", **LLAMA3_ROPE),
    "ernie4_5": config("ernie4_5", "Ernie4_5ForCausalLM", head_dim=48),
    "ernie4_5_moe": config(
        "ernie4_5_moe", "Ernie4_5_MoeForCausalLM", moe_num_experts=4, moe_k=2, moe_intermediate_size=96
    ),
    "hunyuan": config(
        "hunyuan_v1_dense",
        "HunYuanDenseV1ForCausalLM",
        head_dim=128,
        rope_scaling={"type": "dynamic", "alpha": 1000.0, "factor": 1.0},
    ),
    "seed_oss": config("seed_oss", "SeedOssForCausalLM", head_dim=48),
    "nemotron": config("nemotron", "NemotronForCausalLM"),
    "internlm2": config("internlm2", "InternLM2ForCausalLM", bias=False, rms_norm_eps=1e-5),
    "llama4": config(
        "llama4_text",
        "Llama4ForCausalLM",
        head_dim=32,
        intermediate_size_mlp=640,
        interleave_moe_layer_step=2,
        num_local_experts=4,
    ),
    "hunyuan-moe": config(
        "hunyuan_v1_moe",
        "HunYuanMoEV1ForCausalLM",
        num_experts=4,
        moe_topk=[2, 2, 2],
        moe_intermediate_size=[512, 512, 512],
        num_shared_expert=[1, 1, 1],
    ),
    "glm4_moe_lite": config("glm4_moe_lite", "Glm4MoeLiteForCausalLM", **DEEPSEEK),
    "solar_open": config(
        "solar_open",
        "SolarOpenForCausalLM",
        head_dim=32,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=96,
    ),
    "afmoe": config(
        "afmoe", "AfmoeForCausalLM", head_dim=32, num_dense_layers=1, score_func="sigmoid", **_MOE
    ),
    "exaone_moe": config("exaone_moe", "ExaoneMoeForCausalLM", head_dim=32, sliding_window=128, **_MOE),
    "deepseek": config(
        "deepseek",
        "DeepseekForCausalLM",
        n_routed_experts=4,
        n_shared_experts=2,
        num_experts_per_tok=2,
        moe_intermediate_size=96,
        first_k_dense_replace=1,
        rms_norm_eps=1e-6,
    ),
    "bailing": config("bailing_moe", "BailingMoeForCausalLM", rms_norm_eps=1e-6, **_MOE),
    "bailing2": config(
        "bailing_moe_v2", "BailingMoeV2ForCausalLM", score_function="sigmoid", rms_norm_eps=1e-6, **_MOE
    ),
    "baichuan": config("baichuan", "BaichuanForCausalLM", rms_norm_eps=1e-6),
    "xverse": config("xverse", "XverseForCausalLM", rms_norm_eps=1e-6),
    "orion": config("orion", "OrionForCausalLM", rms_norm_eps=1e-6),
    "gpt_neox": config("gpt_neox", "GPTNeoXForCausalLM", num_key_value_heads=8, rotary_pct=0.25),
    "gpt2": gpt("gpt2", "GPT2LMHeadModel", n_embd=256, n_head=8, n_layer=3, n_positions=1024),
    "starcoder": gpt("gpt_bigcode", "GPTBigCodeForCausalLM", n_embd=256, n_head=8, n_layer=3),
    "bloom": gpt("bloom", "BloomForCausalLM", hidden_size=256, n_head=8, n_layer=3),
    "falcon-7b": gpt("falcon", "FalconForCausalLM", hidden_size=256, num_attention_heads=8)
    | {"num_hidden_layers": 3},
    "falcon-40b": gpt("falcon", "FalconForCausalLM", hidden_size=256, num_attention_heads=8)
    | {"num_hidden_layers": 3, "new_decoder_architecture": True, "num_kv_heads": 2},
}

#: llama.cpp takes heads of another length than width / heads only where its code says so
_FREE_HEAD_DIM = {"llama", "mistral-nemo", "mixtral", "mistral3", "ministral3", "qwen3", "qwen3_moe", "gemma"}
_FREE_HEAD_DIM |= {"gemma2", "gemma3", "gemma3-nested", "gpt_oss", "minimax_m2", "glm4_moe", "ernie4_5"}
_FREE_HEAD_DIM |= {"gemma4-small", "gemma4-moe", "seed_oss", "llama4", "afmoe", "exaone_moe", "solar_open"}
_ALL_HEADS_ALIKE = {"olmoe", "dots1", "phi", "gpt_neox"}


def altered(seed: int) -> Iterator[tuple[str, Config]]:
    """Every small configuration with other depth, widths, heads, experts, windows and vocabulary."""
    rng = random.Random(seed)
    for name, original in SMALL.items():
        whole = copy.deepcopy(original)
        _alter(name, whole.get("text_config", whole), rng)
        yield name, whole


def _alter(name: str, keys: Config, rng: random.Random) -> None:
    heads, head_dim = rng.choice((4, 6, 8, 12)), rng.choice((32, 64, 96))
    if "rope_scaling" in keys and {"long_factor", "mrope_section"} & keys["rope_scaling"].keys():
        head_dim = 32  # as the lists in the configuration say
    if name == "hunyuan":
        head_dim = 128
    for spellings, value in (
        (("num_attention_heads", "n_head"), heads),
        (("hidden_size", "n_embd"), heads * head_dim),
        (("num_hidden_layers", "n_layer"), rng.choice((1, 2, 5, 9))),
        (("vocab_size",), rng.choice((311, 512, 1000))),
    ):
        keys[next((key for key in spellings if key in keys), spellings[0])] = value
    if "intermediate_size" in keys:
        alike = name in _ALL_HEADS_ALIKE or "kv_lora_rank" in keys
        keys["num_key_value_heads"] = heads if alike else rng.choice((1, 2, heads))
        keys["intermediate_size"] = 4 * heads * head_dim if name == "phi" else rng.choice((192, 384, 640))
    if name == "hunyuan-moe":
        depth = keys["num_hidden_layers"]
        keys |= {"moe_intermediate_size": [keys["intermediate_size"]] * depth, "moe_topk": [3] * depth}
    if name in _FREE_HEAD_DIM:
        keys["head_dim"] = rng.choice((32, 64, 128))
    elif "head_dim" in keys:
        keys["head_dim"] = head_dim
    if name == "granite4":
        keys |= {"layer_types": ["attention"] * 9, "shared_intermediate_size": keys["intermediate_size"]}
    if "num_kv_shared_layers" in keys:
        keys |= {"num_kv_shared_layers": keys["num_hidden_layers"] // 3}
        keys["vocab_size_per_layer_input"] = keys["vocab_size"]
    for key, choices in _ALTERNATIVES.items():
        if isinstance(keys.get(key), int) and keys[key] > 0:
            keys[key] = rng.choice(choices)
    if name in ("gemma2", "gemma3", "gpt_oss", "cohere2", "olmo3", "exaone4"):
        kinds = ("sliding_attention", "full_attention")
        keys["layer_types"] = [rng.choice(kinds) for _ in range(keys["num_hidden_layers"])]


_ALTERNATIVES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), (4, 6, 16)),
    **dict.fromkeys(("num_experts_per_tok", "moe_k"), (1, 2, 4)),
    "moe_intermediate_size": (64, 96, 256),
    "n_shared_experts": (1, 2, 3),
    "first_k_dense_replace": (1, 2),
    "sliding_window": (64, 500, 1024),
    "kv_lora_rank": (32, 96),
    "q_lora_rank": (48, 96),
    "qk_nope_head_dim": (32, 48),
    "v_head_dim": (32, 64),
}
