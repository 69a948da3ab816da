"""Numbers as learners write them: `7.5`, `"1,000,000"`, `"2e6"`, `"1/3"`, `"90 min"`, `"2 h 51 min"`."""

from __future__ import annotations

import math
import re

from labkit.errors import LabError

#: unit → (what it measures, how many of the base unit it is). Base units: s, W, Wh, bytes.
UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(["s", "sec", "second", "seconds"], ("time", 1.0)),
    **dict.fromkeys(["min", "minute", "minutes"], ("time", 60.0)),
    **dict.fromkeys(["h", "hr", "hour", "hours"], ("time", 3600.0)),
    **dict.fromkeys(["d", "day", "days"], ("time", 86400.0)),
    **dict.fromkeys(["w", "watt", "watts"], ("power", 1.0)),
    **dict.fromkeys(["kw", "kilowatt", "kilowatts"], ("power", 1e3)),
    "wh": ("energy", 1.0),
    "kwh": ("energy", 1e3),
    **dict.fromkeys(["b", "byte", "bytes"], ("size", 1.0)),
    **{unit: ("size", 1e3**n) for n, unit in enumerate(["kb", "mb", "gb", "tb"], start=1)},
    **{unit: ("size", 1024.0**n) for n, unit in enumerate(["kib", "mib", "gib", "tib"], start=1)},
}

_LONGEST_TEXT = 200
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})(?:\s*/\s*({_NUMBER}))?\s*([^\d\s].*)?", re.DOTALL)

_PART = re.compile(r"\s*(?:,|and\s)?\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\.?")


def close(got: float, expected: float, tolerance: float) -> bool:
    """Is `got` within this relative tolerance of `expected`?"""
    return math.isclose(got, expected, rel_tol=tolerance, abs_tol=0.0)


def read_number(value: object, what: str, unit: str = "") -> float:
    """A finite number from a number or from text.

    Text may end in a unit: one of the same kind as `unit` is converted ("90 min" → 1.5 for unit "h"). A time
    may come in parts ("2 h 51 min").
    A unit that labkit does not know, such as a currency, is dropped.

    Raises
    ------
    LabError : says what is wrong with `what` and how to write it.
    """
    cure = f"Write a plain number{f' in {unit}' if unit else ''}, such as 7.5."
    if type(value) in (int, float):
        number, found = _finite(value), ""
    elif type(value) is str:
        number, found = _read_parts(value) or _read_text(value, what, cure)
    else:
        raise LabError(f"{what} is {describe(value)}, not a number.", cure)
    if number is None:
        raise LabError(f"{what} is {describe(value)}: not a number that can be compared.", cure)
    return number * _factor(found, unit, what)


def _finite(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _read_parts(text: str) -> tuple[float, str] | None:
    """A time in hours, minutes, seconds, as seconds; None for any other text."""
    if len(text) > _LONGEST_TEXT:
        return None
    total, place, before = 0.0, 0, math.inf
    while match := _PART.match(text, place):
        kind, seconds = UNITS.get(match[2].lower(), ("", 0.0))
        if kind != "time" or seconds >= before:
            return None
        total, place, before = total + float(match[1]) * seconds, match.end(), seconds
    parts_read = place and not text[place:].strip()
    return (total, "s") if parts_read else None


def _read_text(text: str, what: str, cure: str) -> tuple[float | None, str]:
    text = text.strip().lstrip("€$£¥~≈")
    if len(text) > _LONGEST_TEXT:
        raise LabError(f"{what} is a long text, not a number.", cure)
    match = _QUANTITY.fullmatch(text)
    if re.fullmatch(r"\s*[+-]?\d+,\d+\s*\D*", text) and not re.search(r"\d,\d{3}\b", text):
        raise LabError(f"{what} has a decimal comma.", f"Write a point: {text.strip().replace(',', '.')}")
    if not match or not re.search(r"\d", match[1]):
        raise LabError(f"{what} is the text {text.strip()[:40]!r}, not a number.", cure)
    if re.search(r"\d", match[3] or ""):
        raise LabError(f"{what} is the text {text.strip()[:40]!r}, not one number.", cure)
    number = _finite(match[1].replace(",", ""))
    if match[2] is not None:
        below = _finite(match[2].replace(",", "")) if re.search(r"\d", match[2]) else None
        number = number / below if number is not None and below else None
    return number, (match[3] or "").strip()


def _factor(found: str, unit: str, what: str) -> float:
    given, wanted = UNITS.get(found.lower().rstrip(".")), UNITS.get(unit.lower())
    if given is None or wanted is None:
        return 1.0
    if given[0] != wanted[0]:
        raise LabError(f"{what} is given in {found}, which is a {given[0]}.", f"Give it in {unit}.")
    return given[1] / wanted[1]


def describe(value: object) -> str:
    """What a value is, in a few words, without running any code of its type."""
    kind = type.__dict__["__name__"].__get__(type(value))
    if value is None:
        return "None"
    if value is ...:
        return "..."
    if kind == "float" and type(value) is float and not math.isfinite(value):
        return {"nan": "NaN"}.get(str(value), "infinity")
    names = {"str": "text", "dict": "a dictionary", "list": "a list", "tuple": "a tuple", "set": "a set"}
    names |= {"bool": "True or False", "function": "a function", "int": "a whole number", "float": "a number"}
    return names.get(kind, f"an object of type {kind[:60]}")
