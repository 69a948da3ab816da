"""Right or wrong, and why: the rules of a quiz, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import LabError
from labkit.learning.quantities import close, read_number
from labkit.learning.quiz_file import Answer, Question

_FUZZY_LIMIT = 200  # characters: the comparison takes quadratic time
_SAME_NUMBER = 1e-9


@dataclass(frozen=True)
class Feedback:
    """The verdict on one answer to one question."""

    correct: bool
    lines: tuple[str, ...]  #: plain sentences, one for each chosen option
    answered: bool = True


def judge(question: Question, given: object) -> Feedback:
    """Judge an answer: an option's letter, a list of letters, a number or a text. Never raises."""
    try:
        if question.type == "multiple_choice":
            return _judge_one(question, given)
        if question.type == "many_choice":
            return _judge_many(question, given)
        if question.type == "numeric":
            return _judge_number(question, given)
        return _judge_text(question, given)
    except LabError as error:
        return Feedback(False, tuple(str(error).splitlines()), answered=False)


def _chosen(question: Question, given: object) -> list[tuple[str, Answer]]:
    letters = [given] if isinstance(given, str) else given
    if not isinstance(letters, (list, tuple, set, frozenset)) or not all(isinstance(c, str) for c in letters):
        raise LabError("That is no choice.", 'Give the letter of an option, such as "b".')
    wanted = {letter.strip().lower() for letter in letters}
    known = {letter for letter, _ in question.options}
    if not wanted:
        raise LabError("Choose an option first.")
    if not wanted <= known:
        raise LabError("There is no such option.", f"The options are {', '.join(sorted(known))}.")
    return [(letter, answer) for letter, answer in question.options if letter in wanted]


def _judge_one(question: Question, given: object) -> Feedback:
    if given is None:
        raise LabError("Choose an option first.")
    chosen = _chosen(question, given)
    if len(chosen) > 1:
        raise LabError("This question takes one option.")
    answer = chosen[0][1]
    return Feedback(answer.correct, (answer.feedback,) if answer.feedback else ())


def _judge_many(question: Question, given: object) -> Feedback:
    if given is None:
        raise LabError("Choose at least one option first.")
    chosen = _chosen(question, given)
    lines = [
        f"{'Right' if a.correct else 'Not this one'}: {_name(a)}. {a.feedback}".strip() for _, a in chosen
    ]
    wrong = [a for _, a in chosen if not a.correct]
    missing = sum(a.correct for a in question.answers) - (len(chosen) - len(wrong))
    if missing:
        lines.append(
            "One right option is missing." if missing == 1 else f"{missing} right options are missing."
        )
    return Feedback(not wrong and not missing, tuple(lines))


def _name(answer: Answer) -> str:
    return (answer.answer or answer.code).rstrip(".")


def _judge_number(question: Question, given: object) -> Feedback:
    if given is None or given == "":
        raise LabError("Type a number first.")
    number = read_number(given, "Your answer")
    for answer in question.answers:
        if answer.range is not None:
            matches = answer.range[0] <= number < answer.range[1]
        elif answer.value is not None:
            matches = _same(number, answer.value, question.precision)
        else:
            continue
        if matches:
            return Feedback(answer.correct, (answer.feedback,) if answer.feedback else ())
    return _default(question)


def _same(number: float, expected: float, precision: int | None) -> bool:
    if precision:
        number, expected = float(f"{number:.{precision}g}"), float(f"{expected:.{precision}g}")
    return number == expected or close(number, expected, _SAME_NUMBER)


def _judge_text(question: Question, given: object) -> Feedback:
    if not isinstance(given, str) or not given.strip():
        raise LabError("Type your answer first.")
    text = given.strip()
    for answer in question.answers:
        if not answer.default and _matches(text, answer):
            return Feedback(answer.correct, (answer.feedback,) if answer.feedback else ())
    return _default(question)


def _matches(text: str, answer: Answer) -> bool:
    expected = answer.answer
    if not answer.match_case:
        text, expected = text.lower(), expected.lower()
    if text == expected:
        return True
    longest = max(len(text), len(expected))
    if not answer.fuzzy_threshold or longest > _FUZZY_LIMIT:
        return False
    return 1 - edit_distance(text, expected) / longest >= answer.fuzzy_threshold


def _default(question: Question) -> Feedback:
    lines = [answer.feedback for answer in question.answers if answer.default and answer.feedback]
    return Feedback(False, tuple(lines))


def edit_distance(a: str, b: str) -> int:
    """The Levenshtein distance: how many letters must be put in, taken out or changed."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]
