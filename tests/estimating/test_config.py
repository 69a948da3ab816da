"""From a config.json to a blueprint: published counts, the classes' defaults, and nonsense."""

from __future__ import annotations

import copy
import json
import math
import tracemalloc
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config, supported_model_types
from labkit.estimating.hyperparameters import MOST_LAYERS
from tests.estimating.configs import DEEPSEEK, SMALL, Config, config, nested


def test_every_model_type_that_is_said_to_be_supported_is_tested() -> None:
    tested = {small["model_type"] for small in SMALL.values()}
    tested |= {small["text_config"]["model_type"] for small in SMALL.values() if "text_config" in small}
    same_class = {"kimi_k2", "stablelm_epoch", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"}
    same_class |= {"gemma4", "llama4", "qwen3_vl_moe", "qwen3_vl_moe_text", "refinedweb", "refinedwebmodel"}
    assert set(supported_model_types()) - tested <= same_class


def names(blueprint: Blueprint) -> set[str]:
    return {tensor.name for tensor in blueprint.tensors}


# What Hugging Face's classes assume, and how the file says so


def test_key_value_heads_and_head_length_follow_from_the_query_heads_where_they_are_missing() -> None:
    without = config("llama", "LlamaForCausalLM")
    del without["num_key_value_heads"]
    null = without | {"num_key_value_heads": None, "head_dim": None}
    for given in (without, null):
        blueprint = blueprint_from_config(given)
        assert blueprint.n_kv_heads == blueprint.n_heads == 8
        assert blueprint.tensor("blk.0.attn_k.weight").shape == (256, 256)


def test_the_output_matrix_is_the_embedding_where_the_class_says_so() -> None:
    assert not blueprint_from_config(SMALL["llama"]).tied_embeddings
    assert blueprint_from_config(SMALL["llama-tied"]).tied_embeddings
    assert blueprint_from_config(SMALL["gemma"]).tied_embeddings
    assert blueprint_from_config(SMALL["smollm3"]).tied_embeddings
    assert not blueprint_from_config(SMALL["smollm3"] | {"tie_word_embeddings": False}).tied_embeddings


def test_a_language_model_within_another_takes_the_class_s_sizes_for_missing_keys() -> None:
    blueprint = blueprint_from_config(SMALL["gemma3-nested"])
    assert blueprint.architecture == "gemma3"
    assert (blueprint.n_heads, blueprint.n_kv_heads, blueprint.head_dim) == (8, 4, 256)
    assert blueprint.vocabulary_size == 262_208
    assert "language model" in blueprint.notes[0]


def test_computed_tables_are_written_and_are_no_parameters() -> None:
    with_table = blueprint_from_config(SMALL["llama"])
    assert with_table.tensor("rope_freqs.weight").shape == (16,)
    without = {key: value for key, value in SMALL["llama"].items() if not key.startswith("rope")}
    assert blueprint_from_config(without).parameters == with_table.parameters
    assert {"rope_factors_long.weight", "rope_factors_short.weight"} <= names(
        blueprint_from_config(SMALL["phi3-128k"])
    )


def test_matrices_are_f16_and_what_must_stay_exact_is_f32() -> None:
    blueprint = blueprint_from_config(SMALL["deepseek_v3"])
    types = {tensor.name: tensor.type_name for tensor in blueprint.tensors}
    assert types["blk.1.attn_q_a.weight"] == types["blk.1.ffn_up_exps.weight"] == "F16"
    exact = ("attn_norm.weight", "ffn_gate_inp.weight", "exp_probs_b.bias", "attn_kv_a_norm.weight")
    assert {types[f"blk.1.{name}"] for name in exact} == {"F32"}


def test_experts_that_come_as_mxfp4_stay_so() -> None:
    stored = SMALL["gpt_oss"] | {"quantization_config": {"quant_method": "mxfp4"}}
    blueprint = blueprint_from_config(stored)
    experts = [tensor for tensor in blueprint.tensors if tensor.name.endswith("_exps.weight")]
    assert {tensor.type_name for tensor in experts} == {"MXFP4"}
    assert blueprint.tensor("blk.0.attn_q.weight").type_name == "F16"
    assert blueprint.metadata["general.file_type"] == 38
    with pytest.raises(LabError, match="blocks of 32"):
        blueprint_from_config(stored | {"hidden_size": 264, "head_dim": 32})


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("gemma2", [1, 0, 1, 0]),
        ("gemma3", [1, 1, 1, 1]),
        ("gpt_oss", [1, 0, 1, 0]),
        ("cohere2", [1, 1, 1, 0]),
    ],
)
def test_only_an_unusual_pattern_of_windows_is_written_down(name: str, usual: list[int]) -> None:
    def pattern(slides: list[int]) -> list[bool] | None:
        types = ["sliding_attention" if slide else "full_attention" for slide in slides]
        blueprint = blueprint_from_config(SMALL[name] | {"num_hidden_layers": 4, "layer_types": types})
        return blueprint.metadata.get(f"{blueprint.architecture}.attention.sliding_window_pattern")

    assert pattern(usual) is None
    assert pattern([0, 1, 1, 0]) == [False, True, True, False]


