"""The open-vs-closed decision exercise. Taught in chapter 19.

State the constraints of a task; out come hard exclusions, a comparison by points, reasons that cite your
answers, what would change the verdict, and the break-even plot of your machine against API prices.
"""

from __future__ import annotations

import html
import pprint
import textwrap
from typing import Any

from labkit.errors import LabError
from labkit.facts import prices
from labkit.facts.files import records
from labkit.learning.break_even import break_even_figure, break_even_sentences
from labkit.learning.decision_analysis import Decision, decide
from labkit.learning.decision_constraints import (
    ALTERNATIVES,
    ASSUMED,
    CHOICES,
    NUMBERS,
    SHORT_NAMES,
    Constraints,
    answer_in_words,
    constraints_from,
    label_of,
)
from labkit.learning.decision_costs import Knowledge, measured_from, price_band
from labkit.learning.decision_text import WIDTH, Fact, decision_html, decision_text, status_line
from labkit.learning.form import Button, Field, FormDisplay, Option, Section, View, with_values
from labkit.learning.progress import events, record_event

_NAME = "ch19-decision"
_TITLE = "Open or closed, hosted or local?"
_WAYS = "".join(
    f"<li><strong>{html.escape(SHORT_NAMES[name])}</strong>: {html.escape(text)}</li>"
    for name, text in ALTERNATIVES.items()
)
_INTRO = (
    "<p>Five ways to use a model. Open or closed is one question, hosted or local another:</p>"
    f"<ul>{_WAYS}</ul>"
    "<p>Answer for a task of yours. The form starts with the least demanding answers, or with your last "
    "ones: change what is different, then press Decide. After that, every change is judged at once.</p>"
)
_ASSUMED_TITLE = "A machine of your own, and prices: assumed figures, open to change them"
_ASSUMED_INTRO = (
    "<p>These start with assumed values. Put your own in their place: "
    "costs and plot are only as good as they are.</p>"
)


