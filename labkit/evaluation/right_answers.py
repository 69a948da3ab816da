"""How many held-out questions models answer right, in several forms. Taught in chapter 16."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit import settings
from labkit.errors import LabError
from labkit.estimating.proportion import wilson_interval
from labkit.evaluation.prompting import BARE, TEMPLATE, open_models, with_template
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.download import get_model
from labkit.models.loading import Model
from labkit.models.model_file import ModelFile
from labkit.pocket.document import Case
from labkit.pocket.scores import as_documents, replies
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

#: the form in which a base model of the course knows questions from its texts
AS_TEXT = "as “Question: … Answer:”"
#: Questions about the world, and sums. No training text holds them.
_WORLD, _SUMS, _QUICK_SHARE = 60, 40, 4
#: The place of the question in a form that the caller has written.
_PLACE = "{}"
_SEED = 16
_CONTEXT = 256


@dataclass(frozen=True)
class RightAnswers:
    """One model in one form: how many it answered right, with Wilson's 95 % intervals of the shares."""

    model: str
    form: str
    """`BARE`, `AS_TEXT`, `TEMPLATE`, or the name of a form that the caller has written."""
    holds: int
    """Replies that hold the right value, and no other that the question could have."""
    right: int
    """Those of them that the model also ended by itself: an answer, and not a text that goes on."""
    total: int
    low: float
    """Of `right`, from 0 to 1."""
    high: float
    facts_right: int = 0
    """Those of `right` that are about the world; the others are sums."""
    facts_asked: int = 0

    @property
    def share(self) -> float:
        """Of `right`, from 0 to 1."""
        return self.right / self.total

    @property
    def holds_interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of `holds`, from 0 to 1."""
        return wilson_interval(self.holds, self.total)

    @property
    def who(self) -> str:
        """`'pocket-base (bare)'`."""
        return f"{self.model} ({self.form})"


@dataclass(frozen=True, repr=False)
class TemplateTest(Result):
    """The same held-out questions to models in several forms."""

    counts: list[RightAnswers]
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def of(self, model: str, form: str) -> RightAnswers:
        """One of the counts. LabError when it was not taken."""
        for count in self.counts:
            if (count.model, count.form) == (model, form):
                return count
        raise LabError(
            f"{model} was not asked {form}.", f"There are {', '.join(c.who for c in self.counts)}."
        )

    def title(self) -> str:
        return f"{self.counts[0].total} questions that no training text holds"

    def rows(self) -> list[Row]:
        return [Row(count.who, 100 * count.share, "%") for count in self.counts]

    @property
    def _forms(self) -> int:
        return len({count.form for count in self.counts})

    def _who(self, count: RightAnswers) -> str:
        """The form is named where there are several."""
        return count.who if self._forms > 1 else count.model

    def table(self) -> Table:
        if self._forms == 1:
            return self._short_table()
        rows = [
            [
                count.model,
                count.form,
                f"{count.holds} ({_percents(*count.holds_interval)})",
                f"{count.right} ({_percents(count.low, count.high)})",
                f"{count.facts_right} and {count.right - count.facts_right}",
            ]
            for count in self.counts
        ]
        facts = self.counts[0].facts_asked
        parts = f"of these, of {facts} facts and {self.counts[0].total - facts} sums"
        columns = ["model", "sent", "holds the right answer", "… and stops there", parts]
        return Table(self.title(), columns, rows, [*self.reading(), *self.notes()])

    def _short_table(self) -> Table:
        rows = [
            [count.model, f"{count.right} of {count.total}", _percents(count.low, count.high)]
            for count in self.counts
        ]
        columns = ["model", "answered right", "95 % interval of the share"]
        return Table(self.title(), columns, rows, [*self.reading(), self.notes()[-1]])

    def reading(self) -> list[str]:
        """What the counts say: the best against each of the others."""
        best = max(self.counts, key=lambda count: count.share)
        apart = [self._who(count) for count in self.counts if count.high < best.low]
        near = [self._who(count) for count in self.counts if count is not best and count.high >= best.low]
        lines = []
        if apart:
            others = "all others" if len(apart) > 1 and not near else _listed(apart)
            lines.append(
                f"Right, and stopped: most often {self._who(best)}. Its interval lies above that of "
                f"{others}: that is hardly an accident."
            )
        if near:
            lines.append(
                f"{_listed(near)}: too near to {self._who(best)} to be told apart with so few questions."
            )
        return lines + ([self.knowledge()] if self._in_own_forms() else [])

    def _in_own_forms(self) -> tuple[RightAnswers, RightAnswers] | None:
        """A base model and an instruct model, each in a form that it knows; None where one is missing."""
        bases = [count for count in self.counts if count.form == AS_TEXT]
        without_template = {count.model for count in bases}
        others = [count for count in self.counts if count.form == TEMPLATE]
        instructs = [count for count in others if count.model not in without_template]
        return (bases[0], instructs[0]) if bases and instructs else None

    def knowledge(self) -> str:
        """Which holds the right answer more often, each asked in a form that it knows: base or instruct?

        Raises LabError when there is no such pair.
        """
        pair = self._in_own_forms()
        if not pair:
            raise LabError(
                "No base model and instruct model were asked, each in a form that it knows.",
                'Count them together: lk.count_right("pocket-base", "pocket-instruct")',
            )
        base, instruct = pair
        said = [
            f"{count.who} {count.holds} of {count.total} ({_percents(*count.holds_interval)})"
            for count in pair
        ]
        start = f"The right answer, stopped or not: {said[0]}, {said[1]}."
        if instruct.holds_interval[0] > base.holds_interval[1]:
            return f"{start} The intervals do not overlap: fine-tuning did more than teach it to stop."
        if base.holds_interval[0] > instruct.holds_interval[1]:
            return f"{start} The intervals do not overlap: here {base.model} has more of the right answers."
        return f"{start} The intervals overlap: these questions show no difference in what the two know."

    def notes(self) -> list[str]:
        quick = " Quick run (LABKIT_QUICK): fewer questions." if self.settings["quick"] else ""
        return [
            "Holds the right answer: the right one is in the reply, and no other possible one (to name every "
            "pet does not count). Stops there: and the model ended the reply itself, within "
            f"{self.settings['max_tokens']} tokens. In brackets: 95 % intervals.",
            f"The most probable reply, token by token. Measured on {self.date[:10]}.{quick}",
        ]

    def __repr__(self) -> str:
        return repr(self.table())


def count_right(
    *models: ModelFile | str,
    bare: bool = True,
    forms: Mapping[str, str] | None = None,
    show_progress: bool = True,
) -> TemplateTest:
    """100 held-out questions to each model in several forms; the right answers are counted.

    Parameters
    ----------
    models : names such as "pocket-base", or files of pocket models. One that has no template is asked in that
        of another of them, and as `Question: … Answer:`, a form that it knows from its texts. There only the
        text up to the next question counts.
    bare : ask them without the template as well; otherwise in the template alone.
    forms : ask in these forms instead, and in no other: name → the whole string, with `{}` where the question
        stands.

    The questions are about the world of the pocket models, and sums of two numbers. An answer is right when
    it holds the value that was asked for, and no other, and the model ended it by itself. Raises LabError
    when no model has a template, or a form no place for the question. Taught in chapters 5 and 16.
    """
    _check_forms(forms)
    files = [get_model(model) if isinstance(model, str) else model for model in models]
    cases, counts = _cases(), []
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_models(files, _CONTEXT))
        template_of = with_template(opened)
        rounds = [(model, form) for model in opened for form in forms or _forms(model, bare)]
        bar = stack.enter_context(
            ProgressBar(len(rounds), "round", f"Asking {len(cases)} questions", show=show_progress)
        )
        for model, form in rounds:
            own = model if model.header.has_chat_template else template_of
            counts.append(_count(model, own, form, cases, (forms or {}).get(form)))
            bar.update()
    return TemplateTest(
        counts=counts,
        settings={
            "quick": settings.quick(),
            "seed": _SEED,
            "max_tokens": max(case.max_tokens for case in cases),
            "files": {f.name: f.sha256 for f in files},
        },
        machine=machine(),
        versions=versions(),
    )


def _check_forms(forms: Mapping[str, str] | None) -> None:
    if forms is not None and not isinstance(forms, Mapping):
        raise LabError(
            f"`forms` must be a dictionary, not {type(forms).__name__}.",
            f'Give each form a name: {{"my form": "Question: {_PLACE}"}}',
        )
    for name, text in (forms or {}).items():
        if not isinstance(text, str) or _PLACE not in text:
            raise LabError(
                f"The form {name!r} has no place for the question.",
                f"Write {_PLACE} where the question stands.",
            )


def _cases() -> list[Case]:
    """The questions, the same at every call."""
    from labkit.pocket import world_questions
    from labkit.pocket.tasks import sums

    world, plain = _WORLD, _SUMS
    if settings.quick():
        world, plain = world // _QUICK_SHARE, plain // _QUICK_SHARE
    # Sums come in several kinds, in turn.
    two_digits = [case for case in sums.held_out(5 * plain, _SEED) if case.kind == "sum-two-digits"]
    return [*world_questions.held_out(world, _SEED), *two_digits[:plain]]


def _forms(model: Model, bare: bool) -> tuple[str, ...]:
    if not bare:
        return (TEMPLATE,)
    return (BARE, TEMPLATE) if model.header.has_chat_template else (BARE, AS_TEXT, TEMPLATE)


def _count(
    model: Model, template_of: Model, form: str, cases: Sequence[Case], written: str | None
) -> RightAnswers:
    """`written` is the form itself, where the caller has written it."""
    if written is not None:
        asked = [replace(case, chat=False, prompt=written.replace(_PLACE, case.prompt)) for case in cases]
    elif form == AS_TEXT:
        asked = as_documents(cases)
    else:
        asked = [replace(case, chat=form == TEMPLATE) for case in cases]
    answered = replies(model, asked, template_of=template_of)
    holds = sum(reply.right for reply in answered)
    done = [reply.right and reply.ended for reply in answered]
    about_facts = [each for each, case in zip(done, cases, strict=True) if case.kind.startswith("world")]
    low, high = wilson_interval(sum(done), len(cases))
    facts = (sum(about_facts), len(about_facts))
    return RightAnswers(model.file.name, form, holds, sum(done), len(cases), low, high, *facts)


def _percents(low: float, high: float) -> str:
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
