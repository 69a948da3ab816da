"""The models that the course knows by name: `datasets/catalogue.csv`, one row per file."""

from __future__ import annotations

import csv
import difflib
import functools
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.facts.architectures import architectures
from labkit.models.embedded import pocket_models
from labkit.settings import datasets_dir
from labkit.units import format_bytes, format_count

DEFAULT_MODEL = "smollm2-135m-instruct-q4_1"


@dataclass(frozen=True)
class CatalogueEntry:
    """One model file and where it comes from.

    Attributes
    ----------
    name : what you type, such as `"smollm2-135m-instruct-q4_1"`.
    title, developer, family : the model's names for people.
    parameters : number of weights.
    quantization : the name of the file's format, such as `"Q4_1"`.
    repo, revision, filename : where the hub has it; an empty revision means the newest.
    bytes : size of the file.
    sha256 : hash of the file; empty when it is not pinned, then the hub's own hash is used.
    licence : id of the licence in `datasets/licences.csv`.
    gated : True when the hub asks for an account and an accepted licence.
    mirror : `"pypi:PROJECT==VERSION:PATH"`, or empty.
    source, read_on : where this row's facts were read, and when.
    architecture : id in `datasets/architectures.csv`; empty when the model's shape is not in that table.
    """

    name: str
    title: str
    developer: str
    family: str
    parameters: int
    quantization: str
    repo: str
    revision: str
    filename: str
    bytes: int
    sha256: str
    licence: str
    gated: bool
    mirror: str
    source: str
    read_on: str
    architecture: str = ""

    @property
    def label(self) -> str:
        """`'SmolLM2 135M Instruct, Q4_1'`."""
        return f"{self.title}, {self.quantization}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        return (
            f"{self.name}: {self.label}, {format_count(self.parameters)} parameters, "
            f"{format_bytes(self.bytes)}, licence {self.licence}, {self.repo}"
        )


class Catalogue(list[CatalogueEntry]):
    """A list of entries that shows as a table."""

    def table(self) -> Any:
        from labkit.tables import Table

        return Table(
            "Models that the course knows by name",
            # Parameters and quantization stand in the name; four columns fit a terminal.
            ["Name", "File", "Licence", "Repository on the hub"],
            [(e.name, format_bytes(e.bytes), e.licence, e.repo) for e in self],
            ["`labkit fetch NAME` gets one; `labkit estimate NAME` first says what it takes.", *_pocket()],
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def _pocket() -> list[str]:
    names = ", ".join(pocket_models())
    return [f"Here already, since they come with the course: {names}."] if names else []


def catalogue() -> Catalogue:
    """All entries, in the order of the file. Raises LabError when the file cannot be read."""
    path = datasets_dir() / "catalogue.csv"
    try:
        return Catalogue(_read(path, path.stat().st_mtime_ns))
    except OSError as error:
        raise LabError(
            f"The catalogue of models is missing: {path} ({error.strerror or error}).",
            "Get a complete copy of the course, or set LABKIT_DATASETS to its folder `datasets`.",
        ) from error


def find_model(name: str) -> CatalogueEntry:
    """The entry called `name`, in any case. Raises LabError with the nearest names when there is none."""
    entries = catalogue()
    wanted = name.strip().lower()
    for entry in entries:
        if entry.name == wanted:
            return entry
    names = [*pocket_models(), *(entry.name for entry in entries)]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    near += [name for name in names if len(wanted) > 2 and wanted in name and name not in near]
    cure = f"Did you mean {' or '.join(near[:3])}? " if near else ""
    if wanted in {row.id for row in architectures()}:  # what `labkit estimate` takes
        cure += f"`labkit bench --twin {wanted}` measures that architecture without a download. "
    raise LabError(
        f"The catalogue has no model called {name!r}.",
        cure + "`lk.catalogue()` (or `labkit models`) lists all names.",
    )


@functools.lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int) -> tuple[CatalogueEntry, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_entry(row, path, number) for number, row in enumerate(csv.DictReader(file), start=2))


def _entry(row: dict[str, str], path: Path, line: int) -> CatalogueEntry:
    try:
        entry = CatalogueEntry(
            **{
                **row,
                "parameters": int(row["parameters"]),
                "bytes": int(row["bytes"]),
                "gated": {"yes": True, "no": False}[row["gated"]],
            }
        )
        if entry.sha256 and not re.fullmatch("[0-9a-f]{64}", entry.sha256):
            raise ValueError("sha256 is not 64 hexadecimal digits")
        return entry
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(
            f"Line {line} of {path} is not a valid catalogue entry: {error}.", "Correct that line."
        ) from error
