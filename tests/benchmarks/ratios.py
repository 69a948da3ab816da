"""Median ratios of paired measurements, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MedianRatio:
    """The median of n ratios and its 95 % percentile bootstrap interval."""

    median: float
    low: float
    high: float
    n: int

    def overlaps(self, other: MedianRatio) -> bool:
        return self.low <= other.high and other.low <= self.high

    def __str__(self) -> str:
        return f"{self.median:.4f}  [{self.low:.4f}, {self.high:.4f}]  n={self.n}"


def median_ratio(numerators: list[float], denominators: list[float], resamples: int = 10_000) -> MedianRatio:
    """Ratios pair by pair: what slows both of a pair cancels."""
    ratios = np.array(numerators) / np.array(denominators)
    generator = np.random.default_rng(0)
    picks = generator.integers(0, len(ratios), (resamples, len(ratios)))
    low, high = np.percentile(np.median(ratios[picks], axis=1), [2.5, 97.5])
    return MedianRatio(float(np.median(ratios)), float(low), float(high), len(ratios))
