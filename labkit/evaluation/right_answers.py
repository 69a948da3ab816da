"""How many held-out questions models answer right, bare and in the chat template. Taught in chapter 16."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
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
from labkit.pocket.scores import replies
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

#: Questions about the world, and sums. No training text holds them.
_WORLD, _SUMS, _QUICK_SHARE = 60, 40, 4
_SEED = 16
_CONTEXT = 256


@dataclass(frozen=True)
class RightAnswers:
    """One model in one form: how many it answered right, with Wilson's 95 % interval of the share."""

    model: str
    form: str
    """`BARE` or `TEMPLATE`."""
    holds: int
    """Replies that hold the right value, and no other that the question could have."""
    right: int
    """Those of them that the model also ended by itself: an answer, and not a text that goes on."""
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.total

    @property
    def who(self) -> str:
        """`'pocket-base, bare'`."""
        return f"{self.model}, {self.form}"


@dataclass(frozen=True, repr=False)
class TemplateTest(Result):
    """The same held-out questions to models in two forms."""

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
                count.holds,
                count.right,
                f"{count.share:.0%}",
                f"{count.low:.0%} to {count.high:.0%}",
            ]
            for count in self.counts
        ]
        columns = ["model", "sent", "knows it", "and stops there", "share", "95 % interval of the share"]
        return Table(self.title(), columns, rows, [*self.reading(), *self.notes()])

    def _short_table(self) -> Table:
        rows = [
            [count.model, count.right, f"{count.share:.0%}", f"{count.low:.0%} to {count.high:.0%}"]
            for count in self.counts
        ]
        columns = ["model", "answered right", "share", "95 % interval of the share"]
        return Table(self.title(), columns, rows, [*self.reading(), self.notes()[-1]])

    def reading(self) -> list[str]:
        """What the counts say: the best against each of the others."""
        best = max(self.counts, key=lambda count: count.share)
        apart = [self._who(count) for count in self.counts if count.high < best.low]
        near = [self._who(count) for count in self.counts if count is not best and count.high >= best.low]
        lines = []
        if apart:
            lines.append(
                f"Best: {self._who(best)}. Its interval lies above those of {_listed(apart)}: that is no "
                "accident."
            )
        if near:
            lines.append(
                f"{_listed(near)}: too near to {self._who(best)} to be told apart with so few questions."
            )
        return lines

    def notes(self) -> list[str]:
        quick = " Quick run (LABKIT_QUICK): fewer questions." if self.settings["quick"] else ""
        return [
            "knows it: the reply holds the right value, and no other. and stops there: the model ended its "
            "reply by itself, within some dozen tokens; the share is of these.",
            f"The most probable reply, token by token. Measured on {self.date[:10]}.{quick}",
        ]

    def __repr__(self) -> str:
        return repr(self.table())


def count_right(*models: ModelFile | str, bare: bool = True, show_progress: bool = True) -> TemplateTest:
    """100 held-out questions to each model, bare and in the chat template; the right answers are counted.

    Parameters
    ----------
    models : names such as "pocket-base", or files of pocket models. One that has no template is asked in that
        of another of them.
    bare : ask them without the template as well.

    The questions are about the world of the pocket models, and sums of two numbers. An answer is right when
    it holds the value that was asked for, and no other, and the model ended it by itself. Raises LabError
    when no model has a template. Taught in chapters 5 and 16.
    """
    files = [get_model(model) if isinstance(model, str) else model for model in models]
    cases, forms = _cases(), ((BARE, TEMPLATE) if bare else (TEMPLATE,))
    counts = []
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_models(files, _CONTEXT))
        template_of = with_template(opened)
        bar = stack.enter_context(
            ProgressBar(
                len(forms) * len(opened), "round", f"Asking {len(cases)} questions", show=show_progress
            )
        )
        for model in opened:
            own = model if model.header.has_chat_template else template_of
            for form in forms:
                counts.append(_count(model, own, form, cases))
                bar.update()
    return TemplateTest(
        counts=counts,
        settings={"quick": settings.quick(), "seed": _SEED, "files": {f.name: f.sha256 for f in files}},
        machine=machine(),
        versions=versions(),
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


def _count(model: Model, template_of: Model, form: str, cases: Sequence[Case]) -> RightAnswers:
    asked = [replace(case, chat=form == TEMPLATE) for case in cases]
    answered = replies(model, asked, template_of=template_of)
    holds = sum(reply.right for reply in answered)
    right = sum(reply.right and reply.ended for reply in answered)
    interval = wilson_interval(right, len(cases))
    return RightAnswers(model.file.name, form, holds, right, len(cases), *interval)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
