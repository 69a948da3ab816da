"""Texts about the world: lives, letters, diaries, talks, town guides, news, lists, questions with answers.

Every document says which facts it states, and a fact that is left out is neither stated nor implied by any.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from labkit.pocket import world_frames as frames
from labkit.pocket.document import Document
from labkit.pocket.world import Fact, world
from labkit.pocket.world_questions import answer, question_and_answer, training_questions
from labkit.pocket.world_sentences import day_sentences, paragraph, remarks, sentences
from labkit.pocket.world_wordings import called, capital, with_article


class _Scene:
    """What may be told: the facts that are not left out, by subject and by value."""

    def __init__(self, leave_out: frozenset[str]) -> None:
        known = world()
        for name in leave_out:
            known.fact(name)
        self.facts = tuple(fact for fact in known.facts if fact.name not in leave_out)
        self.askable = tuple(fact for fact in self.facts if training_questions(fact))
        self.about = {
            subject: tuple(fact for fact in known.about(subject) if fact.name not in leave_out)
            for subject in (*known.people, *known.towns, *known.shops)
        }
        self.people = tuple(person for person in known.people if len(self.about[person]) >= 2)
        self.towns = tuple(town for town in known.towns if self.about[town])
        self.shops = tuple(shop for shop in known.shops if self.about[shop])
        self.subjects = (*self.people, *self.towns, *self.shops)
        self.alike: dict[tuple[str, str], list[Fact]] = {}
        self.by_relation: dict[str, list[Fact]] = {}
        for fact in self.facts:
            self.alike.setdefault((fact.relation, fact.value), []).append(fact)
            self.by_relation.setdefault(fact.relation, []).append(fact)
        self.shared = tuple(
            facts for facts in self.alike.values() if len(facts) > 1 and facts[0].relation in frames.LISTS
        )
        if len(self.by_relation) < len(known.relations) or len(self.people) < len(known.people) / 2:
            raise ValueError("a kind of fact, or most facts about most people, cannot be left out")


def documents(rng: random.Random, leave_out: frozenset[str] = frozenset()) -> Iterator[Document]:
    """Yield texts about the world without end; none states or implies a fact that `leave_out` names.

    Raises KeyError for a name that no fact has, and ValueError where too little would be left to tell.
    """
    scene = _Scene(frozenset(leave_out))
    writers, shares = tuple(_WRITERS), tuple(_WRITERS.values())
    while True:
        for writer in rng.choices(writers, shares, k=64):
            yield writer(rng, scene)


def _some(rng: random.Random, facts: Sequence[Fact], least: int, most: int) -> list[Fact]:
    """Draw that many of the facts, or all where there are fewer, in any order."""
    return rng.sample(facts, min(len(facts), rng.randint(least, most)))


def _names(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(fact.name for fact in facts)


def _note(rng: random.Random, scene: _Scene) -> Document:
    """State a fact or two, in any words or in those in which questions about it are answered."""
    facts = [rng.choice(scene.facts) for _ in range(rng.choice((1, 1, 2)))]
    told = [answer(fact) if rng.random() < 0.4 else rng.choice(sentences(fact).full) for fact in facts]
    return Document(" ".join(told), "note", _names(facts))


def _life(rng: random.Random, scene: _Scene) -> Document:
    """Tell most of what there is to tell about a person."""
    person = rng.choice(scene.people)
    facts = _some(rng, scene.about[person], 3, 8)
    text = paragraph(rng, facts)
    if rng.random() < 0.2:
        text += " " + rng.choice(remarks(person).pronoun)
    return Document(text, "life", _names(facts))


def _day(rng: random.Random, scene: _Scene) -> Document:
    """Go through a person's day from the morning to the evening."""
    person = rng.choice(scene.people)
    chosen = {fact.relation: fact for fact in _some(rng, scene.about[person], 3, 6)}
    facts = [chosen[relation] for relation in frames.DAY if relation in chosen]
    told = [rng.choice(day_sentences(facts[0]).full)]
    for fact in facts[1:]:
        forms = day_sentences(fact)
        told.append(rng.choice(forms.full if rng.random() < 0.4 else forms.pronoun or forms.full))
    return Document(" ".join(told), "day", _names(facts))


