"""Following one constraint: capitals, a number of words, a first or last word, yes or no, a list, repeating.

Held out are 10 % to 25 % of the items of each constraint. Taught in chapter 13.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

from labkit.pocket.document import Case, Conversation, Document
from labkit.pocket.tasks import prose
from labkit.pocket.tasks.split import different, is_held_out
from labkit.pocket.tasks.words import (
    CATEGORIES,
    CATEGORY_OF,
    NAMES,
    ONE_OF,
    OPPOSITE_OF,
    THINGS,
    WITH_OPPOSITE,
    named,
)

_FIRST_WORDS = ("Today", "Tonight", "Now", "Sometimes", "Often", "Here", "Maybe", "Soon", "Still", "Outside")
_LAST_WORDS = prose.PLACES + prose.ADVERBS
_CATEGORIES = tuple(CATEGORIES)

#: a question, a right answer, the held-out item, and a checker of answers
_Task = tuple[str, str, str, Callable[[str], bool]]


def _words(reply: str) -> list[str]:
    return re.findall(r"[\w']+", reply)


def _capitals(rng: Random) -> _Task:
    told = prose.sentence_of(rng, rng.randrange(3, 8))
    asked = rng.choice(("Write this in capitals: {}", "In capital letters: {}", "Say this in capitals: {}"))
    wanted = told.upper()
    return asked.format(told), wanted, told, lambda reply: _words(reply) == _words(wanted)


def _exactly(rng: Random) -> _Task:
    n, noun = rng.randrange(3, 9), rng.choice(prose.NOUNS)
    asked = rng.choice(
        (
            "Write a sentence of exactly {n} words about a {noun}.",
            "Write exactly {n} words about a {noun}.",
            "Tell me about a {noun} in exactly {n} words.",
            "In exactly {n} words: what does the {noun} do?",
            "A sentence of {n} words about a {noun}.",
        )
    )
    answer = prose.sentence_of(rng, n, noun)
    return asked.format(n=n, noun=noun), answer, f"{n} {noun}", lambda reply: len(_words(reply)) == n


def _list(rng: Random) -> _Task:
    n, category = rng.randrange(2, 7), rng.choice(_CATEGORIES)
    asked = rng.choice(
        (
            "Name {n} {category}.",
            "List {n} {category}.",
            "Tell me {n} {category}.",
            "Give me {n} {category}.",
            "Which {n} {category} do you know?",
            "I need {n} {category}.",
        )
    )
    known = CATEGORIES[category]

    def correct(reply: str) -> bool:
        things = [thing.strip().casefold() for thing in reply.strip().rstrip(".").split(",")]
        return len(things) == len(set(things)) == n and set(things) <= {thing.casefold() for thing in known}

    return asked.format(n=n, category=category), ", ".join(rng.sample(known, n)), f"{n} {category}", correct


def _begin(rng: Random) -> _Task:
    noun = rng.choice(prose.NOUNS)
    if rng.random() < 0.5:
        word = rng.choice(_FIRST_WORDS)
        answer = f"{word} the {noun} {rng.choice(prose.VERBS)} {rng.choice(prose.PREPOSITIONS)} the"
    else:
        word = rng.choice(NAMES)
        answer = f"{word} sees the {noun} {rng.choice(prose.PREPOSITIONS)} the"
    asked = rng.choice(
        (
            "Write a sentence about a {noun} that begins with the word {word}.",
            "Begin with the word {word} and write about a {noun}.",
            "Start with {word}: a sentence about a {noun}.",
        )
    )

    def correct(reply: str) -> bool:
        words = _words(reply)
        return len(words) >= 3 and words[0].casefold() == word.casefold()

    answer += f" {rng.choice(prose.PLACES)}."
    return asked.format(noun=noun, word=word), answer, f"{word} {noun}", correct


def _end(rng: Random) -> _Task:
    noun, word = rng.choice(prose.NOUNS), rng.choice(_LAST_WORDS)
    start = f"The {noun} {rng.choice(prose.VERBS)}"
    is_place = word in prose.PLACES
    answer = f"{start} {rng.choice(prose.PREPOSITIONS)} the {word}." if is_place else f"{start} {word}."
    asked = rng.choice(
        (
            "Write a sentence about a {noun} that ends with the word {word}.",
            "End with the word {word} and write about a {noun}.",
            "Write about a {noun}. The last word must be {word}.",
        )
    )

    def correct(reply: str) -> bool:
        words = _words(reply)
        return len(words) >= 3 and words[-1].casefold() == word

    return asked.format(noun=noun, word=word), answer, f"{word} {noun}", correct


def _yes_or_no(rng: Random) -> _Task:
    right = rng.random() < 0.5
    if rng.random() < 0.7:
        thing = rng.choice(THINGS)
        category = CATEGORY_OF[thing]
        if not right:
            category = rng.choice([other for other in CATEGORIES if other != category])
        question = f"Is {named(thing)} {ONE_OF[category]}?"
    else:
        word = rng.choice(WITH_OPPOSITE)
        other = OPPOSITE_OF[word]
        while not right and other in (word, OPPOSITE_OF[word]):
            other = rng.choice(WITH_OPPOSITE)
        question = f"Is {word} the opposite of {other}?"
    asked = rng.choice(("Answer yes or no: {}", "{} Answer yes or no.", "Yes or no? {}"))
    wanted = "yes" if right else "no"
    return (
        asked.format(question),
        wanted.capitalize() + ".",
        question,
        lambda reply: {"yes", "no"} & set(_words(reply.casefold())) == {wanted},
    )


def _repeat(rng: Random) -> _Task:
    n, word = rng.randrange(2, 7), rng.choice(THINGS)
    asked = rng.choice(
        ("Say the word {word} {n} times.", "Repeat the word {word} {n} times.", "{n} times: {word}")
    )
    return (
        asked.format(n=n, word=word),
        " ".join([word] * n),
        f"{n} {word}",
        lambda reply: [w.casefold() for w in _words(reply)] == [word.casefold()] * n,
    )


#: each constraint: who makes a task, and the percentage of items held out
_TASKS: dict[str, tuple[Callable[[Random], _Task], int]] = {
    "constraint-capitals": (_capitals, 10),
    "constraint-exactly-n-words": (_exactly, 25),
    "constraint-list": (_list, 25),
    "constraint-begin": (_begin, 10),
    "constraint-end": (_end, 10),
    "constraint-yes-or-no": (_yes_or_no, 10),
    "constraint-repeat": (_repeat, 10),
}
_KINDS = tuple(_TASKS)


def _task(rng: Random, kind: str, *, held_out: bool = False) -> _Task:
    make, percent = _TASKS[kind]
    while True:
        task = make(rng)
        if is_held_out(f"{kind} {task[2]}", percent) == held_out:
            return task


def _tasks(rng: Random, n: int) -> tuple[list[_Task], str]:
    kinds = [rng.choice(_KINDS) for _ in range(n)]
    return [_task(rng, kind) for kind in kinds], kinds[0]


def documents(rng: Random) -> Iterator[Document]:
    """Without end: two to four requests and answers."""
    while True:
        tasks, kind = _tasks(rng, rng.randrange(2, 5))
        yield Document("\n".join(f"Question: {task[0]}\nAnswer: {task[1]}" for task in tasks), kind)


def conversations(rng: Random) -> Iterator[Conversation]:
    """Without end: one to three requests, each with its answer."""
    while True:
        tasks, kind = _tasks(rng, rng.randrange(1, 4))
        yield Conversation(tuple(text for task in tasks for text in task[:2]), kind)


def _case(rng: Random, kind: str) -> Case:
    prompt, answer, _, correct = _task(rng, kind, held_out=True)
    return Case(prompt, correct, answer, kind, max_tokens=40)


def held_out(n: int, seed: int, kinds: tuple[str, ...] = _KINDS) -> list[Case]:
    """`n` different requests, the kinds in turn."""
    rng = Random(seed)
    return different(n, kinds, lambda kind: _case(rng, kind))
