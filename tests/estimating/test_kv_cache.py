"""The KV cache by formula: known figures, and odd input. test_kv_cache_engine compares it with llama.cpp."""

from __future__ import annotations

from typing import Any

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import KV_TYPES, kv_bytes, kv_bytes_per_token, kv_layers
from labkit.estimating.sliding_window import layer_windows
from labkit.units import GIB, KIB, MIB


def model(architecture: str) -> Blueprint:
    return blueprint_from_config(facts.find_architecture(architecture).config())


def by_hand(architecture: str = "llama", **keys: Any) -> Blueprint:
    """A blueprint with the keys that a cache depends on, and no tensors."""
    usual = {
        "block_count": 4,
        "embedding_length": 256,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
    }
    named = {key.replace("__", "."): value for key, value in keys.items()}
    metadata = {f"{architecture}.{key}": value for key, value in (usual | named).items() if value is not None}
    return Blueprint({"general.architecture": architecture} | metadata, ())


@pytest.mark.parametrize(
    ("architecture", "context", "types", "expected"),
    [
        # What llama.cpp and Ollama printed in published logs.
        ("llama-3.2-3b", 4096, ("f16", "f16"), 448 * MIB),
        ("llama-3.2-3b", 4096, ("q8_0", "f16"), 343 * MIB),
        ("llama-3.1-70b", 4096, ("f16", "f16"), 1280 * MIB),
        ("mistral-7b-v0.1", 4096, ("f16", "f16"), 512 * MIB),
        ("mistral-7b-v0.1", 8192, ("f16", "f16"), GIB),
        ("phi-3-mini-4k", 4096, ("f16", "f16"), 1536 * MIB),
        ("qwen3-8b", 40960, ("f16", "f16"), 5760 * MIB),
        ("qwen3-8b", 131072, ("f16", "f16"), 18432 * MIB),
        ("qwen3-14b", 16384, ("f16", "f16"), 2560 * MIB),
        ("qwen2.5-3b", 16384, ("f16", "f16"), 576 * MIB),
    ],
)
def test_published_figures(architecture: str, context: int, types: tuple[str, str], expected: int) -> None:
    assert kv_bytes(model(architecture), context, type_k=types[0], type_v=types[1]) == expected


def test_grouped_heads_not_query_heads() -> None:
    assert kv_bytes_per_token(model("llama-3.1-8b")) == 128 * KIB
    assert kv_bytes_per_token(model("llama-3.1-8b"), "q8_0", "q8_0") == 128 * KIB * 34 // 64


def test_latent_attention_keeps_one_vector() -> None:
    layers = kv_layers(model("deepseek-v3"))
    assert {(layer.n_kv_heads, layer.key_dim, layer.value_dim) for layer in layers} == {(1, 576, 0)}
    assert kv_bytes_per_token(model("deepseek-v3")) == 61 * 576 * 2


@pytest.mark.parametrize(
    ("architecture", "with_window"),
    [
        ("mistral-7b-v0.1", 0),
        ("phi-3-mini-4k", 0),
        ("gemma-2-2b", 13),
        ("gemma-3-270m", 15),
        ("gpt-oss-20b", 12),
    ],
)
def test_only_windows_that_llama_uses(architecture: str, with_window: int) -> None:
    assert sum(layer.window is not None for layer in kv_layers(model(architecture))) == with_window


def test_a_window_stops_the_growth() -> None:
    gemma = model("gemma-3-270m")  # 3 layers of all tokens, 15 of 512, one head of 256
    per_layer = 2 * 256 * 2
    assert kv_bytes(gemma, 32768) == per_layer * (3 * 32768 + 15 * 1024)
    assert kv_bytes(gemma, 32768, swa_full=True) == per_layer * 18 * 32768
    assert kv_bytes(gemma, 65536) - kv_bytes(gemma, 32768) == per_layer * 3 * 32768


def test_contexts_are_rounded_up_and_shared_by_sequences() -> None:
    llama = by_hand()
    assert kv_bytes(llama, 1) == kv_bytes(llama, 256) < kv_bytes(llama, 257) == kv_bytes(llama, 512)
    assert kv_bytes(llama, 1024, parallel=4) == kv_bytes(llama, 1024)
    assert kv_bytes(llama, 1024, parallel=3) == 3 * kv_bytes(llama, 512)  # 341 tokens each, rounded up
    assert kv_bytes(llama, 1024, parallel=3, kv_unified=True) == kv_bytes(llama, 1024)


