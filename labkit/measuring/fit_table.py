"""What `labkit.measuring.fit` found, as a table. Taught in chapters 2 and 19."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from labkit.errors import LabError
from labkit.estimating.fitting import Fit, Room
from labkit.estimating.speed import speed_range
from labkit.tables import Table
from labkit.units import format_bytes


@dataclass(frozen=True)
class Speed:
    """Generation speed in tokens/s: measured with a twin, or a predicted range."""

    low: float
    high: float
    measured: bool

    def text(self) -> str:
        """`'41'`, or `'12 to 30'` where it is predicted."""
        return f"{self.low:.3g}" if self.measured else speed_range(self.low, self.high)


@dataclass(frozen=True)
class FitRow:
    """One model against the machine.

    Attributes
    ----------
    name, title, licence : of the model; the licence is an id of `datasets/licences.csv`, "" when unknown.
    quantization : as asked, or of the catalogue's file.
    needed_bytes : RAM and GPU memory together, as asked.
    fit : the verdict, and the settings with which it fits. None when the model could not be read.
    speed : with those settings; None when it does not fit, or nothing is known of the machine's memory.
    largest_context : tokens that fit with the quantization and the cache of `fit`; 0 for none.
    problem : why the model could not be read.
    """

    name: str
    title: str
    licence: str
    quantization: str = ""
    needed_bytes: int = 0
    fit: Fit | None = None
    speed: Speed | None = None
    largest_context: int = 0
    problem: str = ""

    def verdict(self) -> str:
        """In words: "fits", "fits with 4,096 tokens, q8_0 cache", "does not fit: 12.34 GiB short"."""
        if self.fit is None:
            return f"not known: {self.problem}"
        if self.fit.verdict == "does not fit":
            return f"does not fit: {format_bytes(self.fit.short_bytes)} short"
        where = " on the GPU" if self.fit.place == "GPU" else ""
        changes = ", ".join(self.fit.changes)
        return f"fits{where} with {changes}" if changes else f"fits{where}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        out = {
            "name": self.name,
            "title": self.title,
            "licence": self.licence,
            "quantization": self.quantization,
            "needed_bytes": self.needed_bytes,
            "largest_context": self.largest_context,
            "tokens_per_s": asdict(self.speed) if self.speed else None,
        }
        if self.fit is None:
            return out | {"verdict": "not known", "problem": self.problem}
        return out | {
            "verdict": self.fit.verdict,
            "place": self.fit.place,
            "changes": list(self.fit.changes),
            "settings": asdict(self.fit.settings),
            "ram_bytes": self.fit.memory.cpu_bytes,
            "gpu_bytes": self.fit.memory.gpu_bytes,
            "short_bytes": self.fit.short_bytes,
        }


@dataclass(frozen=True, repr=False)
class FitTable:
    """What `fit` found. Taught in chapter 19.

    Attributes
    ----------
    rows : one for each model.
    room : the memory that counted.
    available_bytes : of the RAM, what is free now; other programs use the rest.
    what_if : True when the room is not this machine's.
    context, kv_type : as asked.
    notes : sentences for a reader.
    """

    rows: tuple[FitRow, ...]
    room: Room
    available_bytes: int
    what_if: bool
    context: int
    kv_type: str
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> FitRow:
        """The row of a model. Raises LabError when it is not in the table."""
        for row in self.rows:
            if row.name == name:
                return row
        raise LabError(f"The table has no model {name!r}.", f"It has {', '.join(r.name for r in self.rows)}.")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "memory_allowed_bytes": self.room.ram_bytes,
            "memory_available_bytes": self.available_bytes,
            "vram_bytes": self.room.vram_bytes,
            "what_if": self.what_if,
            "context": self.context,
            "kv_type": self.kv_type,
            "models": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
        }

    def table(self) -> Table:
        """One line for each model."""
        machine = "A machine with" if self.what_if else "This machine:"
        vram = f" and {format_bytes(self.room.vram_bytes)} on the GPU" if self.room.vram_bytes else ""
        return Table(
            f"{machine} {format_bytes(self.room.ram_bytes)} of memory{vram}; "
            f"a context of {self.context:,} tokens",
            ["Model", "Needs", "Verdict", f"Tokens/s, {self._how_fast()}", "Largest context", "Licence"],
            [_cells(row) for row in self.rows],
            self.notes,
            text_width=140,
        )

    def _how_fast(self) -> str:
        return "measured" if any(row.speed and row.speed.measured for row in self.rows) else "predicted"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def _cells(row: FitRow) -> list[str]:
    return [
        row.name,
        format_bytes(row.needed_bytes) if row.fit else "",
        row.verdict(),
        row.speed.text() if row.speed else "",
        f"{row.largest_context:,}" if row.largest_context else "",
        row.licence or "not recorded",
    ]
