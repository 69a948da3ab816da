"""The two exercises of chapter 5: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises import ch05_published as card
from labkit.learning.rounding import TOO_ROUND
from tests.learning.verdicts import assert_told, points_of

Q4_MORE, Q2_MORE = 100 * (6.4071 / 6.2316 - 1), 100 * (9.7516 / 6.2316 - 1)
Q4_BITS, Q2_BITS = 4.58 * 2**30 * 8 / 8.03e9, 2.96 * 2**30 * 8 / 8.03e9


def published(**changes):
    right = {
        "q4_k_m_more_percent": Q4_MORE,
        "q2_k_more_percent": Q2_MORE,
        "q4_k_m_bits": Q4_BITS,
        "q2_k_bits": Q2_BITS,
    }
    return check("ch05-published", {**right, **changes})


def test_the_card_says_what_the_table_of_facts_says():
    rows = {
        row["quantization"]: row
        for row in facts.table("quantization_quality")
        if row["model"] == "llama-3-8b" and row["imatrix"] == "no"
    }
    for name, (perplexity, gib) in {"Q8_0": card.Q8_0, "Q4_K_M": card.Q4_K_M, "Q2_K": card.Q2_K}.items():
        row = rows[name]
        assert round(float(row["perplexity"]), 4) == perplexity
        assert float(row["size_gib"]) == gib
        original = float(row["perplexity"]) - float(row["perplexity_added"])
        assert original == pytest.approx(card.F16[0], abs=1e-4)
    model = next(row for row in facts.architectures() if row.id == "llama-3-8b")
    assert model.parameters / 1e9 == pytest.approx(card.PARAMETERS / 1e9, abs=0.005)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"q4_k_m_more_percent": 2.8, "q2_k_more_percent": 56, "q4_k_m_bits": 4.9, "q2_k_bits": 3.2},
        {"q4_k_m_more_percent": "2.82 %", "q2_k_bits": "3.17"},
        {"q2_k_bits": 3.16, "q4_k_m_bits": 4.89},
    ],
)
def test_right_figures_in_every_form(changes):
    verdict = published(**changes)
    assert verdict.correct and verdict.points == 4, verdict
    assert "the loss grows 20 times" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"q4_k_m_more_percent": 0.1755}, "q4-difference", "In percent of what?"),
        ({"q4_k_m_more_percent": 17.55}, "q4-difference", "In percent of what?"),
        ({"q4_k_m_more_percent": 1.028}, "q4-ratio", "the ratio minus 1"),
        ({"q4_k_m_more_percent": 102.8}, "q4-ratio", "the ratio minus 1"),
        ({"q4_k_m_more_percent": 0.0282}, "q4-share", "times 100"),
        ({"q4_k_m_more_percent": 5}, "q4-rumour", "many tables on the web"),
        ({"q4_k_m_more_percent": 95}, "q4-rumour", "many tables on the web"),
        ({"q4_k_m_more_percent": 8}, "q4-k-m-more-percent", "Percent more"),
        ({"q2_k_more_percent": 3.52}, "q2-difference", "In percent of what?"),
        ({"q2_k_more_percent": 156.5}, "q2-ratio", "the ratio minus 1"),
        ({"q2_k_more_percent": 36.1}, "q2-by-itself", "shares of F16"),
        ({"q2_k_more_percent": 15}, "q2-rumour", "many tables on the web"),
        ({"q2_k_more_percent": 85}, "q2-rumour", "many tables on the web"),
        ({"q4_k_m_bits": 4}, "q4-name", "number in the name"),
        ({"q4_k_m_bits": 4.563}, "q4-gb", "1024 × 1024 × 1024"),
        ({"q4_k_m_bits": 0.612}, "q4-bytes", "A byte has 8 bits"),
        ({"q4_k_m_bits": 0.204}, "q4-upside-down", "upside down"),
        ({"q2_k_bits": 2}, "q2-name", "number in the name"),
        ({"q2_k_bits": 2.949}, "q2-gb", "1024 × 1024 × 1024"),
        ({"q2_k_bits": 9}, "q2-k-bits", "divided by the number of weights"),
        ({"q2_k_bits": None}, "form", "still empty"),
        ({"q2_k_bits": "many"}, "form", "not a number"),
    ],
)
def test_each_mistake_has_its_own_hint(changes, mistake, words):
    assert_told(published(**changes), mistake, words)


def test_rounding_is_never_called_a_wrong_formula():
    assert published(q2_k_more_percent=60).hint == TOO_ROUND
    assert published(q2_k_bits=3).hint == TOO_ROUND


# ---------------------------------------------------------------- the learner's own table

RECORD = (
    "F16 6291456 B ppl 4.500; Q8_0 3342336 B ppl 4.501 kl 0.0001200 same 99.61 %; "
    "Q6_K 2600000 B ppl 4.504 kl 0.0008000 same 98.70 %; Q5_K_M 2390000 B ppl 4.515 kl 0.002500 same 97.50 "
    "%; Q4_K_M 2100000 B ppl 4.570 kl 0.009000 same 95.00 %; Q3_K_M 1760000 B ppl 4.700 kl 0.03000 same "
    "91.00 %; Q2_K 1500000 B ppl 5.200 kl 0.1300 same 82.00 %; 4845 tokens; pocket-base 0123456789ab; "
    "2026-11-22"
)
RIGHT = {
    "record": RECORD,
    "page": "Q5_K_M",
    "page_percent": 37.99,
    "service": "Q5_K_M",
    "service_percent": 97.5,
    "reader": "Q4_K_M",
    "reader_percent": 1.556,
}


def budgets(**changes):
    return check("ch05-three-budgets", {**RIGHT, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"page": "q5_k_m", "page_percent": 38, "service_percent": "97.5 %", "reader_percent": 1.6},
    ],
)
def test_choices_that_follow_from_the_record_are_right(changes):
    verdict = budgets(**changes)
    assert verdict.correct and verdict.points == 6, verdict
    assert "page: Q5_K_M, 38.0 %" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"page": "Q6_K"}, "page-limit", "Q6_K takes 41.3 % of the F16 file"),
        ({"page": "Q2_K"}, "page-choice", "4 of your quantizations do"),
        ({"page_percent": 0.38}, "page-number", "multiply by 100"),
        ({"page_percent": 31.25}, "page-number", "number in the name"),
        ({"page_percent": 263.2}, "page-number", "the other way round"),
        ({"page_percent": 62.0}, "page-number", "what is left"),
        ({"page_percent": 2.39}, "page-number", "Those are MB"),
        ({"page_percent": 2.28}, "page-number", "Those are MiB"),
        ({"page_percent": 50}, "page-number", "divided by the bytes of F16"),
        ({"service": "Q2_K", "service_percent": 82}, "service-limit", "only 82.0 % of the places"),
        ({"service": "Q8_0", "service_percent": 99.61}, "service-choice", "the smallest file"),
        ({"service_percent": 2.5}, "service-number", "where they disagree"),
        ({"service_percent": 0.975}, "service-number", "multiply by 100"),
        ({"reader": "Q2_K"}, "reader-limit", "15.6 % higher"),
        ({"reader": "Q8_0"}, "reader-choice", "the smallest file"),
        ({"reader_percent": 0.07}, "reader-number", "That is the difference"),
        ({"reader_percent": 1.0156}, "reader-number", "That is the ratio"),
        ({"reader_percent": 101.56}, "reader-number", "what is above 100"),
        ({"reader_percent": 30}, "reader-number", "the ppl of F16"),
        ({"page": "F16"}, "form", "you start from"),
        ({"page": "Q4_0"}, "form", "not in your record"),
        ({"page": "best"}, "form", "not in your record"),
        ({"page": 5}, "form", "not a name"),
        ({"page": None}, "form", "page is still empty"),
        ({"reader_percent": None}, "form", "reader_percent is still empty"),
    ],
)
def test_each_slip_with_the_table_has_its_own_hint(changes, mistake, words):
    assert_told(budgets(**changes), mistake, words)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("about four percent", "five or more parts"),
        (7, "Put quotes around"),
        (RECORD.replace("2026-11-22", "2099-01-01"), "in the future"),
        (RECORD.replace("ppl 4.500", "ppl 0.500"), "below 1"),
        (RECORD.replace("kl 0.1300", "kl 0.0000100"), "never come nearer"),
        ("; ".join(RECORD.split("; ")[i] for i in (0, 1, 2, 7, 8, 9)), "too little"),
        (RECORD.replace("F16 ", "Q4_0 "), "too little"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    assert_told(budgets(record=record), words=words)


def test_another_record_has_other_right_answers():
    """Where the perplexity hardly rises, the smallest file is the one for the reader."""
    record = RECORD.replace("ppl 5.200", "ppl 4.600")
    assert budgets(record=record).mistake == "reader-choice"
    assert budgets(record=record, reader="Q2_K", reader_percent=2.22).correct


def test_the_first_wrong_choice_is_told_and_the_right_ones_count():
    verdict = budgets(page="Q6_K", reader="Q8_0")
    assert (verdict.mistake, verdict.points) == ("page-limit", 2)


def test_a_blank_and_a_missing_key():
    blank = all_exercises()["ch05-three-budgets"].blank
    assert check("ch05-three-budgets", blank).verdict == "not answered"
    assert "has no 'page_percent'" in check("ch05-three-budgets", {"record": RECORD, "page": "Q2_K"}).hint
    assert "not a dictionary" in check("ch05-three-budgets", "Q4_K_M").hint


def test_points_and_names():
    assert points_of("ch05") == [
        ("ch05-published", 4),
        ("ch05-three-budgets", 6),
    ]