def test_latent_attention_caches_one_vector_per_token_and_leading_layers_are_dense() -> None:
    blueprint = blueprint_from_config(SMALL["deepseek_v3"])
    assert blueprint.n_kv_heads == 1
    assert blueprint.head_dim == 64 + 16
    assert blueprint.tensor("blk.0.attn_k_b.weight").shape == (32, 64, 8)
    assert blueprint.tensor("blk.0.attn_v_b.weight").shape == (64, 32, 8)
    assert "blk.0.ffn_gate.weight" in names(blueprint)
    assert "blk.1.ffn_gate.weight" not in names(blueprint)
    assert "blk.1.ffn_gate_shexp.weight" in names(blueprint)
    older = blueprint_from_config(config("deepseek_v2", "DeepseekV2ForCausalLM", **DEEPSEEK))
    assert "blk.1.exp_probs_b.bias" not in names(older)


def test_gemma_4_has_layers_of_two_kinds_and_the_last_ones_share_keys_and_values() -> None:
    small = blueprint_from_config(SMALL["gemma4-small"] | {"num_hidden_layers": 6})
    assert small.tensor("blk.0.attn_q.weight").shape == (256, 8 * 32)
    assert small.tensor("blk.5.attn_q.weight").shape == (256, 8 * 64)
    assert "blk.4.attn_k.weight" in names(small)
    assert "blk.5.attn_k.weight" not in names(small)
    assert small.per_layer("feed_forward_length") == [512] * 5 + [1024]
    with pytest.raises(LabError, match="num_kv_shared_layers"):
        blueprint_from_config(SMALL["gemma4-small"] | {"num_kv_shared_layers": 3})
    moe = blueprint_from_config(SMALL["gemma4-moe"] | {"num_hidden_layers": 6})
    assert "blk.5.attn_v.weight" not in names(moe)
    assert moe.per_layer("attention.head_count_kv") == [2, 2, 2, 2, 2, 1]


def test_layers_for_multi_token_prediction_follow_where_the_converter_keeps_them() -> None:
    blueprint = blueprint_from_config(SMALL["glm4_moe"] | {"num_nextn_predict_layers": 1})
    assert blueprint.n_layers == 4
    assert blueprint.tensor("blk.3.nextn.eh_proj.weight").shape == (512, 256)
    assert "blk.2.nextn.eh_proj.weight" not in names(blueprint)
    without = blueprint_from_config(SMALL["glm4_moe"] | {"num_nextn_predict_layers": 0})
    assert blueprint.parameters > without.parameters
    assert blueprint.parameters_active == without.parameters_active


# Which architecture is it?


def test_the_class_decides_and_the_model_type_helps_out() -> None:
    llama = SMALL["llama"]
    without_type = {key: value for key, value in llama.items() if key != "model_type"}
    without_class = {key: value for key, value in llama.items() if key != "architectures"}
    expected = names(blueprint_from_config(llama))
    for given in (without_type, without_class, llama | {"model_type": "my-own-llama"}):
        blueprint = blueprint_from_config(given)
        assert blueprint.architecture == "llama"
        assert names(blueprint) == expected
    assert not blueprint_from_config(llama).notes
    stranger = blueprint_from_config(llama | {"architectures": ["MyLlama"]})
    assert stranger.architecture == "llama"
    assert stranger.notes == ("labkit does not know 'MyLlama'; it is taken for a llama.",)


def test_a_class_alone_brings_its_own_defaults() -> None:
    for name, missing in (("deepseek_v2-lite", "topk_method"), ("mistral", "num_key_value_heads")):
        alone = {key: value for key, value in SMALL[name].items() if key not in ("model_type", missing)}
        with_type = alone | {"model_type": SMALL[name]["model_type"]}
        assert names(blueprint_from_config(alone)) == names(blueprint_from_config(with_type))
    assert blueprint_from_config(alone | {"num_attention_heads": 16}).n_kv_heads == 8


