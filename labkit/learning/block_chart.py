"""A block of weights, what it comes back as, and the error. Taught in chapter 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.learning.block_bits import typical
from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style

if TYPE_CHECKING:
    import numpy as np

_HATCHES = ("", "////", "....")
#: A white line around a bar would hide the thinnest.
_NO_OUTLINE = {"edgecolor": "white", "linewidth": 0}


def rounding_chart(block: Sequence[float], back: Mapping[str, Sequence[float]]) -> Figure:
    """Above: the weights and what the coarsest type makes of them. Below: the error of each type.

    `back` is name → the weights as they come back, at most three.
    """
    import numpy as np

    weights = np.asarray(block, float)
    returned = {name: np.asarray(values, float) for name, values in back.items()}
    if not 1 <= len(returned) <= len(_HATCHES) or any(v.shape != weights.shape for v in returned.values()):
        raise LabError(
            "The chart needs one to three lists, each as long as the block.", "Such as {'Q4_0': back}."
        )
    errors = {name: values - weights for name, values in returned.items()}
    coarsest = max(errors, key=lambda name: typical(errors[name]))
    numbers = np.arange(1, len(weights) + 1)
    with plain_style() as plt:
        fig, (above, below) = plt.subplots(2, 1, figsize=(8.0, 4.6), sharex=True, height_ratios=(3, 2))
        above.plot(numbers, weights, "o", color=COLOURS[0], label="weight")
        above.plot(
            numbers, returned[coarsest], "_", color=COLOURS[1], markersize=11, mew=2.5, label=f"as {coarsest}"
        )
        above.set_yticks(np.unique(returned[coarsest]), minor=True)
        above.grid(axis="y", which="minor", color="#ececec")
        above.set(ylabel="value")
        above.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)
        width = 0.8 / len(errors)
        for i, (name, error) in enumerate(errors.items()):
            place = numbers + width * (i - (len(errors) - 1) / 2)
            below.bar(place, error, width, color=COLOURS[i], hatch=_HATCHES[i], label=name, **_NO_OUTLINE)
        below.set(xlabel="number of the weight in its block", ylabel="error")
        below.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=len(errors))
        fig.suptitle(_title(errors), x=0.02, ha="left", fontsize=12, fontweight="bold")
        fig.tight_layout()
        return figure_html(fig, _alt(weights, errors), _CAPTION)


_CAPTION = (
    "Above, the thin lines are the values of the marks in use. Below, error = comes back as − weight; bars "
    "that can hardly be seen are there."
)


def _title(errors: Mapping[str, np.ndarray]) -> str:
    finest, coarsest = (pick(errors, key=lambda name: typical(errors[name])) for pick in (min, max))
    small, large = typical(errors[finest]), typical(errors[coarsest])
    if finest == coarsest or not small:
        return f"Every weight of {coarsest} is a little off"
    return f"{coarsest} errs {large / small:.0f} times as much as {finest}"


def _alt(weights: np.ndarray, errors: Mapping[str, np.ndarray]) -> str:
    parts = [
        f"{name} typically by {typical(error):.2g}, at most by {abs(error).max():.2g}"
        for name, error in errors.items()
    ]
    return (
        f"{_title(errors)}. {len(weights)} weights from {weights.min():.3g} to {weights.max():.3g}, and the "
        f"errors of each: {'; '.join(parts)}."
    )
