"""The comparison of the decision exercise: importance times points. Taught in chapter 19.

Importance and points are judgement, not fact: they are printed, so that you see what a verdict rests on.
"Weights" are always a model's here, never a criterion's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.learning.decision_constraints import ALTERNATIVES, Constraints
from labkit.learning.decision_costs import ON_REQUEST, Estimate, Knowledge

#: Two results closer than this, in points of a hundred, are a tie: the points are no better than that.
TIE_MARGIN = 5.0

#: A completion of this many tokens must be there in 200 ms to count as instant.
COMPLETION_TOKENS = 8
INSTANT_S = 0.2
#: Slower than this, and a waiting reader notices (our threshold).
READING_TOKENS_PER_S = 10


@dataclass(frozen=True)
class Criterion:
    """One line of the comparison: how important it is here, and 0 to 4 points for each alternative."""

    id: str
    label: str
    inputs: tuple[str, ...]
    importance: float  #: 0 to 5; follows from how demanding the answer is
    points: dict[str, int]


def _points(*values: int) -> dict[str, int]:
    return dict(zip(ALTERNATIVES, values, strict=True))


# In the order of ALTERNATIVES: closed API; closed, private; open, hosted; own server; device.
_DATA = {
    "public": _points(4, 4, 4, 4, 4),
    "internal": _points(2, 3, 2, 4, 4),
    "personal": _points(1, 3, 1, 4, 4),
    "secret": _points(0, 3, 0, 4, 4),
}
_JURISDICTION = {
    "none": _points(4, 4, 4, 4, 4),
    "eu": _points(2, 3, 3, 4, 4),
    "in_country": _points(0, 3, 2, 4, 4),
}
_NETWORK = {
    "always": _points(4, 4, 4, 4, 4),
    "sometimes": _points(1, 1, 1, 3, 4),
    "never_site": _points(0, 3, 0, 4, 4),
    "never_field": _points(0, 0, 0, 0, 4),
}
_EFFORT = {
    "none": _points(4, 2, 4, 1, 3),
    "service": _points(4, 2, 4, 2, 3),
    "ml": _points(4, 3, 4, 3, 3),
}
_TUNING = {
    "none": _points(4, 4, 4, 4, 4),
    "hosted": _points(1, 2, 3, 3, 2),
    "own": _points(0, 0, 3, 4, 3),
}
_STABILITY = {
    "weeks": _points(4, 4, 4, 4, 4),
    "year": _points(2, 2, 3, 4, 4),
    "years_pinned": _points(0, 1, 3, 4, 4),
}
_QUALITY = {
    "any": _points(4, 4, 4, 4, 3),
    "strong": _points(4, 4, 4, 3, 1),
    "frontier": _points(4, 4, 2, 2, 0),
}


def _latency(c: Constraints, known: Knowledge) -> dict[str, int]:
    points = {"batch": _points(4, 4, 4, 4, 4), "interactive": _points(3, 3, 3, 3, 2)}.get(
        c.latency, _points(1, 2, 2, 4, 2)
    )
    if known.measured is None or c.latency == "batch":
        return points
    # The device is the one alternative whose speed the learner has measured.
    speed = known.measured.tg_tokens_per_s.low
    if c.latency == "interactive":
        return {**points, "open_device": 3 if speed >= READING_TOKENS_PER_S else 1}
    takes_s = (known.measured.ttft_s or 0.0) + COMPLETION_TOKENS / speed
    return {**points, "open_device": 4 if takes_s <= INSTANT_S else 0}


def cost_points(c: Constraints, costs: Mapping[str, Estimate]) -> dict[str, int]:
    """Points for cost, by alternative."""
    return {name: _cost_points(c, name, costs[name]) for name in ALTERNATIVES}


def _cost_points(c: Constraints, alternative: str, estimate: Estimate) -> int:
    """4 for a trifle of the budget, 0 for more than all of it; 2 where the cost is not known."""
    if estimate.per_month is None:
        return 0 if alternative == "closed_private" and estimate.note == ON_REQUEST else 2
    middle, budget = estimate.per_month.middle, c.budget_per_month or 0.0
    return sum(middle <= budget * share for share in (0.02, 0.1, 0.5, 1.0))


def criteria(c: Constraints, known: Knowledge, costs: Mapping[str, Estimate]) -> list[Criterion]:
    """The comparison: an importance that follows from how demanding the answer is, and points from 0 to 4."""
    quality = dict(_QUALITY[c.quality])
    if c.quality == "strong" and c.hardware == "server":
        quality["open_own"] = 4
    effort = dict(_EFFORT[c.skills])
    if costs["closed_private"].note == ON_REQUEST:
        effort["closed_private"] = 0  # equipment or clearance to be negotiated, not a contract to click
    offline_importance = {"always": 0, "sometimes": 1 if c.latency == "batch" else 3}.get(c.connectivity, 5)
    effort_importance = {"none": 4, "service": 2, "ml": 1}[c.skills] + (c.lifetime == "weeks")
    important = {"data": {"public": 0, "internal": 2, "personal": 3, "secret": 5}[c.data]}
    important["jurisdiction"] = {"none": 0, "eu": 1, "in_country": 4}[c.jurisdiction]
    important["latency"] = {"batch": 0, "interactive": 1, "instant": 4}[c.latency]
    important["tuning"] = {"none": 0, "hosted": 2, "own": 4}[c.tuning]
    important["quality"] = {"any": 1, "strong": 3, "frontier": 5}[c.quality]
    important["stability"] = {"weeks": 0, "year": 1, "years_pinned": 5}[c.lifetime]
    money_inputs = ("budget_per_month", "tokens_in_per_day", "tokens_out_per_day")
    return [
        Criterion("data", "control over the data", ("data",), important["data"], _DATA[c.data]),
        Criterion(
            "jurisdiction",
            "keeping to the jurisdiction",
            ("jurisdiction",),
            important["jurisdiction"],
            _JURISDICTION[c.jurisdiction],
        ),
        Criterion(
            "network",
            "working without a network",
            ("connectivity", "latency"),
            offline_importance,
            _NETWORK[c.connectivity],
        ),
        Criterion("quality", "quality", ("quality", "hardware"), important["quality"], quality),
        Criterion("latency", "latency", ("latency",), important["latency"], _latency(c, known)),
        Criterion("tuning", "fine-tuning", ("tuning",), important["tuning"], _TUNING[c.tuning]),
        Criterion(
            "stability",
            "same behaviour over time",
            ("lifetime",),
            important["stability"],
            _STABILITY[c.lifetime],
        ),
        Criterion(
            "effort",
            "little work to set up and run",
            ("skills", "lifetime", "data", "connectivity"),
            effort_importance,
            effort,
        ),
        Criterion(
            "cost",
            "cost within the budget",
            money_inputs,
            0 if c.budget_per_month is None else 3,
            cost_points(c, costs),
        ),
    ]


def percentages(lines: list[Criterion], possible: list[str]) -> dict[str, float]:
    """Sum of importance * points, as a share of the most that could be had (0 to 100), best first."""
    most = sum(4 * line.importance for line in lines)
    totals = {
        name: 100 * sum(line.importance * line.points[name] for line in lines) / most if most else 0.0
        for name in possible
    }
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def leaders(totals: Mapping[str, float]) -> tuple[str, ...]:
    """The best alternatives: one, or several that the margin calls a tie."""
    best = max(totals.values(), default=0.0)
    return tuple(name for name in ALTERNATIVES if name in totals and best - totals[name] <= TIE_MARGIN + 1e-9)
