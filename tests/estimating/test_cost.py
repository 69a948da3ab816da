"""The arithmetic of cost, on numbers worked out by hand, and what must hold for any numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.estimating.cost import (
    DAYS_PER_MONTH,
    ApiPrice,
    LocalMachine,
    Range,
    Workload,
    api_cost_per_month,
    break_even,
    busy_hours_per_day,
    capacity_tokens_per_day,
    local_cost,
    per_million_tokens,
)


def exactly(value: float) -> Range:
    return Range.exactly(value)


def make_machine(**changes) -> LocalMachine:
    """Reads 720,000 tokens an hour or writes 36,000; 100 W or 10 W, 0.30 per kWh, 25 a month, on for 10 h."""
    values = {
        "pp_tokens_per_s": exactly(200),
        "tg_tokens_per_s": exactly(10),
        "active_watts": exactly(100),
        "idle_watts": exactly(10),
        "price_per_kwh": exactly(0.30),
        "hardware_price": exactly(1200),
        "lifetime_months": 48,
        "hours_on_per_day": 10,
    }
    return LocalMachine(**{**values, **changes})


PRICE = ApiPrice(exactly(2.0), exactly(10.0), exactly(0.5))


# ---------------------------------------------------------------- by hand


def test_busy_hours_count_reading_and_writing_at_their_own_speeds():
    # 720,000 / 200 = 3,600 s; 36,000 / 10 = 3,600 s.
    hours = busy_hours_per_day(Workload(720_000, 36_000), make_machine())
    assert (hours.low, hours.high) == (2.0, 2.0)


def test_local_cost_counts_the_machine_the_busy_and_the_idle_hours():
    cost = local_cost(Workload(720_000, 36_000), make_machine())
    # 2 h * 100 W + 8 h * 10 W = 280 Wh a day; * 365 / 12 = 8.51667 kWh; * 0.30 = 2.555.
    assert cost.electricity_per_month.low == pytest.approx(2.555)
    assert cost.hardware_per_month == exactly(25.0)
    assert cost.per_month.high == pytest.approx(27.555)
    assert cost.fits == "yes"


def test_a_machine_that_only_waits_still_costs():
    # 10 h * 10 W = 100 Wh a day; * 365 / 12 = 3.041667 kWh; * 0.30 = 0.9125; and 25 for the machine.
    assert local_cost(Workload(0, 0), make_machine()).per_month.low == pytest.approx(25.9125)


def test_a_share_of_the_machine_pays_a_share_of_the_price_and_gets_a_share_of_the_hours():
    half = make_machine(share=0.5)
    cost = local_cost(Workload(720_000, 36_000), half)
    # 5 h reserved: 2 h * 100 W + 3 h * 10 W = 230 Wh a day.
    assert cost.hardware_per_month.low == 12.5
    assert cost.electricity_per_month.low == pytest.approx(0.230 * DAYS_PER_MONTH * 0.30)
    assert half.reserved_hours_per_day == 5


def test_capacity_is_what_fits_the_hours():
    # 756,000 tokens of this mix take 2 h, so 10 h take five times as many.
    assert capacity_tokens_per_day(Workload(720_000, 36_000), make_machine()).low == pytest.approx(3_780_000)


@pytest.mark.parametrize(
    ("written", "fits"), [(300_000, "yes"), (400_000, "perhaps"), (800_000, "no")], ids=str
)
def test_fits_says_yes_perhaps_or_no(written, fits):
    # 10 hours: 360,000 tokens at 10 tokens/s, 720,000 at 20.
    assert local_cost(Workload(0, written), make_machine(tg_tokens_per_s=Range(10, 20))).fits == fits


def test_api_cost_prices_fresh_cached_and_written_tokens_apart():
    cost = api_cost_per_month(Workload(1_000_000, 100_000, cached_share=0.5), PRICE)
    # 0.5 M * 2 + 0.5 M * 0.5 + 0.1 M * 10 = 1 + 0.25 + 1 = 2.25 a day; without a cache hit 2 + 1 = 3.
    assert cost.low == pytest.approx(2.25 * DAYS_PER_MONTH)
    assert cost.high == pytest.approx(3.00 * DAYS_PER_MONTH)


def test_without_a_price_for_cached_input_it_costs_as_much_as_the_rest():
    work = Workload(1_000_000, 0, cached_share=0.9)
    assert api_cost_per_month(work, ApiPrice(exactly(2.0), exactly(10.0))) == exactly(2.0 * DAYS_PER_MONTH)


def test_per_million_tokens():
    # 30.4167 days * 100,000 tokens = 3.04167 M tokens.
    assert per_million_tokens(exactly(30.4166667), Workload(50_000, 50_000)).low == pytest.approx(10.0)


def test_break_even_where_the_lines_cross():
    # Only written tokens. Fixed: 25.9125 a month. Each token more: 0.1 s at 90 W more, so
    # 30.41667 * 0.1 / 3600 * 0.09 * 0.30 = 2.28125e-5 a month for each token a day; the API 3.041667e-4.
    found = break_even(Workload(0, 1), make_machine(), PRICE)
    assert found.verdict == "crosses"
    assert found.first == pytest.approx(25.9125 / (3.0416667e-4 - 2.28125e-5))
    assert found.first == pytest.approx(found.last)
    assert found.sentence() == "Cheaper from about 92,000 tokens a day on."


def test_never_since_the_machine_is_too_slow():
    found = break_even(Workload(0, 1), make_machine(tg_tokens_per_s=exactly(1)), PRICE)
    assert found.verdict == "never: capacity"
    assert found.sentence() == (
        "Never cheaper: it produces at most about 36,000 tokens a day, and that is not enough."
    )


def test_never_since_electricity_alone_costs_more():
    found = break_even(Workload(0, 1), make_machine(), ApiPrice(exactly(0.01), exactly(0.01)))
    assert found.verdict == "never: price"


def test_perhaps_when_only_the_good_end_crosses():
    found = break_even(Workload(0, 1), make_machine(), ApiPrice(Range(0.01, 2), Range(0.01, 10)))
    assert found.verdict == "perhaps"
    assert found.last is None
    assert "perhaps never" in found.sentence()


def test_a_machine_that_costs_nothing_at_rest_is_cheaper_from_the_first_token():
    free = make_machine(hardware_price=exactly(0), idle_watts=exactly(0))
    assert break_even(Workload(0, 1), free, PRICE).sentence() == (
        "Cheaper at every volume that it can produce."
    )


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "build",
    [
        lambda: Range(2, 1),
        lambda: Range(-1, 1),
        lambda: Range(0, float("nan")),
        lambda: Workload(-1, 0),
        lambda: Workload(1, 1, cached_share=30),
        lambda: make_machine(idle_watts=exactly(200)),
        lambda: make_machine(tg_tokens_per_s=exactly(0)),
        lambda: make_machine(share=0),
        lambda: make_machine(hours_on_per_day=25),
        lambda: per_million_tokens(exactly(1), Workload(0, 0)),
        lambda: break_even(Workload(0, 0), make_machine(), PRICE),
    ],
)
def test_what_makes_no_sense_is_a_sentence(build):
    with pytest.raises(LabError) as caught:
        build()
    assert caught.value.what and caught.value.cure


# ---------------------------------------------------------------- for any numbers


def ranges(low: float, high: float) -> st.SearchStrategy[Range]:
    numbers = st.floats(low, high, allow_nan=False)
    return st.tuples(numbers, numbers).map(lambda pair: Range(min(pair), max(pair)))


@st.composite
def machines(draw) -> LocalMachine:
    idle = draw(ranges(0, 200))
    extra = draw(ranges(0, 500))
    return LocalMachine(
        pp_tokens_per_s=draw(ranges(1, 10_000)),
        tg_tokens_per_s=draw(ranges(0.1, 1_000)),
        active_watts=Range(idle.low + extra.low, idle.high + extra.high),
        idle_watts=idle,
        price_per_kwh=draw(ranges(0, 2)),
        hardware_price=draw(ranges(0, 50_000)),
        lifetime_months=draw(st.floats(1, 120)),
        hours_on_per_day=draw(st.floats(0.5, 24)),
        share=draw(st.floats(0.01, 1)),
    )


workloads = st.builds(Workload, st.floats(0, 1e8), st.floats(1, 1e8), st.floats(0, 1))
api_prices = st.builds(ApiPrice, ranges(0.001, 50), ranges(0.001, 200), st.none() | ranges(0.001, 50))


@settings(max_examples=60, deadline=None)
@given(machines(), workloads)
def test_more_work_never_costs_less(machine, work):
    twice = work.scaled_to(work.tokens_per_day * 2)
    now, then = local_cost(work, machine).per_month, local_cost(twice, machine).per_month
    assert then.low >= now.low * (1 - 1e-9)
    assert then.high >= now.high * (1 - 1e-9)


@settings(max_examples=60, deadline=None)
@given(machines(), workloads)
def test_idle_time_is_never_free_of_charge(machine, work):
    """At least what the waiting machine costs, at most as much as one that is busy all the time it needs."""
    waiting = local_cost(Workload(0, 0), machine).per_month
    assert local_cost(work, machine).per_month.low >= waiting.low * (1 - 1e-9)


@settings(max_examples=60, deadline=None)
@given(machines(), workloads)
def test_capacity_just_fits(machine, work):
    capacity = capacity_tokens_per_day(work, machine)
    assert local_cost(work.scaled_to(capacity.low * 0.999), machine).fits == "yes"
    assert local_cost(work.scaled_to(capacity.high * 1.001), machine).fits == "no"


@settings(max_examples=60, deadline=None)
@given(api_prices, workloads)
def test_api_cost_grows_in_proportion_and_a_cache_never_makes_it_dearer(price, work):
    cost = api_cost_per_month(work, price)
    triple = api_cost_per_month(work.scaled_to(work.tokens_per_day * 3), price)
    assert triple.high == pytest.approx(3 * cost.high)
    uncached = Workload(work.input_tokens_per_day, work.output_tokens_per_day)
    assert cost.low <= api_cost_per_month(uncached, price).low * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(machines(), workloads, api_prices)
def test_at_the_crossing_both_cost_the_same(machine, work, price):
    found = break_even(work, machine, price)
    if found.first:
        there = work.scaled_to(found.first)
        local, api = local_cost(there, machine).per_month, api_cost_per_month(there, price)
        assert local.low == pytest.approx(api.high, rel=1e-3)
    if found.last:
        there = work.scaled_to(found.last)
        local, api = local_cost(there, machine).per_month, api_cost_per_month(there, price)
        assert local.high == pytest.approx(api.low, rel=1e-3)
        assert found.first <= found.last * (1 + 1e-6)


@settings(max_examples=60, deadline=None)
@given(machines(), workloads, api_prices, st.floats(0.001, 1))
def test_never_means_never(machine, work, price, fraction):
    found = break_even(work, machine, price)
    if not found.verdict.startswith("never"):
        return
    there = work.scaled_to(found.capacity_tokens_per_day.high * fraction)
    local, api = local_cost(there, machine).per_month, api_cost_per_month(there, price)
    assert local.low >= api.high * (1 - 1e-6)


@settings(max_examples=60, deadline=None)
@given(machines(), workloads)
def test_ranges_keep_their_order(machine, work):
    cost = local_cost(work, machine)
    for part in (cost.per_month, cost.hardware_per_month, cost.electricity_per_month):
        assert 0 <= part.low <= part.high