class DecisionExercise(FormDisplay):
    """The exercise: show it as the last line of a cell, or use it as text with `.decide(...)`."""

    def __init__(self, known: Knowledge) -> None:
        self.known = known
        self.constraints = _last_answers()
        self.decision: Decision | None = None

    # ------------------------------------------------------------ without a form

    def decide(self, **answers: Any) -> DecisionExercise:
        """Change some answers and decide: `exercise.decide(data="personal", quality="strong")`.

        Raises LabError, with the possible answers, for one that does not exist.
        """
        self._judge(constraints_from({**self.constraints.to_dict(), **answers}))
        self._keep()
        return self

    def answer(self) -> dict[str, Any]:
        """Constraints and verdict as a plain literal, to paste into an answer cell."""
        if self.decision is None:
            raise LabError("You have not decided yet.", "Press Decide in the form, or call .decide().")
        found = self.decision.judgement
        out: dict[str, list[str]] = {}
        for exclusion in found.exclusions:
            out.setdefault(exclusion.alternative, []).append(exclusion.rule)
        measured = self.known.measured
        return {
            "constraints": self.constraints.to_dict(),
            "verdict": {
                "leaders": list(found.leaders),
                "excluded": out,
                "points": {name: round(total, 1) for name, total in found.totals.items()},
                "conditions": [condition.id for condition in found.conditions],
                "irrelevant": list(self.decision.irrelevant),
            },
            "cost_per_month": {
                name: None if e.per_month is None else [round(e.per_month.low, 4), round(e.per_month.high, 4)]
                for name, e in found.costs.items()
            },
            "measured": None
            if measured is None
            else {
                "model": measured.model,
                "pp_tokens_per_s": [measured.pp_tokens_per_s.low, measured.pp_tokens_per_s.high],
                "tg_tokens_per_s": [measured.tg_tokens_per_s.low, measured.tg_tokens_per_s.high],
                "date": measured.date,
            },
        }

    def _judge(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self.decision = decide(constraints, self.known)

    def _keep(self) -> None:
        """Remember the answers, so that they are filled in again after a restart of the kernel."""
        record_event("decision", _NAME, data={"constraints": self.constraints.to_dict()})

    # ------------------------------------------------------------ the form

    def view(self) -> View:
        volume = [name for name in NUMBERS if name not in ASSUMED]
        return View(
            title=_TITLE,
            intro_html=_INTRO,
            sections=[
                Section("task", "The task", [self._choice(n) for n in CHOICES], columns=True),
                Section("volume", "Volume and money", [self._number(n) for n in volume], columns=True),
                Section(
                    "assumed",
                    _ASSUMED_TITLE,
                    [self._number(n) for n in ASSUMED],
                    intro_html=_ASSUMED_INTRO,
                    folded=True,
                    columns=True,
                ),
            ],
            buttons=[Button("decide", "Decide", primary=True), Button("reset", "Start over")],
            result_html=self._result_html(),
            status=status_line(self.decision.judgement) if self.decision else "Not decided yet.",
            live=self.decision is not None,
        )

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        if action == "reset":
            self.constraints, self.decision = Constraints(), None
            return self.view()
        empty = {
            name: "Answer this one first."
            for name, value in values.items()
            if value is None and not (name in NUMBERS and NUMBERS[name].optional)
        }
        if empty:
            return with_values(self.view(), values, empty)
        self._judge(constraints_from(values))
        if action == "decide":
            self._keep()
        return self.view()

    def _choice(self, name: str) -> Field:
        question = CHOICES[name]
        options = [Option(value, label) for value, label in question.options.items()]
        return Field(
            name, question.label, "select", options, getattr(self.constraints, name), help=question.help
        )

    def _number(self, name: str) -> Field:
        question = NUMBERS[name]
        return Field(
            name,
            question.label,
            "number",
            value=getattr(self.constraints, name),
            help=question.help,
            minimum=question.minimum,
            maximum=question.maximum,
            unit=question.unit,
        )

    def _result_html(self) -> str:
        if self.decision is None:
            return ""
        sentences = break_even_sentences(self.constraints, self.known)
        figure = break_even_figure(self.constraints, self.known)
        literal = html.escape(pprint.pformat(self.answer(), width=90, sort_dicts=False))
        return (
            decision_html(self.decision, facts(), self.known, sentences, figure.html() if figure else "")
            + f"<details><summary>As a value, for an answer cell</summary><pre>{literal}</pre></details>"
        )

    def text(self) -> str:
        """The exercise as plain text: the questions, or the decision once there is one."""
        if self.decision is None:
            return "\n".join([_TITLE, "", *self._questions_text()])
        changed = [name for name, value in Constraints().to_dict().items() if self._answer(name) != value]
        said = [f"{label_of(name)}: {answer_in_words(name, self._answer(name))}" for name in changed]
        sentences = break_even_sentences(self.constraints, self.known)
        answers = (
            f"You answered: {'; '.join(said)}. The rest is as it starts."
            if said
            else "You kept every starting answer."
        )
        return "\n".join(
            [
                _TITLE,
                "",
                *textwrap.wrap(answers, WIDTH),
                "",
                decision_text(self.decision, facts(), self.known, sentences),
            ]
        )

    def _answer(self, name: str) -> Any:
        return getattr(self.constraints, name)

    def _questions_text(self) -> list[str]:
        lines = [*(f"{SHORT_NAMES[name]}: {text}" for name, text in ALTERNATIVES.items()), ""]
        for name in (*CHOICES, *NUMBERS):
            question = CHOICES.get(name) or NUMBERS[name]
            lines.append(f"- {name}: {question.label}: {answer_in_words(name, self._answer(name))}")
        return [
            *lines,
            "",
            "Not decided yet. Press Decide in the form; without one, call",
            '  decision.decide(data="personal", quality="strong")  # and so on, by the names above',
        ]


def _last_answers() -> Constraints:
    """The answers of the last decision on this machine, or the least demanding ones."""
    kept = events("decision", _NAME)
    try:
        return constraints_from(kept[-1].data["constraints"]) if kept else Constraints()
    except (LabError, KeyError, TypeError):  # kept by another version of the course
        return Constraints()


def decision_exercise(measured: Any = None) -> DecisionExercise:
    """The open-vs-closed decision exercise. Taught in chapter 19.

    Parameters
    ----------
    measured : what `lk.bench()` returned. Without it there are no local costs and no plot.

    Raises LabError when `measured` is not a measurement of speed.
    """
    return DecisionExercise(knowledge(measured))


def knowledge(measured: Any = None) -> Knowledge:
    """The measurement and the price list, as the rules take them."""
    rows = prices()
    return Knowledge(
        measured=measured_from(measured),
        closed_prices=price_band(row for row in rows if row.weights == "closed"),
        open_prices=price_band(row for row in rows if row.weights == "open"),
    )


def facts() -> dict[str, Fact]:
    """The dated facts that rules and conditions cite, by id."""
    return {row.id: row for row in records("decision_facts", Fact)}
