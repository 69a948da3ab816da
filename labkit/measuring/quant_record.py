"""Chapter 4's measurement as one line of text, which a learner pastes into an answer.

F16 42.5 tg 147 pp 480.1 MiB; Q8_0 61.1 tg 201 pp 255.1 MiB; Q4_0 114 tg 268 pp 136.2 MiB;
6 rounds; 2026-11-22

(in one line) tg and pp are tokens/s of generation and of prompt processing; MiB is the size of the weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from labkit.errors import LabError
from labkit.measuring.record import day_of, no_future, parts_of, plain_number, shortened

EXAMPLE = (
    "F16 42.5 tg 146.8 pp 480.1 MiB; Q8_0 61.1 tg 200.9 pp 255.1 MiB; Q4_0 113.8 tg 268.3 pp 136.2 MiB; "
    "6 rounds; 2026-11-22"
)
#: tokens/s and MiB beyond which no machine gets with a model of this size
_SPEEDS, _SIZES = (0.01, 1e6), (20.0, 5_000.0)
#: Fewer bytes make a smaller file: sizes of the same model can't be nearer than this.
_NEAREST_SIZES = 1.02


@dataclass(frozen=True)
class QuantRecord:
    """For each quantization, from most bytes to fewest: name, generation and prompt tokens/s, MiB."""

    runs: tuple[tuple[str, float, float, float], ...]
    rounds: int
    date: str
    """Day of the measurement, as 2026-11-22."""

    @property
    def first(self) -> tuple[str, float, float, float]:
        """The one with the most bytes."""
        return self.runs[0]

    @property
    def last(self) -> tuple[str, float, float, float]:
        """The one with the fewest bytes."""
        return self.runs[-1]

    def __str__(self) -> str:
        parts = [
            f"{name} {plain_number(tg)} tg {plain_number(pp)} pp {plain_number(mib)} MiB"
            for name, tg, pp, mib in self.runs
        ]
        return "; ".join([*parts, f"{self.rounds} rounds", self.date])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if not 4 <= len(parts) <= 30:
            raise LabError(
                f"A record has four or more parts between semicolons; this has {len(parts)}.", _CURE
            )
        *runs, rounds_text, day = parts
        rounds = re.fullmatch(r"(\d{1,3}) rounds?", rounds_text)
        if not rounds:
            raise LabError(
                f"The part before the date must be the rounds, not {shortened(rounds_text)}.", _CURE
            )
        return cls(tuple(map(_run, runs)), int(rounds[1]), day_of(day, _CURE))

    def problems(self, *, today: date | None = None) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible."""
        found = []
        for name, tg, pp, mib in self.runs:
            for what, speed in (("generation", tg), ("prompt processing", pp)):
                if not _SPEEDS[0] <= speed <= _SPEEDS[1]:
                    found.append(f"A {what} speed of {plain_number(speed)} tokens/s ({name}) can't be.")
            if not _SIZES[0] <= mib <= _SIZES[1]:
                found.append(f"A size of {plain_number(mib)} MiB ({name}) can't be.")
        sizes = [mib for *_, mib in self.runs]
        if any(above < _NEAREST_SIZES * below for above, below in zip(sizes, sizes[1:], strict=False)):
            found.append("The sizes must fall from part to part: fewer bits, fewer bytes.")
        if len({(tg, pp) for _, tg, pp, _ in self.runs}) < len(self.runs):
            found.append("Two of the parts have exactly the same speeds.")
        if self.rounds < 1:
            found.append("Nothing was measured in 0 rounds.")
        return found + no_future(self.date, today)


def _run(part: str) -> tuple[str, float, float, float]:
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(\w{{2,10}}) {number} tg {number} pp {number} MiB", part)
    if not match:
        raise LabError(f"This part can't be read: {shortened(part)}.", _CURE)
    return match[1], float(match[2]), float(match[3]), float(match[4])


_CURE = f"Paste the line that `result.record()` gives, such as:\n{EXAMPLE}"
