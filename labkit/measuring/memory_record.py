"""The memory readings of chapter 6 as one line of text, which a learner pastes into an answer.

f16 512: 131.2 MiB, 4096: 211.0 MiB, 8192: 301.6 MiB; 30 layers, 9 heads, 3 KV heads, head size 64; 2026-11-22
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from labkit.errors import LabError
from labkit.measuring.record import day_of, no_future, parts_of, plain_number, shortened
from labkit.units import MIB

EXAMPLE = (
    "f16 512: 131.2 MiB, 4096: 211.0 MiB, 8192: 301.6 MiB; 30 layers, 9 heads, 3 KV heads, head size 64; "
    "2026-11-22"
)
_CURE = f"Paste the line that `result.record()` gives, such as:\n{EXAMPLE}"
_F16_BYTES = 2
#: The cache is not all that grows: measured over computed, at most and at least.
_MOST, _LEAST = 4.0, 0.25


@dataclass(frozen=True)
class MemoryRecord:
    """Memory at several contexts with an f16 cache, and the shape of the model."""

    readings: tuple[tuple[int, float], ...]
    """(context in tokens, memory in MiB), by rising context."""
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    date: str
    """Day of the measurement, as 2026-11-22."""

    @property
    def bytes_per_token(self) -> float:
        """By how much the memory grew with each token, from the shortest context to the longest, in bytes."""
        (first, low), *_, (last, high) = self.readings
        return (high - low) * MIB / (last - first)

    @property
    def computed_bytes_per_token(self) -> int:
        """2 × layers × KV heads × head size × 2 bytes."""
        return 2 * self.layers * self.kv_heads * self.head_size * _F16_BYTES

    def __str__(self) -> str:
        readings = ", ".join(f"{context}: {plain_number(mib)} MiB" for context, mib in self.readings)
        shape = (
            f"{self.layers} layers, {self.heads} heads, {self.kv_heads} KV heads, head size {self.head_size}"
        )
        return f"f16 {readings}; {shape}; {self.date}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if len(parts) != 3:
            raise LabError(f"A record has three parts between semicolons; this has {len(parts)}.", _CURE)
        shape = re.fullmatch(
            r"(\d{1,6}) layers, (\d{1,6}) heads, (\d{1,6}) KV heads, head size (\d{1,6})", parts[1]
        )
        if not shape:
            raise LabError(f"The second part must be the model's shape, not {shortened(parts[1])}.", _CURE)
        return cls(_readings(parts[0]), *map(int, shape.groups()), date=day_of(parts[2], _CURE))

    def problems(self, *, today: date | None = None) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible."""
        contexts, mib = zip(*self.readings, strict=True)
        if list(contexts) != sorted(set(contexts)) or contexts[0] < 1:
            return ["The contexts must rise from reading to reading."]
        if 0 in (self.layers, self.heads, self.kv_heads, self.head_size) or self.kv_heads > self.heads:
            return ["No model has such a shape."]
        found = []
        if min(mib) < 1:
            found.append(f"A memory of {plain_number(min(mib))} MiB is less than any model takes.")
        ratio = self.bytes_per_token / self.computed_bytes_per_token
        if not _LEAST <= ratio <= _MOST:
            found.append(
                f"The memory grew by {self.bytes_per_token:,.0f} bytes a token. That is far from what the "
                "model's shape says."
            )
        return found + no_future(self.date, today)


def _readings(part: str) -> tuple[tuple[int, float], ...]:
    pairs = re.findall(r"(\d{1,9}): (\d{1,9}(?:\.\d+)?) MiB", part)
    whole = "f16 " + ", ".join(f"{context}: {mib} MiB" for context, mib in pairs)
    if len(pairs) < 2 or whole != part:
        raise LabError(f"The first part must be two or more readings, not {shortened(part)}.", _CURE)
    return tuple((int(context), float(mib)) for context, mib in pairs)
