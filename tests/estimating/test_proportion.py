"""Wilson's interval: its defining equation, its symmetry, and what it refuses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.estimating.proportion import wilson_interval

Z_95 = 1.959963984540054


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_both_ends_solve_wilsons_equation(counted: tuple[int, int]) -> None:
    right, total = counted
    low, high = wilson_interval(right, total)
    share = right / total
    assert 0 <= low <= share <= high <= 1 and low < high
    for end in (low, high):
        error = Z_95 * math.sqrt(end * (1 - end) / total)
        assert abs(share - end) == pytest.approx(error, abs=1e-9) or end in (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_right_and_wrong_mirror_each_other(counted: tuple[int, int]) -> None:
    right, total = counted
    low, high = wilson_interval(right, total)
    assert wilson_interval(total - right, total) == pytest.approx((1 - high, 1 - low))


def test_all_right_is_not_certain() -> None:
    assert wilson_interval(10, 10) == pytest.approx((1 - Z_95**2 / (10 + Z_95**2), 1.0))
    assert wilson_interval(0, 10)[0] == 0.0


def test_more_trials_and_less_confidence_make_it_narrower() -> None:
    def width(right: int, total: int, confidence: float = 0.95) -> float:
        low, high = wilson_interval(right, total, confidence)
        return high - low

    assert width(90, 100) < width(9, 10)
    assert width(9, 10, 0.8) < width(9, 10, 0.95) < width(9, 10, 0.99)


@pytest.mark.parametrize(
    ("right", "total", "confidence"),
    [(1, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 0), (1, 2, 1), (1, 2, math.nan)],
)
def test_impossible_counts_get_a_sentence(right: int, total: int, confidence: float) -> None:
    with pytest.raises(LabError):
        wilson_interval(right, total, confidence)
