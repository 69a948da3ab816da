"""Numbers as learners write them."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.learning.quantities import describe, read_number


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        (7, "", 7),
        (7.5, "h", 7.5),
        ("7.5", "h", 7.5),
        (" 7.5 hours", "h", 7.5),
        ("90 min", "h", 1.5),
        ("5400 s", "h", 1.5),
        ("2 h 51 min", "h", 2.85),
        ("2h51min", "h", 2.85),
        ("1 day, 2 hours and 30 minutes", "h", 26.5),
        ("1 h 30 s", "min", 60.5),
        ("1,000,000", "", 1e6),
        ("1,000.5", "", 1000.5),
        ("2e6", "", 2e6),
        (".5", "", 0.5),
        ("-3", "", -3),
        ("1/3", "", 1 / 3),
        ("0.13 EUR", "", 0.13),
        ("€0.13", "", 0.13),
        ("0.065 kW", "W", 65),
        ("1 GiB", "bytes", 2**30),
        ("1 GB", "bytes", 1e9),
    ],
)
def test_a_number_is_read(written, unit, expected):
    assert read_number(written, "It", unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("written", "unit", "words"),
    [
        (None, "", "It is None"),
        (..., "", "It is ..."),
        (True, "", "True or False"),
        ([1], "", "a list"),
        (float("nan"), "", "NaN"),
        (float("inf"), "", "infinity"),
        (10**400, "", "whole number"),
        ("", "", "not a number"),
        ("fast", "", "not a number"),
        (".", "", "not a number"),
        ("1/0", "", "can't be compared|not a number"),
        ("0,13", "", "Write a point: 0.13"),
        ("3,5 h", "h", "Write a point: 3.5 h"),
        ("3 W", "h", "which is a power"),
        ("2:51", "h", "not one number"),
        ("2 min 3 h", "h", "not one number"),
        ("2 h 51 W", "h", "not one number"),
        ("2 h 51 min", "W", "which is a time"),
        ("1" * 150_000, "", "not a number"),
        ("1e999", "", "not a number"),
    ],
)
def test_what_is_no_number_is_a_sentence(written, unit, words):
    with pytest.raises(LabError, match=words):
        read_number(written, "It", unit)


def test_a_description_runs_no_code_of_the_object():
    class Meta(type):
        @property
        def __name__(cls):
            raise RuntimeError

    class Trap(metaclass=Meta):
        def __repr__(self):
            raise RuntimeError

    assert describe(Trap()) == "an object of type Trap"
