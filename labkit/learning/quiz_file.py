"""Quiz questions as data: jupyterquiz's JSON, read strictly and written back.

The format is that of jupyterquiz 2.9 (https://github.com/jmshea/jupyterquiz), plus an optional `id` per
question, which jupyterquiz ignores. `type` is `multiple_choice` (one right option), `many_choice`,
`numeric` (value, range [A, B) or default; `precision` counts significant digits) or `string`.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import settings
from labkit.errors import LabError

TYPES = ("multiple_choice", "many_choice", "numeric", "string")


@dataclass(frozen=True)
class Answer:
    """One option, value, range or text of a question, right or wrong, with what to say to who gives it."""

    correct: bool = False
    feedback: str = ""
    answer: str = ""  #: the option's or the expected text
    code: str = ""
    value: float | None = None
    range: tuple[float, float] | None = None  #: from A, included, to B, not included
    match_case: bool = False
    fuzzy_threshold: float | None = None  #: 1 is an exact match, 0 matches everything
    default: bool = False  #: its feedback is for every answer that nothing else matched


@dataclass(frozen=True)
class Question:
    """One question, as its author wrote it."""

    id: str  #: stable: progress is counted by it
    question: str
    type: str
    answers: tuple[Answer, ...]
    code: str = ""
    precision: int | None = None  #: numeric: significant digits that are compared

    @property
    def options(self) -> list[tuple[str, Answer]]:
        """The letter and the answer of each option, in the order of the file."""
        return [(chr(ord("a") + i), answer) for i, answer in enumerate(self.answers)]


def load_questions(source: str | Path | list[dict[str, Any]]) -> tuple[str, list[Question]]:
    """(name, questions) of a quiz of the course, of a JSON file, or of a list of jupyterquiz dicts."""
    if isinstance(source, list):
        questions = read_questions(source, "this list")
        # The same questions have the same name in every session.
        digest = hashlib.sha256(json.dumps(to_jupyterquiz(questions)).encode()).hexdigest()
        return f"quiz-{digest[:8]}", questions
    path = Path(source)
    if path.suffix != ".json":
        path = settings.datasets_dir() / "quizzes" / f"{source}.json"
    if not path.is_file():
        raise _no_such_quiz(source)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"The quiz file {path.name} can't be read: {error}.", "Restore the file.") from error
    return path.stem, read_questions(data, path.name)


def _no_such_quiz(source: str | Path) -> LabError:
    names = quiz_names()
    near = difflib.get_close_matches(str(source), names, 3, 0.4) or names
    cure = f"Did you mean {' or '.join(near)}?" if near else "Give the path of a JSON file."
    return LabError(f"There is no quiz called {str(source)!r}.", cure)


def quiz_names() -> list[str]:
    """The names of the course's quizzes."""
    return sorted(path.stem for path in (settings.datasets_dir() / "quizzes").glob("*.json"))


def course_quizzes() -> dict[str, list[str]]:
    """Quiz name → the ids of its questions, for every quiz of the course."""
    folder = settings.datasets_dir() / "quizzes"
    return {name: list(_question_ids(folder / f"{name}.json")) for name in quiz_names()}


@functools.cache
def _question_ids(path: Path) -> tuple[str, ...]:
    return tuple(question.id for question in load_questions(path)[1])


def read_questions(data: Any, where: str) -> list[Question]:
    """jupyterquiz's JSON as questions; a LabError names the question and what is wrong with it."""
    if not isinstance(data, list) or not data:
        raise LabError(f"{where} holds no list of questions.", "A quiz is a JSON list of questions.")
    questions = [_read_question(item, number, where) for number, item in enumerate(data, start=1)]
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        raise LabError(f"Two questions of {where} have the same id.", "Give each question an id of its own.")
    return questions


def _read_question(item: Any, number: int, where: str) -> Question:
    def wrong(what: str) -> LabError:
        return LabError(f"Question {number} of {where}: {what}.", "See the jupyterquiz format.")

    if not isinstance(item, dict) or not isinstance(item.get("answers"), list) or not item["answers"]:
        raise wrong("it needs a `question`, a `type` and a list of `answers`")
    kind = item.get("type")
    if kind not in TYPES:
        raise wrong(f"the type is {kind!r}, not one of {', '.join(TYPES)}")
    try:
        answers = tuple(_read_answer(answer, kind) for answer in item["answers"])
        precision = item.get("precision")
        precision = None if precision is None else int(precision)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise wrong(f"an answer can't be read ({error})") from error
    right = sum(answer.correct for answer in answers)
    if right == 0:
        raise wrong("no answer is correct")
    if kind == "multiple_choice" and right > 1:
        kind = "many_choice"  # as jupyterquiz does
    text, code = str(item.get("question", "")), str(item.get("code", ""))
    return Question(str(item.get("id") or f"q{number}"), text, kind, answers, code, precision)


def _read_answer(item: dict[str, Any], kind: str) -> Answer:
    limits = item.get("range")
    if kind == "numeric" and item.get("type") != "default" and "value" not in item and limits is None:
        raise ValueError("a numeric answer needs a value, a range or type default")
    threshold = item.get("fuzzy_threshold")
    return Answer(
        correct=item.get("correct", False) is True,
        feedback=str(item.get("feedback", "")),
        answer=str(item.get("answer", "")),
        code=str(item.get("code", "")),
        value=float(item["value"]) if "value" in item else None,
        range=(float(limits[0]), float(limits[1])) if limits is not None else None,
        match_case=bool(item.get("match_case", False)),
        fuzzy_threshold=None if threshold is None else float(threshold),
        default=item.get("type") == "default",
    )


def to_jupyterquiz(questions: list[Question]) -> list[dict[str, Any]]:
    """The questions as jupyterquiz's JSON, answers included."""
    return [_question_to_dict(question) for question in questions]


def _question_to_dict(question: Question) -> dict[str, Any]:
    data: dict[str, Any] = {"id": question.id, "question": question.question, "type": question.type}
    if question.code:
        data["code"] = question.code
    if question.precision is not None:
        data["precision"] = question.precision
    data["answers"] = [_answer_to_dict(answer, question.type) for answer in question.answers]
    return data


def _answer_to_dict(answer: Answer, kind: str) -> dict[str, Any]:
    if answer.default:
        return {"type": "default", "feedback": answer.feedback}
    data: dict[str, Any] = {}
    if kind == "numeric":
        if answer.range is not None:
            data |= {"type": "range", "range": list(answer.range)}
        else:
            data |= {"type": "value", "value": answer.value}
    else:
        data["answer"] = answer.answer
        if answer.code:
            data["code"] = answer.code
    data |= {"correct": answer.correct, "feedback": answer.feedback}
    if kind == "string":
        data["match_case"] = answer.match_case
        if answer.fuzzy_threshold is not None:
            data["fuzzy_threshold"] = answer.fuzzy_threshold
    return data
