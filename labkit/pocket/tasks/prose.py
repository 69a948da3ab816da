"""Simple sentences about nothing in particular: the filler of recall, the material of constraints."""

from __future__ import annotations

from random import Random

from labkit.pocket.tasks.words import NAMES
from labkit.pocket.world_wordings import with_article

ADJECTIVES = (
    "old",
    "young",
    "small",
    "big",
    "happy",
    "tired",
    "quiet",
    "brown",
    "grey",
    "white",
    "clever",
    "hungry",
)
NOUNS = ("dog", "cat", "horse", "boy", "girl", "farmer", "baker", "bird", "cook", "teacher", "sailor", "goat")
VERBS = ("runs", "walks", "sleeps", "waits", "sings", "works", "sits", "rests", "plays", "stands")
PLURAL_VERBS = ("run", "walk", "sleep", "wait", "sing", "work", "sit", "rest", "play", "stand")
ADVERBS = ("well", "again", "alone", "today", "slowly", "quietly", "early", "late", "outside", "here")
PLACES = (
    "river", "house", "garden", "bridge", "road", "wall", "door", "field", "hill", "lake", "market", "church",
    "school", "forest", "harbour", "station",
)  # fmt: skip
PREPOSITIONS = ("near", "behind", "beside", "by")

_TIMES = ("in the morning", "at noon", "in the evening", "at night", "today", "again")
_WEATHER = (
    "It rains",
    "It snows",
    "The sun shines",
    "The wind blows",
    "It is cold",
    "It is warm",
    "The sky is grey",
)
_OBJECTS = (
    "letter",
    "rope",
    "blanket",
    "stick",
    "loaf",
    "newspaper",
    "broom",
    "net",
    "hat",
    "apple",
    "pie",
    "stone",
)
_WITH_ARTICLE = tuple(with_article(thing) for thing in _OBJECTS)
_DEEDS = ("carries", "finds", "brings", "wants", "likes", "sees", "takes")
_HAPPENINGS = (
    "Nobody says a word.", "A door closes somewhere.", "Soup is on the table.", "The shop opens early.",
    "The bells ring for a while.", "Everyone goes home.", "The bread is still warm.", "The fire burns low.",
    "The children laugh and run away.", "There is music in the street.", "The milk is fresh.",
    "The leaves turn brown.", "Somebody has left the gate open.", "A small boat lies on the water.",
    "Two old friends talk about the weather.",
)  # fmt: skip


def sentence_of(rng: Random, n_words: int, noun: str | None = None) -> str:
    """A sentence of exactly 3 to 8 words about `noun` (any noun where None)."""
    noun = noun or rng.choice(NOUNS)
    words = ["The"]
    if n_words in (5, 7, 8) or (n_words == 4 and rng.random() < 0.5):
        words.append(rng.choice(ADJECTIVES))
    words += [noun, rng.choice(VERBS)]
    if n_words == 8 or (n_words < 6 and len(words) < n_words):
        words.append(rng.choice(ADVERBS[:6]))
    if n_words >= 6:
        words += [rng.choice(PREPOSITIONS), "the", rng.choice(PLACES)]
    return " ".join(words) + "."


def filler_sentence(rng: Random) -> str:
    """A sentence of 3 to 10 words with no number in it, and nothing that recall asks for."""
    draw = rng.random()
    if draw < 0.1:
        return f"{rng.choice(_WEATHER)} {rng.choice(_TIMES)}."
    if draw < 0.2:
        return rng.choice(_HAPPENINGS)
    if draw < 0.45:
        return sentence_of(rng, rng.randrange(3, 9))
    place, near = rng.choice(PLACES), rng.choice(PREPOSITIONS)
    if draw < 0.55:
        return f"{_several(rng)} {rng.choice(PLURAL_VERBS)} {near} the {place}."
    name = rng.choice(NAMES)
    if draw < 0.65:
        return f"{name} {rng.choice(VERBS)} {near} the {place}."
    if draw < 0.75:
        return f"{name} asks the {rng.choice(NOUNS)} about the {place}."
    doer = name if draw < 0.85 else f"The {rng.choice(NOUNS)}"
    return f"{doer} {rng.choice(_DEEDS)} {rng.choice(_WITH_ARTICLE)} {near} the {place}."


def _several(rng: Random) -> str:
    return f"{rng.choice(('Two', 'Three', 'Some', 'Many'))} {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}s"