def _card(rng: random.Random, scene: _Scene) -> Document:
    """Write a line for each fact about a person, town or shop."""
    subject = rng.choice(scene.subjects if rng.random() < 0.4 else scene.people)
    facts = _some(rng, scene.about[subject], 2, 8)
    lines = [f"{rng.choice(frames.LABELS[fact.relation])}: {fact.value}" for fact in facts]
    return Document("\n".join([f"Name: {called(subject)}", *lines]), "card", _names(facts))


def _letter(rng: random.Random, scene: _Scene) -> Document:
    """Let a person write about themselves, and sometimes about their best friend."""
    person = rng.choice(scene.people)
    facts = _some(rng, scene.about[person], 2, 5)
    told = [rng.choice(sentences(fact).own) for fact in facts]
    if facts[-1].relation == "friend":
        more = _some(rng, scene.about[facts[-1].value], 1, 2)
        told += [paragraph(rng, more)] if more else []
        facts += more
    start = rng.choice(frames.REASONS_TO_WRITE) if rng.random() < 0.5 else f"My name is {person}."
    body = " ".join([start, *told])
    text = f"{rng.choice(frames.GREETINGS)}\n{body}\n{rng.choice(frames.CLOSINGS)}\n{person}"
    return Document(text, "letter", _names(facts))


def _diary(rng: random.Random, scene: _Scene) -> Document:
    person = rng.choice(scene.people)
    facts = _some(rng, scene.about[person], 2, 4)
    told = [rng.choice(frames.WEATHER), *(rng.choice(sentences(fact).own) for fact in facts)]
    return Document(f"Diary of {person}. {' '.join(told)}", "diary", _names(facts))


def _interview(rng: random.Random, scene: _Scene) -> Document:
    """Let a person answer somebody who wants to hear about them."""
    person = rng.choice(scene.people)
    facts = _some(rng, scene.about[person], 2, 4)
    asker = rng.choice(frames.ASKERS)
    name = person if rng.random() < 0.5 else person.split()[0]
    own = [rng.choice(sentences(fact).own) for fact in facts]
    lines = [f"{asker}: {rng.choice(frames.INVITATIONS)}", f"{name}: My name is {person}. {own[0]}"]
    for told in own[1:]:
        lines += [f"{asker}: {rng.choice(frames.MORE)}", f"{name}: {told}"]
    return Document("\n".join(lines), "interview", _names(facts))


def _meeting(rng: random.Random, scene: _Scene) -> Document:
    """Let two people tell each other the same things of themselves."""
    first, second = rng.sample(scene.people, 2)
    other = {fact.relation: fact for fact in scene.about[second]}
    pairs = [(fact, other[fact.relation]) for fact in scene.about[first] if fact.relation in other]
    pairs = rng.sample(pairs, min(len(pairs), rng.randint(1, 3)))
    lines = []
    for fact, back in pairs:
        lines += [
            f"{first}: {rng.choice(sentences(fact).own)} {rng.choice(frames.ASK_BACK)}",
            f"{second}: {rng.choice(sentences(back).own)}",
        ]
    return Document("\n".join(lines), "meeting", _names([fact for pair in pairs for fact in pair]))


def _talk(rng: random.Random, scene: _Scene) -> Document:
    """Let two people talk about a person, a town or a shop."""
    subject = rng.choice(scene.subjects if rng.random() < 0.5 else scene.people)
    facts = _some(rng, scene.about[subject], 2, 4)
    asked = rng.choice(frames.ASK_ABOUT[:3] if subject not in scene.people else frames.ASK_ABOUT)
    lines = [f"A: {asked.format(s=called(subject))}", f"B: {rng.choice(sentences(facts[0]).full)}"]
    for fact in facts[1:]:
        forms = sentences(fact)
        told = rng.choice(forms.full if rng.random() < 0.5 else forms.pronoun)
        lines += [f"A: {rng.choice(frames.MORE)}", f"B: {told}"]
    return Document("\n".join(lines), "talk", _names(facts))


def _guide(rng: random.Random, scene: _Scene) -> Document:
    """Describe a town, sometimes with a shop in it and people who live there."""
    town = rng.choice(scene.towns)
    facts = _some(rng, scene.about[town], 2, 5)
    parts = [paragraph(rng, facts)]
    if rng.random() < 0.3:
        parts.insert(0, rng.choice(frames.WELCOMES).format(s=town))
    if rng.random() < 0.4:
        inside = scene.alike.get(("home", town), []) + scene.alike.get(("place", town), [])
        others = rng.sample(inside, min(len(inside), 2))
        parts += [rng.choice(sentences(fact).full) for fact in others]
        facts += others
    return Document(" ".join(parts), "town guide", _names(facts))


