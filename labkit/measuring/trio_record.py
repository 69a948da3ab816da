"""The measurement of chapter 3's three twins as one line of text, which a learner pastes into an answer.

small 152.1 tok/s 148.2 MiB; moe 160.4 tok/s 431.0 MiB; large 55.9 tok/s 430.6 MiB; 6 rounds; 2026-11-22
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from labkit.errors import LabError
from labkit.measuring.record import day_of, no_future, parts_of, plain_number, shortened

NAMES = ("small", "moe", "large")
EXAMPLE = (
    "small 152.1 tok/s 148.2 MiB; moe 160.4 tok/s 431.0 MiB; large 55.9 tok/s 430.6 MiB; 6 rounds; 2026-11-22"
)
#: tokens/s and MiB beyond which no machine gets with models of this size
_SPEEDS, _MEMORIES = (0.01, 1e5), (50.0, 5_000.0)


@dataclass(frozen=True)
class TrioRecord:
    """Name → (generation speed in tokens/s, memory in MiB), medians over the rounds."""

    small: tuple[float, float]
    moe: tuple[float, float]
    large: tuple[float, float]
    rounds: int
    date: str
    """Day of the measurement, as 2026-11-22."""

    def __str__(self) -> str:
        parts = [
            f"{name} {plain_number(speed)} tok/s {plain_number(mib)} MiB"
            for name, (speed, mib) in zip(NAMES, (self.small, self.moe, self.large), strict=True)
        ]
        return "; ".join([*parts, f"{self.rounds} rounds", self.date])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if len(parts) != 5:
            raise LabError(f"A record has five parts between semicolons; this has {len(parts)}.", _CURE)
        runs = {name: _run(part, name) for name, part in zip(NAMES, parts, strict=False)}
        rounds = re.fullmatch(r"(\d{1,3}) rounds?", parts[3])
        if not rounds:
            raise LabError(f"The fourth part must be the rounds, not {shortened(parts[3])}.", _CURE)
        return cls(**runs, rounds=int(rounds[1]), date=day_of(parts[4], _CURE))

    def problems(self, *, today: date | None = None) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible."""
        found = []
        for name in NAMES:
            speed, mib = getattr(self, name)
            if not _SPEEDS[0] <= speed <= _SPEEDS[1]:
                found.append(f"A speed of {plain_number(speed)} tokens/s ({name}) can't be.")
            if not _MEMORIES[0] <= mib <= _MEMORIES[1]:
                found.append(f"A memory of {plain_number(mib)} MiB ({name}) can't be.")
        if len({getattr(self, name) for name in NAMES}) < len(NAMES):
            found.append("Two of the three have exactly the same figures.")
        if self.rounds < 1:
            found.append("Nothing was measured in 0 rounds.")
        return found + no_future(self.date, today)


def _run(part: str, name: str) -> tuple[float, float]:
    match = re.fullmatch(rf"{name} (\d+(?:\.\d+)?) tok(?:ens)?/s (\d+(?:\.\d+)?) MiB", part)
    if not match:
        raise LabError(f"The part of {name!r} can't be read: {shortened(part)}.", _CURE)
    return float(match[1]), float(match[2])


_CURE = f"Paste the line that `result.record()` gives, such as:\n{EXAMPLE}"
