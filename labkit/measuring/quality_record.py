"""A comparison of quantizations as one line of text, which a learner pastes into an answer.

    F16 6291456 B ppl 4.512; Q8_0 3342336 B ppl 4.513 kl 0.0001200 same 99.61 %; 4845 tokens; \
pocket-base b179c9523d0e; 2026-11-22

The line can be read by eye, and by `QualityRecord.parse`. `problems()` says what can't be true of it.
Taught in chapter 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from labkit.errors import LabError
from labkit.measuring.record import day_of, no_future, parts_of, plain_name, plain_number, shortened

_EXAMPLE = (
    "F16 6291456 B ppl 4.512; Q8_0 3342336 B ppl 4.513 kl 0.0001200 same 99.61 %; 4845 tokens; "
    "my-model 0123456789ab; 2026-11-22"
)
_CURE = f"Paste the line that `table.record()` gives, such as:\n{_EXAMPLE}"
_LINE = re.compile(
    r"(?P<quant>[A-Z0-9_]+) (?P<bytes>\d{1,15}) B ppl (?P<perplexity>\d+\.\d+)"
    r"(?: kl (?P<kl>\d+\.\d+) same (?P<same>\d{1,3}\.\d+) %)?"
)


@dataclass(frozen=True)
class RecordLine:
    """One quantization. The source itself has no divergence and no agreement."""

    quant: str
    file_bytes: int
    perplexity: float
    kl_divergence: float | None
    """From the source, nats."""
    same_top: float | None
    """Share of the places with the same first choice, 0 to 1."""

    def __str__(self) -> str:
        text = f"{self.quant} {self.file_bytes} B ppl {plain_number(self.perplexity)}"
        if self.kl_divergence is None or self.same_top is None:
            return text
        # `plain_number` keeps four digits; 0 must stay a number with a point, too.
        kl = plain_number(self.kl_divergence) if self.kl_divergence else "0.0"
        return f"{text} kl {kl} same {100 * self.same_top:.2f} %"

    @classmethod
    def parse(cls, part: str) -> Self:
        match = _LINE.fullmatch(part)
        if not match:
            raise LabError(f"This is no quantization with its figures: {shortened(part)}.", _CURE)
        kl, same = match["kl"], match["same"]
        return cls(
            match["quant"],
            int(match["bytes"]),
            float(match["perplexity"]),
            float(kl) if kl else None,
            float(same) / 100 if same else None,
        )


@dataclass(frozen=True)
class QualityRecord:
    """The figures of one `compare_quantizations()` that an answer carries."""

    lines: tuple[RecordLine, ...]
    """The source first."""
    n_scored: int
    """Tokens that were scored."""
    model: str
    sha12: str
    """The first 12 digits of the SHA-256 of the source's file."""
    date: str
    """Day of the measurement, as 2026-11-22."""

    def __str__(self) -> str:
        parts = [*map(str, self.lines), f"{self.n_scored} tokens"]
        return "; ".join([*parts, f"{plain_name(self.model)} {self.sha12}", self.date])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if len(parts) < 5:
            raise LabError(
                f"A record has five or more parts between semicolons; this has {len(parts)}.", _CURE
            )
        *lines, tokens, model, day = parts
        count = re.fullmatch(r"(\d{1,12}) tokens", tokens)
        name = re.fullmatch(r"(\S+) ([0-9a-f]{12})", model)
        if not count or not name:
            wrong = tokens if not count else model
            raise LabError(f"The end of a record says what was measured, not {shortened(wrong)}.", _CURE)
        found = tuple(map(RecordLine.parse, lines))
        return cls(found, int(count[1]), name[1], name[2], day_of(day, _CURE))

    def line(self, quant: str) -> RecordLine | None:
        """The line of a quantization, if it was measured."""
        return next((line for line in self.lines if line.quant == quant), None)

    def problems(self, *, sha256: str | None = None, today: date | None = None) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible."""
        source, *others = self.lines
        found = []
        if source.kl_divergence is not None or any(line.kl_divergence is None for line in others):
            found.append(
                "The first line is the source, which is compared with nothing; the others are with it."
            )
        if len({line.quant for line in self.lines}) < len(self.lines):
            found.append("A quantization stands there twice.")
        if any(line.perplexity < 1 for line in self.lines):
            found.append("No perplexity is below 1: not even if the model is always right.")
        if any(line.same_top is not None and line.same_top > 1 for line in self.lines):
            found.append("No two models agree in more than 100 % of the places.")
        if any(not line.file_bytes > 0 for line in self.lines):
            found.append("No file has 0 bytes.")
        if sha256 and not sha256.lower().startswith(self.sha12):
            found.append(
                f"The file measured ({self.sha12}) is not the one asked for ({sha256[:12].lower()})."
            )
        if not found:
            found += _against_the_order(others)
        return found + no_future(self.date, today)


def _against_the_order(others: list[RecordLine]) -> list[str]:
    """The smallest file can't be nearer to the source than the largest is."""
    if len(others) < 2:
        return []
    largest = max(others, key=lambda line: line.file_bytes)
    smallest = min(others, key=lambda line: line.file_bytes)
    assert largest.kl_divergence is not None and smallest.kl_divergence is not None
    if smallest.file_bytes == largest.file_bytes or smallest.kl_divergence >= largest.kl_divergence:
        return []
    return [
        f"{smallest.quant} is the smallest file, but its KL divergence is below that of {largest.quant}. "
        "Fewer bits never come nearer to the source."
    ]
