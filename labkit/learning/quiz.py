"""Quizzes: formative questions, judged in Python, answered by mouse, keyboard or text."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.learning.form import Button, Field, FormDisplay, Option, Section, View
from labkit.learning.judge_question import Feedback, judge
from labkit.learning.progress import CORRECT, NOT_ANSWERED, NOT_YET, events, record_event, take_notice
from labkit.learning.quiz_file import Question, load_questions, quiz_names, to_jupyterquiz


class Quiz(FormDisplay):
    """Questions with a Check button each. The right answers stay in Python: the page never holds them.

    Attributes
    ----------
    name : by which progress is counted.
    questions : as loaded, right answers included.
    """

    def __init__(self, name: str, questions: list[Question]) -> None:
        self.name = name
        self.questions = questions
        self._given: dict[str, Any] = {}
        self._feedback: dict[str, Feedback] = {}
        self._notice = ""
        # Solved in an earlier session: counted, and the question says so.
        self._solved = {e.item for e in events("quiz", name) if e.verdict == CORRECT}

    # ------------------------------------------------------------ the text way

    def answer(self, number: int, given: Any) -> QuizAnswer:
        """Answer question `number` (1 is the first) without a widget.

        `given` is the letter of an option, a list of letters, a number or a text, as the question asks.
        """
        if type(number) is not int or not 1 <= number <= len(self.questions):
            raise LabError(f"This quiz has questions 1 to {len(self.questions)}.", 'Write .answer(1, "b").')
        question = self.questions[number - 1]
        self._judge(question, given)
        return QuizAnswer(number, self._feedback[question.id], self.status())

    def save(self, path: str | Path) -> Path:
        """Write the quiz, right answers included, as a jupyterquiz JSON file."""
        path = Path(path)
        text = json.dumps(to_jupyterquiz(self.questions), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    # ------------------------------------------------------------ the form

    def view(self) -> View:
        sections = [self._section(n, q) for n, q in enumerate(self.questions, start=1)]
        return View(title=f"Quiz: {len(sections)} questions", sections=sections, status=self.status())

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        self._given |= {q.id: values.get(q.id) for q in self.questions}
        for question in self.questions:
            if action == f"check-{question.id}":
                self._judge(question, values.get(question.id))
        return self.view()

    def status(self) -> str:
        """How many are solved: "3 of 5 right"."""
        solved = len(self._solved & {q.id for q in self.questions})
        return f"{solved} of {len(self.questions)} right.{' ' + self._notice if self._notice else ''}"

    def text(self) -> str:
        lines = [f"Quiz {self.name!r}: {len(self.questions)} questions"]
        for number, question in enumerate(self.questions, start=1):
            lines += ["", f"{number}. {question.question}", *_indented(question.code)]
            if question.type in ("multiple_choice", "many_choice"):
                for letter, option in question.options:
                    lines += [f"   {letter}) {option.answer}".rstrip(), *_indented(option.code)]
            lines.append(f"   {_HOW[question.type]}")
        source = f'"{self.name}"' if self.name in quiz_names() else "…"
        call = f'lk.quiz({source}).answer(1, "b")'
        return "\n".join([*lines, "", self.status(), f"Without the form, answer like this: {call}"])

    def _section(self, number: int, question: Question) -> Section:
        label = f"{number}. {question.question}"
        value = self._given.get(question.id)
        return Section(
            name=question.id,
            fields=[_field(question, label, value)],
            buttons=[Button(f"check-{question.id}", f"Check {number}", primary=True)],
            result_html=self._result_html(question),
        )

    def _result_html(self, question: Question) -> str:
        feedback = self._feedback.get(question.id)
        if feedback is not None:
            return feedback_html(feedback)
        if question.id in self._solved:
            return '<p class="lk-verdict lk-correct">You solved this one before.</p>'
        return ""

    def _judge(self, question: Question, given: Any) -> None:
        feedback = judge(question, given)
        self._given[question.id] = given
        self._feedback[question.id] = feedback
        if feedback.correct:
            self._solved.add(question.id)
        if feedback.answered:
            verdict = CORRECT if feedback.correct else NOT_YET
            record_event("quiz", self.name, item=question.id, verdict=verdict)
            self._notice = take_notice() or self._notice


_HOW = {
    "multiple_choice": "(choose one)",
    "many_choice": "(choose all that are right)",
    "numeric": "(a number)",
    "string": "(a text)",
}


def _indented(code: str) -> list[str]:
    return [f"      {line}" for line in code.splitlines()]


def _field(question: Question, label: str, value: Any) -> Field:
    options = [Option(letter, answer.answer, answer.code) for letter, answer in question.options]
    if question.type == "multiple_choice":
        return Field(question.id, label, "radio", options, value, code=question.code)
    if question.type == "many_choice":
        hint = "Choose all that are right."
        return Field(question.id, label, "checkboxes", options, value or [], hint, code=question.code)
    # Numbers are typed as text too: "1/3", "1e6" and "1,000,000" are numbers to a learner.
    hint = "A number, such as 7.5 or 1/3." if question.type == "numeric" else ""
    shown = "" if value is None else str(value)
    return Field(question.id, label, "text", value=shown, help=hint, code=question.code)


def verdict_word(feedback: Feedback) -> str:
    """The verdict in words, as progress counts it."""
    if feedback.correct:
        return CORRECT
    return NOT_YET if feedback.answered else NOT_ANSWERED


def feedback_html(feedback: Feedback) -> str:
    """The verdict and its reasons as HTML; the verdict stands in words, and in the line's shape."""
    if feedback.correct:
        kind, word = "lk-correct", '<span aria-hidden="true">✓ </span>Correct.'
    elif feedback.answered:
        kind, word = "lk-notyet", '<span aria-hidden="true">✗ </span>Not yet.'
    else:
        kind, word = "lk-notyet", "Not answered."
    lines = [html.escape(line) for line in feedback.lines]
    if len(lines) > 1:
        reasons = "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"
    else:
        reasons = " " + "".join(lines)
    return f'<div class="lk-verdict {kind}"><strong>{word}</strong>{reasons}</div>'


class QuizAnswer:
    """The verdict on one answer that was given as text."""

    def __init__(self, number: int, feedback: Feedback, status: str) -> None:
        self.number = number
        self.feedback = feedback
        self.status = status

    @property
    def correct(self) -> bool:
        return self.feedback.correct

    def __repr__(self) -> str:
        word = verdict_word(self.feedback).capitalize()
        return "\n".join([f"Question {self.number}: {word}.", *self.feedback.lines, self.status])

    def _repr_html_(self) -> str:
        return (
            f'<div role="status"><p>Question {self.number}</p>{feedback_html(self.feedback)}'
            f"<p>{html.escape(self.status)}</p></div>"
        )


def quiz(source: str | Path | list[dict[str, Any]]) -> Quiz:
    """A quiz of the course by name, of a jupyterquiz JSON file by path, or from a list of its questions.

    Taught in every chapter.
    """
    name, questions = load_questions(source)
    return Quiz(name, questions)
