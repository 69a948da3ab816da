"""The two exercises of chapter 6: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_bytes, kv_bytes_per_token
from labkit.estimating.quantization import quantized
from labkit.learning.exercise import check
from labkit.learning.exercises import ch06_mistral as card
from labkit.measuring.memory_record import EXAMPLE
from tests.learning.verdicts import assert_told, points_of


def mistral(**changes):
    right = {"bytes_per_token": 131072, "cache_gib": 1.0, "total_gib": 5.07, "total_gib_for_4": 8.07}
    return check("ch06-mistral", {**right, **changes})


def test_the_card_says_what_the_published_configuration_says():
    row = next(row for row in facts.architectures() if row.id == "mistral-7b-v0.3")
    model = blueprint_from_config(row.config())
    assert kv_bytes_per_token(model) == card.PER_TOKEN
    assert kv_bytes(model, card.CONTEXT) / 2**30 == card.CACHE_GIB
    assert (model.n_layers, model.n_heads, model.n_kv_heads, model.head_dim) == (32, 32, 8, 128)
    assert quantized(model, "Q4_K_M").tensor_bytes / 2**30 == pytest.approx(card.WEIGHTS_GIB, abs=0.01)
    together = kv_bytes(model, card.CONVERSATIONS * card.CONTEXT, parallel=card.CONVERSATIONS)
    assert together == card.CONVERSATIONS * kv_bytes(model, card.CONTEXT)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bytes_per_token": "128 KiB", "cache_gib": "1024 MiB", "total_gib": "5.07 GiB"},
        {"bytes_per_token": 131000, "total_gib": 5.1, "total_gib_for_4": 8.1},
        {"cache_gib": "1.0737 GB"},
        {"total_gib": 5, "total_gib_for_4": 8},
    ],
)
def test_right_answers_in_every_form(changes):
    verdict = mistral(**changes)
    assert verdict.correct and verdict.points == 6, verdict
    assert "128 KiB" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"bytes_per_token": 524288}, "query-heads", "counted the query heads"),
        ({"bytes_per_token": "512 KiB"}, "query-heads", "counted the query heads"),
        ({"bytes_per_token": 65536}, "no-factor-2", "two twos"),
        ({"bytes_per_token": 32768}, "no-twos", "two twos"),
        ({"bytes_per_token": 4096}, "no-layers", "That is one layer"),
        ({"bytes_per_token": 1048576}, "bits-not-bytes", "which are 2 bytes"),
        ({"bytes_per_token": 1024}, "no-head-size", "head size is missing"),
        ({"bytes_per_token": 16384}, "one-head", "That is one head"),
        ({"bytes_per_token": 128}, "in-kib", "right in KiB"),
        ({"bytes_per_token": 100}, "bytes-per-token", "2 × layers × KV heads"),
        ({"cache_gib": 1.0737}, "cache-gb", "That number is in GB"),
        ({"cache_gib": 4}, "cache-four-times", "Four times too high"),
        ({"cache_gib": 1024}, "cache-mib", "That is in MiB"),
        ({"cache_gib": 2}, "cache-gib", "times 8,192 tokens"),
        ({"total_gib": 5.44}, "total-gb", "That number is in GB"),
        ({"total_gib": 1}, "cache-alone", "weights must be in memory"),
        ({"total_gib": 4.07}, "weights-alone", "Add the cache"),
        ({"total_gib": 9}, "total-gib", "plus the cache"),
        ({"total_gib_for_4": 20.28}, "weights-four-times", "multiplied the weights"),
        ({"total_gib_for_4": 17.28}, "weights-four-times", "multiplied the weights"),
        ({"total_gib_for_4": 4}, "four-caches-alone", "The weights are needed too"),
        ({"total_gib_for_4": 5.07}, "one-cache", "a cache of its own"),
        ({"total_gib_for_4": 8.665}, "four-gb", "That number is in GB"),
        ({"total_gib_for_4": 12}, "total-gib-for-4", "four caches"),
        ({"total_gib": None}, "form", "still empty"),
        ({"cache_gib": "3 W"}, "form", "given in W"),
    ],
)
def test_each_mistake_has_its_own_hint(changes, mistake, words):
    assert_told(mistral(**changes), mistake, words)


def test_the_first_wrong_number_is_told_and_the_right_ones_count():
    verdict = mistral(bytes_per_token=524288, cache_gib=4)
    assert (verdict.mistake, verdict.points) == ("query-heads", 2)


# ---------------------------------------------------------------- the learner's own record

MEASURED = (301.6 - 131.2) * 2**20 / (8192 - 512)
COMPUTED = 23040


def slope(measured=MEASURED, computed=COMPUTED, tokens=2**30 / COMPUTED, record=EXAMPLE):
    return check(
        "ch06-your-slope",
        {
            "record": record,
            "measured_bytes_per_token": measured,
            "computed_bytes_per_token": computed,
            "tokens_in_a_gib": tokens,
        },
    )


@pytest.mark.parametrize(
    ("measured", "computed", "tokens"),
    [
        (MEASURED, COMPUTED, 2**30 / COMPUTED),
        (MEASURED, COMPUTED, 2**30 / MEASURED),
        (23300, "22.5 KiB", 46600),
        ("22.7 KiB", 23000, 47000),
    ],
)
def test_the_slope_and_its_roundings_are_right(measured, computed, tokens):
    verdict = slope(measured, computed, tokens)
    assert verdict.correct and verdict.points == 4, verdict
    assert "can be known before the model is loaded" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"measured": 301.6 * 2**20 / 8192}, "divided-by-context", "The weights are in it"),
        ({"measured": 131.2 * 2**20 / 512}, "divided-by-context", "The weights are in it"),
        ({"measured": (301.6 - 131.2) * 2**20 / 8192}, "one-context", "divided by one context"),
        ({"measured": MEASURED / 2**20}, "in-mib", "in MiB"),
        ({"measured": MEASURED / 1024}, "in-kib", "in KiB"),
        ({"measured": MEASURED * 1e6 / 2**20}, "mb-not-mib", "not a million"),
        ({"measured": 1 / MEASURED}, "measured-upside-down", "tokens by the bytes"),
        ({"measured": 12}, "measured-bytes-per-token", "Subtract the smaller"),
        ({"computed": 3 * COMPUTED}, "query-heads", "use the KV heads"),
        ({"computed": COMPUTED / 2}, "no-factor-2", "Count both twos"),
        ({"computed": COMPUTED / 30}, "no-layers", "That is one layer"),
        ({"computed": COMPUTED * 8}, "bits-not-bytes", "16 bits are 2 bytes"),
        ({"computed": 22.5}, "computed-in-kib", "times 1024"),
        ({"computed": 9}, "computed-bytes-per-token", "2 × layers × KV heads"),
        ({"tokens": 1e9 / COMPUTED}, "gb-not-gib", "A GiB is 1,073,741,824"),
        ({"tokens": 2**20 / COMPUTED}, "tokens-in-a-mib", "1024 times as large"),
        ({"tokens": 8192}, "tokens-in-a-gib", "Divide it by the bytes"),
    ],
)
def test_each_slip_has_its_own_hint(changes, mistake, words):
    assert_told(slope(**changes), mistake, words)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("301 MiB", "three parts"),
        (301, "Put quotes around"),
        (EXAMPLE.replace("2026-11-22", "2099-01-01"), "in the future"),
        (EXAMPLE.replace("512:", "9000:"), "must rise"),
        (EXAMPLE.replace("3 KV heads", "12 KV heads"), "No model has such a shape"),
        (EXAMPLE.replace("30 layers", "0 layers"), "No model has such a shape"),
        (EXAMPLE.replace("301.6", "3010.6"), "far from what the model's shape says"),
        (EXAMPLE.replace("301.6", "131.3"), "far from what the model's shape says"),
        (EXAMPLE.replace("131.2 MiB", "131.2 GB"), "two or more readings"),
        (EXAMPLE.replace("30 layers, ", ""), "must be the model's shape"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    assert_told(slope(record=record), words=words)


def test_points_and_names():
    assert points_of("ch06") == [
        ("ch06-mistral", 6),
        ("ch06-your-slope", 4),
    ]
