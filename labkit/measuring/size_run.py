"""The size of a model file beside the memory that it takes at two context lengths. Taught in chapter 1.

The result can be pasted into an answer as one line:

    file 98362432 bytes; 134515008 parameters; 512 tokens: 131.2 MiB, 8192 tokens: 301.6 MiB; 2026-11-22
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from labkit.errors import LabError
from labkit.measuring.memory_run import MemoryRun, measure_memory
from labkit.measuring.record import day_of, no_future, parts_of, plain_number, shortened
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.gguf import read_gguf_header
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile
from labkit.progress_bar import ProgressBar
from labkit.units import MIB, format_bytes

_EXAMPLE = (
    "file 98362432 bytes; 134515008 parameters; 512 tokens: 131.2 MiB, 8192 tokens: 301.6 MiB; 2026-11-22"
)
_CURE = f"Paste the line that `sizes.record()` gives, such as:\n{_EXAMPLE}"
#: No file stores fewer or more bits per parameter than this; the vocabulary of a tiny one counts too.
_FEWEST_BITS, _MOST_BITS = 1.0, 200.0


@dataclass(frozen=True, repr=False)
class SizeRun(Result):
    """A file's size, and the memory of a process that runs it."""

    file_bytes: int
    parameters: int
    runs: list[MemoryRun]
    """One for each context, the shortest first."""
    model: str
    random_weights: bool
    date: str

    def memory_mib(self, context: int) -> float:
        """The memory with that context, in MiB. Raises LabError when it was not measured."""
        for run in self.runs:
            if run.settings["asked_context"] == context:
                return run.resident_bytes / MIB
        raise LabError(f"No context of {context:,} tokens was measured.", "Measure it first.")

    def record(self) -> str:
        """The figures in one line of text, to paste into an answer. `SizeRecord.parse` reads it back."""
        readings = tuple((run.settings["asked_context"], run.resident_bytes / MIB) for run in self.runs)
        return str(SizeRecord(self.file_bytes, self.parameters, readings, self.date[:10]))

    def title(self) -> str:
        return f"{self.model}: on disk and in memory"

    def rows(self) -> list[Row]:
        lengths = [(run.settings["asked_context"], run.resident_bytes) for run in self.runs]
        return [
            Row("File on disk", self.file_bytes, "bytes"),
            *(Row(f"Memory, with {context:,} tokens of context", n, "bytes") for context, n in lengths),
        ]

    def notes(self) -> list[str]:
        lines = [
            f"Measured in processes of their own on {self.date[:10]}. Python's own memory is subtracted."
        ]
        return [RANDOM_WEIGHTS_NOTICE, *lines] if self.random_weights else lines

    @property
    def context_growth(self) -> str:
        """By how much the memory grew from the shortest context to the longest, in words."""
        first, last = self.runs[0], self.runs[-1]
        tokens = last.settings["asked_context"] - first.settings["asked_context"]
        more = last.resident_bytes - first.resident_bytes
        return f"{format_bytes(more)} more for {tokens:,} more tokens"


@dataclass(frozen=True)
class SizeRecord:
    """A file's size and the memory at two or more contexts, as an answer carries them."""

    file_bytes: int
    parameters: int
    readings: tuple[tuple[int, float], ...]
    """(context in tokens, memory in MiB), by rising context."""
    date: str
    """Day of the measurement, as 2026-11-22."""

    @property
    def file_mib(self) -> float:
        return self.file_bytes / MIB

    @property
    def longest(self) -> tuple[int, float]:
        """The longest context in tokens, and the memory with it in MiB."""
        return self.readings[-1]

    def __str__(self) -> str:
        readings = ", ".join(f"{context} tokens: {plain_number(mib)} MiB" for context, mib in self.readings)
        return f"file {self.file_bytes} bytes; {self.parameters} parameters; {readings}; {self.date}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record line. Raises LabError, with what is wrong and an example, when it is none."""
        parts = parts_of(text, _CURE)
        if len(parts) != 4:
            raise LabError(f"A record has four parts between semicolons; this has {len(parts)}.", _CURE)
        size = re.fullmatch(r"file (\d{1,15}) bytes", parts[0])
        parameters = re.fullmatch(r"(\d{1,15}) parameters", parts[1])
        if not size or not parameters:
            wrong = parts[0] if not size else parts[1]
            raise LabError(f"A record begins with the file's size and parameters: {shortened(wrong)}.", _CURE)
        return cls(int(size[1]), int(parameters[1]), _readings(parts[2]), day_of(parts[3], _CURE))

    def problems(self) -> list[str]:
        """What can't be true of this record, as sentences; empty when it is plausible."""
        contexts, mib = zip(*self.readings, strict=True)
        if list(contexts) != sorted(set(contexts)):
            return ["The contexts must rise from reading to reading."]
        if not self.parameters or not _FEWEST_BITS <= 8 * self.file_bytes / self.parameters <= _MOST_BITS:
            return [f"No file of {self.file_bytes:,} bytes holds {self.parameters:,} parameters."]
        if min(mib) * 2 < self.file_mib:
            return [f"A model of {self.file_mib:,.0f} MiB does not run in {plain_number(min(mib))} MiB."]
        if mib[-1] <= mib[0]:
            return ["A longer context took no more memory. Close other programs and measure again."]
        return no_future(self.date)


def _readings(part: str) -> tuple[tuple[int, float], ...]:
    pairs = re.findall(r"(\d{1,9}) tokens: (\d{1,9}(?:\.\d+)?) MiB", part)
    if len(pairs) < 2 or ", ".join(f"{context} tokens: {mib} MiB" for context, mib in pairs) != part:
        raise LabError(f"The third part must be two or more readings, not {shortened(part)}.", _CURE)
    return tuple((int(context), float(mib)) for context, mib in pairs)


def measure_sizes(file: ModelFile, contexts: Sequence[int] = (512, 8192)) -> SizeRun:
    """The memory of a model at each of the contexts, each in a process of its own, a prompt included.

    Raises LabError when a context does not fit the memory, or llama.cpp fails.
    """
    if len(set(contexts)) < 2:
        raise LabError("Two lengths are needed to compare.", "Give two or more, such as (512, 8192).")
    header = read_gguf_header(file.path)
    runs = []
    with ProgressBar(len(contexts), "run", f"Memory of {file.label}") as bar:
        for context in sorted(contexts):
            runs.append(measure_memory(file, context=context))
            bar.update()
    return SizeRun(file.bytes, header.n_parameters, runs, file.label, file.random_weights, now_utc())
