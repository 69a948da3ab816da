"""Which items are kept back for testing: a fixed rule that every generator of training texts obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from labkit.pocket.world import digest

#: in so many draws, a kind that has a new question left has given it
_TRIES = 2000


class _Asked(Protocol):
    @property
    def prompt(self) -> str: ...


Q = TypeVar("Q", bound=_Asked)


def is_held_out(item: str, percent: int = 10) -> bool:
    """Whether `item` belongs to the test set: about `percent` of all items do, always the same ones.

    The rule looks at a digest of the text, so it needs no list, no seed and no order.
    """
    # multiplying spreads what similar texts have in common over all digits
    spread = digest(item) * 2_654_435_761 % 2**32
    return spread * 100 >> 32 < percent


def different(n: int, kinds: Sequence[str], draw: Callable[[str], Q]) -> list[Q]:
    """`n` questions with different prompts, the kinds in turn; `draw` makes one of a kind at random.

    Raises ValueError where a kind has too few.
    """
    drawn: dict[str, Q] = {}
    for index in range(n):
        kind = kinds[index % len(kinds)]
        new = next((one for one in (draw(kind) for _ in range(_TRIES)) if one.prompt not in drawn), None)
        if new is None:
            raise ValueError(f"There are fewer than {n} held-out questions: no more of the kind {kind}.")
        drawn[new.prompt] = new
    return list(drawn.values())
