"""From a judgement to a decision: reasons, what would change the answer, and what makes no difference.

Taught in chapter 19. Nothing here is declared by hand: every statement about another answer comes from
judging the constraints again with that one answer changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from labkit.errors import LabError
from labkit.learning.decision_conditions import CLOSED, ONLINE, why, why_facts
from labkit.learning.decision_constraints import (
    CHOICES,
    NUMBERS,
    SHORT_NAMES,
    Constraints,
    answer_in_words,
    label_of,
    quoted,
)
from labkit.learning.decision_costs import Knowledge, estimates
from labkit.learning.decision_points import cost_points, leaders, percentages
from labkit.learning.decision_rules import Judgement, judge, measured_exclusions

#: How finely a number's thresholds are found: to one part in a hundred.
RESOLUTION = 0.01

#: The questions about privacy.
_PRIVACY = {"data", "jurisdiction"}

#: How many single changes are shown before the others.
MAIN_CHANGES = 3

QUESTIONS: tuple[str, ...] = (*CHOICES, *NUMBERS)


@dataclass(frozen=True)
class Reason:
    """One answer that bears on the verdict, and why."""

    input: str
    text: str
    facts: tuple[str, ...]  #: rows of decision_facts.csv
    decisive: bool  #: it excludes something, or another answer (a number: within tenfold) turns the verdict


@dataclass(frozen=True)
class Change:
    """One other answer that would lead elsewhere."""

    input: str
    value: str | float | None  #: the other answer
    text: str  #: the other answer in words
    leaders: tuple[str, ...]  #: who would lead then; empty when nothing is left
    turns: bool  #: none of those who lead now would lead then
    distance: float  #: how far it is from the present answer: in options, or in powers of ten


@dataclass(frozen=True)
class Decision:
    """The whole verdict on one set of constraints."""

    judgement: Judgement
    reasons: list[Reason]
    changes: list[Change]
    irrelevant: tuple[str, ...]  #: inputs that no single other answer makes matter
    fragile: list[str]  #: criteria whose importance, halved or doubled, puts others in front

    def shown(self) -> list[str]:
        """Every sentence of reasoning that a learner sees, in order."""
        found = self.judgement
        return [
            self.caution(),
            *(f"“{SHORT_NAMES[e.alternative]}”. {e.text}" for e in found.exclusions),
            *(r.text for r in self.reasons),
            *(c.text for c in found.conditions),
        ]

    def caution(self) -> str:
        """Where privacy alone ruled hosted models out: to lead is not to be needed. Empty elsewhere."""
        found = self.judgement
        hosted = [e for e in found.exclusions if e.alternative in ONLINE]
        others = [name for name in found.totals if name not in found.leaders]
        if not (hosted and found.leaders and others) or any(set(e.inputs) - _PRIVACY for e in hosted):
            return ""
        out = list(dict.fromkeys(e.alternative for e in hosted))
        remain = "remains" if len(others) == 1 else "remain"
        text = (
            f"Leading is not the same as being needed: your data ruled out {quoted(out)}, "
            f"but {quoted(others)} {remain} possible."
        )
        return f"{text} Privacy by itself does not force open weights." if set(others) & CLOSED else text

    def main_changes(self) -> list[Change]:
        """The single changes to show first, at most three and each of another input.

        First those that put somebody else in front, then those that leave nothing, then those that make or
        break a tie; among these the nearest to the present answers.
        """
        ranked = sorted(self.changes, key=lambda c: (not c.turns, not c.leaders, c.distance))
        nearest: dict[str, Change] = {}
        for change in ranked:
            nearest.setdefault(change.input, change)
        return list(nearest.values())[:MAIN_CHANGES]


def decide(c: Constraints, known: Knowledge | None = None) -> Decision:
    """Judge the constraints, then judge them again with each single answer changed. Taught in chapter 19."""
    known = known or Knowledge()
    found = judge(c, known)
    outcome = found.outcome()
    reasons: list[Reason] = []
    changes: list[Change] = []
    irrelevant: list[str] = []
    for name in QUESTIONS:
        others = list(other_answers(c, name, known))
        judged = [(value, judge(replace(c, **{name: value}), known)) for value in others]
        if all(other.outcome() == outcome for _, other in judged):
            irrelevant.append(name)
            continue
        value = getattr(c, name)
        changes += _changes(c, name, found, judged)
        near = any(
            _turns(found.leaders, other.leaders) and (name in CHOICES or _distance(name, value, there) <= 1)
            for there, other in judged
        )
        excludes = any(name in exclusion.inputs for exclusion in found.exclusions)
        text = f"{label_of(name)}: {answer_in_words(name, value)}. {why(name, value)}"
        reasons.append(Reason(name, text, why_facts(name, value), near or excludes))
    return Decision(found, reasons, changes, tuple(irrelevant), _fragile(found))


def _changes(c: Constraints, name: str, found: Judgement, judged: list) -> list[Change]:
    """The other answers that put others in front; of a number, only the nearest in each direction."""
    elsewhere = [(value, other.leaders) for value, other in judged if other.leaders != found.leaders]
    if name in CHOICES:
        return [_change(c, name, v, found, who) for v, who in elsewhere]
    here = getattr(c, name)
    if here is None:
        # No budget was stated: one example, of an everyday size where that is enough.
        nearest = sorted(elsewhere, key=lambda e: abs(math.log10(max(e[0], 1e-3)) - 2))[:1]
    else:
        stated = [e for e in elsewhere if e[0] is not None]
        nearest = [e for e in elsewhere if e[0] is None]
        below = [e for e in stated if e[0] < here]
        above = [e for e in stated if e[0] > here]
        nearest += [max(below, key=lambda e: e[0])] if below else []
        nearest += [min(above, key=lambda e: e[0])] if above else []
    return [_change(c, name, v, found, who) for v, who in nearest]


def _change(c: Constraints, name: str, value: Any, found: Judgement, who: tuple[str, ...]) -> Change:
    turns = _turns(found.leaders, who)
    distance = _distance(name, getattr(c, name), value)
    return Change(name, value, answer_in_words(name, value), who, turns, distance)


def _turns(now: tuple[str, ...], then: tuple[str, ...]) -> bool:
    """Is the verdict another one? To make or break a tie does not count: somebody still leads."""
    return now != then and not set(now) & set(then)


def _distance(name: str, here: Any, there: Any) -> float:
    """In options of a choice, in powers of ten of a number; 1 to or from no number at all."""
    if name in CHOICES:
        options = list(CHOICES[name].options)
        return abs(options.index(here) - options.index(there))
    return abs(math.log10(there / here)) if here and there else 1.0


def _fragile(found: Judgement) -> list[str]:
    """Criteria whose importance decides: halved or doubled, they put others in front."""
    possible = list(found.totals)
    decisive = []
    for position, line in enumerate(found.criteria):
        for factor in (0.5, 2.0):
            lines = list(found.criteria)
            lines[position] = replace(line, importance=line.importance * factor)
            if leaders(percentages(lines, possible)) != found.leaders:
                decisive.append(line.id)
                break
    return decisive


# ---------------------------------------------------------------- the other answers to one question


def other_answers(c: Constraints, name: str, known: Knowledge) -> Iterator[str | float | None]:
    """Answers that stand for all the others: every option; of a number, one for each different effect."""
    here = getattr(c, name)
    if name in CHOICES:
        yield from (value for value in CHOICES[name].options if value != here)
        return
    if NUMBERS[name].optional and here is not None:
        yield None
    yield from (value for value in _pieces(c, name, known) if value != here)


def _limits(c: Constraints, name: str) -> tuple[float, float]:
    """The smallest and largest value that the other answers allow."""
    low, high = NUMBERS[name].minimum, NUMBERS[name].maximum
    if name == "watts_active":
        low = max(low, c.watts_idle)
    if name == "watts_idle":
        high = min(high, c.watts_active)
    other = {"tokens_in_per_day": c.tokens_out_per_day, "tokens_out_per_day": c.tokens_in_per_day}.get(name)
    if other == 0:
        low = 1.0
    return low, high


def _effect(c: Constraints, known: Knowledge) -> tuple:
    """All that a number can move: exclusions, points for cost, and whether the machine keeps up.

    Each part only rises or only falls with any one number, so equal ends mean an equal stretch between them.
    """
    costs = estimates(c, known)
    return (
        frozenset((e.alternative, e.rule) for e in measured_exclusions(c, costs)),
        tuple(cost_points(c, costs).values()),
        tuple(estimate.fits for estimate in costs.values()),
    )


def _pieces(c: Constraints, name: str, known: Knowledge) -> list[float]:
    """Values of a number, two for each stretch of equal effect: its ends, as bisection finds them."""

    def effect(value: float) -> tuple:
        return _effect(replace(c, **{name: value}), known)

    found: dict[float, tuple] = {}

    def split(low: float, high: float) -> None:
        if found[low] == found[high] or high - low <= max(RESOLUTION * high, 1e-6):
            return
        # Geometric steps: these numbers span powers of ten.
        middle = (low * high) ** 0.5 if low > 0 else high / 1000
        middle = _readable(middle, low, high)
        if not low < middle < high:
            return
        found[middle] = effect(middle)
        split(low, middle)
        split(middle, high)

    low, high = _limits(c, name)
    here = getattr(c, name)
    ends = sorted({low, high} if here is None else {low, float(here), high})
    try:
        for end in ends:
            found[end] = effect(end)
    except LabError:
        return []
    for first, second in zip(ends, ends[1:], strict=False):
        split(first, second)
    values = sorted(found)
    return [
        value
        for position, value in enumerate(values)
        if position in (0, len(values) - 1)
        or found[value] != found[values[position - 1]]
        or found[value] != found[values[position + 1]]
    ]


def _readable(value: float, low: float, high: float) -> float:
    """The value rounded to three digits, where that stays between the ends."""
    rounded = float(f"{value:.3g}")
    return rounded if low < rounded < high else value
