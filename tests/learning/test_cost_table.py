"""A month's cost, local against API: the arithmetic by hand, and the words."""

from __future__ import annotations

import json

import pytest

import labkit as lk
from labkit.errors import LabError
from labkit.facts import prices

SPEEDS = {"pp_tokens_per_s": {"values": [100, 200]}, "tg_tokens_per_s": {"values": [10, 20]}}
DAYS = 365 / 12


def test_worked_by_hand() -> None:
    found = lk.cost(
        SPEEDS,
        tokens_in_per_day=72_000,
        tokens_out_per_day=36_000,
        watts_active=100,
        watts_idle=10,
        price_per_kwh=0.5,
        hardware_price=1200,
        lifetime_months=24,
        hours_on_per_day=8,
    )
    local = found.local
    assert local.hardware_per_month.low == local.hardware_per_month.high == 50
    # 72,000/200 + 36,000/20 = 2,160 s = 0.6 h busy at best, 1.2 h at worst; the rest of 8 h idle
    assert local.busy_hours_per_day.low == pytest.approx(0.6)
    assert local.busy_hours_per_day.high == pytest.approx(1.2)
    kwh = DAYS * (0.6 * 70 + 7.4 * 7) / 1000, DAYS * (1.2 * 130 + 6.8 * 13) / 1000
    assert local.electricity_per_month.low == pytest.approx(kwh[0] * 0.5)
    assert local.electricity_per_month.high == pytest.approx(kwh[1] * 0.5)
    assert local.per_month.high == pytest.approx(50 + kwh[1] * 0.5)
    assert local.fits == "yes"


def test_every_dated_price_is_there_with_input_cached_and_output_apart() -> None:
    found = lk.cost(
        SPEEDS, tokens_in_per_day=1e6, tokens_out_per_day=1e5, cached_share_percent=40, currency_per_usd=2
    )
    by_id = {row.id: row for row in found.apis}
    assert set(by_id) == {price.id for price in prices()}
    for price in prices():
        row = by_id[price.id]
        cached = price.cached_input_usd_per_million
        cached = price.input_usd_per_million if cached is None else cached
        output = 0.1 * price.output_usd_per_million
        low = 2 * DAYS * (0.6 * price.input_usd_per_million + 0.4 * cached + output)
        high = 2 * DAYS * (price.input_usd_per_million + output)
        assert row.per_month.low == pytest.approx(low) and row.per_month.high == pytest.approx(high)
        assert row.as_of == price.as_of and row.source == price.source
    lows = [row.per_month.low for row in found.apis]
    assert lows == sorted(lows)


def test_too_much_for_the_machine_is_said() -> None:
    found = lk.cost(SPEEDS, tokens_in_per_day=1e7, tokens_out_per_day=1e7)
    assert found.local.fits == "no" and "more than it can do" in repr(found)


def test_it_shows_and_saves() -> None:
    found = lk.cost(SPEEDS)
    text = repr(found)
    assert "this machine" in text and all(price.model in text for price in prices())
    assert "Price of electricity: 0.3 per kWh" in text
    out = json.loads(json.dumps(found.to_dict()))
    assert out["local"]["per_month"]["low"] > 0 and out["apis"][0]["break_even_sentence"]
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize(
    ("measured", "numbers"),
    [
        (None, {}),
        ({}, {}),
        ({"pp_tokens_per_s": 0, "tg_tokens_per_s": 5}, {}),
        (SPEEDS, {"watts": 5}),
        (SPEEDS, {"price_per_kwh": -1}),
        (SPEEDS, {"price_per_kwh": float("nan")}),
        (SPEEDS, {"watts_active": 5, "watts_idle": 50}),
        (SPEEDS, {"tokens_in_per_day": 0, "tokens_out_per_day": 0}),
    ],
    ids=str,
)
def test_nonsense_is_a_sentence(measured: object, numbers: dict) -> None:
    with pytest.raises(LabError):
        lk.cost(measured, **numbers)
