"""The break-even plot: what a month costs on your machine and on an API, against the volume.

Taught in chapter 19. Uses the speeds that the learner measured; without a measurement there is no plot.
"""

from __future__ import annotations

from typing import Any

from labkit.estimating.cost import (
    BreakEven,
    Range,
    api_cost_per_month,
    break_even,
    capacity_tokens_per_day,
    local_cost,
    rounded,
)
from labkit.learning.decision_constraints import Constraints, exact
from labkit.learning.decision_costs import (
    WATTS_UNCERTAINTY,
    Knowledge,
    PriceBand,
    api_price,
    machine,
    workload,
)
from labkit.learning.figure import Figure, figure_html, plain_style

MEASURE_FIRST = (
    "There is no plot yet: it needs the speed of your machine. Run the measurement cell, then run this "
    "exercise again with its result."
)
#: The two bands of prices: attribute of `Knowledge`, what the plot calls it, grey, hatch, line style.
_BANDS = (
    ("closed_prices", "closed API", "#c1531b", "//", "--"),
    ("open_prices", "open hosted", "#5f8f3a", "..", ":"),
)
_PLURAL = {"closed API": "closed APIs", "open hosted": "open models hosted elsewhere"}
_POINTS = 120


def crossings(c: Constraints, known: Knowledge) -> dict[str, BreakEven]:
    """Break-even of the measured machine against each band of prices that is known, by the band's label."""
    if known.measured is None:
        return {}
    bands = ((label, getattr(known, name)) for name, label, *_ in _BANDS)
    own = machine(c, known.measured)
    return {
        label: break_even(workload(c), own, api_price(band, c)) for label, band in bands if band is not None
    }


def break_even_sentences(c: Constraints, known: Knowledge) -> list[str]:
    """The message of the plot in words, or what to do to get one."""
    if known.measured is None:
        return [MEASURE_FIRST]
    found = [f"Your machine against “{label}”: {b.sentence()}" for label, b in crossings(c, known).items()]
    if not found:
        return ["There is no plot: the price list is empty."]
    return [
        *found,
        f"This is {known.measured.label()} on your machine. A larger model is slower and costs more per "
        f"token; "
        "the prices span small and large models, so compare models of like quality.",
    ]


def _title(found: dict[str, BreakEven]) -> str:
    """What the plot shows, as a statement."""
    for label, crossing in found.items():
        if crossing.verdict == "crosses":
            least = rounded(crossing.last or 0.0)
            return f"Your machine is cheaper than {_PLURAL[label]}\nfrom about {least} tokens a day on"
    for label, crossing in found.items():
        if crossing.verdict == "perhaps":
            least = rounded(crossing.first or 0.0)
            return f"Your machine may be cheaper than {_PLURAL[label]}\nfrom about {least} tokens a day on"
    return "At this mix of input and output,\nyour machine is never cheaper than the list"


def break_even_figure(c: Constraints, known: Knowledge) -> Figure | None:
    """The plot with its text alternative; None when there is no measurement or no price."""
    found = crossings(c, known)
    if known.measured is None or not found:
        return None
    own = machine(c, known.measured)
    capacity = capacity_tokens_per_day(workload(c), own)
    with plain_style() as plt:
        fig, axes = plt.subplots()
        lowest = min(capacity.low / 3e3, workload(c).tokens_per_day / 3)
        highest = max(capacity.high * 5, workload(c).tokens_per_day * 3)
        volumes = [lowest * (highest / lowest) ** (i / _POINTS) for i in range(_POINTS + 1)]
        _draw_api(axes, c, known, volumes)
        _draw_machine(axes, c, known, volumes, capacity)
        _draw_crossings(axes, c, known, found)
        axes.set(xscale="log", yscale="log", xlim=(lowest, highest))
        axes.set_xlabel("tokens a day, input and output together")
        axes.set_ylabel("cost per month, your currency")
        axes.set_title(_title(found), fontsize=11)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axes.legend(loc="upper left", fontsize=9)
        return figure_html(fig, _alt(c, found, capacity), _caption(c, known))


