"""`estimate`: its figures against llama.cpp's own, the file's header, and published counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.estimating.kv_cache import kv_types
from labkit.estimating.quantization import QUANTIZATIONS, quantized
from labkit.models.buffers_by_llama import buffers_by_llama
from labkit.models.engine import quantized_by_llama
from labkit.models.estimate import estimate
from labkit.models.model_file import ModelFile
from labkit.models.source import open_source
from labkit.units import MIB, format_bytes
from tests.hub_server import HubServer

GQA = {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000,
    "tie_word_embeddings": True,
}


def test_the_issues_json_keys_stand_at_the_top() -> None:
    out = json.loads(json.dumps(estimate(GQA, "Q4_K_M", ask_llama=False).to_dict()))
    keys = "parameters parameters_active tensor_bytes file_bytes bits_per_weight kv_bytes_per_token kv_bytes"
    for key in (*keys.split(), "compute_bytes", "total_bytes", "largest_context"):
        assert isinstance(out[key], (int, float)) and out[key] > 0, key
    assert out["parameters"] == out["parameters_active"] == sum(out["parameters_by_part"].values())
    assert {row["quantization"] for row in out["quantizations"]} >= {"Q4_K_M", "Q8_0", "F16"}


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q8_0,f16"])
def test_figures_are_llama_cpps_own(kv_type: str) -> None:
    found = estimate(GQA, "Q4_K_M", context=4096, kv_type=kv_type)
    told = quantized_by_llama(open_source(GQA).blueprint, "Q4_K_M")
    assert found.tensor_bytes == told.tensor_bytes
    type_k, type_v = kv_types(kv_type)
    buffers = buffers_by_llama(told, 4096, type_k=type_k, type_v=type_v)
    for name in ("kv_bytes", "compute_bytes", "output_bytes"):
        assert abs(getattr(found, name) - buffers[name]) <= 0.006 * MIB, name
        assert found.how[name] == "asked llama.cpp"
    alone = estimate(GQA, "Q4_K_M", context=4096, kv_type=kv_type, ask_llama=False)
    assert alone.how["kv_bytes"] == "formula"
    assert (alone.kv_bytes, alone.tensor_bytes) == (found.kv_bytes, found.tensor_bytes)


def test_a_quantized_file_is_taken_as_it_is(small_model: ModelFile) -> None:
    found = estimate(small_model)
    assert found.quantization == "Q4_1"
    assert found.parameters == 134_515_008
    assert (found.file_bytes_low, found.file_bytes_high) == (98_362_432, 98_362_432)
    assert found.how["tensor_bytes"] == "the file's own header"
    assert found.kv_bytes_per_token == 30 * 2 * 3 * 64 * 2
    row = next(row for row in found.quantizations if row.quantization == "Q4_1")
    assert row.file_bytes_low == row.file_bytes_high == 98_362_432
    assert row.tensor_bytes == found.tensor_bytes


def test_another_quantization_of_a_quantized_file(small_model: ModelFile) -> None:
    found = estimate(small_model, "q8_0")
    assert found.quantization == "Q8_0"
    assert found.tensor_bytes == quantized(open_source(small_model).blueprint, "Q8_0").tensor_bytes
    assert found.file_bytes_low == found.file_bytes_high > 138_000_000  # the tokenizer is in its header
    assert {(f.wanted, f.got) for f in estimate(small_model, "Q4_K_M").fallbacks} == {
        ("Q4_K", "Q5_0"),
        ("Q6_K", "Q8_0"),
    }


def test_an_unquantized_file_and_a_configuration_get_q4_k_m(random_model: ModelFile) -> None:
    assert estimate(random_model, ask_llama=False).quantization == "Q4_K_M"
    assert estimate(GQA, ask_llama=False).quantization == "Q4_K_M"
    assert estimate("qwen3-0.6b", ask_llama=False).quantization == "Q4_K_M"


def test_a_catalogue_name_that_is_not_here_is_known_by_its_table() -> None:
    found = estimate("gemma-3-1b-it-q4_k_m", ask_llama=False)
    assert found.quantization == "Q4_K_M" and found.file_bytes == 806_058_240
    assert found.how["file_bytes"] == "the catalogue"
    assert estimate("gemma-3-1b-it-q4_k_m", "Q8_0", ask_llama=False).how["file_bytes"] != "the catalogue"


def test_settings_do_what_they_say() -> None:
    def take(**settings: object):
        return estimate(GQA, ask_llama=False, **settings)

    plain = take()
    assert take(context=16384).kv_bytes == 2 * plain.kv_bytes
    assert take(kv_type="q8_0").kv_bytes == plain.kv_bytes * 34 // 64
    assert take(kv_type=("q8_0", "f16")).kv_bytes == take(kv_type="q8_0, F16").kv_bytes < plain.kv_bytes
    assert take(flash_attn=False).flash_attention is False
    long = {"context": 32768}
    assert take(flash_attn=False, **long).compute_bytes > take(**long).compute_bytes
    assert take(gpu_layers=-1).gpu_layers == 29
    assert 0 == plain.gpu_bytes < take(gpu_layers=10).gpu_bytes < take(gpu_layers=-1).gpu_bytes
    assert plain.largest_context == 40960
    assert "made for 40,960 tokens" in " ".join(take(context=65536).notes)


def test_the_total_is_the_sum_of_the_parts() -> None:
    found = estimate(GQA)
    parts = found.tensor_bytes + found.kv_bytes + found.compute_bytes + found.output_bytes
    assert parts <= found.total_bytes <= 1.2 * parts + 200 * MIB


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"quant": "Q4_KM"}, "no quantization 'Q4_KM'"),
        ({"quant": "q9_z"}, "no quantization"),
        ({"quant": 4}, "no quantization"),
        ({"context": 0}, "`context` must be a whole number"),
        ({"context": -5}, "`context`"),
        ({"context": 10**15}, "`context`"),
        ({"context": 4096.5}, "`context`"),
        ({"context": float("nan")}, "`context`"),
        ({"context": True}, "`context`"),
        ({"context": "8192"}, "`context`"),
        ({"parallel": 0}, "`parallel`"),
        ({"parallel": 10**6}, "sequences"),
        ({"kv_type": "q3_z"}, "can't be stored as 'q3_z'"),
        ({"kv_type": ""}, "no type of a KV cache"),
        ({"kv_type": "f16,f16,f16"}, "no type of a KV cache"),
        ({"kv_type": 16}, "no type of a KV cache"),
        ({"gpu_layers": -2}, "`gpu_layers`"),
        ({"gpu_layers": 1.5}, "`gpu_layers`"),
        ({"flash_attn": False, "kv_type": "q8_0"}, "only with flash attention"),
    ],
    ids=str,
)
def test_nonsense_is_a_sentence(settings: dict, expected: str) -> None:
    quant = settings.pop("quant", "Q4_K_M")
    with pytest.raises(LabError, match=expected) as caught:
        estimate(GQA, quant, ask_llama=False, **settings)
    assert caught.value.cure


def test_a_wrong_quantization_gets_near_misses() -> None:
    with pytest.raises(LabError) as caught:
        estimate(GQA, "Q4_KM", ask_llama=False)
    assert "Did you mean Q4_K_M" in caught.value.cure


def test_llama_cpp_that_cannot_say_leaves_the_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LabError("llama-cpp-python does not work here.")

    monkeypatch.setattr("labkit.models.llama_worker.ask_llama", broken)
    monkeypatch.setattr("labkit.models.buffers_by_llama.ask_llama", broken)
    found = estimate(GQA)
    assert set(found.how.values()) == {"formula", "the sum", found.how["file_bytes"]}
    assert found.total_bytes > found.tensor_bytes


def test_it_shows_as_a_short_table() -> None:
    found = estimate("qwen3-30b-a3b", "Q2_K", ask_llama=False)
    text, page = repr(found), found._repr_html_()
    assert len(text.splitlines()) < 40
    for words in ("Qwen3 30B-A3B in Q2_K", "Parameters used for each token", "Largest context", "experts"):
        assert words in text and words in page
    kept = found.total_bytes - found.tensor_bytes - found.kv_bytes - found.compute_bytes - found.output_bytes
    assert ["Vocabulary and book-keeping", format_bytes(kept)] in [
        list(row[:2]) for row in found.table().rows
    ]
    assert "`" not in page
    assert len(repr(found.quantizations).splitlines()) >= len(found.quantizations)
    assert len({row.quantization for row in found.quantizations} & set(QUANTIZATIONS)) > 30


def test_small_models_tell_what_fell_back() -> None:
    found = estimate("gemma-3-270m", "Q2_K", ask_llama=False)
    assert found.fallbacks and found.bits_per_weight > 6
    assert f"{len(found.fallbacks)} of {len(found.blueprint.tensors)}" in repr(found)


def test_no_weights_are_needed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GQA))
    before = set(tmp_path.iterdir())
    assert estimate(tmp_path).parameters == 596_049_920
    assert set(tmp_path.iterdir()) == before


def test_a_hub_repository_is_estimated_from_its_header(
    small_model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = "someone/SmolLM2-GGUF"
    with HubServer() as hub, small_model.path.open("rb") as file:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add(repo, "SmolLM2.Q4_1.gguf", file.read(8_000_000), claimed_bytes=small_model.bytes)
        found = estimate(repo, ask_llama=False)
        assert (found.quantization, found.file_bytes) == ("Q4_1", 98_362_432)
        assert found.tensor_bytes == estimate(small_model, ask_llama=False).tensor_bytes
        assert estimate(repo, "Q8_0", ask_llama=False).quantization == "Q8_0"
        assert hub.bytes_sent <= 2 * 2**22  # twice the header of 1.8 MB, in pieces that double
