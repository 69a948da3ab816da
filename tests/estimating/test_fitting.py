"""Which settings make a model fit: tried in the right order, and never more than the room holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.fitting import GPU_RESERVE_BYTES, Room, Settings, fit_into, memory_of
from labkit.estimating.quantization import quantized
from labkit.units import GIB, MIB

WANTED = Settings("Q8_0", 8192)


@pytest.fixture(scope="module")
def model() -> Blueprint:
    config = {
        "model_type": "llama",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 32000,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": True,
    }
    return quantized(blueprint_from_config(config), "Q8_0")


def test_enough_room_changes_nothing(model: Blueprint) -> None:
    fit = fit_into(model, WANTED, Room(64 * GIB))
    assert (fit.verdict, fit.changes, fit.place, fit.settings) == ("fits", (), "RAM", WANTED)
    assert fit.memory == fit.asked == memory_of(model, WANTED)


def test_the_room_decides_to_the_byte(model: Blueprint) -> None:
    needed = memory_of(model, WANTED).cpu_bytes
    assert fit_into(model, WANTED, Room(needed)).verdict == "fits"
    less = fit_into(model, WANTED, Room(needed - 1))
    assert less.verdict == "fits with" and less.changes == ("q8_0 cache",)
    assert less.settings.type_k == less.settings.type_v == "q8_0"


def test_context_goes_before_bits(model: Blueprint) -> None:
    shorter = memory_of(model, replace(WANTED, context=2048, type_k="q8_0", type_v="q8_0")).cpu_bytes
    fit = fit_into(model, WANTED, Room(shorter))
    assert fit.settings.quant == "Q8_0" and fit.settings.context == 2048
    fewer_bits = fit_into(model, WANTED, Room(shorter - MIB))
    assert fewer_bits.settings.quant == "Q6_K" and "Q6_K" in fewer_bits.changes
    for found in (fit, fewer_bits):
        assert found.memory.cpu_bytes <= shorter


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9, 1.1])
def test_what_fits_really_fits(model: Blueprint, share: float) -> None:
    room = Room(int(share * memory_of(model, WANTED).cpu_bytes))
    fit = fit_into(model, WANTED, room)
    if fit.verdict == "does not fit":
        assert fit.short_bytes == fit.memory.cpu_bytes - room.ram_bytes > 0
    else:
        assert fit.memory.cpu_bytes <= room.ram_bytes and fit.short_bytes == 0
        assert fit.memory == memory_of(quantized(model, fit.settings.quant), fit.settings)


def test_no_room_at_all(model: Blueprint) -> None:
    fit = fit_into(model, WANTED, Room(0))
    assert fit.verdict == "does not fit" and fit.short_bytes == fit.memory.cpu_bytes
    assert fit.settings.quant == "Q2_K" and fit.settings.context == 2048


def test_a_graphics_card_takes_as_many_layers_as_fit(model: Blueprint) -> None:
    all_there = memory_of(model, replace(WANTED, gpu_layers=17)).gpu_bytes
    whole = fit_into(model, WANTED, Room(64 * GIB, all_there + GPU_RESERVE_BYTES))
    assert (whole.verdict, whole.place, whole.settings.gpu_layers) == ("fits", "GPU", 17)
    room = Room(64 * GIB, all_there // 2 + GPU_RESERVE_BYTES)
    split = fit_into(model, WANTED, room)
    assert split.place == "GPU and RAM" and 0 < split.settings.gpu_layers < 17
    assert split.memory.gpu_bytes <= room.usable_vram_bytes
    one_more = replace(split.settings, gpu_layers=split.settings.gpu_layers + 1)
    assert memory_of(model, one_more).gpu_bytes > room.usable_vram_bytes
    assert f"{split.settings.gpu_layers} of 17 layers on GPU" in split.changes
    none = fit_into(model, WANTED, Room(64 * GIB, GPU_RESERVE_BYTES))
    assert (none.place, none.settings.gpu_layers) == ("RAM", 0)


def test_a_context_beyond_the_models_own_is_cut(model: Blueprint) -> None:
    assert fit_into(model, replace(WANTED, context=10**6), Room(64 * GIB)).settings.context == 131072


def test_settings_that_cannot_be_are_refused(model: Blueprint) -> None:
    with pytest.raises(LabError):
        fit_into(model, replace(WANTED, type_k="q3_z"), Room(64 * GIB))
