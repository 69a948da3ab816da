"""A decision in words: the same blocks as plain text and as HTML. Taught in chapter 19.

Everything that comes from data or from a learner is escaped in the HTML form.
"""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass

from labkit.learning.decision_analysis import Change, Decision
from labkit.learning.decision_conditions import Condition
from labkit.learning.decision_constraints import (
    ALTERNATIVES,
    NUMBERS,
    SHORT_NAMES,
    Constraints,
    answer_in_words,
    label_of,
    quoted,
)
from labkit.learning.decision_costs import Estimate, Knowledge
from labkit.learning.decision_points import TIE_MARGIN
from labkit.learning.decision_rules import Judgement, money

WIDTH = 100

JUDGEMENT_NOTE = (
    "Importance (0 to 5) and points (0 to 4) are our judgement, not facts. The importance follows from how "
    "demanding your answer is."
)
#: Where the plot stands in the HTML form.
BREAK_EVEN = "Break-even with your machine"
COMPARISON = "The comparison"


@dataclass(frozen=True)
class Fact:
    """One row of `datasets/decision_facts.csv`."""

    id: str
    statement: str
    source: str
    as_of: str
    read_on: str
    confidence: str


@dataclass(frozen=True)
class Block:
    """A heading with its lines; `folded` blocks wait behind their heading in the HTML form."""

    heading: str
    lines: list[str]
    folded: bool = False


class _Sources:
    """Numbers the facts in the order in which they are cited."""

    def __init__(self, facts: dict[str, Fact]) -> None:
        self.facts = facts
        self.cited: list[str] = []

    def cite(self, ids: tuple[str, ...]) -> str:
        self.cited += [fact_id for fact_id in ids if fact_id not in self.cited]
        marks = [f"fact {self.cited.index(i) + 1}, as of {self.facts[i].as_of}" for i in ids]
        return f" ({'; '.join(marks)})" if marks else ""

    def lines(self) -> list[str]:
        return [
            f"Fact {number}, as of {fact.as_of}: {fact.statement} Source: {fact.source}. Read on "
            f"{fact.read_on}, "
            f"confidence {fact.confidence}."
            for number, fact in enumerate((self.facts[i] for i in self.cited), start=1)
        ]


def verdict_sentence(found: Judgement) -> str:
    """The verdict in one or two sentences."""
    if not found.leaders:
        return "Nothing meets all your answers at once. Something must give."
    if len(found.leaders) > 1:
        return (
            f"A tie: {quoted(found.leaders)} lie within {TIE_MARGIN:.0f} points of a hundred, "
            "closer than such points can tell apart."
        )
    name = found.leaders[0]
    alone = (
        "It is the only one left." if len(found.totals) == 1 else f"It has {found.totals[name]:.0f} of 100."
    )
    return f"“{SHORT_NAMES[name]}”: {ALTERNATIVES[name]}. {alone}"


def status_line(found: Judgement) -> str:
    """The verdict, short enough to be read aloud."""
    if not found.leaders:
        return "Verdict: nothing meets all your answers."
    kind = "Verdict" if len(found.leaders) == 1 else "Verdict, a tie"
    return f"{kind}: {'; '.join(SHORT_NAMES[name] for name in found.leaders)}."


def cost_in_words(estimate: Estimate) -> str:
    """`'1.20 to 9.80 a month (at least the prices of the API)'`, or why it is not known."""
    if estimate.per_month is None:
        return estimate.note
    low, high = money(estimate.per_month.low), money(estimate.per_month.high)
    amount = f"{low} a month" if low == high else f"{low} to {high} a month"
    return f"{amount} ({estimate.note})" if estimate.note else amount


def _exclusion_lines(found: Judgement, sources: _Sources) -> list[str]:
    lines = [f"“{SHORT_NAMES[e.alternative]}”. {e.text}{sources.cite(e.facts)}" for e in found.exclusions]
    return lines or ["Nothing: each alternative could do it."]


def _condition_line(condition: Condition, found: Judgement) -> str:
    """In a tie, says whose condition it is."""
    whose = f"For {quoted(condition.concerns)}: " if len(found.leaders) > 1 else ""
    return whose + condition.text


