"""Constraints: every training answer keeps its own, and a reply that breaks one is found out."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest

from labkit.pocket.tasks import constraints, prose
from labkit.pocket.tasks.constraints import held_out
from labkit.pocket.tasks.words import CATEGORIES, CATEGORY_OF, ONE_OF, OPPOSITE_OF

KINDS = tuple(dict.fromkeys(case.kind for case in held_out(7, 1)))
_PLURAL = {single: plural for plural, single in ONE_OF.items()}


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[str, str]]:
    found = []
    for document in islice(constraints.documents(Random(4)), 3000):
        found += re.findall(r"Question: (.*)\nAnswer: (.*)", document.text)
    for talk in islice(constraints.conversations(Random(4)), 3000):
        found += zip(talk.turns[::2], talk.turns[1::2], strict=True)
    return found


def n_words(text: str) -> int:
    return len(text.split())


def kept(question: str, answer: str) -> bool:
    """Whether an answer does what its question asks for, worked out from both alone."""
    words = re.findall(r"\w+", answer)
    if "capital" in question:
        return answer == question.partition(": ")[2].upper()
    if said := re.search(r"(\d) words", question):
        return n_words(answer) == int(said[1])
    if said := re.search(r"(?:word (\w+) (\d) times|(\d) times: (\w+))", question):
        word, n = (said[1], said[2]) if said[1] else (said[4], said[3])
        return answer == " ".join([word] * int(n))
    if said := re.search(r"(?:ends with the word|End with the word|last word must be) (\w+)", question):
        return words[-1] == said[1]
    if said := re.search(r"(?:egins? with the word|Start with) (\w+)", question):
        return words[0] == said[1]
    if re.search(r"yes or no", question, re.IGNORECASE):
        return answer == ("Yes." if is_true(question) else "No.")
    said = re.search(r"(\d) ([a-z ]+?)(?: do you know)?[.?]$", question)
    assert said, question
    things = answer.split(", ")
    return len(set(things)) == len(things) == int(said[1]) and set(things) <= set(CATEGORIES[said[2]])


def is_true(question: str) -> bool:
    if said := re.search(r"Is (\w+) the opposite of (\w+)\?", question):
        return OPPOSITE_OF[said[1]] == said[2]
    said = re.search(r"Is (?:an? )?(\w+) (an? .+?)\?", question)
    return CATEGORY_OF[said[1]] == _PLURAL[said[2]]


def test_every_training_answer_keeps_its_constraint(exchanges: list[tuple[str, str]]) -> None:
    assert len(exchanges) > 10_000
    for question, answer in exchanges:
        assert kept(question, answer), (question, answer)


def test_yes_is_as_frequent_as_no(exchanges: list[tuple[str, str]]) -> None:
    said = [answer for question, answer in exchanges if answer in ("Yes.", "No.")]
    assert len(said) > 1000
    assert said.count("Yes.") / len(said) == pytest.approx(0.5, abs=0.06)


def test_every_kind_is_trained_and_tested() -> None:
    kinds = {document.kind for document in islice(constraints.documents(Random(1)), 300)}
    assert kinds == set(KINDS)
    assert len(KINDS) == 7


def test_no_training_question_is_a_held_out_one(exchanges: list[tuple[str, str]]) -> None:
    asked = {question for question, _ in exchanges}
    assert asked.isdisjoint(case.prompt for case in held_out(350, 1))


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("constraint-capitals", lambda answer: answer.capitalize()),
        ("constraint-capitals", lambda answer: answer + " YES."),
        ("constraint-exactly-n-words", lambda answer: answer + " Really."),
        ("constraint-exactly-n-words", lambda answer: answer.partition(" ")[2]),
        ("constraint-list", lambda answer: answer + ", cat"),
        ("constraint-list", lambda answer: answer.replace(", ", " ")),
        ("constraint-list", lambda answer: ", ".join([answer.split(", ")[0]] * n_words(answer))),
        ("constraint-list", lambda answer: "stone" + answer[answer.index(",") :]),
        ("constraint-begin", lambda answer: "Well, " + answer),
        ("constraint-begin", lambda answer: answer.split()[0]),
        ("constraint-end", lambda answer: answer + " Yes."),
        ("constraint-end", lambda answer: answer.split()[-1]),
        ("constraint-yes-or-no", lambda answer: "No." if answer == "Yes." else "Yes."),
        ("constraint-yes-or-no", lambda answer: "Yes and no."),
        ("constraint-repeat", lambda answer: answer + " " + answer.split()[0]),
        ("constraint-repeat", lambda answer: answer.rpartition(" ")[0]),
        ("constraint-repeat", lambda answer: answer.replace(answer.split()[0], "stone")),
    ],
)
def test_a_broken_constraint_is_found_out(kind: str, damage: object) -> None:
    for case in held_out(20, 3, kinds=(kind,)):
        assert case.correct(case.answer)
        assert not case.correct(damage(case.answer)), (case.prompt, damage(case.answer))


def test_other_right_answers_are_right() -> None:
    for case in held_out(20, 3, kinds=("constraint-begin",)):
        word = re.search(r"(?:word|Start with) (\w+)", case.prompt)[1]
        assert case.correct(f"{word.lower()} nothing happens at all")
    for case in held_out(20, 3, kinds=("constraint-yes-or-no",)):
        assert case.correct(case.answer.lower().rstrip(".") + ", of course")


@pytest.mark.parametrize("n", range(3, 9))
def test_sentences_have_exactly_as_many_words_as_wanted(n: int) -> None:
    for seed in range(200):
        sentence = prose.sentence_of(Random(seed), n, "dog")
        assert n_words(sentence) == n
        assert " dog " in sentence and sentence[0] == "T" and sentence[-1] == "."
