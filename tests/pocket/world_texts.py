"""What the tests of the world's texts share: which facts a text could state, read from the text alone."""

from __future__ import annotations

import re

from labkit.pocket.document import Conversation, Document
from labkit.pocket.world import Fact, world
from labkit.pocket.world_questions import held_out_questions

_WORD = re.compile(r"\w+")
_ENDING = re.compile(r"(?<=[.?!]) |\n|: ")


def text_of(item: Document | Conversation) -> str:
    """Return all that a document or a conversation says."""
    return item.text if isinstance(item, Document) else "\n".join(item.turns)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text in small letters, without the marks at their ends."""
    return [part.strip().lower().rstrip(".?!") for part in _ENDING.split(text)]


def kept_back() -> set[str]:
    """Return every held-out question, in the form of `sentences_of`."""
    return {sentences_of(question)[0] for fact in world().facts for question in held_out_questions(fact)}


def words_of(text: str) -> set[str]:
    """Return the words of a text, also in small letters: a sentence begins with a large one."""
    words = _WORD.findall(text)
    return {*words, *map(str.lower, words)}


_BY_NAME: dict[str, list[tuple[Fact, set[str]]]] = {}
for _fact in world().facts:
    _BY_NAME.setdefault(_fact.subject.split()[0], []).append((_fact, set(_WORD.findall(_fact.value))))


def could_state(text: str) -> set[Fact]:
    """Return the facts whose subject (or a person's first name) and value both stand in a text."""
    found = words_of(text)
    return {fact for name in found & _BY_NAME.keys() for fact, value in _BY_NAME[name] if value <= found}
