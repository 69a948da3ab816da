"""What each quantization takes and what it costs, on one page. Taught in chapter 5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style
from labkit.measuring.quality import SURE
from labkit.units import MIB, format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.measuring.quality_table import QualityLine, QualityTable
    from labkit.measuring.writing_speed import WritingSpeeds

_SIZE, _LOSS, _SPEED = COLOURS[0], COLOURS[1], COLOURS[4]
_WIDTH, _HEIGHT = 11.0, 3.3


def quality_chart(table: QualityTable, speeds: WritingSpeeds | None = None) -> Figure:
    """Size, perplexity, KL divergence and agreement of each quantization, side by side.

    `speeds` adds a panel: tokens/s of a larger model at the same quantizations, where they were measured.
    """
    from matplotlib.ticker import LogLocator

    lines = [line for line in table.lines if line.comparison]
    names = [f"{line.quant}, {line.bits_per_weight:.1f} bits" for line in lines]
    panels = 5 if speeds else 4
    with plain_style() as plt:
        fig, axes = plt.subplots(1, panels, figsize=(_WIDTH * panels / 5, _HEIGHT), sharey=True)
        _bars(axes[0], names, [line.file_bytes / MIB for line in lines], "file, MiB", _SIZE)
        _dots(axes[1], names, *_added(lines), "perplexity\nadded, %")
        _dots(axes[2], names, *_kl(lines), "KL divergence,\nnats (log scale)")
        axes[2].set_xscale("log")
        axes[2].xaxis.set_major_locator(LogLocator(numticks=6))  # a label at every power of ten
        _dots(axes[3], names, *_same(lines), "same first choice,\n% of the places")
        if speeds:
            _bars(axes[4], names, _tokens_per_s(lines, speeds), "generation, tokens/s\n(252 M twin)", _SPEED)
        axes[0].invert_yaxis()
        fig.suptitle(_title(lines, table.lines[0]), x=0.02, ha="left", fontsize=12, fontweight="bold")
        fig.tight_layout(w_pad=1.2)
        return figure_html(fig, _alt(lines, table, speeds), _caption(table, speeds))


def _bars(axes: Any, names: list[str], values: list[float], label: str, colour: str) -> None:
    axes.barh(names, values, color=colour, height=0.6)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)


def _dots(
    axes: Any, names: list[str], values: list[float], below: list[float], above: list[float], label: str
) -> None:
    """Points with their 95 % intervals."""
    axes.errorbar(
        values, names, xerr=[below, above], fmt="o", color=_LOSS, ecolor="#111111", capsize=3, elinewidth=1.2
    )
    axes.set_xlabel(label)


def _added(lines: Sequence[QualityLine]) -> tuple[list[float], list[float], list[float]]:
    """Perplexity above the source's, in percent of it, and half the width of the interval."""
    ratios = [line.comparison.perplexity_ratio for line in lines if line.comparison]
    half = [100 * SURE * ratio.error for ratio in ratios]
    return [100 * (ratio.value - 1) for ratio in ratios], half, half


def _kl(lines: Sequence[QualityLine]) -> tuple[list[float], list[float], list[float]]:
    found = [line.comparison.kl_divergence for line in lines if line.comparison]
    # On a logarithmic axis no interval may reach 0.
    below = [min(SURE * kl.error, 0.9 * kl.value) for kl in found]
    return [kl.value for kl in found], below, [SURE * kl.error for kl in found]


def _same(lines: Sequence[QualityLine]) -> tuple[list[float], list[float], list[float]]:
    found = [line.comparison.same_top for line in lines if line.comparison]
    values = [100 * same.share for same in found]
    return (
        values,
        [100 * (same.share - same.low) for same in found],
        [100 * (same.high - same.share) for same in found],
    )


def _tokens_per_s(lines: Sequence[QualityLine], speeds: WritingSpeeds) -> list[float]:
    """One for each line; 0 where it was not measured."""
    runs = [speeds.of(line.quant) for line in lines]
    return [run.tokens_per_s.median if run else 0.0 for run in runs]


def _title(lines: Sequence[QualityLine], source: QualityLine) -> str:
    last = min(lines, key=lambda line: line.file_bytes)
    assert last.comparison
    size, other = last.file_bytes / source.file_bytes, 1 - last.comparison.same_top.share
    return (
        f"{last.quant} takes {100 * size:.0f} % of the bytes of {source.quant}, and makes another first "
        f"choice in {100 * other:.0f} % of the places"
    )


def _caption(table: QualityTable, speeds: WritingSpeeds | None) -> str:
    source = table.lines[0]
    text = (
        f"{source.quant}, the model that all are compared with: {format_bytes(source.file_bytes)}, "
        f"perplexity {source.perplexity.text()}. The thin lines are 95 % intervals."
    )
    if speeds:
        text += (
            " The speed is that of a larger model with random weights: its bits per weight and the intervals "
            "of its speed stand in a table of their own. The other panels show this model."
        )
    return text


def _alt(lines: Sequence[QualityLine], table: QualityTable, speeds: WritingSpeeds | None) -> str:
    parts = []
    for line in lines:
        assert line.comparison
        said = (
            f"{line.quant} {line.bits_per_weight:.2f} bits, {format_bytes(line.file_bytes)}, perplexity "
            f"{100 * (line.comparison.perplexity_ratio.value - 1):+.2f} %, KL divergence "
            f"{line.comparison.kl_divergence.value:.2g} nats, same first choice "
            f"{100 * line.comparison.same_top.share:.1f} %"
        )
        run = speeds.of(line.quant) if speeds else None
        parts.append(said + (f", {run.tokens_per_s.median:.3g} tokens/s" if run else ""))
    return f"{_title(lines, table.lines[0])}. {'; '.join(parts)}."