def test_a_vision_model_s_language_model_is_known_by_its_own_class() -> None:
    llava = nested("llava", "LlavaForConditionalGeneration", config("qwen2", ""))
    llava["text_config"]["architectures"] = ["Qwen2ForCausalLM"]
    assert blueprint_from_config(llava).architecture == "qwen2"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "does not know the architecture 'bert'"),
        ({"model_type": "mamba", "architectures": ["MambaForCausalLM"]}, "recurrent layers"),
        ({"model_type": "qwen3_next"}, "recurrent layers"),
        ({"architectures": ["JambaForCausalLM"]}, "recurrent layers"),
        (SMALL["granite4"] | {"layer_types": ["mamba", "mamba", "attention"]}, "recurrent layers"),
        ({}, "not a model's config.json"),
        ({"model_type": 5, "architectures": "Llama"}, "not a model's config.json"),
    ],
)
def test_what_is_not_known_is_said_with_what_to_do_instead(keys: Config, told: str) -> None:
    with pytest.raises(LabError, match=told) as caught:
        blueprint_from_config(keys)
    assert "GGUF file" in caught.value.cure


# Nonsense

_NONSENSE: tuple[Any, ...] = (
    *(None, "4096", -1, 0, 1.5, math.nan, math.inf, 10**12, 10**400, True),
    *([], {}, [1] * 100_000, {"a": {"b": {}}}),
)
_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


@pytest.mark.parametrize("key", _SIZES)
def test_sizes_that_make_no_sense_are_named(key: str) -> None:
    for value in _NONSENSE:
        with pytest.raises(LabError, match=key):
            blueprint_from_config(SMALL["mixtral"] | {key: value})
    missing = {name: value for name, value in SMALL["mixtral"].items() if name != key}
    with pytest.raises(LabError, match=f"has no {key}"):
        blueprint_from_config(missing)


@pytest.mark.parametrize("name", SMALL)
def test_no_key_with_nonsense_ends_in_another_error(name: str) -> None:
    told = 0
    for path in _paths(SMALL[name]):
        for value in _NONSENSE:
            broken = copy.deepcopy(SMALL[name])
            inner = broken
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                blueprint_from_config(broken)
            except LabError as error:
                told += 1
                assert len(str(error)) < 400
    assert told > 40


def _paths(keys: Config) -> list[tuple[str, ...]]:
    found = [(key,) for key in keys]
    for key, value in keys.items():
        if isinstance(value, dict):
            found += [(key, *path) for path in _paths(value)]
    return found


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"num_attention_heads": 7}, "don't divide"),
        ({"num_attention_heads": 128, "hidden_size": 384}, "even length"),
        ({"num_key_value_heads": 3}, "multiple of the second"),
        ({"num_experts_per_tok": 5}, "uses 5 of 4 experts"),
        ({"num_hidden_layers": MOST_LAYERS + 1}, "between 1 and 512"),
        ({"rope_scaling": {"type": "yarn", "factor": "four"}}, "factor"),
        ({"scoring_func": "magic"}, "router function"),
    ],
)
def test_numbers_that_do_not_fit_together_are_told(keys: Config, told: str) -> None:
    with pytest.raises(LabError, match=told):
        blueprint_from_config(SMALL["mixtral"] | keys)


def test_lists_must_be_as_long_as_the_model_is_deep() -> None:
    with pytest.raises(LabError, match="lists 2 layer_types for 3 layers"):
        blueprint_from_config(SMALL["olmo3"] | {"layer_types": ["full_attention"] * 2})
    broken = copy.deepcopy(SMALL["phi3-128k"])
    broken["rope_scaling"]["long_factor"] = [1.0] * 15
    with pytest.raises(LabError, match="list of 16 numbers"):
        blueprint_from_config(broken)


def test_a_huge_or_deeply_nested_file_takes_little_memory() -> None:
    huge = SMALL["llama"] | {f"key{n}": "x" * 1000 for n in range(20_000)}
    deep: Config = {}
    for _ in range(900):
        deep = {"text_config": deep}
    text = json.dumps(deep)
    tracemalloc.start()
    blueprint_from_config(huge)
    with pytest.raises(LabError):
        blueprint_from_config(json.loads(text))
    with pytest.raises(LabError):
        blueprint_from_config(SMALL["llama"] | {"num_hidden_layers": 10**12})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
