"""Chapter 3's three twins side by side: memory and speed. Taught in chapter 3."""

from __future__ import annotations

from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style
from labkit.measuring.moe_trio import LABELS, TrioComparison
from labkit.units import MIB

_HATCHES = ("", "//", "..")


def trio_chart(result: TrioComparison) -> Figure:
    """Two bar charts: the memory in MiB and the generation speed in tokens/s of each model."""
    names = list(LABELS.values())
    memory = [run.memory_bytes / MIB for run in result.runs.values()]
    speed = [run.tg_tokens_per_s for run in result.runs.values()]
    with plain_style() as plt:
        fig, (left, right) = plt.subplots(1, 2, figsize=(8.0, 2.9), sharey=True)
        left.barh(names, memory, color=COLOURS[:3], hatch=_HATCHES, edgecolor="white")
        right.barh(
            names,
            [s.median for s in speed],
            xerr=[
                [s.median - min(s.values) for s in speed],
                [max(s.values) - s.median for s in speed],
            ],
            color=COLOURS[:3],
            hatch=_HATCHES,
            edgecolor="white",
            ecolor="#111111",
            capsize=4,
        )
        left.invert_yaxis()
        left.set(xlabel="memory, MiB")
        right.set(xlabel="generation, tokens/s")
        for axes in (left, right):
            axes.grid(axis="y", visible=False)
        fig.suptitle(_title(result), x=0.02, ha="left", fontsize=12, fontweight="bold")
        fig.tight_layout()
        return figure_html(fig, _alt(result), "The thin lines reach from the slowest round to the fastest.")


def _title(result: TrioComparison) -> str:
    like_large = 0.9 <= result.memory_over_large <= 1.1
    if like_large and result.faster_than_large.is_larger:
        return "The mixture: the memory of the large model, and faster than it"
    if like_large and result.faster_than_large.is_smaller:
        return "The mixture: the memory of the large model, and slower than it here"
    if like_large:
        return "The mixture: the memory of the large model; the speeds can't be told apart"
    return "Memory and speed of the three"


def _alt(result: TrioComparison) -> str:
    parts = [
        f"{LABELS[name]} {run.memory_bytes / MIB:.0f} MiB and {run.tg_tokens_per_s.median:.3g} tokens/s"
        for name, run in result.runs.items()
    ]
    return f"{_title(result)}. Two bar charts of memory and generation speed: {'; '.join(parts)}."
