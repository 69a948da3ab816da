"""A measurement as one line of text, which a learner pastes into an answer.

    tg 41.3,40.9,41.8 tok/s; pp 210.1,208.8,211.0 tok/s; peak 214 MiB; smollm2 b179c9523d0e; 2026-11-22

The line can be read by eye, and by `BenchRecord.parse`. `problems()` says what can't be true of it; a grader
never repeats the measurement. Taught in chapter 19.
"""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from labkit.errors import LabError
from labkit.units import MIB

_EXAMPLE = (
    "tg 41.3,40.9,41.8 tok/s; pp 210.1,208.8,211.0 tok/s; peak 214 MiB; my-model 0123456789ab; 2026-11-22"
)
_RANDOM = "random weights"

#: The fastest memory of any machine that a learner may have, in bytes/s; no token can be made faster than the
#: weights are read. (One accelerator of 2025 reads 8e12 bytes/s.)
_FASTEST_MEMORY_BYTES_PER_S = 2e13
_FASTEST_TOKENS_PER_S = 1e6
#: llama.cpp alone, without a model, takes more than this.
_SMALLEST_PEAK_MIB = 5


@dataclass(frozen=True)
class BenchRecord:
    """The figures of one `bench()` that an answer carries."""

    tg_values: tuple[float, ...]
    """Generation speed of each run, tokens/s."""
    pp_values: tuple[float, ...]
    """Prompt processing speed of each run, tokens/s."""
    peak_mib: float
    """Peak resident memory, MiB."""
    model: str
    sha12: str
    """The first 12 digits of the model file's SHA-256."""
    date: str
    """Day of the measurement, as 2026-11-22."""
    random_weights: bool = False
    """True for the stand-in model whose weights are random."""

    @property
    def tg_tokens_per_s(self) -> float:
        """Median generation speed, tokens/s."""
        return statistics.median(self.tg_values)

    @property
    def pp_tokens_per_s(self) -> float:
        """Median prompt processing speed, tokens/s."""
        return statistics.median(self.pp_values)

    def __str__(self) -> str:
        parts = [
            f"tg {','.join(map(plain_number, self.tg_values))} tok/s",
            f"pp {','.join(map(plain_number, self.pp_values))} tok/s",
            f"peak {plain_number(self.peak_mib)} MiB",
            f"{plain_name(self.model)} {self.sha12}",
            self.date,
        ]
        if self.random_weights:
            parts.insert(4, _RANDOM)
        return "; ".join(parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _cure())
        random_weights = _RANDOM in parts
        parts = [part for part in parts if part != _RANDOM]
        if len(parts) != 5:
            raise LabError(f"A record has five parts between semicolons; this has {len(parts)}.", _cure())
        tg = _speeds(parts[0], "tg", "generation")
        pp = _speeds(parts[1], "pp", "prompt processing")
        peak = re.fullmatch(r"peak\s+(\d+(?:\.\d+)?)\s*MiB", parts[2])
        if not peak:
            raise LabError(f"The third part must be the peak memory, not {shortened(parts[2])}.", _cure())
        model = re.fullmatch(r"(\S+)\s+([0-9a-f]{12})", parts[3])
        if not model:
            raise LabError(
                f"The fourth part must be the model and 12 digits of its SHA-256, not {shortened(parts[3])}.",
                _cure(),
            )
        day = day_of(parts[4], _cure())
        return cls(tg, pp, float(peak[1]), model[1], model[2], day, random_weights)

    def problems(
        self, *, model_bytes: int | None = None, sha256: str | None = None, today: date | None = None
    ) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible.

        `model_bytes` and `sha256` are those of the file that should have been measured, where known.
        """
        found = []
        for name, values in (("generation", self.tg_values), ("prompt processing", self.pp_values)):
            found += _problems_of_speeds(name, values)
        if self.pp_tokens_per_s < 0.5 * self.tg_tokens_per_s:
            found.append(
                f"A prompt was processed at {plain_number(self.pp_tokens_per_s)} tokens/s, far slower than "
                f"tokens were generated ({plain_number(self.tg_tokens_per_s)}). A prompt goes in batches: "
                "it is faster."
            )
        if self.peak_mib < _SMALLEST_PEAK_MIB:
            found.append(
                f"A peak of {plain_number(self.peak_mib)} MiB is less than llama.cpp needs without a model."
            )
        if model_bytes and self.tg_tokens_per_s * model_bytes > _FASTEST_MEMORY_BYTES_PER_S:
            found.append(
                f"{plain_number(self.tg_tokens_per_s)} tokens/s of a file of {model_bytes / MIB:,.0f} MiB "
                "would read memory faster than any machine can."
            )
        if sha256 and not sha256.lower().startswith(self.sha12):
            found.append(
                f"The file measured ({self.sha12}) is not the one asked for ({sha256[:12].lower()})."
            )
        return found + no_future(self.date, today)


def parts_of(text: str, cure: str) -> list[str]:
    """What stands between the semicolons of a record line. Raises LabError with `cure` for an empty one."""
    if not isinstance(text, str) or not text.strip():
        raise LabError("There is no record here.", cure)
    return [part.strip() for part in text.strip().strip("'\"").split(";") if part.strip()]


def day_of(text: str, cure: str) -> str:
    """A date as 2026-11-22. Raises LabError with `cure` when it is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise LabError(f"The last part must be a date, not {shortened(text)}.", cure) from None


