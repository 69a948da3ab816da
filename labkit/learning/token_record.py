"""The tokens of a learner's own two texts as one line of text, which goes into an answer.

first 412 bytes 97 tokens; second 655 bytes 284 tokens; SmolLM2; 2026-11-22
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from labkit.errors import LabError
from labkit.measuring.record import day_of, no_future, parts_of, shortened

EXAMPLE = "first 412 bytes 97 tokens; second 655 bytes 284 tokens; SmolLM2; 2026-11-22"
_CURE = f"Paste the line that `result.record()` gives, such as:\n{EXAMPLE}"
#: A shorter text says little about a language.
LEAST_BYTES = 200
#: No tokenizer's tokens are that long on average in ordinary text.
_MOST_BYTES_PER_TOKEN = 20


@dataclass(frozen=True)
class TokenRecord:
    """Two texts: (UTF-8 bytes, tokens) each, and the tokenizer that cut them."""

    first: tuple[int, int]
    second: tuple[int, int]
    tokenizer: str
    date: str
    """Day of the count, as 2026-11-22."""

    def __str__(self) -> str:
        parts = [
            f"{name} {n_bytes} bytes {tokens} tokens"
            for name, (n_bytes, tokens) in (("first", self.first), ("second", self.second))
        ]
        return "; ".join([*parts, self.tokenizer.replace(";", ","), self.date])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if len(parts) != 4:
            raise LabError(f"A record has four parts between semicolons; this has {len(parts)}.", _CURE)
        return cls(_text(parts[0], "first"), _text(parts[1], "second"), parts[2], day_of(parts[3], _CURE))

    def problems(self, *, today: date | None = None) -> list[str]:
        """What can't be true of this record, or is not enough, as sentences; empty when it is plausible."""
        found = []
        for name, (n_bytes, tokens) in (("first", self.first), ("second", self.second)):
            if n_bytes < LEAST_BYTES:
                found.append(
                    f"The {name} text has {n_bytes} bytes. It takes at least {LEAST_BYTES} to say much."
                )
            elif not n_bytes / _MOST_BYTES_PER_TOKEN <= tokens <= 2 * n_bytes:
                found.append(f"{tokens} tokens for {n_bytes} bytes can't be ({name} text).")
        if self.first == self.second:
            found.append("Both texts have the same figures.")
        return found + no_future(self.date, today)


def _text(part: str, name: str) -> tuple[int, int]:
    match = re.fullmatch(rf"{name} (\d{{1,9}}) bytes (\d{{1,9}}) tokens", part)
    if not match:
        raise LabError(f"The part of the {name} text can't be read: {shortened(part)}.", _CURE)
    return int(match[1]), int(match[2])