def _lead_lines(found: Judgement) -> list[str]:
    """Where the first is ahead of the second, and where it is behind."""
    ranked = list(found.totals)
    if len(ranked) < 2:
        return []
    first, second = ranked[0], ranked[1]
    gaps = [
        (line.importance * (line.points[first] - line.points[second]), line.label) for line in found.criteria
    ]
    ahead = [label for gap, label in sorted(gaps, key=lambda g: -g[0]) if gap > 0]
    behind = [label for gap, label in sorted(gaps, key=lambda g: g[0]) if gap < 0]
    line = f"“{SHORT_NAMES[first]}” is ahead of “{SHORT_NAMES[second]}” on {', '.join(ahead) or 'nothing'}"
    return [line + (f", and behind on {', '.join(behind)}." if behind else ".")]


def _consequence(change: Change) -> str:
    if not change.leaders:
        return "nothing is left"
    return f"{quoted(change.leaders)} {'leads' if len(change.leaders) == 1 else 'tie'}"


def _other_answer(c: Constraints, change: Change) -> str:
    here = getattr(c, change.input)
    if change.input not in NUMBERS or change.value is None:
        return change.text
    value = float(f"{change.value:.3g}")
    about = f"about {value:,.0f}" if value >= 1000 else f"about {value:g}"
    if here is None:
        return f"for example {about} {NUMBERS[change.input].unit}"
    return f"{about} {'or more' if change.value > here else 'or less'}"


def _change_line(c: Constraints, change: Change) -> str:
    return f"{label_of(change.input)}. {_other_answer(c, change)}: {_consequence(change)}."


def _main_change_lines(decision: Decision) -> list[str]:
    """The few single answers that would turn the verdict soonest."""
    c = decision.judgement.constraints
    lines = [_change_line(c, change) for change in decision.main_changes()]
    return lines or ["No single other answer would."]


def _more_change_lines(decision: Decision) -> list[str]:
    """One line for each input with further answers that lead elsewhere."""
    c = decision.judgement.constraints
    first = decision.main_changes()
    lines: dict[str, list[str]] = {}
    for change in decision.changes:
        if change not in first:
            found = f"{_other_answer(c, change)}: {_consequence(change)}"
            lines.setdefault(change.input, []).append(found)
    return [f"{label_of(name)}. {'; '.join(others)}." for name, others in lines.items()]


def _give_up_lines(found: Judgement) -> list[str]:
    """When nothing is left: what each alternative would ask you to give up; those that ask least."""
    asks = {
        name: sorted({i for e in found.exclusions if e.alternative == name for i in e.inputs}, key=label_of)
        for name in ALTERNATIVES
    }
    fewest = min(len(inputs) for inputs in asks.values())
    return [
        f"“{SHORT_NAMES[name]}” would need another answer to: {', '.join(label_of(i) for i in inputs)}."
        for name, inputs in asks.items()
        if len(inputs) == fewest
    ]


def _comparison_lines(found: Judgement) -> list[str]:
    lines = [
        f"{line.label}, importance {line.importance:g}: "
        + ", ".join(f"{SHORT_NAMES[name]} {line.points[name]}" for name in found.totals)
        for line in found.criteria
        if line.importance
    ]
    totals = ", ".join(f"{SHORT_NAMES[name]} {total:.0f}" for name, total in found.totals.items())
    return [*lines, f"total of 100: {totals}", JUDGEMENT_NOTE]


def _fragile_line(decision: Decision) -> str:
    labels = {line.id: line.label for line in decision.judgement.criteria}
    if not decision.fragile:
        return "Halving or doubling the importance of any one criterion leaves the verdict as it is."
    names = ", ".join(labels[name] for name in decision.fragile)
    return f"Halve or double the importance of one of these, and others lead or tie: {names}."


def _cost_lines(found: Judgement, known: Knowledge) -> list[str]:
    lines = [f"“{SHORT_NAMES[name]}”: {cost_in_words(e)}." for name, e in found.costs.items()]
    for label, band in (("closed", known.closed_prices), ("open", known.open_prices)):
        if band:
            models = f"{len(band.models)} {label} model{'' if len(band.models) == 1 else 's'}"
            lines.append(
                f"Prices of {models}, from the cheapest to the dearest, as of {band.as_of} "
                "(datasets/prices.csv has the source of each)."
            )
    return lines