def test_without_flash_attention_values_are_as_wide_as_the_widest_layer() -> None:
    uneven = by_hand(attention__head_count_kv=[1, 2, 2, 4])
    assert kv_bytes(uneven, 256) == 256 * 2 * 2 * 32 * (1 + 2 + 2 + 4)
    assert kv_bytes(uneven, 256, flash_attention=False) == 256 * 2 * 32 * ((1 + 2 + 2 + 4) + 4 * 4)


def test_layers_without_attention_or_with_a_neighbours_cache_keep_nothing() -> None:
    assert [layer.layer for layer in kv_layers(by_hand("jamba", attention__head_count_kv=[0, 2, 0, 2]))] == [
        1,
        3,
    ]
    pattern = [True, True, False, True]
    shared = by_hand(
        "gemma4",
        attention__shared_kv_layers=2,
        attention__sliding_window=512,
        attention__sliding_window_pattern=pattern,
    )
    assert [layer.layer for layer in kv_layers(shared)] == [0, 1]
    assert [layer.layer for layer in kv_layers(by_hand(nextn_predict_layers=1))] == [0, 1, 2]


def test_recurrent_layers_keep_a_state_for_each_sequence() -> None:
    keys = {"ssm__conv_kernel": 4, "ssm__inner_size": 512, "ssm__state_size": 16}
    mamba = by_hand("mamba", attention__head_count=0, attention__head_count_kv=0, **keys)
    state = 4 * 4 * (3 * 512 + 16 * 512)
    assert kv_bytes(mamba, 512) == kv_bytes(mamba, 65536) == state
    assert kv_bytes(mamba, 512, parallel=2) == 2 * state
    assert kv_bytes_per_token(mamba) == 0


def test_layers_add_up() -> None:
    llama = by_hand()
    assert kv_bytes(llama, 512, from_layer=1) == kv_bytes(llama, 512) * 3 // 4
    assert kv_bytes(llama, 512, from_layer=4) == 0


def test_a_window_that_the_file_gives_layer_by_layer() -> None:
    pattern = [True, False, False, True]
    odd = by_hand("gemma3", attention__sliding_window=64, attention__sliding_window_pattern=pattern)
    assert layer_windows(odd, 4) == [64, None, None, 64]
    assert layer_windows(by_hand("llama4", attention__sliding_window=64), 4) == [8192, 8192, 8192, None]
    assert layer_windows(by_hand("smollm", attention__sliding_window=64), 4) == [None] * 4


@pytest.mark.parametrize(
    ("blueprint", "settings"),
    [
        (by_hand(), {"context": 0}),
        (by_hand(), {"context": True}),
        (by_hand(), {"context": float("nan")}),
        (by_hand(), {"context": "4096"}),
        (by_hand(), {"parallel": 0}),
        (by_hand(), {"parallel": 10**6}),
        (by_hand(), {"type_k": "q3_k"}),
        (by_hand(), {"type_v": None}),
        (by_hand(), {"type_v": "q8_0", "flash_attention": False}),
        (by_hand(embedding_length=8 * 80), {"type_k": "q8_0"}),
        (by_hand(block_count=10**12), {}),
        (by_hand(block_count=None), {}),
        (by_hand(attention__head_count_kv=[2, 2]), {}),
        (by_hand(attention__head_count_kv=[2, -1, 2, 2]), {}),
        (by_hand("gemma3", attention__sliding_window=64, attention__sliding_window_pattern=[True]), {}),
        (by_hand("gemma4", attention__sliding_window=64), {}),
        (by_hand("deepseek4"), {}),
        (Blueprint({}, ()), {}),
    ],
)
def test_what_is_not_possible_is_a_sentence(blueprint: Blueprint, settings: dict[str, Any]) -> None:
    with pytest.raises(LabError) as caught:
        kv_bytes(blueprint, **({"context": 512} | settings))
    assert caught.value.cure


def test_every_type_takes_what_its_blocks_take() -> None:
    sizes = {name: kv_bytes_per_token(by_hand(), name, name) for name in KV_TYPES}
    assert sorted(sizes, key=sizes.get, reverse=True)[0] == "f32"  # type: ignore[arg-type]
    assert sizes["q4_0"] / sizes["f16"] == pytest.approx(18 / 64)
