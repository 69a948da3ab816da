"""Right answers of models in two forms, as bars. Taught in chapter 16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style

if TYPE_CHECKING:
    from labkit.evaluation.right_answers import TemplateTest


def template_chart(result: TemplateTest) -> Figure:
    """Two bars for each model and form: replies that hold the right answer, and those that stop there."""
    counts = result.counts
    names = [f"{count.model}\n{count.form}" for count in counts]
    places = range(len(names))
    lines = {"ecolor": COLOURS[1], "capsize": 4, "error_kw": {"elinewidth": 1.6}}
    with plain_style() as plt:
        height = 0.9 + 0.62 * len(names)
        fig, axes = plt.subplots(figsize=(7.6, height))
        axes.barh(
            [place - 0.19 for place in places],
            [100 * count.holds / count.total for count in counts],
            height=0.36,
            xerr=_both_sides([(count.holds / count.total, *count.holds_interval) for count in counts]),
            **lines,
            color="#c9d5e3",
            edgecolor=COLOURS[0],
            hatch="//",
            label="the reply holds the right answer",
        )
        axes.barh(
            [place + 0.19 for place in places],
            [100 * count.share for count in counts],
            height=0.36,
            xerr=_both_sides([(count.share, count.low, count.high) for count in counts]),
            **lines,
            color=COLOURS[0],
            label="and the model stops there",
        )
        axes.set_yticks(list(places), names)
        axes.set(xlim=(0, 100), xlabel="% of the questions")
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        # Half an inch below the axes, whatever their height.
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.5 / height), ncols=2)
        axes.set_title(_title(result))
        return figure_html(fig, _alt(result), "The lines at the ends of the bars are 95 % intervals.")


def _both_sides(shares: list[tuple[float, float, float]]) -> list[list[float]]:
    """Lengths of the lines below and above each share, in percent, from (share, low, high)."""
    below = [100 * max(0.0, share - low) for share, low, _ in shares]
    return [below, [100 * max(0.0, high - share) for share, _, high in shares]]


def _title(result: TemplateTest) -> str:
    best = max(result.counts, key=lambda count: count.share)
    return f"Answered and stopped, most often: {best.who}, {100 * best.share:.0f} %"


def _alt(result: TemplateTest) -> str:
    parts = [
        f"{count.who}: {count.holds} of {count.total} replies hold the right answer, {count.right} stop there"
        for count in result.counts
    ]
    return f"{_title(result)}. {'; '.join(parts)}."
