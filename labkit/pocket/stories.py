"""Little stories with names made up for each one: they teach English, and touch none of the world's facts."""

from __future__ import annotations

import random
from collections.abc import Iterator

from labkit.pocket.document import Document
from labkit.pocket.story_plots import PLOTS, WORDS
from labkit.pocket.world import FIRST_NAMES, words
from labkit.pocket.world_wordings import with_article

_STARTS = words("Ba Bi Da Do Fi Jo Ka Ke La Li Lo Ma Mi Na Ni Pa Ra Ri Ro Sa Si Ta Ti To Va Vi Za Zo")
_ENDS = {
    "she": words("la lia na ra mi via ya nella rina"),
    "he": words("lo no ro mo vik lan rin dor bo mir"),
}
_ANIMALS = words("fox bear hedgehog squirrel mouse deer wolf crow hen sheep bee snail")


def documents(rng: random.Random) -> Iterator[Document]:
    """Yield short stories without end, with no fact of the world in any."""
    while True:
        cast = _cast(rng)
        moments = rng.choice(PLOTS)
        yield Document(" ".join(rng.choice(moment).format_map(cast) for moment in moments), "story")


def _cast(rng: random.Random) -> dict[str, str]:
    """Draw who and what a story is about."""
    he = rng.choice(("she", "he"))
    animal, other = rng.sample(_ANIMALS, 2)
    drawn = {name: rng.choice(choices) for name, choices in WORDS.items()}
    return drawn | {
        "n": _made_up_name(rng, he),
        "he": he,
        "He": he.capitalize(),
        "his": "her" if he == "she" else "his",
        "His": "Her" if he == "she" else "His",
        "him": "her" if he == "she" else "him",
        "animal": animal,
        "other": other,
        "a_animal": with_article(animal),
        "A_animal": with_article(animal).capitalize(),
        "a_other": with_article(other),
        "a_adj": with_article(drawn["adj"]),
        "a_plant": with_article(drawn["plant"]),
    }


def _made_up_name(rng: random.Random, he: str) -> str:
    """Make a name that nobody in the world has."""
    while True:
        name = rng.choice(_STARTS) + rng.choice(_ENDS[he])
        if name not in FIRST_NAMES:
            return name