def _band(axes: Any, volumes: list[float], costs: list[Range], **style: Any) -> None:
    """A band between two costs, with its edges drawn, so that it is there without colour too."""
    low, high = [cost.low for cost in costs], [cost.high for cost in costs]
    colour, line = style["colour"], style["line"]
    axes.fill_between(
        volumes,
        low,
        high,
        facecolor="none",
        edgecolor=colour,
        hatch=style["hatch"],
        linewidth=0,
        alpha=0.45,
    )
    axes.plot(volumes, low, color=colour, linestyle=line, marker="", linewidth=1.6, label=style["label"])
    axes.plot(volumes, high, color=colour, linestyle=line, marker="", linewidth=1.6)


def _draw_api(axes: Any, c: Constraints, known: Knowledge, volumes: list[float]) -> None:
    for name, label, colour, hatch, line in _BANDS:
        band: PriceBand | None = getattr(known, name)
        if band is not None:
            price = api_price(band, c)
            costs = [api_cost_per_month(workload(c).scaled_to(volume), price) for volume in volumes]
            _band(axes, volumes, costs, label=label, colour=colour, hatch=hatch, line=line)


def _draw_machine(axes: Any, c: Constraints, known: Knowledge, volumes: list[float], capacity: Range) -> None:
    own = machine(c, known.measured)
    reachable = [volume for volume in volumes if volume < capacity.high] + [capacity.high]
    costs = [local_cost(workload(c).scaled_to(volume), own).per_month for volume in reachable]
    _band(axes, reachable, costs, label="your machine", colour="#0b3c6f", hatch="", line="-")
    low, high = [cost.low for cost in costs], [cost.high for cost in costs]
    axes.fill_between(reachable, low, high, color="#0b3c6f", alpha=0.25, linewidth=0)
    axes.axvline(capacity.high, color="#111111", linewidth=1.4, marker="")
    axes.axvspan(capacity.high, volumes[-1], color="#bbbbbb", alpha=0.35, linewidth=0)
    axes.text(
        capacity.high,
        0.02,
        " the most it can do",
        transform=axes.get_xaxis_transform(),
        fontsize=9,
        rotation=90,
        va="bottom",
        ha="left",
    )


def _draw_crossings(axes: Any, c: Constraints, known: Knowledge, found: dict[str, BreakEven]) -> None:
    """A ring at the earliest crossing and a full dot at the latest one."""
    own = machine(c, known.measured)
    for crossing in found.values():
        for volume, face, dear in ((crossing.first, "white", False), (crossing.last, "#111111", True)):
            if volume:
                cost = local_cost(workload(c).scaled_to(volume), own).per_month
                axes.plot(
                    [volume],
                    [cost.high if dear else cost.low],
                    marker="o",
                    markersize=8,
                    markerfacecolor=face,
                    markeredgecolor="#111111",
                    linestyle="none",
                    zorder=5,
                )
    mine = workload(c).tokens_per_day
    axes.axvline(mine, color="#555555", linewidth=1.2, linestyle=(0, (2, 2)), marker="")
    axes.text(
        mine,
        0.98,
        " your volume",
        transform=axes.get_xaxis_transform(),
        fontsize=9,
        rotation=90,
        va="top",
        ha="left",
    )


def _alt(c: Constraints, found: dict[str, BreakEven], capacity: Range) -> str:
    lines = [
        "Cost per month against tokens a day, both axes logarithmic.",
        *(f"Your machine against “{label}”: {crossing.sentence()}" for label, crossing in found.items()),
        f"Your machine can do about {rounded(capacity.low)} to {rounded(capacity.high)} tokens a day at this "
        f"mix; your volume is {workload(c).tokens_per_day:,.0f}.",
    ]
    return " ".join(lines)


def _caption(c: Constraints, known: Knowledge) -> str:
    dates = sorted({band.as_of for band in (known.closed_prices, known.open_prices) if band})
    measured = known.measured.label() if known.measured else ""
    return (
        f"{measured}. Electricity {exact(c.price_per_kwh)} per kWh; {exact(c.watts_active)} W busy and "
        f"{exact(c.watts_idle)} W idle, widened by {WATTS_UNCERTAINTY:.0%}; machine "
        f"{exact(c.hardware_price)} over "
        f"{exact(c.lifetime_months)} months; {exact(c.hours_on_per_day)} hours a day. "
        f"Prices as of {'; '.join(dates)}. Ring: earliest crossing. Dot: latest."
    )
