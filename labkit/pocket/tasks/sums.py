"""Sums: two terms, chains of three to five, and little stories, with and without written steps.

Held out are 12 % of the pairs of two-digit numbers (in both orders, also inside longer chains) and
10 % of the chains and of the stories' numbers. Taught in chapters 10 and 15.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from labkit.pocket.document import Case, Conversation, Document
from labkit.pocket.tasks.split import different, is_held_out
from labkit.pocket.tasks.words import NAMES, PRONOUNS

#: no sum of the training texts is larger
LARGEST = 199

_ASKED = (
    "What is {a} + {b}?", "{a} + {b} = ?", "Add {a} and {b}.", "How much is {a} + {b}?", "{a} + {b}",
    "Calculate {a} + {b}.", "What is {a} plus {b}?", "What is the sum of {a} and {b}?",
)  # fmt: skip
_STATED = ("{a} + {b} = {c}.",) * 4 + (
    "{a} plus {b} is {c}.", "The sum of {a} and {b} is {c}.", "{a} and {b} make {c}.",
)  # fmt: skip
_DIRECT = ("Answer at once: {q}", "{q}\nGive only the number.", "Only the number: {q}")
_STEPS = ("Step by step: {q}", "{q}\nThink step by step.", "{q}\nShow your steps.")
_THINGS = (
    "apples", "books", "coins", "cards", "eggs", "stamps", "shells", "nuts", "pens", "stones", "cakes",
    "plums",
)  # fmt: skip
_KINDS = ("sum-two-digits", "chain-direct", "chain-steps", "word-problem-direct", "word-problem-steps")


@dataclass(frozen=True)
class Problem:
    """A question whose answer is a sum of several terms.

    Attributes
    ----------
    question : in words or signs, without the request for an answer at once or step by step.
    terms : added one after the other; a negative one is taken away.
    """

    question: str
    terms: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.terms)

    @property
    def steps(self) -> str:
        """`"23 + 45 = 68. 68 + 18 = 86. The answer is 86."`"""
        total, steps = self.terms[0], []
        for term in self.terms[1:]:
            steps.append(f"{total} {'-' if term < 0 else '+'} {abs(term)} = {total + term}.")
            total += term
        return " ".join(steps) + f" The answer is {total}."


@cache
def _held_out_pairs() -> frozenset[tuple[int, int]]:
    pairs = [(a, b) for a in range(10, 100) for b in range(a, 100) if is_held_out(f"sum {a} {b}", 12)]
    return frozenset(pairs) | {(b, a) for a, b in pairs}


def _two_digits(rng: Random) -> int:
    return 10 + int(rng.random() * 90)


def _pair(rng: Random) -> tuple[int, int]:
    """Two terms that may be in a training text: mostly of two digits each."""
    while True:
        draw = rng.random()
        if draw < 0.75:
            a, b = _two_digits(rng), _two_digits(rng)
        elif draw < 0.85:
            a, b = int(rng.random() * 100), int(rng.random() * 10)
        else:
            b = _two_digits(rng)
            a = 100 + int(rng.random() * (LARGEST - 99 - b))
        if (a, b) not in _held_out_pairs():
            return (a, b) if draw < 0.8 or draw > 0.9 else (b, a)


def _chain(rng: Random, *, held_out: bool) -> tuple[int, ...]:
    """Three to five terms of two digits whose neighbours and partial sums are no held-out pair."""
    n_terms = 3 + int(rng.random() * 3)
    span = (0, 0, 0, 75, 55, 40)[n_terms]
    while True:
        terms = tuple(10 + int(rng.random() * span) for _ in range(n_terms))
        if sum(terms) > LARGEST or not _may_be_told(terms):
            continue
        if is_held_out("chain " + " ".join(map(str, terms))) == held_out:
            return terms


def _may_be_told(terms: tuple[int, ...]) -> bool:
    held_out, total = _held_out_pairs(), terms[0]
    for before, term in zip(terms, terms[1:], strict=False):
        if (before, term) in held_out or (total, term) in held_out:
            return False
        total += term
    return True


def _story(rng: Random, *, held_out: bool) -> Problem:
    """A word problem of two steps: something comes, then something comes or goes."""
    while True:
        a, b = 10 + int(rng.random() * 70), 10 + int(rng.random() * 70)
        total = a + b
        away = rng.random() < 0.4
        c = (
            -(10 + int(rng.random() * (total - 19)))
            if away
            else 10 + int(rng.random() * (LARGEST - total - 9))
        )
        if abs(c) > 99 or not _may_be_told((a, b) if away else (a, b, c)):
            continue
        if is_held_out(f"story {a} {b} {c}") == held_out:
            return Problem(_told(rng, a, b, c), (a, b, c))


def _told(rng: Random, a: int, b: int, c: int) -> str:
    name, things = rng.choice(NAMES), rng.choice(_THINGS)
    he = PRONOUNS[name].capitalize()
    first = rng.choice((f"{name} has {a} {things}.", f"There are {a} {things} in the box of {name}."))
    more = rng.choice((f"{he} buys {b} more.", f"{he} gets {b} more.", f"{he} finds {b} more."))
    if c < 0:
        then = rng.choice((f"Then {he.lower()} gives away {-c}.", f"Then {he.lower()} loses {-c}."))
    else:
        then = rng.choice((f"Then {he.lower()} gets {c} more.", f"Then {he.lower()} buys {c} more."))
    return f"{first} {more} {then} How many {things} does {name} have now?"


def problem(rng: Random, *, story: bool, held_out: bool = True) -> Problem:
    """A chain of three to five terms, or a little story of two steps.

    With `held_out` no training problem of the same sort has its numbers in this order.
    Taught in chapters 10 and 15.
    """
    if story:
        return _story(rng, held_out=held_out)
    terms = _chain(rng, held_out=held_out)
    signs = " + ".join(map(str, terms))
    return Problem(f"What is {signs}?" if rng.random() < 0.5 else signs, terms)


def asked_directly(rng: Random, problem: Problem) -> str:
    """The question with a request for the number alone, in one of several wordings."""
    return rng.choice(_DIRECT).format(q=problem.question)


def asked_for_steps(rng: Random, problem: Problem) -> str:
    """The question with a request for written steps, in one of several wordings."""
    return rng.choice(_STEPS).format(q=problem.question)


def _exchange(rng: Random) -> tuple[str, str, str]:
    """A question, its answer, its kind: nothing of it is held out."""
    draw = rng.random()
    if draw < 0.5:
        a, b = _pair(rng)
        return rng.choice(_ASKED).format(a=a, b=b), str(a + b), "sum"
    story = draw < 0.75
    asked = problem(rng, story=story, held_out=False)
    kind = "word-problem" if story else "chain"
    if rng.random() < 0.35:
        return asked_directly(rng, asked), str(asked.total), kind
    return asked_for_steps(rng, asked), asked.steps, kind


def _difference(rng: Random) -> str:
    a, b = _two_digits(rng), _two_digits(rng)
    return f"{max(a, b)} - {min(a, b)} = {abs(a - b)}."


def _stated(rng: Random) -> str:
    if rng.random() < 0.15:
        return _difference(rng)
    a, b = _pair(rng)
    return rng.choice(_STATED).format(a=a, b=b, c=a + b)


def drills(rng: Random) -> Iterator[Document]:
    """Without end: sums of two-digit numbers in one form."""
    while True:
        sums = []
        for _ in range(rng.randrange(4, 10)):
            a, b = _pair(rng)
            sums.append(f"{a} + {b} = {a + b}.")
        yield Document("\n".join(sums), "sum-drill")


def documents(rng: Random) -> Iterator[Document]:
    """Without end: lists of sums, and problems with their answers."""
    while True:
        if rng.random() < 0.5:
            separator = "\n" if rng.random() < 0.5 else " "
            yield Document(separator.join(_stated(rng) for _ in range(rng.randrange(4, 10))), "sum")
        else:
            asked = [_exchange(rng) for _ in range(rng.randrange(2, 5))]
            yield Document(
                "\n".join(f"Question: {question}\nAnswer: {answer}" for question, answer, _ in asked),
                asked[0][2],
            )


def conversations(rng: Random) -> Iterator[Conversation]:
    """Without end: one to three problems, each with its answer."""
    while True:
        asked = [_exchange(rng) for _ in range(rng.randrange(1, 4))]
        yield Conversation(
            tuple(text for question, answer, _ in asked for text in (question, answer)), asked[0][2]
        )


def _first_number_is(total: int) -> Callable[[str], bool]:
    def correct(reply: str) -> bool:
        numbers = re.findall(r"\d+", reply)
        return bool(numbers) and numbers[0] == str(total)

    return correct


def _concludes(total: int) -> Callable[[str], bool]:
    def correct(reply: str) -> bool:
        said = re.search(r"The answer is (\d+)\b", reply)
        return bool(said) and said[1] == str(total)

    return correct


def _case(rng: Random, kind: str) -> Case:
    if kind == "sum-two-digits":
        a, b = rng.choice(sorted(_held_out_pairs()))
        return Case(
            rng.choice(_ASKED).format(a=a, b=b), _first_number_is(a + b), str(a + b), kind, max_tokens=8
        )
    asked = problem(rng, story=kind.startswith("word"))
    if kind.endswith("direct"):
        right = _first_number_is(asked.total)
        return Case(asked_directly(rng, asked), right, str(asked.total), kind, max_tokens=8)
    return Case(asked_for_steps(rng, asked), _concludes(asked.total), asked.steps, kind, max_tokens=80)


def held_out(n: int, seed: int, kinds: tuple[str, ...] = _KINDS) -> list[Case]:
    """`n` different questions, the kinds in turn."""
    rng = Random(seed)
    return different(n, kinds, lambda kind: _case(rng, kind))
