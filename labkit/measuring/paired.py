"""How many times as much: a ratio measured in rounds, with an interval that assumes nothing of the noise."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from labkit.measuring.results import format_number

#: The interval must hold the median with at least this probability.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """The ratio of two quantities that were measured in turns, once a round. Taught in chapter 3."""

    median: float
    low: float | None
    """Lower end of the 95 % interval of the median; None with fewer than six rounds."""
    high: float | None
    values: list[float]
    """One ratio per round."""

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        """Round by round `above` over `below`; as many of the one as of the other, none of them 0."""
        values = [a / b for a, b in zip(above, below, strict=True)]
        low, high = median_interval(values) or (None, None)
        return cls(statistics.median(values), low, high, values)

    @property
    def is_larger(self) -> bool:
        """Is the ratio above 1, beyond the noise?"""
        return self.low is not None and self.low > 1

    @property
    def is_smaller(self) -> bool:
        """Is the ratio below 1, beyond the noise?"""
        return self.high is not None and self.high < 1

    def times(self) -> str:
        """`'3.12 times'`."""
        return f"{format_number(self.median)} times"

    def interval(self) -> str:
        """`'(95 % interval 2.95 to 3.30)'`."""
        if self.low is None or self.high is None:
            return "(too few rounds for an interval)"
        return f"(95 % interval {format_number(self.low)} to {format_number(self.high)})"


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Two of the values between which the true median lies with 95 % probability; None when there are < 6.

    Each round falls below the true median as often as above it, like a coin. So the k-th smallest and k-th
    largest of n values hold it between them, but for the chance that fewer than k coins of n fall one way.
    """
    ordered, n = sorted(values), len(values)
    outside, k = 0.0, 0
    while k < n // 2 and outside + 2 * comb(n, k) / 2**n <= 1 - CONFIDENCE:
        outside += 2 * comb(n, k) / 2**n
        k += 1
    return (ordered[k - 1], ordered[n - k]) if k else None
