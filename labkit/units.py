"""Numbers for people: bytes, counts and durations, with their units.

GB is 10^9 bytes, GiB is 2^30 bytes; the course never mixes them (chapter 1).
"""

from __future__ import annotations

KIB = 2**10
MIB = 2**20
GIB = 2**30


def format_bytes(n: float) -> str:
    """`98362432` → `'93.8 MiB'`."""
    for unit, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(n) >= size:
            return f"{n / size:.2f} {unit}" if unit == "GiB" else f"{n / size:.1f} {unit}"
    return f"{n:.0f} bytes"


def format_count(n: float) -> str:
    """A number of parameters or tokens: `134515008` → `'135 M'`, `8.03e9` → `'8.03 B'`."""
    for suffix, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if abs(n) >= 0.9995 * size:  # what rounds to 1.00 of a unit is one of it
            return f"{n / size:.3g} {suffix}"
    return f"{n:,.0f}"


def format_seconds(s: float) -> str:
    """`0.0042` → `'4 ms'`, `75` → `'1 min 15 s'`."""
    if s < 1:
        return f"{s * 1000:.0f} ms"
    if s < 60:
        return f"{s:.1f} s"
    minutes, seconds = divmod(round(s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(round(s / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
