"""The two exercises of chapter 19: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import itertools

import pytest

from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises.ch19_cards import CARDS, CLOSED, CONSTRAINTS, OPEN, UNDECIDED
from labkit.learning.rounding import TOO_ROUND
from labkit.measuring.record import BenchRecord
from tests.learning.verdicts import assert_told, points_of

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
    assert_told(cards(**changes), mistake, words)


@pytest.mark.parametrize(
    ("card", "word", "added"),
    [("B", "pinned", "Look at the radio."), ("D", "weights", "here nobody does"), ("F", "weights", "inside")],
)
def test_a_mix_up_of_two_constraints_has_a_hint_of_its_own(card, word, added):
    verdict = cards(needs_open={card: word, "H": "weights"})
    assert verdict.mistake == "wrong-constraint" and added in verdict.hint


def test_each_right_card_is_a_point_so_far_and_the_verdict_waits_for_all():
    # A stands on both sides: it counts on neither
    assert_told(cards(needs_open={"B": "offline", "D": "weights", "A": "quality"}), points=3)
    verdict = cards(needs_open={"B": "offline", "D": "weights", "H": "pinned"})
    assert_told(verdict, points=4)
    assert "4 of 6 points so far" in repr(verdict) and "4 of 6 points so far" in verdict._repr_html_()
    everything = {k: c.constraint for k, c in CARDS.items() if c.side == OPEN}
    assert cards(needs_open=everything).points == 5
    assert cards(needs_open={}).points == 3
    assert "so far" not in repr(cards(needs_open={"B": "magic"})) + repr(cards())


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
        ("6 h 10 min", "0.12"),
        ("6 hours, 10 minutes and 22 seconds", COST),
    ],
)
def test_the_median_and_its_roundings_are_right(hours, price):
    verdict = cost(hours, price)
    assert verdict.correct, verdict
    assert verdict.points == 4


def record_at(speed: float) -> str:
    return RECORD.replace("40.0,50.0,45.0", f"{speed * 0.99:.4f},{speed},{speed * 1.01:.4f}")


@pytest.mark.parametrize("speed", [2.345, 9.7, 45.678, 97.09, 264.55, 265.6, 1234.5, 2050.0])
@pytest.mark.parametrize("digits", [2, 3, 4])
def test_two_significant_digits_are_enough(speed, digits):
    hours = 1e6 / speed / 3600
    rounded = float(f"{hours:.{digits - 1}e}")
    for first in (hours, rounded):
        price = float(f"{first * 0.0195:.{digits - 1}e}")
        assert cost(rounded, price, record_at(speed).replace("400.0,410.0,420.0", "4000,4100,4200")).correct


@pytest.mark.parametrize(
    ("speed", "hours", "price"),
    [
        (97.09, "2 h 51 min", 0.06),  # 0.0558, to the cent
        (97.09, 3, 0.0558),  # 2.86 h, to the hour
        (97.09, 2.86, 0.1),
        (97.09, 3, 56),  # the hours first, whatever the cost
        (400.0, 1, 0.0135),  # 0.694 h
        (420.0, 0.7, 0.0129),  # 0.661 h
        (400.0, 0.694, 0.01),
    ],
)
def test_rounding_too_much_has_its_own_hint(speed, hours, price):
    verdict = cost(hours, price, record_at(speed))
    assert_told(verdict, "rounded-too-much")
    assert verdict.hint == TOO_ROUND and "three significant digits" in verdict.hint


def test_a_cost_rounded_to_nothing_is_told_too():
    assert TOO_ROUND in cost(HOURS, 0.0).hint


def test_the_card_asks_for_three_digits_and_says_what_a_median_is():
    prompt = all_exercises()["ch19-hours-and-cost"].prompt
    assert "three significant digits" in prompt and "the middle one when you sort the runs" in prompt


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
    assert_told(cost(hours, price), mistake, words)


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
    assert_told(cost(record=record), words=words)


def test_the_random_weights_model_is_accepted_and_labelled():
    record = BenchRecord(
        (40.0, 50.0, 45.0), (400.0, 410.0), 30.0, "random-llama", "0" * 12, "2026-11-20", True
    )
    verdict = cost(record=str(record))
    assert verdict.correct
    assert "random weights" in verdict.hint


def test_points_and_names():
    assert points_of("ch19") == [
        ("ch19-three-and-three", 6),
        ("ch19-hours-and-cost", 4),
    ]
