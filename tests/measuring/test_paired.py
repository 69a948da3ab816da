"""Ratios of paired measurements: the interval holds the median as often as it says."""

from __future__ import annotations

import random

import pytest

from labkit.measuring.paired import Ratio, median_interval


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, None), (5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (12, (3, 10)), (20, (6, 15))],
)
def test_the_interval_is_that_of_the_sign_test(n, expected):
    """The tabulated limits of the sign test at 95 %."""
    assert median_interval(list(range(n, 0, -1))) == expected


@pytest.mark.parametrize("n", [6, 9, 15])
def test_the_interval_covers_the_median_of_a_skewed_distribution(n):
    draw, median = random.Random(7), 2**0.5
    held = 0
    for _ in range(4000):
        low, high = median_interval([1 / (1 - draw.random()) ** 0.5 for _ in range(n)])
        held += low <= median <= high
    assert held / 4000 >= 0.945


def test_a_ratio_is_taken_round_by_round():
    ratio = Ratio.of([2, 40, 6, 8, 10, 12], [1, 20, 3, 4, 5, 4])
    assert (ratio.median, ratio.low, ratio.high) == (2, 2, 3)
    assert ratio.is_larger and not ratio.is_smaller
    assert (ratio.times(), ratio.interval()) == ("2.00 times", "(95 % interval 2.00 to 3.00)")
    inverse = Ratio.of([1, 20, 3, 4, 5, 4], [2, 40, 6, 8, 10, 12])
    assert inverse.is_smaller and not inverse.is_larger


def test_too_few_rounds_decide_nothing():
    ratio = Ratio.of([9, 9, 9, 9, 9], [1, 1, 1, 1, 1])
    assert not ratio.is_larger and not ratio.is_smaller
    assert ratio.interval() == "(too few rounds for an interval)"


def test_as_many_of_the_one_as_of_the_other():
    with pytest.raises(ValueError, match="shorter"):
        Ratio.of([1, 2], [1])
