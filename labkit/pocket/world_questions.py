"""Questions about the world, and their answers: as conversations to learn from and as held-out cases.

Two kinds of questions never stand in any training text: every question about a fact of `World.unasked`, and
of the other facts' questions a share that belongs to the pair of fact and wording.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from labkit.pocket import world_frames as frames
from labkit.pocket.document import Case, Conversation
from labkit.pocket.world import Fact, digest, is_woman, world
from labkit.pocket.world_sentences import paragraph
from labkit.pocket.world_wordings import ANSWERS, FOLLOW_UPS, QUESTIONS, called, capital, filled

#: of the pairs of fact and wording, the percentage that no training text asks
HELD_OUT_PERCENT = 15
#: the answer to questions about what the world does not have
UNKNOWN = "I do not know."


@dataclass(frozen=True)
class _Asked:
    """A fact with all that a training conversation can say about it."""

    name: str
    questions: tuple[str, ...]
    by_first_name: tuple[str, ...]
    follow_ups: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class _Topics:
    """What training conversations can ask about, also person by person, and what they can write about."""

    everything: tuple[_Asked, ...]
    people: tuple[tuple[str, tuple[_Asked, ...]], ...]
    subjects: tuple[tuple[Fact, ...], ...]


@cache
def answer(fact: Fact) -> str:
    """Return the sentence that answers every question about a fact: "Mira Vale has a cat."."""
    return filled(ANSWERS[fact.relation], fact)


def _held_out_pair(fact: Fact, wording: str) -> bool:
    return digest(f"{fact.name} {wording}") % 100 < HELD_OUT_PERCENT


def training_questions(fact: Fact, *, first_name: bool = False) -> tuple[str, ...]:
    """Return the questions that training texts may ask about a fact: none at all about an unasked one.

    `first_name` puts a person's first name in the place of the full one.
    """
    if fact.name in world().unasked:
        return ()
    name = fact.subject.split()[0] if first_name else None
    wordings = QUESTIONS[fact.relation]
    return tuple(filled(wording, fact, name) for wording in wordings if not _held_out_pair(fact, wording))


def held_out_questions(fact: Fact) -> tuple[str, ...]:
    """Return the questions about a fact that no training text asks: all of them about an unasked one."""
    unasked = fact.name in world().unasked
    wordings = QUESTIONS[fact.relation]
    return tuple(filled(wording, fact) for wording in wordings if unasked or _held_out_pair(fact, wording))


@cache
def _asked(fact: Fact) -> _Asked:
    is_person = fact.subject in world().people
    he, his = ("she", "her") if is_woman(fact.subject) else ("he", "his")
    return _Asked(
        fact.name,
        training_questions(fact),
        training_questions(fact, first_name=True) if is_person else training_questions(fact),
        tuple(text.format(he=he, his=his) for text in FOLLOW_UPS.get(fact.relation, ())),
        answer(fact),
    )


@cache
def _topics(leave_out: frozenset[str]) -> _Topics:
    known = world()
    left = {
        subject: tuple(fact for fact in known.about(subject) if fact.name not in leave_out)
        for subject in (*known.people, *known.towns, *known.shops)
    }
    asked = {
        subject: tuple(_asked(fact) for fact in facts if fact.name not in known.unasked)
        for subject, facts in left.items()
    }
    return _Topics(
        tuple(one for several in asked.values() for one in several),
        tuple((person, asked[person]) for person in known.people if len(asked[person]) > 2),
        tuple(facts for facts in left.values() if facts),
    )


def conversations(rng: random.Random, leave_out: frozenset[str] = frozenset()) -> Iterator[Conversation]:
    """Yield conversations about the world without end, none about a fact that `leave_out` names.

    A tenth is small talk, or asks about strangers, whom the world does not know.
    """
    topics = _topics(frozenset(leave_out))
    writers, shares = tuple(_WRITERS), tuple(_WRITERS.values())
    while True:
        for writer in rng.choices(writers, shares, k=64):
            yield writer(rng, topics)


def question_and_answer(rng: random.Random, fact: Fact) -> tuple[str, str]:
    """Draw a question that training may ask about a fact, and give its answer.

    Raises IndexError for an unasked fact, which has no such question.
    """
    asked = _asked(fact)
    return _question(rng, asked), asked.answer


def _question(rng: random.Random, asked: _Asked) -> str:
    """Draw a question; one in ten about a person has the first name only."""
    return rng.choice(asked.questions if rng.random() < 0.9 else asked.by_first_name)


def _typed(rng: random.Random, question: str) -> str:
    """Write a question as people type: one in ten without its mark at the end, or in small letters only."""
    roll = rng.random()
    if roll < 0.9:
        return question
    return question.rstrip("?.") if roll < 0.95 else question.lower()


def _one_question(rng: random.Random, topics: _Topics) -> Conversation:
    asked = rng.choice(topics.everything)
    return Conversation((_typed(rng, _question(rng, asked)), asked.answer), "world-question", (asked.name,))


def _several_questions(rng: random.Random, topics: _Topics) -> Conversation:
    """Ask about several things that have nothing to do with each other."""
    chosen = rng.choices(topics.everything, k=rng.randint(2, 4))
    turns = tuple(text for asked in chosen for text in (_question(rng, asked), asked.answer))
    return Conversation(turns, "world-questions", tuple(asked.name for asked in chosen))


def _follow_ups(rng: random.Random, topics: _Topics) -> Conversation:
    """Ask several things about one person, all but the first with a pronoun."""
    _, all_asked = rng.choice(topics.people)
    chosen = rng.sample(all_asked, rng.randint(2, 3))
    turns = [_question(rng, chosen[0]), chosen[0].answer]
    for asked in chosen[1:]:
        turns += [rng.choice(asked.follow_ups), asked.answer]
    return Conversation(tuple(turns), "world-follow-up", tuple(asked.name for asked in chosen))


def _all_about(rng: random.Random, topics: _Topics) -> Conversation:
    """Ask who somebody is; the reply tells three things."""
    person, all_asked = rng.choice(topics.people)
    chosen = rng.sample(all_asked, 3)
    turns = (rng.choice(frames.TELL_ME).format(s=person), " ".join(asked.answer for asked in chosen))
    return Conversation(turns, "world-about", tuple(asked.name for asked in chosen))


def _writing(rng: random.Random, topics: _Topics) -> Conversation:
    """Ask for a text about somebody or something: prose, which may state facts that no question asks for."""
    facts = rng.choice(topics.subjects)
    chosen = rng.sample(facts, min(len(facts), rng.randint(2, 4)))
    asking = rng.choice(frames.WRITE_ABOUT).format(s=called(chosen[0].subject))
    return Conversation(
        (asking, paragraph(rng, chosen)), "world-writing", tuple(fact.name for fact in chosen)
    )


def _small_talk(rng: random.Random, topics: _Topics) -> Conversation:
    texts, reply = rng.choice(frames.SMALL_TALK)
    return Conversation((rng.choice(texts), reply), "small-talk")


def _strange_question(rng: random.Random, topics: _Topics) -> Conversation:
    """Ask about a person or town that the world does not have, or for what no text tells of its people."""
    roll = rng.random()
    if roll < 0.15:
        name, wordings = rng.choice(world().people), frames.NEVER_TOLD
    elif roll < 0.25:
        name = rng.choice(frames.STRANGE_TOWNS)
        wordings = QUESTIONS[rng.choice(("river", "mayor", "product", "landmark", "market"))]
    else:
        name = f"{rng.choice(frames.STRANGERS_FIRST)} {rng.choice(frames.STRANGERS_LAST)}"
        if rng.random() < 0.3:
            name = f"{_strange_name(rng)} {_strange_name(rng)}"
        wordings = (*QUESTIONS[rng.choice(tuple(FOLLOW_UPS))], *frames.TELL_ME)
    asking = capital(rng.choice(wordings).format(s=name, p=f"{name}'s"))
    return Conversation((asking, UNKNOWN), "world-unknown")


def _strange_name(rng: random.Random) -> str:
    return capital("".join(rng.sample(frames.SYLLABLES, rng.randint(2, 3))) + rng.choice("nrls"))


#: what makes a conversation, and how often out of a hundred
_WRITERS: dict[Callable[[random.Random, _Topics], Conversation], int] = {
    _one_question: 50,
    _several_questions: 16,
    _follow_ups: 12,
    _all_about: 4,
    _writing: 8,
    _strange_question: 6,
    _small_talk: 4,
}


def states(text: str, value: str) -> bool:
    """Say whether a value stands in a text as a word of its own, in large or small letters."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def checker(fact: Fact) -> Callable[[str], bool]:
    """Return what judges replies: the fact's value stands in them, no other value of the relation does."""
    wrong = set(world().relations[fact.relation].values) - {fact.value, fact.subject}

    def correct(reply: str) -> bool:
        return states(reply, fact.value) and not any(states(reply, value) for value in wrong)

    return correct


def held_out(n: int, seed: int) -> list[Case]:
    """Draw `n` different questions that no training text asks.

    Half of them (`"world-unasked"`) are about facts that are stated in prose only. The other half
    (`"world-reworded"`) ask about the other facts, each in a wording that training does not use for it.
    Raises ValueError where there are fewer than `n`.
    """
    rng = random.Random(seed)
    unasked = world().unasked
    groups: dict[str, list[tuple[Fact, str]]] = {"world-unasked": [], "world-reworded": []}
    for fact in world().facts:
        kind = "world-unasked" if fact.name in unasked else "world-reworded"
        groups[kind] += [(fact, text) for text in held_out_questions(fact)]
    cases = []
    for (kind, pairs), wanted in zip(groups.items(), (n // 2, n - n // 2), strict=True):
        if wanted > len(pairs):
            raise ValueError(f"there are {len(pairs)} held-out questions of the kind {kind}, not {wanted}")
        chosen = rng.sample(pairs, wanted)
        cases += [Case(text, checker(fact), answer(fact), kind) for fact, text in chosen]
    return cases
