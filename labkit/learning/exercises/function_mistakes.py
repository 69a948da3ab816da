"""Known mistakes of exercises whose answer is a function.

Such an exercise has a function of its own that can be told to make mistakes. The smallest set of them that
gives what the learner's function gave is what the learner is told.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from labkit.learning.exercise import KnownMistake


class _Judged(Protocol):
    @property
    def mistakes(self) -> tuple[str, ...]: ...


def fewest_mistakes(
    names: Iterable[str],
    gives: Callable[[tuple[str, ...]], bool],
    *,
    most: int,
    exclusive: Sequence[Sequence[str]],
) -> tuple[str, ...]:
    """The fewest mistakes that together explain an answer; empty when there are none such.

    Parameters
    ----------
    names : all mistakes, the likelier ones first.
    gives : whether these mistakes together give the answer.
    most : mistakes that one answer may hold.
    exclusive : groups of which an answer can hold one at most.
    """
    names = tuple(names)
    for n in range(1, most + 1):
        for made in itertools.combinations(names, n):
            if not any(len(set(made) & set(group)) > 1 for group in exclusive) and gives(made):
                return made
    return ()


def known_mistakes(sentences: Mapping[str, str], where: Callable[[Any], str]) -> tuple[KnownMistake, ...]:
    """A hint for each mistake: where the answer first goes wrong, its sentence, and how many there are."""
    return tuple(
        KnownMistake(name, functools.partial(_hint, name, sentence, where))
        for name, sentence in sentences.items()
    )


def _hint(name: str, sentence: str, where: Callable[[Any], str], answer: _Judged) -> str | None:
    if answer.mistakes[:1] != (name,):
        return None
    n = len(answer.mistakes)
    more = f" This is one of {n} things that are off." if n > 1 else ""
    return f"{where(answer)} {sentence}{more}"
