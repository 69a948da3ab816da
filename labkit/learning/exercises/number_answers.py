"""What exercises share whose answer is a dictionary of numbers: reading, judging, hints number by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import KnownMistake
from labkit.learning.quantities import close, describe, read_number
from labkit.learning.rounding import TOO_ROUND, agrees, is_coarse

#: Relative: slips lie as close together as 4 %, and an answer has three digits.
_SLIP = 0.015


@dataclass(frozen=True)
class NumberAnswer:
    """A read answer: key → number, and key → the values that are right (the first one is meant)."""

    got: Mapping[str, float]
    expected: Mapping[str, tuple[float, ...]]
    record: Any = None  #: the measurement that the answer carries, where there is one

    def is_right(self, key: str) -> bool:
        """Is this number right, roundings forgiven?"""
        return agrees(self.got[key], *self.expected[key])

    @property
    def all_right(self) -> bool:
        return all(map(self.is_right, self.expected))

    @property
    def right(self) -> int:
        """How many of the numbers are right."""
        return sum(map(self.is_right, self.expected))


def read_numbers(plain: Any, units: Mapping[str, str], form: str, *, also: tuple[str, ...] = ()) -> dict:
    """Key → a number above zero, in the unit that `units` gives for it; the keys `also` stay as they are.

    Raises LabError, with what is wrong and the form, when a key is missing or no number.
    """
    if not isinstance(plain, dict):
        raise LabError(f"The answer is {describe(plain)}, not a dictionary.", form)
    missing = [key for key in (*also, *units) if key not in plain]
    if missing:
        raise LabError(f"The dictionary has no {missing[0]!r}.", form)
    return {key: _positive(plain[key], key, unit) for key, unit in units.items()}


def _positive(value: Any, what: str, unit: str) -> float:
    if value is None or value in ("", "?"):
        raise LabError(
            f"{what} is still empty.", "Give a number with three significant digits, such as 12.3."
        )
    number = read_number(value, what, unit)
    if number <= 0:
        raise LabError(f"{what} is {number:g}.", "It is greater than zero.")
    return number


Wrong = float | Callable[[NumberAnswer], float]


def slip(key: str, name: str, hint: str, *wrong: Wrong) -> KnownMistake:
    """The mistake `name`: the number `key` is one of the `wrong` values, up to a rounding."""

    def find(answer: NumberAnswer) -> str | None:
        values = [value(answer) if callable(value) else value for value in wrong]
        hit = any(close(answer.got[key], value, _SLIP) for value in values)
        return hint if hit and not answer.is_right(key) else None

    return KnownMistake(name, find)


def hints_for(key: str, *slips: KnownMistake, otherwise: str) -> tuple[KnownMistake, ...]:
    """The slips of one number, then the hint for one that was rounded too much, then one for all others."""

    def too_round(answer: NumberAnswer) -> str | None:
        coarse = is_coarse(answer.got[key], *answer.expected[key])
        return TOO_ROUND if coarse and not answer.is_right(key) else None

    def unclear(answer: NumberAnswer) -> str | None:
        return None if answer.is_right(key) else otherwise

    name = key.replace("_", "-")
    return *slips, KnownMistake(f"{name}-rounded", too_round), KnownMistake(name, unclear)
