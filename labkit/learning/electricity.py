"""What a text costs in electricity, worked out step by step from a measured speed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.tables import Table
from labkit.units import format_seconds

if TYPE_CHECKING:
    from labkit.measuring.bench import BenchResult


def electricity(result: BenchResult, *, tokens: int, watts: float, price_per_kwh: float) -> Table:
    """The steps from tokens to money: time, energy, price. Taught in chapter 19.

    Parameters
    ----------
    result : a measurement by `lk.bench`; its median generation speed counts.
    tokens : how many tokens are written.
    watts : what the machine draws meanwhile.
    price_per_kwh : in your currency.

    Raises LabError when a number is negative or not finite.
    """
    for name, value in {"tokens": tokens, "watts": watts, "price_per_kwh": price_per_kwh}.items():
        if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0):
            raise LabError(f"`{name}` must be a number of at least 0, not {value!r}.")
    # The speed as it is shown, so that a reader's calculator gives the same seconds.
    speed = float(f"{result.tg_tokens_per_s.median:.4g}")
    seconds = tokens / speed
    kwh = seconds / 3600 * watts / 1000
    rows = [
        [
            "time",
            f"{tokens:,} tokens / {speed:.4g} tokens/s",
            f"{seconds:,.0f} s = {format_seconds(seconds)}",
        ],
        ["energy", f"{seconds / 3600:.3g} h × {watts:g} W / 1000", f"{kwh:.3g} kWh"],
        [
            "electricity",
            f"{kwh:.3g} kWh × {price_per_kwh:g} per kWh",
            f"{kwh * price_per_kwh:.3g} in your currency",
        ],
    ]
    notes = ["The machine itself, and the time of the person who looks after it, come on top."]
    if result.random_weights:
        notes.append("Measured with random weights.")
    return Table(
        "Writing is not free: what these tokens cost", ["step", "calculation", "result"], rows, notes
    )
