"""Questions with four options: one right option each, letters without a favourite, nothing held out asked."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from labkit.pocket.tasks import choices
from labkit.pocket.tasks.choices import LETTERS, held_out
from labkit.pocket.tasks.words import CATEGORIES, CATEGORY_OF, ONE_OF, OPPOSITE_OF
from labkit.pocket.world import Fact, world
from labkit.pocket.world_questions import held_out_questions, training_questions
from tests.pocket.world_texts import text_of

_ITEM = re.compile(r"(?:Question: )?([^\n]+)\nA\) (.+)\nB\) (.+)\nC\) (.+)\nD\) (.+)")
#: what each question about the world is about
FACTS: dict[str, Fact] = {
    question: fact
    for fact in world().facts
    for question in (*training_questions(fact), *held_out_questions(fact))
}
_PLURAL = {single: plural for plural, single in ONE_OF.items()}


def is_right(question: str, option: str) -> bool:
    """Worked out from the question alone."""
    if question in FACTS:
        return FACTS[question].value == option
    if said := re.fullmatch(r"What is the opposite of (\w+)\?", question):
        return OPPOSITE_OF[said[1]] == option
    said = re.fullmatch(r"Which of these is (not )?(.+)\?", question)
    assert said, question
    return (CATEGORY_OF[option] == _PLURAL[said[2]]) != bool(said[1])


def right_letters(question: str, options: tuple[str, ...]) -> str:
    if question.startswith("Which number"):
        best = max(options) if "largest" in question else min(options)
        return "".join(letter for letter, option in zip(LETTERS, options, strict=True) if option == best)
    return "".join(
        letter for letter, option in zip(LETTERS, options, strict=True) if is_right(question, option)
    )


def split(text: str) -> tuple[str, tuple[str, ...]]:
    """The question and its options."""
    question, *options = _ITEM.match(text).groups()
    return question, tuple(options)


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, tuple[str, ...], str]]:
    """Question, options and letter, from documents, conversations and lessons."""
    found = []
    for document in islice(choices.documents(Random(2)), 4000):
        for text in re.findall(r"(Question: .*?\nAnswer: \w)(?=\n|\Z)", document.text, re.DOTALL):
            found.append((*split(text), text[-1]))
    for talk in islice(choices.conversations(Random(2)), 2500):
        for text, letter in zip(talk.turns[::2], talk.turns[1::2], strict=True):
            assert text.endswith("\nAnswer with a letter.")
            found.append((*split(text), letter))
    for talk in islice(choices.lessons(Random(2)), 2500):
        for text, reply in zip(talk.turns[::2], talk.turns[1::2], strict=True):
            assert text.endswith("\nSay the option, then its letter.")
            question, options = split(text)
            letter = reply[-1]
            assert reply == f"It is {options[LETTERS.index(letter)]}: {letter}"
            found.append((question, options, letter))
    return found


def test_the_letter_is_that_of_the_one_right_option(asked: list[tuple[str, tuple[str, ...], str]]) -> None:
    assert len(asked) > 9000
    for question, options, letter in asked:
        assert right_letters(question, options) == letter, (question, options)
        assert len(set(options)) == 4


def test_no_letter_is_a_favourite(asked: list[tuple[str, tuple[str, ...], str]]) -> None:
    counts = Counter(letter for _, _, letter in asked)
    assert set(counts) == set(LETTERS)
    # 0.25 within four standard errors
    assert all(abs(n / len(asked) - 0.25) < 4 * (0.1875 / len(asked)) ** 0.5 for n in counts.values())


def test_no_training_question_asks_for_what_is_held_out(
    asked: list[tuple[str, tuple[str, ...], str]],
) -> None:
    told = {(question, options[LETTERS.index(letter)]) for question, options, letter in asked}
    facts = {FACTS[question].name for question, _ in told if question in FACTS}
    assert len(facts) > 0.6 * len(world().facts)
    assert facts.isdisjoint(world().unasked)
    for case in held_out(600, 4):
        question, options = split(case.prompt)
        letter = case.answer[-1]
        right = options[LETTERS.index(letter)]
        assert letter == right_letters(question, options)
        assert case.answer == (f"It is {right}: {letter}" if case.kind.endswith("-steps") else letter)
        if question.startswith("Which number"):
            assert not any(question == q and set(options) == set(others) for q, others, _ in asked)
        else:
            assert (question, right) not in told
        if case.kind.startswith("choice-world"):
            assert FACTS[question].name not in facts


def test_held_out_questions_about_the_world_are_of_both_sorts() -> None:
    names = {FACTS[split(case.prompt)[0]].name for case in held_out(100, 4, ("choice-world",))}
    assert names & world().unasked
    assert names - world().unasked


def test_texts_name_the_facts_that_they_tell_and_leave_out_what_they_must() -> None:
    left = frozenset(fact.name for fact in world().facts[::3])
    told: set[str] = set()
    documents = islice(choices.documents(Random(3), left), 3000)
    talks = islice(choices.conversations(Random(3), left), 2000)
    for item in (*documents, *talks):
        questions = re.findall(r"^(?:Question: )?(.+)\nA\) ", text_of(item), re.MULTILINE)
        assert set(item.facts) == {FACTS[q].name for q in questions if q in FACTS}
        told |= set(item.facts)
    assert len(told) > 150
    assert told.isdisjoint(left)


def test_sentences_of_common_sense_are_true() -> None:
    text = " ".join(d.text for d in islice(choices.documents(Random(5)), 3000) if d.kind == "common-sense")
    for thing, single in re.findall(r"(?:An?|^|(?<=\. ))\s?(\w+) is ([^.]*?)\.", text):
        if single in _PLURAL:
            name = thing if thing in CATEGORY_OF else thing.lower()
            assert name in CATEGORIES[_PLURAL[single]], (thing, single)
    opposites = re.findall(r"The opposite of (\w+) is (\w+)\.", text)
    assert len(set(opposites)) == len(OPPOSITE_OF)
    assert all(OPPOSITE_OF[one] == other for one, other in opposites)
    assert all(int(a) > int(b) for a, b in re.findall(r"(\d+) is larger than (\d+)", text))
    assert all(int(a) < int(b) for a, b in re.findall(r"(\d+) is smaller than (\d+)", text))


@pytest.mark.parametrize("mark", ["", ")"])
def test_drills_say_each_option_twice_with_the_letter_that_stands_before_it(mark: str) -> None:
    sizes = set()
    for talk in islice(choices.drills(Random(4), mark), 300):
        asked, said = talk.turns
        *lines, request = asked.splitlines()
        options = dict(line.split(f"{mark} ") for line in lines)
        assert request == "Say each option twice, with its letter."
        assert Counter(said.splitlines()) == {f"It is {o}: {letter}": 2 for letter, o in options.items()}
        assert "".join(options) == LETTERS[: len(options)]
        sizes.add(len(options))
    assert sizes == {2, 3, 4}


def test_with_steps_the_letter_counts_that_follows_the_option() -> None:
    case = held_out(1, 1, ("choice-general-steps",))[0]
    option, letter = case.answer.removeprefix("It is ").split(": ")
    wrong = next(other for other in LETTERS if other != letter)
    for reply in (case.answer, f"{case.answer}.", f"{option}: {letter}", f"It is another one: {letter}"):
        assert case.correct(reply), reply
    for reply in (
        letter,
        f"{letter}) {option}",
        f"It is {option}",
        f"It is {option}: {wrong}",
        f"{option}: {wrong}: {letter}",
    ):
        assert not case.correct(reply), reply


def test_the_judge_takes_the_letter_alone_or_first() -> None:
    case = held_out(1, 1, ("choice-world",))[0]
    wrong = next(letter for letter in LETTERS if letter != case.answer)
    for reply in (case.answer, f" {case.answer}) owl", f"({case.answer})", f"{case.answer}."):
        assert case.correct(reply), reply
    for reply in (wrong, f"{wrong}, not {case.answer}", case.answer.lower(), f"{case.answer}x", "owl"):
        assert not case.correct(reply), reply