def no_future(day: str, today: date | None = None) -> list[str]:
    """A sentence when a record's day lies in the future. One day is left for time zones."""
    if date.fromisoformat(day) <= (today or date.today()) + timedelta(days=1):
        return []
    return [f"The date {day} lies in the future."]


def plain_name(name: str) -> str:
    """A model's name without the characters that a record line uses itself."""
    ends_gone = re.sub(r"^[^\w.+-]+|[^\w.+-]+$", "", name)
    return re.sub(r"[^\w.+-]+", "-", ends_gone) or "model"


def _problems_of_speeds(name: str, values: tuple[float, ...]) -> list[str]:
    found = []
    if len(values) < 2:
        found.append(f"There is one {name} run only. Two or more show how far they scatter.")
    if min(values) <= 0 or max(values) > _FASTEST_TOKENS_PER_S:
        found.append(
            f"A {name} speed of {plain_number(max(values) if min(values) > 0 else min(values))} can't be."
        )
    elif max(values) > 4 * min(values):
        found.append(
            f"The {name} runs differ by more than four times ({plain_number(min(values))} to "
            f"{plain_number(max(values))} tokens/s). Close other programs and measure again."
        )
    if len(values) > 2 and len(set(values)) == 1:
        found.append(f"All {name} runs took exactly the same time. Real runs scatter.")
    return found


def _speeds(part: str, key: str, name: str) -> tuple[float, ...]:
    match = re.fullmatch(rf"{key}\s+([\d.,\s]+?)\s*tok(?:ens)?/s", part)
    if not match:
        raise LabError(
            f"The {name} speeds must begin with `{key}` and end with tok/s: {shortened(part)}.", _cure()
        )
    try:
        values = tuple(float(number) for number in match[1].split(","))
    except ValueError:
        raise LabError(f"These are not numbers: {shortened(match[1])}.", _cure()) from None
    return values


def plain_number(value: float) -> str:
    """At least four significant digits and one decimal place, without an exponent: `41.27`, `1234.5`."""
    if not value or not math.isfinite(value):
        return "0"
    # Rounded first: 0.99999 has the decimals of 1.000, so that text → value → text changes nothing.
    rounded = abs(float(f"{value:.3e}"))
    decimals = max(1, 3 - math.floor(math.log10(rounded)))
    return f"{value:.{decimals}f}"


def shortened(text: str) -> str:
    """A text in quotes, cut when it is long."""
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"


def _cure() -> str:
    return f"Paste the line that `result.record()` gives, such as:\n{_EXAMPLE}"
