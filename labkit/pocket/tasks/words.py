"""The words that the tasks share: few, common, and each with one meaning here."""

from __future__ import annotations

from labkit.pocket.world_wordings import with_article

#: first names of the tasks' own people; none of them lives in the world
NAMES = ("Tom", "Eva", "Max", "Lucy", "Sam", "Kate", "Paul", "Jane", "Fred", "Amy", "Carl", "Sue")

#: what a name is called in the next sentence
PRONOUNS = dict.fromkeys(("Tom", "Max", "Sam", "Paul", "Fred", "Carl"), "he") | dict.fromkeys(
    ("Eva", "Lucy", "Kate", "Jane", "Amy", "Sue"), "she"
)

#: plural of a category: its things, each of which belongs to this category only
CATEGORIES: dict[str, tuple[str, ...]] = {
    "animals": (
        "cat", "dog", "horse", "cow", "frog", "mouse", "fox", "goat", "sheep", "rabbit", "bear", "pig", "owl",
        "duck", "goose", "hen",
    ),
    "colours": ("red", "blue", "green", "yellow", "black", "white", "brown", "pink"),
    "fruits": ("apple", "pear", "lemon", "banana", "grape", "melon", "berry", "fig"),
    "vegetables": ("carrot", "onion", "potato", "cabbage", "bean", "pea", "leek", "turnip"),
    "tools": ("hammer", "saw", "spade", "rake", "axe", "drill", "knife", "brush"),
    "clothes": ("hat", "coat", "shirt", "sock", "skirt", "scarf", "glove", "dress"),
    "drinks": ("water", "milk", "tea", "coffee", "juice", "cocoa", "beer", "wine"),
    "trees": ("oak", "birch", "willow", "maple", "pine", "ash", "elm", "beech"),
    "vehicles": ("car", "bus", "train", "boat", "bike", "truck", "ship", "van"),
    "rooms": ("kitchen", "bedroom", "bathroom", "hall", "cellar", "attic", "office", "garage"),
    "days": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "musical instruments": ("piano", "violin", "flute", "drum", "harp", "guitar", "trumpet", "cello"),
}  # fmt: skip

#: a category in the singular, with its article
ONE_OF = {
    "animals": "an animal",
    "colours": "a colour",
    "fruits": "a fruit",
    "vegetables": "a vegetable",
    "tools": "a tool",
    "clothes": "a piece of clothing",
    "drinks": "a drink",
    "trees": "a tree",
    "vehicles": "a vehicle",
    "rooms": "a room",
    "days": "a day",
    "musical instruments": "a musical instrument",
}

#: the category of each thing
CATEGORY_OF = {thing: category for category, things in CATEGORIES.items() for thing in things}
THINGS = tuple(CATEGORY_OF)

#: no word stands in two pairs, and none is nearly the opposite of a word of another pair
_OPPOSITES = (
    ("hot", "cold"), ("big", "small"), ("old", "young"), ("fast", "slow"), ("wet", "dry"), ("full", "empty"),
    ("light", "dark"), ("high", "low"), ("long", "short"), ("rough", "smooth"), ("open", "closed"),
    ("good", "bad"), ("happy", "sad"), ("loud", "quiet"), ("strong", "weak"), ("clean", "dirty"),
    ("early", "late"), ("rich", "poor"), ("near", "far"), ("up", "down"), ("left", "right"), ("day", "night"),
    ("summer", "winter"), ("first", "last"), ("thick", "thin"), ("wide", "narrow"), ("sweet", "sour"),
    ("asleep", "awake"), ("cheap", "expensive"), ("inside", "outside"), ("north", "south"), ("east", "west"),
)  # fmt: skip

#: the opposite of each word
OPPOSITE_OF = dict(_OPPOSITES) | {b: a for a, b in _OPPOSITES}
WITH_OPPOSITE = tuple(OPPOSITE_OF)

_NO_ARTICLE = frozenset(CATEGORIES["colours"] + CATEGORIES["drinks"] + CATEGORIES["days"])


def named(thing: str) -> str:
    """`"a cat"`, `"an owl"`, but `"milk"`, `"red"` and `"Monday"`."""
    return thing if thing in _NO_ARTICLE else with_article(thing)