def blocks(
    decision: Decision,
    facts: dict[str, Fact],
    known: Knowledge,
    break_even: list[str],
    *,
    brief: bool = False,
) -> list[Block]:
    """All that is said of a decision, in reading order: what decides first, the rest folded.

    `brief` shortens the folded rest, for the text form, where nothing can be folded.
    """
    found = decision.judgement
    sources = _Sources(facts)
    result = [Block("What is excluded", _exclusion_lines(found, sources))]
    if not found.leaders:
        result.append(Block("What would have to give", _give_up_lines(found)))
    decisive = [reason.text + sources.cite(reason.facts) for reason in decision.reasons if reason.decisive]
    result.append(Block("The answers that decide", decisive or ["None by itself."]))
    if found.conditions:
        lines = [_condition_line(one, found) + sources.cite(one.facts) for one in found.conditions]
        result.append(Block("It holds on these conditions", lines))
    result.append(Block("What would change the verdict, one answer at a time", _main_change_lines(decision)))
    irrelevant = ", ".join(label_of(name) for name in decision.irrelevant)
    result.append(Block("Makes no difference here", [f"{irrelevant}."] if irrelevant else []))
    result.append(Block(BREAK_EVEN, break_even))
    result += _folded_blocks(decision, sources, known, brief)
    return [block for block in result if block.lines]


def _folded_blocks(decision: Decision, sources: _Sources, known: Knowledge, brief: bool) -> list[Block]:
    found = decision.judgement
    others = [reason for reason in decision.reasons if not reason.decisive]
    if brief:
        c = found.constraints
        said = "; ".join(
            f"{label_of(r.input)}: {answer_in_words(r.input, getattr(c, r.input))}" for r in others
        )
        counted = [f"{said}."] if said else []
    else:
        counted = [reason.text + sources.cite(reason.facts) for reason in others]
    firm = [*_lead_lines(found), _fragile_line(decision)] if found.totals else []
    comparison = _comparison_lines(found) if found.totals else []
    return [
        Block("More single changes", _more_change_lines(decision), folded=True),
        Block("Other answers that counted", counted, folded=True),
        Block("Cost, in detail", _cost_lines(found, known), folded=True),
        Block("How firm it is", firm, folded=True),
        Block(COMPARISON, comparison[-2:] if brief else comparison, folded=True),
        Block("The facts behind it", sources.lines(), folded=True),
    ]


def decision_text(decision: Decision, facts: dict[str, Fact], known: Knowledge, break_even: list[str]) -> str:
    """The decision as plain text."""
    lines = textwrap.wrap(verdict_sentence(decision.judgement), WIDTH)
    lines += textwrap.wrap(decision.caution(), WIDTH)
    for block in blocks(decision, facts, known, break_even, brief=True):
        lines += ["", block.heading.upper()]
        for line in block.lines:
            lines += textwrap.wrap(
                line, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
            )
    return "\n".join(lines)


def decision_html(
    decision: Decision, facts: dict[str, Fact], known: Knowledge, break_even: list[str], figure: str = ""
) -> str:
    """The decision as HTML, every text escaped; `figure` is the plot, as HTML made by labkit."""
    found = decision.judgement
    parts = [f'<p class="lk-verdict"><strong>{html.escape(verdict_sentence(found))}</strong></p>']
    if caution := decision.caution():
        parts.append(f"<p>{html.escape(caution)}</p>")
    for block in blocks(decision, facts, known, break_even):
        body = _table_html(found) if block.heading == COMPARISON else _items_html(block.lines)
        heading = html.escape(block.heading)
        if block.folded:
            parts.append(f"<details><summary>{heading}</summary>{body}</details>")
        else:
            parts.append(f"<p><strong>{heading}</strong></p>{body}")
        if block.heading == BREAK_EVEN:
            parts.append(figure)
    return "".join(parts)


def _items_html(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _table_html(found: Judgement) -> str:
    names = list(found.totals)
    head = "".join(f'<th scope="col">{html.escape(SHORT_NAMES[name])}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(line.label)}</th><td>{line.importance:g}</td>'
        + "".join(f"<td>{line.points[name]}</td>" for name in names)
        + "</tr>"
        for line in found.criteria
        if line.importance
    )
    totals = "".join(f"<td>{found.totals[name]:.0f}</td>" for name in names)
    return (
        f"<p>{html.escape(JUDGEMENT_NOTE)}</p>"
        "<table><caption>Points from 0 to 4, times the importance; the total is out of 100</caption>"
        f'<thead><tr><th scope="col">Criterion</th><th scope="col">Importance</th>{head}</tr></thead>'
        f'<tbody>{rows}<tr><th scope="row">total</th><td></td>{totals}</tr></tbody></table>'
    )
