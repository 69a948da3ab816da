"""Speed against bits, for writing and for reading a prompt. Taught in chapter 4."""

from __future__ import annotations

from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style
from labkit.measuring.paired import Ratio
from labkit.measuring.quant_reading import is_unsteady
from labkit.measuring.quant_speed import QuantComparison
from labkit.measuring.results import Spread, format_number

_HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "++", "--")


def quant_speed_chart(result: QuantComparison) -> Figure:
    """Two bar charts: generation and prompt processing, in tokens/s, for each quantization."""
    names = [f"{run.quant}, {run.bits_per_weight:.1f} bits" for run in result.runs]
    n = len(names)
    with plain_style() as plt:
        fig, (left, right) = plt.subplots(1, 2, figsize=(8.0, 1.4 + 0.5 * n), sharey=True)
        for axes, values in (
            (left, [run.tg_tokens_per_s for run in result.runs]),
            (right, [run.pp_tokens_per_s for run in result.runs]),
        ):
            axes.barh(
                names,
                [s.median for s in values],
                xerr=_reach(values),
                color=[COLOURS[i % len(COLOURS)] for i in range(n)],
                hatch=[_HATCHES[i % len(_HATCHES)] for i in range(n)],
                edgecolor="white",
                ecolor="#111111",
                capsize=4,
            )
            axes.grid(axis="y", visible=False)
        left.invert_yaxis()
        left.set(xlabel="generation, tokens/s")
        right.set(xlabel="prompt processing, tokens/s")
        fig.suptitle(_title(result), x=0.02, ha="left", fontsize=12, fontweight="bold")
        fig.tight_layout(w_pad=2.5)
        return figure_html(fig, _alt(result), "The thin lines reach from the slowest round to the fastest.")


def _reach(values: list[Spread]) -> list[list[float]]:
    return [[s.median - min(s.values) for s in values], [max(s.values) - s.median for s in values]]


def _title(result: QuantComparison) -> str:
    writes, reads = result.writes_faster, result.reads_faster
    if writes.low is None:
        return "Speeds of a quick run"
    first = (
        f"Writing: {_times(writes)} times as fast with {result.last.quant}"
        if writes.is_larger or writes.is_smaller
        else "Writing: can't be told apart"
    )
    second = f"{_times(reads)} times" if reads.is_larger or reads.is_smaller else "can't be told apart"
    return f"{first}; reading a prompt: {second}"


def _times(ratio: Ratio) -> str:
    """`'2.37'`, or the interval where it is wide: `'1.56 to 25.0'`."""
    if is_unsteady(ratio) and ratio.low is not None and ratio.high is not None:
        return f"{format_number(ratio.low)} to {format_number(ratio.high)}"
    return format_number(ratio.median)


def _alt(result: QuantComparison) -> str:
    parts = [
        f"{run.quant} writes {run.tg_tokens_per_s.median:.3g} and reads "
        f"{run.pp_tokens_per_s.median:.3g} tokens/s"
        for run in result.runs
    ]
    return f"{_title(result)}. Two bar charts, by quantization: {'; '.join(parts)}."
