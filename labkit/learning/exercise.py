"""Graded exercises: a prompt, a typed answer, a judge, and hints for the mistakes that learners make."""

from __future__ import annotations

import contextlib
import difflib
import html
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit import settings
from labkit.errors import LabError
from labkit.learning.function_answer import Call, Case, call_on, is_function, is_stub, trouble
from labkit.learning.plain_value import is_blank, to_plain
from labkit.learning.progress import CORRECT, NOT_ANSWERED, NOT_YET, record_event, take_notice
from labkit.learning.quantities import describe


@dataclass(frozen=True)
class KnownMistake:
    """A wrong answer that learners really give, and the hint that repairs it."""

    name: str  #: "privacy-alone"; stored in progress, so that a teacher sees which mistakes are common
    hint: Callable[[Any], str | None]  #: the read answer → the hint, or None when it is not this mistake


@dataclass(frozen=True)
class Exercise:
    """One graded exercise.

    Its answer is a value: numbers, text, choices, lists and dictionaries of them. Where there are `cases`, it
    is a function: it is called on fresh ones at each check, and `read` gets the calls, not a plain answer.
    """

    name: str  #: "ch19-hours-and-cost"; the number is the chapter's
    title: str  #: a few words
    prompt: str  #: the task, in plain sentences; a blank line starts a new paragraph
    points: float  #: for a correct answer
    form: str  #: what form the answer takes, in a sentence
    blank: Any  #: what stands in the answer cell at first: placeholders, or the stub of the function
    read: Callable[[Any], Any]  #: a plain answer → the typed answer; LabError says what its form should be
    judge: Callable[[Any], bool]  #: is the typed answer right?
    known_mistakes: tuple[KnownMistake, ...]  #: tried in this order when it is not right
    praise: Callable[[Any], str] = lambda answer: ""  #: what to say about a right answer
    otherwise: str = "That is not it yet."  #: the hint when no known mistake fits
    details_html: str = ""  #: more of the prompt as HTML made by labkit, such as a table of cards
    details_text: str = ""  #: the same as text
    partial: Callable[[Any], float] = lambda answer: 0.0  #: points for what is right in an answer that is not
    cases: Callable[[random.Random], Sequence[Case]] | None = None  #: draws the inputs for a function


class NotSolved(AssertionError):
    """An exercise is not solved, in strict mode; the message is the hint."""

    def _render_traceback_(self) -> list[str]:
        return [f"NotSolved: {self}"]


@dataclass(frozen=True)
class Verdict:
    """What a check says."""

    name: str
    title: str
    verdict: str  #: "correct", "not yet" or "not answered"
    hint: str  #: one or more sentences
    points: float  #: reached
    points_possible: float
    mistake: str = ""  #: the name of the known mistake that was recognised
    notice: str = field(default="", compare=False)  #: trouble with storing progress

    @property
    def correct(self) -> bool:
        return self.verdict == CORRECT

    def __repr__(self) -> str:
        return "\n".join(
            filter(None, [f"{self._head()}: {self.title} ({self._points()})", self.hint, self.notice])
        )

    def _head(self) -> str:
        return self.verdict.capitalize()

    def _points(self) -> str:
        so_far = " so far" if self.points and not self.correct else ""
        return f"{self.points:g} of {self.points_possible:g} points{so_far}"

    def _repr_html_(self) -> str:
        mark = {CORRECT: "✓ ", NOT_YET: "✗ "}.get(self.verdict, "")
        line = "solid #2e7d32" if self.correct else "dashed #b26a00"
        body = "".join(
            f"<p>{html.escape(text)}</p>" for text in (*self.hint.split("\n"), self.notice) if text
        )
        return (
            f'<div role="status" style="border-left:4px {line};padding:0.1em 0.8em;max-width:46rem">'
            f'<p><span aria-hidden="true">{mark}</span><strong>{self._head()}.</strong> '
            f"{html.escape(self.title)} ({self._points()})</p>{body}</div>"
        )


