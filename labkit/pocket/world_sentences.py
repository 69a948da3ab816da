"""Sentences that state one fact each, in many wordings: what the texts about the world are made of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from labkit.pocket.world import Fact, is_woman, world
from labkit.pocket.world_frames import DAY, REMARKS
from labkit.pocket.world_statements import THIRD_PERSON
from labkit.pocket.world_wordings import called, capital, with_article

#: what people say of themselves
FIRST_PERSON: dict[str, tuple[str, ...]] = {
    "home": ("I live in {v}.", "My home is in {v}.", "I have a house in {v}.", "I come from {v}."),
    "job": ("I am {a}.", "I work as {a}.", "I have a job as {a}.", "I earn my living as {a}."),
    "pet": ("I have {a}.", "I keep {a}.", "My pet is {a}.", "I live with {a}.", "I have {a} at home."),
    "pet-name": (
        "My pet is called {v}.",
        "I have a pet called {v}.",
        "My pet's name is {v}.",
        "I call my pet {v}.",
    ),
    "colour": (
        "My favourite colour is {v}.",
        "I like {v} best of all colours.",
        "I love the colour {v}.",
        "I often wear {v}.",
    ),
    "food": ("My favourite food is {v}.", "I like to eat {v}.", "I could eat {v} every day.", "I love {v}."),
    "hobby": ("My hobby is {v}.", "I enjoy {v}.", "After work I enjoy {v}.", "I am good at {v}."),
    "friend": (
        "My best friend is {v}.",
        "I call {v} my best friend.",
        "I have a best friend, {v}.",
        "My best friend is called {v}.",
    ),
}
#: two facts about one subject in a sentence: values and articles have the number of their fact
COMBINED: dict[tuple[str, str], tuple[str, ...]] = {
    ("home", "job"): (
        "{s} is {a1} in {v0}.",
        "{s} lives in {v0} and works as {a1}.",
        "{n}, who lives in {v0}, is {a1}.",
        "{s} works as {a1} and lives in {v0}.",
        "In {v0} {s} works as {a1}.",
    ),
    ("pet", "pet-name"): (
        "{s} has {a0} called {v1}.",
        "{p} {v0} is called {v1}.",
        "{s} has {a0}, and its name is {v1}.",
        "{s} keeps {a0} named {v1}.",
        "{v1} is {p} {v0}.",
        "{s} loves {his} {v0} {v1}.",
    ),
    ("colour", "food"): (
        "{s} likes the colour {v0} and eats a lot of {v1}.",
        "{p} favourite colour is {v0}, and {his} favourite food is {v1}.",
        "{s} likes {v1} for dinner, and {his} favourite colour is {v0}.",
    ),
    ("job", "hobby"): (
        "{s} is {a0} who likes {v1}.",
        "{s} works as {a0} and enjoys {v1} after work.",
        "When {his} work as {a0} is done, {s} enjoys {v1}.",
    ),
    ("home", "friend"): (
        "{s} lives in {v0} and has a best friend called {v1}.",
        "{s} lives in {v0}, and {his} best friend is {v1}.",
    ),
    ("pet", "food"): ("{s} has {a0} and likes to eat {v1}.", "{n}, who loves {v1}, has {a0}."),
    ("hobby", "colour"): ("{s} likes {v0} and the colour {v1}.", "{s} enjoys {v0} and often wears {v1}."),
    ("home", "hobby"): ("{s} lives in {v0} and likes {v1}.", "{p} home is in {v0}, and {his} hobby is {v1}."),
    ("job", "pet"): ("{s} is {a0} and has {a1}.", "{s} works as {a0} and looks after {a1} at home."),
    ("food", "friend"): (
        "{s} likes {v0}, and {his} best friend is {v1}.",
        "{p} best friend is {v1}, and {his} favourite food is {v0}.",
    ),
    ("river", "landmark"): (
        "{s} lies on the river {v0} and has a famous {v1}.",
        "In {s}, on the river {v0}, stands an old {v1}.",
    ),
    ("mayor", "product"): (
        "{s}, whose mayor is {v0}, is known for {v1}.",
        "The mayor of {s} is {v0}, and the people there make {v1}.",
    ),
    ("landmark", "market"): ("{s} has a famous {v0} and a market on {v1}.",),
    ("river", "product"): ("{s}, on the river {v0}, makes {v1}.", "{s} is on the river {v0} and makes {v1}."),
    ("place", "goods"): (
        "{s} in {v0} sells {v1}.",
        "{s} is a shop in {v0} that sells {v1}.",
        "In {v0} you can buy {v1} at {s}.",
    ),
    ("goods", "closed"): (
        "{s} sells {v0} every day but {v1}.",
        "{s} sells {v0} and is closed on {v1}.",
    ),
}


@dataclass(frozen=True)
class Sentences:
    """The ways to state something, by how the subject is named.

    Attributes
    ----------
    full : with the full name, or with a town's or shop's name.
    first : with the first name; as `full` for towns and shops.
    pronoun : with "she" or "he"; as `full` for towns and shops.
    own : what the person says; empty for towns and shops.
    """

    full: tuple[str, ...]
    first: tuple[str, ...]
    pronoun: tuple[str, ...]
    own: tuple[str, ...]


@cache
def sentences(fact: Fact) -> Sentences:
    """Return every sentence that states the fact and nothing else."""
    values = {"v": fact.value, "a": with_article(fact.value), "n": fact.subject}
    return _in_all_forms(
        fact.subject, THIRD_PERSON[fact.relation], FIRST_PERSON.get(fact.relation, ()), values
    )


@cache
def day_sentences(fact: Fact) -> Sentences:
    """Return the sentences that state a fact about a person within the account of a day."""
    values = {"v": fact.value, "a": with_article(fact.value), "n": fact.subject}
    return _in_all_forms(fact.subject, DAY[fact.relation], (), values)


@cache
def remarks(person: str) -> Sentences:
    """Return sentences about a person that state no fact."""
    return _in_all_forms(person, REMARKS, (), {})


@cache
def combined(first: Fact, second: Fact) -> Sentences | None:
    """Return the sentences that state two facts about one person; None where there is no such sentence."""
    templates = COMBINED.get((first.relation, second.relation))
    if templates is None:
        return None
    values = {"n": first.subject}
    for index, fact in enumerate((first, second)):
        values[f"v{index}"], values[f"a{index}"] = fact.value, with_article(fact.value)
    return _in_all_forms(first.subject, templates, (), values)


def paragraph(rng: random.Random, facts: Sequence[Fact]) -> str:
    """Tell facts about one subject: the first with the full name, then with full, first name or pronoun."""
    told: list[str] = []
    waiting = list(facts)
    while waiting:
        fact = waiting.pop(0)
        forms = _joined(rng, fact, waiting) or sentences(fact)
        roll = rng.random()
        if not told or roll < 0.5:
            told.append(rng.choice(forms.full))
        else:
            told.append(rng.choice(forms.first if roll < 0.65 else forms.pronoun))
    return " ".join(told)


def _joined(rng: random.Random, fact: Fact, waiting: list[Fact]) -> Sentences | None:
    """Join a fact with the next one, sometimes and where one sentence can state both; take that one out."""
    if not waiting or rng.random() < 0.5:
        return None
    forms = combined(fact, waiting[0]) or combined(waiting[0], fact)
    if forms:
        del waiting[0]
    return forms


def _in_all_forms(
    subject: str, templates: tuple[str, ...], own: tuple[str, ...], values: dict[str, str]
) -> Sentences:
    if subject not in world().people:
        he, his, him = "it", "its", "it"
    else:
        he, his, him = ("she", "her", "her") if is_woman(subject) else ("he", "his", "him")

    def filled(chosen: tuple[str, ...], s: str, p: str, o: str) -> tuple[str, ...]:
        return tuple(capital(template.format(s=s, p=p, o=o, he=he, his=his, **values)) for template in chosen)

    name = called(subject)
    full = filled(templates, name, f"{name}'s", name)
    if subject not in world().people:
        return Sentences(full, full, full, ())
    first = subject.split()[0]
    unnamed = tuple(template for template in templates if "{n}" not in template)
    return Sentences(
        full,
        filled(unnamed, first, f"{first}'s", first),
        filled(unnamed, he, his, him),
        filled(own, "", "", ""),
    )
