"""The two exercises of chapter 3: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.quantization import bits_per_weight, quantized
from labkit.learning.exercise import check
from labkit.learning.exercises import ch03_mixtral as card
from labkit.learning.rounding import TOO_ROUND
from labkit.measuring.trio_record import EXAMPLE
from tests.learning.verdicts import assert_told, points_of

TOTAL, ACTIVE = 46.702792704, 12.879925248
GIB = TOTAL * 1e9 * 4.87 / 8 / 2**30


def mixtral(**changes):
    right = {
        "total_billions": TOTAL,
        "active_billions": ACTIVE,
        "active_percent": 100 * ACTIVE / TOTAL,
        "weights_gib": GIB,
    }
    return check("ch03-mixtral", {**right, **changes})


def test_the_card_says_what_the_published_configuration_says():
    row = next(row for row in facts.architectures() if row.id == "mixtral-8x7b")
    model = blueprint_from_config(row.config())
    assert (model.parameters, model.parameters_active) == (card.TOTAL, card.ACTIVE)
    assert (model.n_layers, model.n_experts, model.n_experts_used) == (32, 8, 2)
    assert bits_per_weight(quantized(model, "Q4_K_M")) == pytest.approx(card.BITS_PER_WEIGHT, abs=0.005)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"total_billions": 46.7, "active_billions": 12.9, "active_percent": 27.6, "weights_gib": 26.5},
        {"total_billions": 47, "active_billions": 13, "active_percent": 28, "weights_gib": 26},
        {"total_billions": 46_702_792_704, "active_billions": "12,879,925,248"},
        {"total_billions": "46.7e9", "active_percent": "27.6 %"},
        {"active_percent": ACTIVE / TOTAL},
        {"weights_gib": f"{TOTAL * 4.87 / 8:.1f} GB"},
        {"weights_gib": "27100 MiB"},
    ],
)
def test_right_answers_in_every_form(changes):
    verdict = mixtral(**changes)
    assert verdict.correct and verdict.points == 6, verdict
    assert "27.6 %, not 25 %" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"total_billions": 56}, "eight-times-seven", "8 × 7 is not the total"),
        ({"total_billions": 45.1}, "total-experts-alone", "experts alone"),
        ({"total_billions": 57.9}, "shared-eight-times", "They exist once"),
        ({"total_billions": 63.6}, "layers-44", "32 layers, not 44"),
        ({"total_billions": 31.7}, "two-matrices", "three matrices"),
        ({"total_billions": 3.01}, "one-layer", "experts of one layer"),
        ({"total_billions": 12.88}, "active-as-total", "one token uses"),
        ({"total_billions": 52}, "total-billions", "layers × experts × one expert"),
        ({"active_billions": 14}, "two-times-seven", "shared parameters twice"),
        ({"active_billions": 11.68}, "quarter-of-all", "2/8 of everything"),
        ({"active_billions": 11.27}, "active-experts-alone", "experts alone"),
        ({"active_billions": 7.24}, "one-expert", "The router picks two"),
        ({"active_billions": 17.1}, "active-layers-44", "32 layers, not 44"),
        ({"active_billions": 9.12}, "active-two-matrices", "three matrices"),
        ({"active_billions": 1.96}, "active-one-layer", "anew in each layer"),
        ({"active_billions": 20}, "active-billions", "layers × 2 × one expert"),
        ({"active_percent": 25}, "two-of-eight", "Divide your two counts"),
        ({"active_percent": 0.25}, "two-of-eight", "Divide your two counts"),
        ({"active_percent": 3.63}, "upside-down", "total by the active"),
        ({"active_percent": 40}, "active-percent", "times 100"),
        ({"weights_gib": 7.3}, "active-loaded", "all of them must be in memory"),
        ({"weights_gib": 28.43}, "gb-not-gib", "That number is in GB"),
        ({"weights_gib": 211.8}, "bits-not-bytes", "a byte has 8"),
        ({"weights_gib": 87.0}, "sixteen-bits", "16 bits a weight"),
        ({"weights_gib": 33}, "weights-gib", "divided by 8, in GiB"),
        ({"weights_gib": None}, "form", "still empty"),
        ({"total_billions": -1}, "form", "greater than zero"),
        ({"total_billions": "46,7"}, "form", "decimal comma"),
        ({"total_billions": float("nan")}, "form", "NaN"),
        ({"total_billions": [46.7]}, "form", "a list"),
    ],
)
def test_each_mistake_has_its_own_hint(changes, mistake, words):
    assert_told(mixtral(**changes), mistake, words)


def test_rounding_is_never_called_a_wrong_formula():
    for key, value in {"total_billions": 50, "active_billions": 10, "weights_gib": 30}.items():
        verdict = mixtral(**{key: value})
        if verdict.mistake.endswith("-rounded"):
            assert verdict.hint == TOO_ROUND
    assert mixtral(total_billions=50).hint == TOO_ROUND
    assert mixtral(active_percent=30).hint == TOO_ROUND


def test_the_first_wrong_number_is_told_and_the_right_ones_count():
    verdict = mixtral(total_billions=56, active_billions=14)
    assert (verdict.mistake, verdict.points) == ("eight-times-seven", 2)


def test_a_blank_and_a_missing_key():
    blank = dict.fromkeys(("total_billions", "active_billions", "active_percent", "weights_gib"))
    assert check("ch03-mixtral", blank).verdict == "not answered"
    assert "has no 'weights_gib'" in check("ch03-mixtral", {k: 1 for k in list(blank)[:3]}).hint
    assert "not a dictionary" in check("ch03-mixtral", 27.6).hint


# ---------------------------------------------------------------- the learner's own record

SPEED, MEMORY = 160.4 / 55.9, 431.0 / 148.2


def trio(speed=SPEED, memory=MEMORY, record=EXAMPLE):
    return check("ch03-your-trio", {"record": record, "speed_ratio": speed, "memory_ratio": memory})


@pytest.mark.parametrize(("speed", "memory"), [(SPEED, MEMORY), (2.87, 2.91), (2.9, 2.9), ("2.87", "2.91 x")])
def test_ratios_from_the_record_are_right(speed, memory):
    verdict = trio(speed, memory)
    assert verdict.correct and verdict.points == 4, verdict
    assert "wrong by a factor of 2.9" in verdict.hint


@pytest.mark.parametrize(
    ("speed", "memory", "mistake", "words"),
    [
        (1 / SPEED, MEMORY, "speed-upside-down", "the other way round"),
        (160.4 / 152.1, MEMORY, "speed-over-small", "the mixture and the large one"),
        (152.1 / 55.9, MEMORY, "speed-over-small", "the mixture and the large one"),
        (100 * SPEED, MEMORY, "speed-percent", "in percent"),
        (431.0 / 430.6, MEMORY, "speed-from-memory", "Speed is in tok/s"),
        (10, MEMORY, "speed-ratio", "speed of moe divided by the speed of large"),
        (3, MEMORY, "speed-ratio-rounded", "rounded too much"),
        (1.05 * SPEED, MEMORY, "speed-of-rounds", "median of each round's own ratio"),
        (0.91 * SPEED, MEMORY, "speed-of-rounds", "divide the two speeds of the record"),
        (SPEED, 1 / MEMORY, "memory-upside-down", "the mixture comes first"),
        (SPEED, 1.001, "memory-over-large", "about the small one"),
        (SPEED, 100 * MEMORY, "memory-percent", "in percent"),
        (SPEED, 160.4 / 152.1, "memory-from-speed", "Memory is in MiB"),
        (SPEED, 7, "memory-ratio", "memory of moe divided by the memory of small"),
        (None, MEMORY, "form", "still empty"),
    ],
)
def test_each_slip_with_the_record_has_its_own_hint(speed, memory, mistake, words):
    assert_told(trio(speed, memory), mistake, words)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("about three times", "five parts"),
        (3, "Put quotes around"),
        (EXAMPLE.replace("2026-11-22", "2099-01-01"), "in the future"),
        (EXAMPLE.replace("160.4", "0.0"), "can't be"),
        (EXAMPLE.replace("431.0 MiB", "1.0 MiB"), "can't be"),
        (EXAMPLE.replace("small ", "tiny "), "'small' can't be read"),
        (EXAMPLE.replace("6 rounds", "many"), "must be the rounds"),
        (EXAMPLE.replace("55.9 tok/s 430.6", "160.4 tok/s 431.0"), "exactly the same"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    assert_told(trio(record=record), words=words)


def test_a_machine_that_shows_no_gain_is_told_where_the_reason_is():
    record = EXAMPLE.replace("160.4 tok/s", "50.0 tok/s")
    verdict = trio(50.0 / 55.9, MEMORY, record)
    assert verdict.correct and "did not show the gain" in verdict.hint


def test_points_and_names():
    assert points_of("ch03") == [
        ("ch03-mixtral", 6),
        ("ch03-your-trio", 4),
    ]