def check(name: str, answer: Any = None) -> Verdict:
    """Check an answer: a verdict and a hint, kept in your progress. Try as often as you like.

    Whatever the answer is, this returns a verdict. With LABKIT_STRICT=1 (tests and grading) it raises
    NotSolved unless the answer is correct.

    Raises
    ------
    LabError : there is no exercise of that name.
    """
    item = find_exercise(name)
    verdict = _judge(item, answer)
    record_event(
        "exercise",
        item.name,
        verdict=verdict.verdict,
        points=verdict.points,
        data={"mistake": verdict.mistake} if verdict.mistake else {},
    )
    if settings.strict() and not verdict.correct:
        raise NotSolved(f"{item.name} is {verdict.verdict}. {verdict.hint}")
    return Verdict(**{**verdict.__dict__, "notice": take_notice()})


def _judge(item: Exercise, answer: Any) -> Verdict:
    try:
        plain = to_plain(answer) if item.cases is None else _calls(item, answer)
        if is_blank(plain, item.blank):
            return _verdict(item, NOT_ANSWERED, f"Fill in the answer cell and run it. {item.form}")
        if item.cases is not None and (found := trouble(plain)):
            return _verdict(item, NOT_YET, found[1], found[0])
        typed = item.read(plain)
        if item.judge(typed):
            return _verdict(item, CORRECT, item.praise(typed))
        for mistake in item.known_mistakes:
            if hint := mistake.hint(typed):
                return _verdict(item, NOT_YET, hint, mistake.name, item.partial(typed))
        return _verdict(item, NOT_YET, item.otherwise, points=item.partial(typed))
    except LabError as error:
        return _verdict(item, NOT_YET, str(error), "form")
    except Exception as error:  # a learner gets a sentence, whatever a judge does with an answer
        kind = describe(error).removeprefix("an object of type ")
        return _verdict(item, NOT_YET, f"This answer could not be judged ({kind}). {item.form}", "form")


def _calls(item: Exercise, answer: Any) -> tuple[Call, ...] | None:
    """What the learner's function does on fresh cases; None when nothing was filled in."""
    if is_function(answer):
        return None if is_stub(answer, item.blank) else call_on(answer, item.cases(random.Random()))
    with contextlib.suppress(LabError):
        if is_blank(to_plain(answer), None):
            return None
    raise LabError(
        f"The answer is {describe(answer)}, not a function that you wrote.",
        "Hand over your function by its name, without parentheses.",
    )


def _verdict(item: Exercise, verdict: str, hint: str, mistake: str = "", points: float = 0.0) -> Verdict:
    points = item.points if verdict == CORRECT else points
    return Verdict(item.name, item.title, verdict, hint, points, item.points, mistake)


def find_exercise(name: object) -> Exercise:
    """The exercise of that name; a LabError names the nearest ones."""
    from labkit.learning.exercises import all_exercises

    exercises = all_exercises()
    if type(name) is str and name in exercises:
        return exercises[name]
    shown = repr(name[:80]) if type(name) is str else describe(name)
    near = difflib.get_close_matches(name, exercises, 3, 0.4) if type(name) is str else []
    raise LabError(f"There is no exercise called {shown}.", f"Did you mean {' or '.join(near or exercises)}?")


@dataclass(frozen=True)
class ExerciseCard:
    """The prompt of an exercise, as a card."""

    item: Exercise

    def _repr_html_(self) -> str:
        item = self.item
        paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in item.prompt.split("\n\n"))
        return (
            '<div style="border:1px solid currentColor;border-radius:4px;padding:0.2em 1em;max-width:46rem">'
            f"<p><strong>Exercise: {html.escape(item.title)}</strong> ({item.points:g} points)</p>"
            f"{paragraphs}{item.details_html}<p>{html.escape(item.form)}</p></div>"
        )

    def __repr__(self) -> str:
        item = self.item
        head = f"Exercise: {item.title} ({item.points:g} points)"
        return "\n\n".join(filter(None, [head, item.prompt, item.details_text, item.form]))


def exercise(name: str) -> ExerciseCard:
    """The prompt of an exercise: what to do, for how many points, and what form the answer takes."""
    return ExerciseCard(find_exercise(name))
