"""What a workload costs a month: on this machine, from measured speeds, and on APIs, from dated prices.

The decision exercise of chapter 19 asks for the same figures in a form; this is the short way. Taught in
chapter 19.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from labkit.errors import LabError
from labkit.estimating.cost import (
    BreakEven,
    LocalCost,
    LocalMachine,
    Range,
    api_cost_per_month,
    break_even,
    capacity_tokens_per_day,
    local_cost,
    per_million_tokens,
    rounded,
)
from labkit.facts import Price, prices
from labkit.learning.decision_constraints import NUMBERS, Constraints, answer_in_words, constraints_from
from labkit.learning.decision_costs import (
    WATTS_UNCERTAINTY,
    Measured,
    api_price,
    machine,
    measured_from,
    price_band,
    workload,
)
from labkit.tables import Table
from labkit.units import format_seconds

#: the numbers of the form that a cost depends on
COST_NUMBERS = tuple(name for name in NUMBERS if name != "budget_per_month")
_FITS = {
    "yes": "fits its hours",
    "perhaps": "may be too much for its hours",
    "no": "more than it can do in its hours",
}


@dataclass(frozen=True)
class ApiCost:
    """One row of the price list for this workload; money in the caller's currency."""

    id: str
    provider: str
    model: str
    weights: str
    per_month: Range
    break_even: BreakEven
    as_of: str
    source: str


@dataclass(frozen=True, repr=False)
class CostTable:
    """A month's cost, local against API. Ranges throughout: from all inputs cheap to all inputs dear.

    Attributes
    ----------
    measured : the speeds, and what was measured.
    local : hardware, electricity and hours of the machine.
    capacity_tokens_per_day : input and output together, at this mix.
    apis : the price list's rows, cheapest first.
    numbers : what was reckoned with.
    """

    measured: Measured
    local: LocalCost
    capacity_tokens_per_day: Range
    apis: tuple[ApiCost, ...]
    numbers: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "measured": asdict(self.measured),
            "local": asdict(self.local),
            "capacity_tokens_per_day": asdict(self.capacity_tokens_per_day),
            "apis": [asdict(row) | {"break_even_sentence": row.break_even.sentence()} for row in self.apis],
            "numbers": self.numbers,
        }

    def table(self) -> Table:
        """The machine first, then every API."""
        c = constraints_from(self.numbers)
        rows = [("this machine", _money(self.local.per_month), "", self.measured.date[:10] or "now")]
        rows += [
            (f"{api.provider} {api.model}", _money(api.per_month), _cheaper_from(api.break_even), api.as_of)
            for api in self.apis
        ]
        return Table(
            f"A month of {c.tokens_in_per_day:,.0f} tokens in and {c.tokens_out_per_day:,.0f} out a day",
            ["Where", "A month", "Cheaper here from, tokens a day", "As of"],
            rows,
            self._notes(c),
            folded_title="Reckoned with",
            folded=[
                f"{NUMBERS[name].label}: {answer_in_words(name, self.numbers[name])}" for name in self.numbers
            ],
        )

    def _notes(self, c: Constraints) -> list[str]:
        busy = self.local.busy_hours_per_day
        ends = dict.fromkeys(format_seconds(hours * 3600) for hours in (busy.low, busy.high))
        hours = " to ".join(ends)
        return [
            f"The machine ({self.measured.label()}): {_money(self.local.hardware_per_month)} for hardware, "
            f"{_money(self.local.electricity_per_month)} for electricity, idle hours included; "
            f"{_money(per_million_tokens(self.local.per_month, workload(c)))} for a million tokens. "
            f"It is busy {hours} a day, which {_FITS[self.local.fits]}. "
            f"Watts are widened by {WATTS_UNCERTAINTY * 100:.0f} % each way.",
            "APIs: input, repeated input and output at their own prices; the dear end assumes that no input "
            "is cached. Models differ in quality: compare those that do your task.",
        ]

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def cost(measured: Any, **numbers: float) -> CostTable:
    """What a month costs on this machine and on the APIs of the price list.

    Parameters
    ----------
    measured : what `lk.bench()` returned, or its dictionary.
    numbers : those of the decision exercise, such as `tokens_in_per_day`, `watts_active`, `price_per_kwh`,
        `hardware_price`, `lifetime_months`; `COST_NUMBERS` names them. The rest has assumed values.

    Raises LabError when `measured` is no measurement, or a number is unknown or out of its limits.
    """
    speeds = measured_from(measured)
    if speeds is None:
        raise LabError("A local cost needs a measured speed.", "Measure first: `result = lk.bench()`.")
    c = constraints_from(numbers)
    work, own = workload(c), machine(c, speeds)
    apis = [_api_cost(row, c, own) for row in prices()]
    return CostTable(
        measured=speeds,
        local=local_cost(work, own),
        capacity_tokens_per_day=capacity_tokens_per_day(work, own),
        apis=tuple(sorted(apis, key=lambda row: row.per_month.low)),
        numbers={name: getattr(c, name) for name in COST_NUMBERS},
    )


def _api_cost(row: Price, c: Constraints, own: LocalMachine) -> ApiCost:
    """One row of the price list; a band of one model, so that input, cached and output stay apart."""
    band = price_band([row])
    assert band is not None
    price = api_price(band, c)
    return ApiCost(
        row.id,
        row.provider,
        row.model,
        row.weights,
        api_cost_per_month(workload(c), price),
        break_even(workload(c), own, price),
        row.as_of,
        row.source,
    )


def _cheaper_from(found: BreakEven) -> str:
    """`'200,000 to 260,000'`, or why never; the sentence is in `to_dict`."""
    if found.verdict == "never: price":
        return "never: electricity"
    if found.verdict == "never: capacity":
        return "never: too slow"
    first = rounded(found.first or 0.0)
    if found.verdict == "perhaps":
        return f"perhaps from {first}"
    last = rounded(found.last or 0.0)
    return "any volume" if found.last == 0 else first if first == last else f"{first} to {last}"


def _money(amount: Range) -> str:
    """`'1.20 to 3.40'`, in the caller's currency."""
    low, high = (f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}" for value in (amount.low, amount.high))
    return low if low == high else f"{low} to {high}"
