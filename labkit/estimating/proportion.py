"""How sure a share is: the interval around a proportion that was counted. Taught in chapter 12."""

from __future__ import annotations

import math
from statistics import NormalDist

from labkit.errors import LabError


def wilson_interval(right: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """(low, high) of a share of which `right` out of `total` trials were counted, each from 0 to 1.

    Wilson's score interval: unlike the textbook's mean ± 1.96 standard errors it stays inside 0 to 1, and is
    not a point when all trials agree. Raises LabError when the counts or the confidence are impossible.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927), pages 209 to 212.
    """
    if not (total > 0 and 0 <= right <= total):
        raise LabError(
            f"{right} right of {total} is no count.", "Give at least one trial, and no more right."
        )
    if not 0 < confidence < 1:
        raise LabError(f"A confidence of {confidence} is not possible.", "Give a share, such as 0.95.")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == total else min(1.0, centre + half)
    return low, high
