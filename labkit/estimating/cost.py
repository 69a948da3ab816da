"""What tokens cost: on a machine of your own against an API, in ranges. Taught in chapter 19.

Pure arithmetic, no I/O. Money has no currency here: give every amount in the same one. Costs are per
month of 365/12 days. Every uncertain input is a `Range`, and so is every result: `low` takes all inputs
at their cheap end, `high` at their dear end.

The comparison counts *reservation*, not busy time alone: a machine that is kept for a job costs its share of
the purchase and its idle power also while it waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from labkit.errors import LabError

DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True)
class Range:
    """A quantity known to lie between `low` and `high` (the same unit, both finite, 0 or more)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise LabError(f"A cost needs finite numbers, not {self.low} to {self.high}.", "Check the input.")
        if self.low < 0 or self.high < self.low:
            raise LabError(
                f"{self.low:g} to {self.high:g} is not a range.",
                "Give the smaller number first, and no negative ones.",
            )

    @classmethod
    def exactly(cls, value: float) -> Range:
        """A quantity without uncertainty."""
        return cls(value, value)

    def widened(self, fraction: float) -> Range:
        """`Range(10, 10).widened(0.3)` → 7 to 13: for a figure that nobody measured."""
        return Range(self.low * max(0.0, 1 - fraction), self.high * (1 + fraction))

    def times(self, factor: float) -> Range:
        """Scaled by a factor of 0 or more."""
        return Range(self.low * factor, self.high * factor)

    @property
    def middle(self) -> float:
        """The geometric middle, since costs spread over powers of ten; half of `high` when `low` is 0."""
        return math.sqrt(self.low) * math.sqrt(self.high) if self.low > 0 else self.high / 2


@dataclass(frozen=True)
class Workload:
    """Tokens per day. Cached input is the part of the input that repeats from call to call.

    Hidden reasoning tokens are billed as output: count them in `output_tokens_per_day`.
    """

    input_tokens_per_day: float
    output_tokens_per_day: float
    cached_share: float = 0.0  #: 0 to 1, of the input

    def __post_init__(self) -> None:
        tokens = (self.input_tokens_per_day, self.output_tokens_per_day)
        if not all(math.isfinite(t) and t >= 0 for t in tokens):
            raise LabError("Tokens per day must be 0 or more.", "Check the volume.")
        if not 0 <= self.cached_share <= 1:
            raise LabError("The cached share must lie between 0 and 1.", "Write 30 % as 0.3.")

    @property
    def tokens_per_day(self) -> float:
        """Input and output together."""
        return self.input_tokens_per_day + self.output_tokens_per_day

    def scaled_to(self, tokens_per_day: float) -> Workload:
        """The same mix of input and output at another volume. Needs a volume above 0."""
        if self.tokens_per_day <= 0:
            raise LabError("There is no mix of input and output in 0 tokens.", "State a volume above 0.")
        factor = tokens_per_day / self.tokens_per_day
        return Workload(
            self.input_tokens_per_day * factor, self.output_tokens_per_day * factor, self.cached_share
        )


@dataclass(frozen=True)
class LocalMachine:
    """A machine that runs the model, with what was measured and what it costs. Taught in chapter 19."""

    pp_tokens_per_s: Range  #: prompt processing, measured
    tg_tokens_per_s: Range  #: generation, measured
    active_watts: Range  #: at the wall while it computes
    idle_watts: Range  #: at the wall while it waits
    price_per_kwh: Range
    hardware_price: Range  #: what the machine costs to buy; 0 to leave it out
    lifetime_months: float  #: months until it is replaced
    hours_on_per_day: float  #: hours a day that it is switched on
    share: float = 1.0  #: 0 to 1: the part of the machine and of its hours that this work takes

    def __post_init__(self) -> None:
        if self.pp_tokens_per_s.low <= 0 or self.tg_tokens_per_s.low <= 0:
            raise LabError("A speed of 0 tokens/s has no cost per token.", "Measure the model first.")
        if self.active_watts.low < self.idle_watts.low or self.active_watts.high < self.idle_watts.high:
            raise LabError(
                "A machine can't draw more power idle than busy.", "Check the two figures for watts."
            )
        if not (self.lifetime_months > 0 and 0 < self.hours_on_per_day <= 24 and 0 < self.share <= 1):
            raise LabError(
                "Lifetime must be above 0, hours per day within 24, and the share within 0 and 1.",
                "Check those figures.",
            )

    @property
    def reserved_hours_per_day(self) -> float:
        """Hours a day that this work can have the machine: hours_on_per_day * share."""
        return self.hours_on_per_day * self.share


