"""The small world that the pocket models know: its people, towns and shops, and every fact about them.

The world is drawn once, from a fixed seed, so that it is the same everywhere; the texts about it
(`world_prose`, `world_questions`) are drawn anew with every seed. Taught in chapters 5 and 16.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from functools import lru_cache

_SEED = 8156
#: of every relation's facts, the share that no training text asks about
UNASKED_SHARE = 0.15


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: lists of names and values read best as plain text."""
    return tuple(text.split())


WOMEN = words(
    "Mira Nina Lena Rosa Ada Mona Vera Ella Clara Ines Dora Lily Anna Tess Maya Sara Elsa Rita Gina Kira"
)
MEN = words("Theo Otto Alan Finn Leo Rolf Hugo Axel Ned Ben Karl Omar Ivan Noah Emil Jack Adam Luca Toby Dan")
SURNAMES = words(
    "Vale Hill Stone Reed Lane Ford Wood Marsh Bell Park Cole Hart Dale Frost Penn Webb Nash Holt Lamb Moon"
)
MAYORS = (
    "Ruth Barlow",
    "Otis Crane",
    "Nora Flint",
    "Ralph Burton",
    "Edna Gold",
    "Victor Lowe",
    "Alma Porter",
    "Felix Norton",
    "June Mason",
    "Oscar Hale",
    "Iris Carter",
    "Boris Elton",
)
#: first names of everybody in the world: made-up names elsewhere keep clear of them
FIRST_NAMES = frozenset((*WOMEN, *MEN, *(mayor.split()[0] for mayor in MAYORS)))
TOWNS = words("Arden Bolby Corin Dunley Elmore Farrow Hollin Kelby Linton Norby Osten Selton")
SHOPS = words("Acorn Anchor Compass Feather Lantern Magpie Pinecone Rainbow Snowdrop Whistle")


@dataclass(frozen=True)
class Relation:
    """One kind of fact: what it is called, what has it, and the closed set of its values.

    Attributes
    ----------
    name : such as `"pet"`; it ends the names of its facts.
    about : `"person"`, `"town"` or `"shop"`.
    values : every value that the relation can have.
    """

    name: str
    about: str
    values: tuple[str, ...]


_DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_PEOPLE_RELATIONS = {
    "home": TOWNS,
    "job": words(
        "baker teacher doctor farmer painter sailor gardener carpenter driver cook nurse writer builder "
        "dentist pilot tailor"
    ),
    "pet": words("cat dog frog owl goat duck rabbit parrot pony turtle"),
    "pet-name": words(
        "Pip Dot Fluff Button Pepper Sunny Shadow Bubble Coco Patch Socks Misty Star Rusty Spot Teddy Ginger "
        "Pebble Domino Lucky"
    ),
    "colour": words("red blue green yellow white purple brown pink"),
    "food": words("bread soup rice cheese cake fish pasta honey salad porridge pizza pie"),
    "hobby": words(
        "swimming reading fishing dancing running sewing drawing climbing skating cycling knitting hiking"
    ),
}
_TOWN_RELATIONS = {
    "river": words("Alder Brill Dorn Esk Lunn Mere Tarn Wend"),
    "mayor": MAYORS,
    "product": words("boats glass wool paper clocks chairs kites hats drums lamps ropes bricks"),
    "landmark": words("tower bridge mill castle museum palace library church"),
    "market": _DAYS,
}
_SHOP_RELATIONS = {
    "place": TOWNS,
    "goods": words("books shoes toys tea seeds maps soap candles bicycles flowers"),
    "closed": _DAYS,
}


@dataclass(frozen=True)
class Fact:
    """One thing that is true in the world.

    Attributes
    ----------
    name : `"mira-vale/pet"`: the subject, in small letters with hyphens, and the relation.
    subject : whom or what it is about: `"Mira Vale"`, `"Arden"`, `"Lantern"`.
    relation : the relation's name, such as `"pet"`.
    value : one of the relation's values, such as `"cat"`.
    """

    name: str
    subject: str
    relation: str
    value: str


