"""A learner's answer as plain values, without running any code of its objects.

An answer cell may hold anything: an object whose `__eq__` raises, a list that holds itself, a million
rows. Only exact built-in types pass (and NumPy's numbers, single or in an array, read by NumPy); all else is
named in a sentence. So a judge sees only numbers, text, True, False, None, lists and dictionaries, and few of
them.
"""

from __future__ import annotations

import sys
from typing import Any

from labkit.errors import LabError
from labkit.learning.quantities import describe

MAX_DEPTH = 8
MAX_VALUES = 2_000
MAX_TEXT = 20_000
_FORMS = "Answer with numbers, text, lists and dictionaries."

#: What stands for "nothing yet", wherever it is in an answer.
_PLACEHOLDERS = (None, "", "?", "...")


def to_plain(answer: Any) -> Any:
    """`answer` as a tree of plain values.

    Raises
    ------
    LabError : it holds something else, or too much.
    """
    return _Reader().read(answer, 0)


class _Reader:
    def __init__(self) -> None:
        self.values = 0

    def read(self, value: Any, depth: int) -> Any:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            raise LabError("The answer is far larger than expected.", _FORMS)
        kind = type(value)
        if value is None or value is ...:
            return None
        if kind is bool:
            return value
        if kind is int:
            if value.bit_length() > 256:
                raise LabError("The answer holds a number that is far too large.", _FORMS)
            return value
        if kind is float:
            return value
        if kind is str:
            return self._text(value)
        if any(kind is container for container in (list, tuple, set, frozenset)):
            return [self.read(item, depth + 1) for item in tuple(value)]
        if kind is dict:
            return {self._key(k): self.read(v, depth + 1) for k, v in tuple(value.items())}
        return self._numpy_numbers(value, depth)

    def _text(self, value: str) -> str:
        if len(value) > MAX_TEXT:
            raise LabError("The answer holds a text that is far too long.", _FORMS)
        return value

    def _key(self, key: Any) -> str:
        if type(key) is not str:
            raise LabError(f"A key of the dictionary is {describe(key)}.", "Keys are text, in quotes.")
        return self._text(key)

    def _numpy_numbers(self, value: Any, depth: int) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray and value.dtype.kind in "biuf":
            if value.size > MAX_VALUES:
                raise LabError("The answer is far larger than expected.", _FORMS)
            return self.read(value.tolist(), depth)
        # Compared by identity: `==` between types may run a learner's metaclass.
        if numpy is not None and any(type(value) is kind for kind in numpy.sctypeDict.values()):
            number = value.item()
            if type(number) in (bool, int, float, str):
                return self.read(number, MAX_DEPTH)
        raise LabError(f"The answer holds {describe(value)}.", _FORMS)


def is_blank(plain: Any, blank: Any) -> bool:
    """Is a plain answer still what stood in the cell at first, or nothing but placeholders?

    `blank` says what stood there; its texts count as placeholders too.
    """
    texts = {leaf for leaf in _leaves(blank) if isinstance(leaf, str)}
    return all(_is_placeholder(leaf, texts) for leaf in _leaves(plain))


def _is_placeholder(leaf: Any, texts: set[str]) -> bool:
    if isinstance(leaf, str):
        return leaf.strip() in _PLACEHOLDERS or leaf in texts
    return leaf is None


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]
