"""The tables in `datasets/`, read and written: strict, typed, with errors that name file, row and column."""

from __future__ import annotations

import csv
import difflib
import functools
import json
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from labkit.errors import LabError
from labkit.settings import datasets_dir

Record = TypeVar("Record")

#: Separates the sentences of one cell.
SENTENCES = " | "


def table(name: str) -> list[dict[str, str]]:
    """The rows of `datasets/NAME.csv` as dictionaries of text, in the order of the file.

    Raises LabError when there is no such table or the file is damaged.
    """
    header, rows = _cells(name)
    return [dict(zip(header, row, strict=True)) for _, row in rows]


def frame(name: str) -> Any:
    """The table as a pandas DataFrame, numbers as numbers. pandas loads on the first call."""
    import pandas

    return pandas.DataFrame(table(name)).apply(_numeric_where_possible)


def records(name: str, kind: type[Record]) -> tuple[Record, ...]:
    """The table as dataclasses: each cell read by the type of the field that has the column's name.

    `str`, `int`, `float`, `bool` (yes or no), `Literal[...]`, `tuple[str, ...]` (sentences apart by ` | `),
    `dict[str, Any]` (a JSON object, or empty), and `... | None` for cells that may be empty. Raises LabError
    naming the file, the row and the column.
    """
    path = _path(name)
    return _records(path, _stamp(path), kind)


def write_records(name: str, rows: Sequence[Any]) -> None:
    """Writes dataclasses as `datasets/NAME.csv`, from which `records` reads them back.

    The old file stays until all is written. At least one row, whose fields are text, numbers, or truth
    values: these become yes and no.
    """
    path = _path(name)
    half = path.with_suffix(".part")
    with half.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in asdict(row).items()} for row in rows)
    half.replace(path)


def _cell(value: Any) -> Any:
    return ("no", "yes")[value] if isinstance(value, bool) else value


def problem(name: str, what: str, *, line: int = 0, row: str = "", column: str = "") -> LabError:
    """A LabError about a place in a table."""
    path = _path(name)
    place = "".join(
        [
            f", line {line}" if line else "",
            f" ({row})" if row else "",
            f", column {column}" if column else "",
        ]
    )
    return LabError(
        f"datasets/{path.name}{place}: {what}",
        f"Correct it in {path}, or get the original back with `git checkout datasets/{path.name}`.",
    )


def _path(name: str) -> Path:
    return datasets_dir() / f"{name.removesuffix('.csv')}.csv"


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does, so that an edited table is read again."""
    try:
        status = path.stat()
    except OSError as error:
        raise _missing(path, error) from error
    return status.st_mtime_ns, status.st_size


def _missing(path: Path, error: OSError) -> LabError:
    try:
        known = sorted(p.stem for p in path.parent.glob("*.csv"))
    except OSError:
        known = []
    if not known:
        return LabError(
            f"The tables of the course are missing: there is no CSV file in {path.parent}.",
            "Get a complete copy of the course, or set LABKIT_DATASETS to its folder `datasets`.",
        )
    near = difflib.get_close_matches(path.stem, known, n=3)
    cure = f"Did you mean {' or '.join(near)}?" if near else f"These exist: {', '.join(known)}."
    return LabError(f"There is no table {path.stem!r} ({error.strerror or error}).", cure)


def _cells(name: str) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[str, ...]], ...]]:
    path = _path(name)
    return _read(path, _stamp(path))


@functools.lru_cache(maxsize=64)
def _read(
    path: Path, stamp: tuple[int, int]
) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[str, ...]], ...]]:
    """Header, and (line number, cells) of every row. A row has as many cells as the header."""
    name = path.stem
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, tuple(cell.strip() for cell in row)) for row in reader if row]
    except UnicodeDecodeError as error:
        raise problem(
            name, "the file is not UTF-8 text (a spreadsheet may have saved it that way)."
        ) from error
    except csv.Error as error:
        raise problem(name, f"the file is not readable as CSV ({error}).") from error
    except OSError as error:
        raise _missing(path, error) from error
    if not lines:
        raise problem(name, "the file is empty.")
    header = lines[0][1]
    if len(set(header)) != len(header) or "" in header:
        raise problem(name, "a column has no name, or two have the same one.", line=1)
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise problem(
                name,
                f"{len(row)} cells where the header has {len(header)}; is a comma or a quote missing?",
                line=number,
                row=row[0],
            )
    return header, tuple(lines[1:])


@functools.lru_cache(maxsize=32)
def _records(path: Path, stamp: tuple[int, int], kind: type[Any]) -> tuple[Any, ...]:
    name = path.stem
    header, rows = _read(path, stamp)
    hints = get_type_hints(kind)
    wanted = [f.name for f in fields(kind)]
    absent = [column for column in wanted if column not in header]
    if absent:
        raise problem(name, f"the column {absent[0]} is missing.", line=1)
    result = []
    for number, row in rows:
        cells = dict(zip(header, row, strict=True))
        values = {}
        for column in wanted:
            try:
                values[column] = read_cell(cells[column], hints[column])
            except ValueError as error:
                raise problem(name, str(error), line=number, row=row[0], column=column) from None
        result.append(kind(**values))
    return tuple(result)


def read_cell(text: str, kind: Any) -> Any:
    """One cell as `kind`. Raises ValueError with a sentence."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if text == "" else read_cell(text, options[0])
    if origin is Literal:
        if text not in get_args(kind):
            allowed = ", ".join(repr(option) for option in get_args(kind))
            raise ValueError(f"{text!r} is not one of {allowed}.")
        return text
    if origin is tuple:
        return tuple(part.strip() for part in text.split(SENTENCES.strip()) if part.strip())
    if origin is dict:
        return _read_object(text)
    return _READERS[kind](text)


def _read_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"the JSON is not readable ({error}).") from None
    if not isinstance(value, dict):
        raise ValueError("the JSON is not an object: it should begin with { and end with }.")
    return value


def _read_yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r} should be yes or no.")
    return text == "yes"


def _read_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


def _read_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number.") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a number.")
    return value


_READERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    bool: _read_yes_no,
    int: _read_int,
    float: _read_float,
}


def _numeric_where_possible(column: Any) -> Any:
    import pandas

    numbers = pandas.to_numeric(column.mask(column == ""), errors="coerce")
    return numbers if numbers.notna().any() and numbers.isna().equals(column == "") else column