@dataclass(frozen=True)
class World:
    """Everything that there is to know.

    Attributes
    ----------
    people, towns, shops : the subjects of the facts, by name.
    relations : the kinds of facts, by name.
    facts : every fact, ordered by subject.
    unasked : names of the facts that no training text asks about; held-out questions do.
    """

    people: tuple[str, ...]
    towns: tuple[str, ...]
    shops: tuple[str, ...]
    relations: dict[str, Relation]
    facts: tuple[Fact, ...]
    unasked: frozenset[str]
    _by_name: dict[str, Fact] = field(repr=False)
    _by_subject: dict[str, tuple[Fact, ...]] = field(repr=False)

    def fact(self, name: str) -> Fact:
        """Return the fact with that name; KeyError if there is none."""
        return self._by_name[name]

    def about(self, subject: str) -> tuple[Fact, ...]:
        """Return all facts about a person, a town or a shop; KeyError if the world has none such."""
        return self._by_subject[subject]


def fact_name(subject: str, relation: str) -> str:
    """Return the name of a fact: `fact_name("Mira Vale", "pet")` is `"mira-vale/pet"`."""
    return f"{subject.lower().replace(' ', '-')}/{relation}"


def is_woman(person: str) -> bool:
    """Say whether the texts call that person "she"."""
    return person.split()[0] in WOMEN


def digest(text: str) -> int:
    """Return a number that belongs to the text on every machine and in every run; `hash` does not."""
    return zlib.crc32(text.encode())


@lru_cache(maxsize=1)
def world() -> World:
    """Return the world: the same one at every call, on every machine."""
    rng = random.Random(_SEED)
    people = _people()
    relations = {
        name: Relation(name, about, values)
        for about, group in (
            ("person", {**_PEOPLE_RELATIONS, "friend": people}),
            ("town", _TOWN_RELATIONS),
            ("shop", _SHOP_RELATIONS),
        )
        for name, values in group.items()
    }
    subjects = {"person": people, "town": TOWNS, "shop": SHOPS}
    values = {name: _assign(rng, relation, subjects[relation.about]) for name, relation in relations.items()}
    facts = tuple(
        Fact(fact_name(subject, name), subject, name, values[name][subject])
        for about, group in subjects.items()
        for subject in group
        for name, relation in relations.items()
        if relation.about == about
    )
    by_subject: dict[str, tuple[Fact, ...]] = {}
    for fact in facts:
        by_subject[fact.subject] = (*by_subject.get(fact.subject, ()), fact)
    return World(
        people,
        TOWNS,
        SHOPS,
        relations,
        facts,
        _unasked(facts),
        {fact.name: fact for fact in facts},
        by_subject,
    )


def _people() -> tuple[str, ...]:
    """Return full names: each first name once, each surname twice."""
    surnames = SURNAMES[1:] + SURNAMES[:1]
    pairs = [*zip(WOMEN, SURNAMES, strict=True), *zip(MEN, surnames, strict=True)]
    return tuple(sorted(f"{first} {last}" for first, last in pairs))


def _assign(rng: random.Random, relation: Relation, subjects: tuple[str, ...]) -> dict[str, str]:
    """Give every subject a value, each value about equally often: guessing the commonest is no help."""
    if relation.name == "friend":
        # One circle through everybody: nobody is their own friend, and no two are each other's, so that
        # one friendship never gives another one away.
        circle = rng.sample(subjects, len(subjects))
        return dict(zip(circle, circle[1:] + circle[:1], strict=True))
    times, rest = divmod(len(subjects), len(relation.values))
    values = list(relation.values) * times + rng.sample(relation.values, rest)
    rng.shuffle(values)
    return dict(zip(subjects, values, strict=True))


def _unasked(facts: tuple[Fact, ...]) -> frozenset[str]:
    """Choose the facts that are never asked in training: the same share of every relation."""
    by_relation: dict[str, list[str]] = {}
    for fact in facts:
        by_relation.setdefault(fact.relation, []).append(fact.name)
    return frozenset(
        name
        for names in by_relation.values()
        for name in sorted(names, key=digest)[: round(UNASKED_SHARE * len(names))]
    )