def _sign(rng: random.Random, scene: _Scene) -> Document:
    """Praise a shop."""
    shop = rng.choice(scene.shops)
    facts = _some(rng, scene.about[shop], 2, 3)
    text = paragraph(rng, facts)
    if rng.random() < 0.4:
        text = f"{rng.choice(frames.SHOP_CALLS).format(s=called(shop))} {text}"
    return Document(text, "shop sign", _names(facts))


def _news(rng: random.Random, scene: _Scene) -> Document:
    """Tell one or two things about each of several people, towns or shops."""
    told: list[Fact] = []
    parts = [rng.choice(frames.NEWS)] if rng.random() < 0.2 else []
    for _ in range(rng.randint(2, 4)):
        facts = _some(rng, scene.about[rng.choice(scene.facts).subject], 1, 2)
        parts.append(paragraph(rng, facts))
        told += facts
    return Document(" ".join(parts), "news", _names(told))


def _friends(rng: random.Random, scene: _Scene) -> Document:
    """Tell who somebody's best friend is, and what that one is like."""
    friendship = rng.choice(scene.by_relation["friend"])
    more = _some(rng, scene.about[friendship.value], 2, 4)
    text = f"{rng.choice(sentences(friendship).full)} {paragraph(rng, more)}"
    return Document(text, "friends", _names([friendship, *more]))


def _riddle(rng: random.Random, scene: _Scene) -> Document:
    """Tell things about somebody, and only then who it is."""
    person = rng.choice(scene.people)
    facts = _some(rng, scene.about[person], 2, 4)
    told = [rng.choice(sentences(fact).pronoun) for fact in facts]
    ending = f"{rng.choice(frames.RIDDLES)} {rng.choice(frames.REVEALS).format(s=person)}"
    return Document(" ".join([*told, ending]), "riddle", _names(facts))


def _list(rng: random.Random, scene: _Scene) -> Document:
    """List who or what has a value in common."""
    facts = rng.choice(scene.shared)
    facts = rng.sample(facts, len(facts))
    words = {"v": facts[0].value, "a": with_article(facts[0].value)}
    heading = rng.choice(frames.LISTS[facts[0].relation]).format(**words)
    subjects = capital(", ".join(called(fact.subject) for fact in facts))
    return Document(f"{heading} {subjects}.", "list", _names(facts))


def _roll_call(rng: random.Random, scene: _Scene) -> Document:
    """Tell the same kind of fact about several people, towns or shops."""
    facts = _some(rng, rng.choice(tuple(scene.by_relation.values())), 3, 6)
    return Document(" ".join(rng.choice(sentences(fact).full) for fact in facts), "roll call", _names(facts))


def _alike(rng: random.Random, scene: _Scene) -> Document:
    """Say that two have something in common, and tell it of each."""
    facts = rng.sample(rng.choice(scene.shared), 2)
    x, y = (called(fact.subject) for fact in facts)
    told = [rng.choice(sentences(fact).full) for fact in facts]
    start = capital(rng.choice(frames.ALIKE).format(x=x, y=y))
    return Document(" ".join([start, *told]), "comparison", _names(facts))


def _questions(rng: random.Random, scene: _Scene) -> Document:
    """Ask and answer one to four questions that training may ask."""
    facts = [rng.choice(scene.askable) for _ in range(rng.choice((1, 1, 2, 3, 4)))]
    form = rng.choices(tuple(frames.QUESTION_FORMS), tuple(frames.QUESTION_FORMS.values()))[0]
    pairs = [question_and_answer(rng, fact) for fact in facts]
    text = "\n".join(form.format(q=asked, a=answered) for asked, answered in pairs)
    return Document(text, "questions", _names(facts))


#: what writes a text, and how often out of a hundred
_WRITERS: dict[Callable[[random.Random, _Scene], Document], int] = {
    _life: 18,
    _questions: 19,
    _note: 10,
    _news: 8,
    _guide: 8,
    _sign: 5,
    _day: 4,
    _card: 5,
    _talk: 5,
    _letter: 4,
    _interview: 3,
    _diary: 2,
    _meeting: 2,
    _friends: 3,
    _riddle: 2,
    _roll_call: 3,
    _list: 3,
    _alike: 2,
}
