"""The cache worked out step by step, for models that follow the formula and models that do not."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_bytes
from labkit.learning.kv_steps import kv_steps
from labkit.learning.mixtures import mixtures_table
from labkit.models.twin import twin_blueprint
from labkit.units import format_bytes


def test_smollm2_step_by_step():
    text = repr(kv_steps("smollm2-135m", context=8192))
    assert "2 (key and value) × 3 KV heads × head size 64" in text
    assert "384 × 30" in text and "23,040 bytes = 22.5 KiB" in text and "180.0 MiB" in text


def test_fewer_bits_show_the_scale():
    assert "× 1.0625 bytes (q8_0)" in repr(kv_steps("smollm2-135m", kv_type="q8_0"))


def test_windows_are_two_sorts_of_layers():
    text = repr(kv_steps("gemma-3-1b", context=32_768))
    assert "22 layers (window 512)" in text and "4 layers (no window)" in text
    assert "1 KV head ×" in text
    assert "4,096 bytes × 32,768" in text and "128.0 MiB" in text
    assert "22,528 bytes × 1,024 (window 512 + a batch of 512)" in text and "22.0 MiB" in text
    assert "128.0 MiB + 22.0 MiB" in text or "22.0 MiB + 128.0 MiB" in text
    assert "a batch" not in repr(kv_steps("gemma-3-1b", context=1024))


def test_a_twin_goes_by_the_name_of_its_model():
    text = repr(kv_steps(twin_blueprint("smollm2-135m", "Q4_1")))
    assert text.startswith("The KV cache of SmolLM2 135M") and "Twin" not in text


def test_latent_attention_is_one_list():
    assert "one compressed list of 576 numbers" in repr(kv_steps("deepseek-v3"))


def test_a_context_that_is_rounded_says_so():
    assert "rounds the tokens up to 256" in repr(kv_steps("smollm2-135m", context=1000))


def test_the_last_step_is_the_cache_of_every_model_in_the_table():
    for row in facts.architectures():
        table = kv_steps(row.config(), context=4096)
        whole = kv_bytes(blueprint_from_config(row.config()), 4096)
        assert table.rows[-1][-1] == format_bytes(whole), row.id


def test_a_type_that_does_not_exist_is_a_sentence():
    with pytest.raises(LabError, match="can't be stored as 'q9_0'"):
        kv_steps("smollm2-135m", kv_type="q9_0")


def test_the_mixtures_are_counted_not_typed():
    text = repr(mixtures_table())
    assert "Mixtral 8x7B" in text and "27.6%" in text and "2 of 8" in text
    assert "Llama 3.1 8B" not in text
