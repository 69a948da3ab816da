"""The worked example of chapter 19: tokens to seconds to kilowatt-hours to money."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from labkit.errors import LabError
from labkit.learning.electricity import electricity
from labkit.measuring.results import Spread


def result(speed: float, random_weights: bool = False):
    """The two fields of a BenchResult that the calculation reads."""
    return SimpleNamespace(tg_tokens_per_s=Spread.of([speed]), random_weights=random_weights)


def test_worked_by_hand():
    # 200,000 / 40 = 5,000 s; 5,000 / 3,600 h * 0.09 kW = 0.125 kWh; * 0.4 = 0.05
    table = electricity(result(40), tokens=200_000, watts=90, price_per_kwh=0.4)
    assert [row[2] for row in table.rows] == ["5,000 s = 1 h 23 min", "0.125 kWh", "0.05 in your currency"]
    assert "random" not in repr(table)


def test_random_weights_are_named():
    assert "random weights" in repr(electricity(result(40, True), tokens=1, watts=1, price_per_kwh=0))


@pytest.mark.parametrize(
    "wrong", [{"tokens": -1}, {"watts": float("nan")}, {"price_per_kwh": "0.30"}, {"watts": float("inf")}]
)
def test_nonsense_is_refused_with_the_name_of_the_number(wrong):
    numbers = {"tokens": 10, "watts": 60, "price_per_kwh": 0.3} | wrong
    with pytest.raises(LabError, match=next(iter(wrong))):
        electricity(result(40), **numbers)
