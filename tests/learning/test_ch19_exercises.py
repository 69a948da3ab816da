"""The two exercises of chapter 19: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import itertools

import pytest

from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises.ch19_cards import CARDS, CLOSED, CONSTRAINTS, OPEN, UNDECIDED
from labkit.measuring.record import BenchRecord

CARDS_RIGHT = {
    "needs_open": {"B": "offline", "D": "pinned", "H": "weights"},
    "closed_is_fine": {"A": "quality", "C": "volume", "G": "hardware"},
}


def cards(**changes):
    return check("ch19-three-and-three", {**CARDS_RIGHT, **changes})


def test_every_right_choice_of_three_and_three_is_accepted():
    fitting = {side: [k for k, c in CARDS.items() if c.side == side] for side in (OPEN, CLOSED, UNDECIDED)}
    assert [len(v) for v in fitting.values()] == [4, 3, 1]
    for three in itertools.combinations(fitting[OPEN], 3):
        answer = {
            OPEN: {k: CARDS[k].constraint for k in three},
            CLOSED: {k: CARDS[k].constraint for k in fitting[CLOSED]},
        }
        verdict = check("ch19-three-and-three", answer)
        assert verdict.correct and verdict.points == 6
        assert "Card E was the trap" in verdict.hint
    assert check(
        "ch19-three-and-three",
        {
            "needs_open": {"b": " Offline ", "card d": "PINNED.", "H": "weights"},
            "closed_is_fine": CARDS_RIGHT[CLOSED],
        },
    ).correct


def test_every_constraint_decides_one_card_but_privacy():
    used = [card.constraint for card in CARDS.values() if card.constraint]
    assert sorted(used) == sorted(set(CONSTRAINTS) - {"privacy"})


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({OPEN: {"E": "privacy", "B": "offline", "D": "pinned"}}, "privacy-alone", "decides neither way"),
        ({CLOSED: {"E": "quality", "A": "quality", "C": "volume"}}, "privacy-alone", "no more private"),
        ({OPEN: {"A": "offline", "B": "offline", "D": "pinned"}}, "on-both-sides", "Card A stands on both"),
        (
            {OPEN: {"A": "offline", "B": "offline", "D": "pinned"}, CLOSED: {"F": "volume"}},
            "swapped",
            "Card A does not belong there: it can be done with a closed model",
        ),
        ({CLOSED: {"F": "volume", "A": "quality", "C": "volume"}}, "swapped", "needs open weights"),
        (
            {OPEN: {"B": "pinned", "D": "pinned", "H": "weights"}},
            "wrong-constraint",
            "'pinned' does not decide",
        ),
        ({OPEN: {"B": "offline", "D": "privacy", "H": "weights"}}, "privacy-as-reason", "nothing of confid"),
        ({OPEN: {"B": "offline", "H": "weights"}}, "not-three", "has 2 cards. Choose three"),
        ({OPEN: {"B": "offline"}}, "not-three", "has 1 card. Choose three"),
        ({OPEN: {}}, "not-three", "has 0 cards"),
        ({OPEN: {k: c.constraint for k, c in CARDS.items() if c.side == OPEN}}, "not-three", "has 4 cards"),
        ({OPEN: {"Z": "offline"}}, "form", "no card 'Z'"),
        ({OPEN: {"B": "ofline"}}, "form", "Did you mean 'offline'"),
        ({OPEN: {"B": "magic"}}, "form", "Choose one of offline, weights"),
        ({OPEN: {"B": None}}, "form", "is missing"),
        ({OPEN: {"B": 3}}, "form", "a whole number"),
        ({OPEN: {"B": "offline", "b": "offline"}}, "form", "stands twice"),
        ({OPEN: ["B", "D", "H"]}, "form", "must say why"),
        ({"other": {}}, "form", "'other' that is not asked for"),
    ],
)
def test_each_mistake_has_its_own_hint(changes, mistake, words):
    verdict = cards(**changes)
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake)
    assert words in verdict.hint


def test_a_missing_side_is_named():
    assert "has no 'closed_is_fine'" in check("ch19-three-and-three", {"needs_open": {"B": "offline"}}).hint


def test_no_hint_about_one_card_gives_a_constraint_word_away():
    for card in CARDS.values():
        if card.constraint:
            assert card.constraint not in card.why.split()


# ---------------------------------------------------------------- hours and cost

RECORD = (
    "tg 40.0,50.0,45.0 tok/s; pp 400.0,410.0,420.0 tok/s; peak 214 MiB; my-model 0123456789ab; 2026-11-20"
)
HOURS = 1e6 / 45 / 3600
COST = HOURS * 0.065 * 0.30


def cost(hours=HOURS, price=COST, record=RECORD, **more):
    answer = {"record": record, "hours_for_a_million_tokens": hours, "electricity_cost": price, **more}
    return check("ch19-hours-and-cost", answer)


@pytest.mark.parametrize(
    ("hours", "price"),
    [
        (HOURS, COST),
        (round(HOURS, 1), round(COST, 2)),
        (f"{HOURS * 60:.0f} min", f"{COST:.2f} EUR"),
        (f"{HOURS:.2f} h", COST),
        (6.2, 0.12),
    ],
)
def test_the_median_and_its_roundings_are_right(hours, price):
    verdict = cost(hours, price)
    assert verdict.correct, verdict
    assert verdict.points == 4


def test_the_mean_is_accepted():
    record = RECORD.replace("40.0,50.0,45.0", "40.0,60.0,45.0")
    mean = 1e6 / (145 / 3) / 3600
    assert cost(mean, mean * 0.0195, record).correct
    assert cost(HOURS, COST, record).correct


def test_own_watts_and_price_count():
    assert cost(HOURS, HOURS * 0.2 * 0.4, watts=200, price_per_kwh=0.4).correct
    assert cost(HOURS, COST, watts=None, price_per_kwh=None).correct
    assert not cost(HOURS, COST, watts=200).correct
    assert "no learner's machine" in cost(watts=0.065).hint
    assert "no learner's machine" in cost(price_per_kwh=30).hint


@pytest.mark.parametrize(
    ("hours", "price", "mistake", "words"),
    [
        (1e6 / 410 / 3600, COST, "prompt-speed", "generation speed, tg"),
        (HOURS * 3600, COST, "seconds", "time in seconds"),
        (HOURS * 60, COST, "minutes", "time in minutes"),
        (HOURS / 60, COST, "divided-by-60", "divide once"),
        (HOURS / 3600, COST, "divided-by-60", "divide once"),
        (HOURS / 1000, COST, "thousand-tokens", "A million is"),
        (45e6 / 3600, COST, "upside-down", "multiplied by the speed"),
        (2 * HOURS, COST, "hours", "median generation speed is 45"),
        (HOURS, COST * 1000, "kilowatts", "1000 times too high"),
        (HOURS, COST / 1000, "kilowatts", "1000 times too low"),
        (HOURS, COST * 100, "cents", "in cents"),
        (HOURS, HOURS * 0.065, "energy-not-cost", "energy in kWh"),
        (HOURS, HOURS * 0.30, "energy-not-cost", "does not contain the power"),
        (HOURS, COST * 5, "", "The hours are right, the cost is not"),
        (None, COST, "form", "still empty"),
        (HOURS, -1, "form", "greater than zero"),
        ("6,2", COST, "form", "decimal comma"),
        (HOURS, float("nan"), "form", "NaN"),
        ([HOURS], COST, "form", "a list"),
    ],
)
def test_each_slip_has_its_own_hint(hours, price, mistake, words):
    verdict = cost(hours, price)
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake), verdict
    assert words in verdict.hint


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("about 40", "five parts"),
        (45, "Put quotes around"),
        (RECORD.replace("2026-11-20", "2099-01-01"), "in the future"),
        (RECORD.replace("40.0,50.0,45.0", "4000.0,50.0,45.0"), "more than four times"),
        (RECORD.replace("400.0,410.0,420.0", "4.0,4.1,4.2"), "faster"),
        (RECORD.replace("40.0,50.0,45.0", "45.0,45.0,45.0"), "exactly the same"),
        (RECORD.replace("40.0,50.0,45.0", "0.0,0.0,0.0"), "can't be"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    verdict = cost(record=record)
    assert verdict.verdict == "not yet"
    assert words in verdict.hint


def test_the_random_weights_model_is_accepted_and_labelled():
    record = BenchRecord(
        (40.0, 50.0, 45.0), (400.0, 410.0), 30.0, "random-llama", "0" * 12, "2026-11-20", True
    )
    verdict = cost(record=str(record))
    assert verdict.correct
    assert "random weights" in verdict.hint


def test_points_and_names():
    assert [(e.name, e.points) for e in all_exercises().values()] == [
        ("ch19-three-and-three", 6),
        ("ch19-hours-and-cost", 4),
    ]
