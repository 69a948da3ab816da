"""Questions with four options, to be answered with a letter: about the world, and of common sense.

A small model does not learn to find an answer and its letter in one go. So `lessons` teach saying the option
first, and its letter after it; `drills` teach nothing but which letter stands before which option.

Held out are 12 % of the questions with their right options, and the world's facts that nobody asks for.
Taught in chapter 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from labkit.pocket.document import Case, Conversation, Document
from labkit.pocket.tasks.split import different, is_held_out
from labkit.pocket.tasks.words import (
    CATEGORIES,
    CATEGORY_OF,
    ONE_OF,
    OPPOSITE_OF,
    THINGS,
    WITH_OPPOSITE,
    named,
)
from labkit.pocket.world import Fact, world
from labkit.pocket.world_questions import held_out_questions, training_questions
from labkit.pocket.world_wordings import capital

LETTERS = "ABCD"

_ANSWER_WITH = "\nAnswer with a letter."
_SAY_FIRST = "\nSay the option, then its letter."
_STEPS = "-steps"
_DIRECT = ("choice-world", "choice-general")
_KINDS = (*_DIRECT, *(kind + _STEPS for kind in _DIRECT))
_CATEGORIES = tuple(CATEGORIES)


@dataclass(frozen=True)
class _Item:
    """A question with its right option and three wrong ones; the name of the fact it asks for, if any."""

    question: str
    right: str
    wrong: list[str]
    fact: str = ""


def _opposite(rng: Random) -> _Item:
    word = rng.choice(WITH_OPPOSITE)
    right = OPPOSITE_OF[word]
    wrong: list[str] = []
    while len(wrong) < 3:
        other = rng.choice(WITH_OPPOSITE)
        if other not in (word, right, *wrong):
            wrong.append(other)
    return _Item(f"What is the opposite of {word}?", right, wrong)


def _category(rng: Random) -> _Item:
    category, *others = rng.sample(_CATEGORIES, 4)
    right, *wrong = (rng.choice(CATEGORIES[name]) for name in (category, *others))
    return _Item(f"Which of these is {ONE_OF[category]}?", right, wrong)


def _odd_one_out(rng: Random) -> _Item:
    category, other = rng.sample(_CATEGORIES, 2)
    question = f"Which of these is not {ONE_OF[category]}?"
    return _Item(question, rng.choice(CATEGORIES[other]), rng.sample(CATEGORIES[category], 3))


def _number(rng: Random) -> _Item:
    numbers = sorted(rng.sample(range(10, 100), 4))
    size = "largest"
    if rng.random() < 0.5:
        numbers.reverse()
        size = "smallest"
    right, *wrong = map(str, reversed(numbers))
    return _Item(f"Which number is the {size}?", right, wrong)


_MAKERS = (_opposite, _category, _category, _odd_one_out, _number)


def _general(rng: Random, *, held_out: bool = False) -> _Item:
    while True:
        item = rng.choice(_MAKERS)(rng)
        # which of four numbers is the largest is a matter of all four
        options = " ".join(sorted(item.wrong)) if item.right.isdigit() else ""
        if is_held_out(f"choice {item.question} {item.right} {options}", 12) == held_out:
            return item


#: facts that may be asked for, each with its questions and the relation's values
_Askable = tuple[tuple[Fact, tuple[str, ...], tuple[str, ...]], ...]


@cache
def _askable(leave_out: frozenset[str]) -> _Askable:
    """What training may ask: no unasked fact, none in `leave_out`, none of the 12 % held out here."""
    return tuple(
        (fact, questions, _values(fact))
        for fact in world().facts
        if fact.name not in leave_out and not is_held_out(f"choice {fact.name}", 12)
        if (questions := training_questions(fact))
    )


@cache
def _never_asked() -> _Askable:
    """The facts that no question with options asks for in training."""
    unasked = world().unasked
    return tuple(
        (fact, held_out_questions(fact) if fact.name in unasked else training_questions(fact), _values(fact))
        for fact in world().facts
        if fact.name in unasked or (is_held_out(f"choice {fact.name}", 12) and training_questions(fact))
    )


def _values(fact: Fact) -> tuple[str, ...]:
    """The wrong values that a fact could have had."""
    return tuple(v for v in world().relations[fact.relation].values if v not in (fact.value, fact.subject))


def _about_the_world(rng: Random, askable: _Askable) -> _Item:
    fact, questions, values = rng.choice(askable)
    return _Item(rng.choice(questions), fact.value, rng.sample(values, 3), fact.name)


def options_text(rng: Random, question: str, right: str, wrong: list[str]) -> tuple[str, str]:
    """The question with its four options in random order, and the letter of the right one."""
    options = [right, *wrong]
    rng.shuffle(options)
    return f"{question}\n{_listed(options)}", LETTERS[options.index(right)]


def _listed(options: Sequence[str], mark: str = ")") -> str:
    return "\n".join(f"{letter}{mark} {option}" for letter, option in zip(LETTERS, options, strict=False))


def _said(option: str, letter: str) -> str:
    return f"It is {option}: {letter}"


def _told(rng: Random) -> str:
    """A sentence that tells what the questions ask for."""
    draw = rng.random()
    if draw < 0.5:
        thing = rng.choice(THINGS)
        return f"{capital(named(thing))} is {ONE_OF[CATEGORY_OF[thing]]}."
    if draw < 0.8:
        word = rng.choice(WITH_OPPOSITE)
        return f"The opposite of {word} is {OPPOSITE_OF[word]}."
    small, large = sorted(rng.sample(range(10, 100), 2))
    return f"{large} is larger than {small}." if rng.random() < 0.5 else f"{small} is smaller than {large}."


def _asked(rng: Random, askable: _Askable, most: int) -> tuple[list[tuple[str, str]], str, tuple[str, ...]]:
    """One to `most` questions with their letters, all of one kind; the kind; the facts they tell."""
    about_the_world = rng.random() < 0.45
    n = 1 + int(rng.random() * most)
    items = [_about_the_world(rng, askable) if about_the_world else _general(rng) for _ in range(n)]
    texts = [options_text(rng, item.question, item.right, item.wrong) for item in items]
    if about_the_world:
        return texts, "choice-world", tuple(dict.fromkeys(item.fact for item in items))
    return texts, "choice-general", ()


def documents(rng: Random, leave_out: frozenset[str] = frozenset()) -> Iterator[Document]:
    """Without end: questions with options and letters, or what one has to know for them.

    `leave_out` names facts of the world that no question asks for.
    """
    askable = _askable(leave_out)
    while True:
        if rng.random() < 0.3:
            yield Document(" ".join(_told(rng) for _ in range(rng.randrange(3, 9))), "common-sense")
            continue
        texts, kind, facts = _asked(rng, askable, 4)
        yield Document(
            "\n".join(f"Question: {asked}\nAnswer: {letter}" for asked, letter in texts), kind, facts
        )


def conversations(rng: Random, leave_out: frozenset[str] = frozenset()) -> Iterator[Conversation]:
    """Without end: one to three questions, each answered with a letter; `leave_out` as in `documents`."""
    askable = _askable(leave_out)
    while True:
        texts, kind, facts = _asked(rng, askable, 3)
        turns = tuple(text for asked, letter in texts for text in (asked + _ANSWER_WITH, letter))
        yield Conversation(turns, kind, facts)


def lessons(rng: Random) -> Iterator[Conversation]:
    """Without end: as `conversations`, but each answer says the option before its letter."""
    askable = _askable(frozenset())
    while True:
        texts, kind, facts = _asked(rng, askable, 3)
        turns = tuple(
            text
            for asked, letter in texts
            for text in (asked + _SAY_FIRST, _said(_option(asked, letter), letter))
        )
        yield Conversation(turns, kind + _STEPS, facts)


def drills(rng: Random, mark: str = ")") -> Iterator[Conversation]:
    """Without end: two to four options, then each of them twice with its letter, in random order.

    `mark` stands between letter and option; a model learns sooner where nothing does.
    """
    while True:
        options = rng.sample(THINGS, rng.choice((2, 3, 4, 4)))
        said = [_said(option, letter) for letter, option in zip(LETTERS, options, strict=False)] * 2
        rng.shuffle(said)
        asked = f"{_listed(options, mark)}\nSay each option twice, with its letter."
        yield Conversation((asked, "\n".join(said)), "choice-drill")


def _option(asked: str, letter: str) -> str:
    return next(line[3:] for line in asked.splitlines() if line.startswith(f"{letter}) "))


def _is_letter(letter: str, *, after_option: bool) -> Callable[[str], bool]:
    """Whether a reply gives the letter: at its start, or after the colon that follows an option."""
    form = re.compile(r"[^\n:]*: ([A-D])\b" if after_option else r"\W*([A-D])\b")

    def correct(reply: str) -> bool:
        said = form.match(reply)
        return bool(said) and said[1] == letter

    return correct


def _case(rng: Random, kind: str) -> Case:
    subject, steps = kind.removesuffix(_STEPS), kind.endswith(_STEPS)
    item = (
        _about_the_world(rng, _never_asked()) if subject == "choice-world" else _general(rng, held_out=True)
    )
    asked, letter = options_text(rng, item.question, item.right, item.wrong)
    correct = _is_letter(letter, after_option=steps)
    if steps:
        return Case(asked + _SAY_FIRST, correct, _said(item.right, letter), kind, max_tokens=16)
    return Case(asked + _ANSWER_WITH, correct, letter, kind, max_tokens=4)


def held_out(n: int, seed: int, kinds: tuple[str, ...] = _KINDS) -> list[Case]:
    """`n` different questions, the kinds in turn. Kinds with steps want the option before its letter."""
    rng = Random(seed)
    return different(n, kinds, lambda kind: _case(rng, kind))
