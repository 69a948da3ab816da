"""What every measurement gives back: a small dataclass that prints, tabulates and saves itself.

A figure without the machine it was taken on means little, so each result carries the machine, the versions of
the software and the date.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import statistics
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labkit.errors import LabError
from labkit.tables import Table
from labkit.units import format_bytes, format_seconds

if TYPE_CHECKING:
    import pandas as pd

#: share of the median from which a standard deviation is too wide to be shown as ±
_WIDE = 0.25


@dataclass(frozen=True)
class Spread:
    """One quantity measured several times. The unit is that of its name."""

    mean: float
    median: float
    std: float
    """Sample standard deviation (n - 1); 0 when there is one value."""
    values: list[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summary of at least one value."""
        numbers = [float(value) for value in values]
        std = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
        return cls(statistics.fmean(numbers), statistics.median(numbers), std, numbers)

    @property
    def wide(self) -> bool:
        """Whether the runs differ so much that one figure with ± would mislead."""
        return self.std > _WIDE * self.median

    def text(self, unit: str) -> str:
        """`'41.4 ± 0.5 tokens/s (5 runs)'`: the median, the standard deviation, how often.

        Where the runs differ much, their range instead: `'9.1 tokens/s (5 runs from 7.7 to 35)'`.
        """
        runs = "1 run" if len(self.values) == 1 else f"{len(self.values)} runs"
        if self.wide:
            low, high = format_number(min(self.values)), format_number(max(self.values))
            return f"{format_number(self.median)} {unit} ({runs} from {low} to {high})"
        return f"{format_number(self.median)} ± {format_number(self.std)} {unit} ({runs})"


@dataclass(frozen=True)
class Uncertain:
    """A quantity that a sample tells only so far. The unit is that of its name."""

    value: float
    error: float
    """One standard error: about two thirds of such samples lie within it of the truth."""

    def text(self, unit: str = "") -> str:
        """`'4.512 ± 0.046'`: as many digits as mean something."""
        if not math.isfinite(self.error) or self.error <= 0:
            return f"{format_number(self.value)} {unit}".rstrip()
        decimals = min(9, max(0, 1 - math.floor(math.log10(self.error))))
        return f"{self.value:,.{decimals}f} ± {self.error:,.{decimals}f} {unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """One line of a result's table.

    `value` is a number in `unit`, a Spread, an Uncertain, a text, or None for unknown.
    """

    quantity: str
    value: float | Spread | Uncertain | str | None
    unit: str = ""
    detail: bool = False
    """For whoever wants to know more: folded away where a page can fold."""

    def text(self) -> str:
        """The value for people, with its unit."""
        if self.value is None:
            return "not known"
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, Spread):
            if self.unit.startswith("bytes"):
                per = self.unit.removeprefix("bytes")
                runs = f"({len(self.value.values)} runs)"
                return f"{format_bytes(self.value.median)}{per} ± {format_bytes(self.value.std)}{per} {runs}"
            return self.value.text(self.unit)
        if isinstance(self.value, Uncertain):
            return self.value.text(self.unit)
        if self.unit.startswith("bytes"):
            return format_bytes(self.value) + self.unit.removeprefix("bytes")
        if self.unit == "s":
            return format_seconds(self.value)
        return f"{format_number(self.value)} {self.unit}".rstrip()


class Result:
    """What all results can do. A subclass is a dataclass with `title()` and `rows()`."""

    def title(self) -> str:
        raise NotImplementedError

    def rows(self) -> list[Row]:
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Sentences that belong under the table."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings, as JSON has them."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as a JSON file; whole or not at all. Returns the path."""
        target = Path(path)
        half = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            half.write_text(self.to_json() + "\n", encoding="utf-8")
            half.replace(target)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise LabError(
                f"The result could not be saved as {target}: {error.strerror or error}.",
                "Choose a folder that you may write to.",
            ) from None
        return target

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises LabError when fields are missing or of the wrong kind."""
        try:
            return _build(cls, data)
        except (TypeError, ValueError) as error:
            raise LabError(
                f"This is not a saved {cls.__name__}: {error}.",
                "Load a file that `.save()` wrote with this version of labkit, or measure again.",
            ) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a result that `save` wrote."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise LabError(f"{path} can't be read: {error.strerror or error}.", "Check the path.") from None
        except ValueError:
            raise LabError(f"{path} is not JSON.", "Load a file that `.save()` wrote.") from None
        if not isinstance(data, dict):
            raise LabError(f"{path} holds no saved result.", "Load a file that `.save()` wrote.")
        return cls.from_dict(data)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table: quantity, value, unit; mean, std and runs, or error, where the value has them."""
        import pandas as pd

        records = []
        for row in self.rows():
            record: dict[str, Any] = {"quantity": row.quantity.strip(), "value": row.value, "unit": row.unit}
            if isinstance(row.value, Spread):
                spread = row.value
                record |= {"value": spread.median, "mean": spread.mean, "std": spread.std}
                record["runs"] = len(spread.values)
            if isinstance(row.value, Uncertain):
                record |= {"value": row.value.value, "error": row.value.error}
            records.append(record)
        return pd.DataFrame(records)

    def __repr__(self) -> str:
        rows = self.rows()
        width = max((len(row.quantity) for row in rows), default=0)
        lines = [self.title(), *(f"  {row.quantity:<{width}}  {row.text()}" for row in rows)]
        return "\n".join([*lines, *self.notes()])

    def table(self) -> Table:
        """The rows as a table, details folded below it."""
        rows = self.rows()
        return Table(
            self.title(),
            ["Quantity", "Value"],
            [[row.quantity, row.text()] for row in rows if not row.detail],
            self.notes(),
            folded_title="More of this measurement",
            folded=[f"{row.quantity.strip()}: {row.text()}" for row in rows if row.detail],
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def now_utc() -> str:
    """The date and time for a result, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def format_number(value: float) -> str:
    """Three significant digits, without an exponent: `1234.5` → `'1,234'`, `41.27` → `'41.3'`."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    decimals = min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{decimals}f}"


def _build(kind: Any, data: Any) -> Any:
    """`data` as JSON gave it → an instance of the annotated type `kind`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        return _build(next(a for a in arguments if a is not type(None)), data)
    if origin is list:
        if not isinstance(data, list):
            raise TypeError(f"a list was expected, not {type(data).__name__}")
        return [_build(arguments[0], item) for item in data]
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise TypeError(f"{kind.__name__} must be a table of fields")
        hints = typing.get_type_hints(kind)
        values = {}
        for field in dataclasses.fields(kind):
            if field.name in data:
                values[field.name] = _build(hints[field.name], data[field.name])
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise ValueError(f"`{field.name}` is missing")
        return kind(**values)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    checked = origin or kind
    if isinstance(checked, type) and not isinstance(data, checked):
        raise TypeError(f"{checked.__name__} was expected, not {type(data).__name__}")
    return data