def busy_hours_per_day(work: Workload, machine: LocalMachine) -> Range:
    """Hours a day that the machine computes: (input / pp + output / tg) / 3600.

    The repeated part of the input is counted in full: a cached prompt changes an API's bill, and a local
    run only if its cache survives from call to call. Taught in chapter 19.
    """

    def hours(pp: float, tg: float) -> float:
        return (work.input_tokens_per_day / pp + work.output_tokens_per_day / tg) / 3600

    return Range(
        hours(machine.pp_tokens_per_s.high, machine.tg_tokens_per_s.high),
        hours(machine.pp_tokens_per_s.low, machine.tg_tokens_per_s.low),
    )


def capacity_tokens_per_day(mix: Workload, machine: LocalMachine) -> Range:
    """Tokens a day, input and output together at this mix, that fit the reserved hours.

    capacity = reserved_hours / busy_hours(mix) * tokens(mix). Taught in chapter 19.
    """
    busy = busy_hours_per_day(mix.scaled_to(1.0), machine)
    return Range(machine.reserved_hours_per_day / busy.high, machine.reserved_hours_per_day / busy.low)


Fits = Literal["yes", "perhaps", "no"]


@dataclass(frozen=True)
class LocalCost:
    """What the work costs on a machine of your own."""

    per_month: Range
    hardware_per_month: Range
    electricity_per_month: Range
    busy_hours_per_day: Range
    fits: Fits  #: does the work fit the reserved hours: at both ends of the range, at one, at none?


def local_cost(work: Workload, machine: LocalMachine) -> LocalCost:
    """Cost per month of doing `work` on `machine`. Taught in chapter 19.

    hardware = hardware_price / lifetime_months * share
    electricity = days * (busy * active_watts + (reserved - busy) * idle_watts) / 1000 * price_per_kwh

    `fits` says whether the work can be done at all; where it is not "yes", the dear end counts the hours
    that the machine would need, more than it has.
    """
    busy = busy_hours_per_day(work, machine)
    reserved = machine.reserved_hours_per_day

    def kwh_per_month(busy_h: float, active: float, idle: float) -> float:
        return DAYS_PER_MONTH * (busy_h * active + max(0.0, reserved - busy_h) * idle) / 1000

    electricity = Range(
        kwh_per_month(busy.low, machine.active_watts.low, machine.idle_watts.low) * machine.price_per_kwh.low,
        kwh_per_month(busy.high, machine.active_watts.high, machine.idle_watts.high)
        * machine.price_per_kwh.high,
    )
    hardware = machine.hardware_price.times(machine.share / machine.lifetime_months)
    fits: Fits = "yes" if busy.high <= reserved else "perhaps" if busy.low <= reserved else "no"
    total = Range(hardware.low + electricity.low, hardware.high + electricity.high)
    return LocalCost(total, hardware, electricity, busy, fits)


@dataclass(frozen=True)
class ApiPrice:
    """What a provider asks per million tokens, as ranges: over several models, or over a year."""

    input_per_million: Range
    output_per_million: Range
    cached_input_per_million: Range | None = None  #: None: repeated input costs the full price


