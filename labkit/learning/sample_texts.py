"""Texts to count tokens of: the sentences in ten languages, program text, and the English of this course."""

from __future__ import annotations

from pathlib import Path

from labkit import facts
from labkit.errors import LabError
from labkit.facts.parallel_texts import languages
from labkit.learning.quiz_file import load_questions, quiz_names


def sample_sentence(language: str, number: int = 1) -> str:
    """One of the parallel sentences, such as `sample_sentence("Hindi")`. LabError for an unknown language."""
    sentences = sentences_in(language)
    if not 1 <= number <= len(sentences):
        raise LabError(f"There is no sentence {number}.", f"They go from 1 to {len(sentences)}.")
    return sentences[number - 1]


def sentences_in(language: str) -> list[str]:
    """The parallel sentences in a language, in order. Raises LabError for a language that is not there."""
    known = languages()
    if language not in known:
        raise LabError(f"There are no sentences in {language!r}.", f"There are: {', '.join(known)}.")
    return [row.text for row in known[language]]


def sample_code() -> str:
    """Python: the source of this course's own byte-pair encoding."""
    return Path(__file__).with_name("bpe.py").read_text(encoding="utf-8")


def course_english() -> str:
    """English prose of this course: what its quizzes and its myth checks say."""
    lines = [f"{row['claim']} {row['truth']}" for row in facts.table("myths")]
    for name in quiz_names():
        for question in load_questions(name)[1]:
            lines.append(question.question)
            lines += [f"{answer.answer} {answer.feedback}".strip() for answer in question.answers]
    return "\n".join(lines)
