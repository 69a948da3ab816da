"""What each alternative of the decision exercise costs, from the learner's measurement and the price list.

Taught in chapter 19. No measurement, no local figure: nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labkit.errors import LabError
from labkit.estimating.cost import (
    ApiPrice,
    Fits,
    LocalMachine,
    Range,
    Workload,
    api_cost_per_month,
    local_cost,
)
from labkit.learning.decision_constraints import Constraints

#: How far a stated wattage may be off, since nobody measured it: 30 % each way.
WATTS_UNCERTAINTY = 0.3

NOT_MEASURED = "not known: run the measurement cell, then give its result to this exercise"
OTHER_MACHINE = "not known: what you measured ran on another kind of machine"
ON_REQUEST = "no public price: ask the vendor"
NO_PRICES = "not known: the price list has no row for it"


@dataclass(frozen=True)
class Measured:
    """What the learner measured: speeds as the smallest and the largest repetition."""

    pp_tokens_per_s: Range
    tg_tokens_per_s: Range
    ttft_s: float | None = None
    model: str = "the measured model"
    date: str = ""
    on_gpu: bool = False
    random_weights: bool = False

    def label(self) -> str:
        """What a figure calls it: model, date, and a warning when its weights are random."""
        warning = ", random weights" if self.random_weights else ""
        return f"{self.model}{warning}" + (f", measured {self.date[:10]}" if self.date else "")


def measured_from(result: Any) -> Measured | None:
    """Read a `bench` result (or its dict, or a `Measured`); None stays None.

    Raises LabError when it is not a measurement of speed.
    """
    if result is None or isinstance(result, Measured):
        return result
    data = result if isinstance(result, Mapping) else result.to_dict() if hasattr(result, "to_dict") else None
    try:
        if data is None:
            raise TypeError
        model = data.get("model") or {}
        memory = data.get("memory") or {}
        return Measured(
            pp_tokens_per_s=_spread(data["pp_tokens_per_s"]),
            tg_tokens_per_s=_spread(data["tg_tokens_per_s"]),
            ttft_s=_seconds(data.get("ttft_s")),
            model=str(model.get("name") or "the measured model")
            if isinstance(model, Mapping)
            else str(model),
            date=str(data.get("date") or ""),
            on_gpu=bool(memory.get("gpu_bytes")) if isinstance(memory, Mapping) else False,
            random_weights=bool(model.get("random_weights")) if isinstance(model, Mapping) else False,
        )
    except (KeyError, TypeError, ValueError, LabError):
        raise LabError(
            "That is not a measurement of speed.",
            "Give the exercise what bench() returned: decision_exercise(measured=result).",
        ) from None


def _spread(value: Any) -> Range:
    if isinstance(value, Mapping):
        values = [float(v) for v in value.get("values") or [value["median"]]]
    else:
        values = [float(value)]
    if min(values) <= 0:
        raise ValueError("a speed of 0")
    return Range(min(values), max(values))


def _seconds(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("median")
    return None if value is None else float(value)


@dataclass(frozen=True)
class PriceBand:
    """The prices of several models as one band, in US dollars per million tokens."""

    price: ApiPrice
    models: tuple[str, ...]
    as_of: str  #: one date, or "first to last"
    sources: tuple[str, ...] = ()


def price_band(rows: Iterable[Any]) -> PriceBand | None:
    """One band over price rows (`model`, `input_usd_per_million`, …, `as_of`, `source`); None when empty."""
    rows = list(rows)
    if not rows:
        return None
    inputs = [float(row.input_usd_per_million) for row in rows]
    outputs = [float(row.output_usd_per_million) for row in rows]
    # A model without a price for repeated input charges the full one.
    cached = [
        float(row.cached_input_usd_per_million)
        if row.cached_input_usd_per_million not in (None, "")
        else float(row.input_usd_per_million)
        for row in rows
    ]
    dates = sorted({str(row.as_of) for row in rows})
    return PriceBand(
        ApiPrice(
            Range(min(inputs), max(inputs)),
            Range(min(outputs), max(outputs)),
            Range(min(cached), max(cached)),
        ),
        models=tuple(str(row.model) for row in rows),
        as_of=dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        sources=tuple(sorted({str(row.source) for row in rows})),
    )


@dataclass(frozen=True)
class Knowledge:
    """What the verdict rests on besides the constraints: the measurement and the prices."""

    measured: Measured | None = None
    closed_prices: PriceBand | None = None
    open_prices: PriceBand | None = None


@dataclass(frozen=True)
class Estimate:
    """The cost of one alternative, in the learner's currency, or the reason why it is not known."""

    per_month: Range | None = None
    note: str = ""
    fits: Fits | None = None  #: for a measured machine: can it do this volume?


def workload(c: Constraints) -> Workload:
    """The stated volume."""
    return Workload(c.tokens_in_per_day, c.tokens_out_per_day, c.cached_share_percent / 100)


def machine(c: Constraints, measured: Measured) -> LocalMachine:
    """The measured machine with the learner's figures for power, price and hours."""
    return LocalMachine(
        pp_tokens_per_s=measured.pp_tokens_per_s,
        tg_tokens_per_s=measured.tg_tokens_per_s,
        active_watts=Range.exactly(c.watts_active).widened(WATTS_UNCERTAINTY),
        idle_watts=Range.exactly(c.watts_idle).widened(WATTS_UNCERTAINTY),
        price_per_kwh=Range.exactly(c.price_per_kwh),
        hardware_price=Range.exactly(c.hardware_price),
        lifetime_months=c.lifetime_months,
        hours_on_per_day=c.hours_on_per_day,
        share=c.share_percent / 100,
    )


def api_price(band: PriceBand, c: Constraints) -> ApiPrice:
    """A band in the learner's currency."""
    rate = c.currency_per_usd
    cached = band.price.cached_input_per_million
    return ApiPrice(
        band.price.input_per_million.times(rate),
        band.price.output_per_million.times(rate),
        cached.times(rate) if cached else None,
    )


def _hosted(c: Constraints, band: PriceBand | None) -> Estimate:
    if band is None:
        return Estimate(note=NO_PRICES)
    return Estimate(api_cost_per_month(workload(c), api_price(band, c)))


def estimates(c: Constraints, known: Knowledge) -> dict[str, Estimate]:
    """The monthly cost of each alternative, by its id. Taught in chapter 19."""
    on_request = c.data == "secret" or c.connectivity == "never_site"
    local = Estimate(note=NOT_MEASURED)
    if known.measured:
        cost = local_cost(workload(c), machine(c, known.measured))
        local = Estimate(cost.per_month, f"with {known.measured.label()}", cost.fits)
    measured_a_server = known.measured is None or known.measured.on_gpu
    closed = _hosted(c, known.closed_prices)
    private = closed if closed.per_month is None else replace(closed, note="at least the prices of the API")
    return {
        "closed_api": closed,
        "closed_private": Estimate(note=ON_REQUEST) if on_request else private,
        "open_hosted": _hosted(c, known.open_prices),
        "open_own": local if measured_a_server else Estimate(note=OTHER_MACHINE),
        "open_device": local,
    }