def api_cost_per_month(work: Workload, price: ApiPrice) -> Range:
    """days * (fresh * p_in + cached * p_cached + output * p_out) / 1e6. Taught in chapter 19.

    A cache hit is never promised, so the dear end pays the full price for all input.
    """
    cached_price = price.cached_input_per_million or price.input_per_million
    cached = work.input_tokens_per_day * work.cached_share
    fresh = work.input_tokens_per_day - cached
    scale = DAYS_PER_MONTH / 1e6
    low = (
        fresh * price.input_per_million.low
        + cached * min(cached_price.low, price.input_per_million.low)
        + work.output_tokens_per_day * price.output_per_million.low
    )
    high = (
        work.input_tokens_per_day * price.input_per_million.high
        + work.output_tokens_per_day * price.output_per_million.high
    )
    return Range(min(low, high) * scale, high * scale)  # rounding could turn equal ends around


def per_million_tokens(per_month: Range, work: Workload) -> Range:
    """Cost per million tokens, input and output together: per_month / (tokens_per_day * days) * 1e6.

    Taught in chapter 19. Needs a volume above 0.
    """
    if work.tokens_per_day <= 0:
        raise LabError("A cost per million tokens needs tokens.", "State a volume above 0.")
    return per_month.times(1e6 / (work.tokens_per_day * DAYS_PER_MONTH))


@dataclass(frozen=True)
class BreakEven:
    """From which volume on the own machine is the cheaper one.

    `tokens_per_day.low` is the crossing when everything favours the machine, `high` when everything favours
    the API; `high` is None when it then never crosses. Both are None in `first` and `last` for "never".
    """

    verdict: Literal["crosses", "perhaps", "never: capacity", "never: price"]
    first: float | None  #: tokens a day: earliest crossing
    last: float | None  #: tokens a day: latest crossing; None when there may be none
    capacity_tokens_per_day: Range

    def sentence(self) -> str:
        """The finding in one sentence."""
        most = rounded(self.capacity_tokens_per_day.high)
        if self.verdict == "never: capacity":
            return f"Never cheaper: it produces at most about {most} tokens a day, and that is not enough."
        if self.verdict == "never: price":
            return "Never cheaper: each further token costs more electricity here than the API asks for it."
        first, last = rounded(self.first or 0.0), rounded(self.last or 0.0)
        if self.verdict == "perhaps":
            return (
                f"Cheaper from about {first} tokens a day at the earliest, perhaps never: it depends on "
                "where in their ranges the figures lie."
            )
        if self.last == 0:
            return "Cheaper at every volume that it can produce."
        if first == last:
            return f"Cheaper from about {first} tokens a day on."
        return f"Cheaper from between about {first} and {last} tokens a day on."


def rounded(tokens: float) -> str:
    """Two digits are all that such an estimate is worth: `97579` → '98,000'."""
    return f"{float(f'{tokens:.2g}'):,.0f}"


def break_even(mix: Workload, machine: LocalMachine, price: ApiPrice) -> BreakEven:
    """The volume from which `machine` costs less than the API, at this mix. Taught in chapter 19.

    Both costs are straight lines in the volume T: fixed + c_local * T against c_api * T, so they cross at
    T = fixed / (c_api - c_local), if c_api is the larger one and T is within the machine's capacity.
    """
    capacity = capacity_tokens_per_day(mix, machine)
    volume = capacity.low  # both lines are straight up to here; a large step keeps the slope exact
    idle = local_cost(mix.scaled_to(0.0), machine).per_month
    full = local_cost(mix.scaled_to(volume), machine).per_month
    api = api_cost_per_month(mix.scaled_to(volume), price)

    def crossing(fixed: float, local_per_token: float, api_per_token: float) -> float | None:
        if fixed <= 0 and api_per_token >= local_per_token:
            return 0.0
        return fixed / (api_per_token - local_per_token) if api_per_token > local_per_token else None

    earliest = crossing(idle.low, (full.low - idle.low) / volume, api.high / volume)
    latest = crossing(idle.high, (full.high - idle.high) / volume, api.low / volume)
    if earliest is None:
        return BreakEven("never: price", None, None, capacity)
    if earliest > capacity.high:
        return BreakEven("never: capacity", None, None, capacity)
    if latest is None or latest > capacity.low:
        return BreakEven("perhaps", earliest, None, capacity)
    return BreakEven("crosses", earliest, latest, capacity)
