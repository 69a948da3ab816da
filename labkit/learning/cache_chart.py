"""Measured memory against the context, with what the formula says. Taught in chapter 6."""

from __future__ import annotations

from labkit.learning.figure import COLOURS, LINE_STYLES, MARKERS, Figure, figure_html, plain_style
from labkit.measuring.memory_run import MemoryComparison, MemoryRun
from labkit.units import MIB

#: predicted over measured, beyond which the title does not say that they agree
_AGREE = 0.1


def cache_chart(result: MemoryComparison) -> Figure:
    """Points: the memory that making the context added. Lines: the cache by the formula."""
    by_type: dict[str, list[MemoryRun]] = {}
    for run in result.runs:
        by_type.setdefault(run.settings["kv_type"], []).append(run)
    with plain_style() as plt:
        fig, axes = plt.subplots()
        for index, (kv_type, runs) in enumerate(by_type.items()):
            style = {"color": COLOURS[index % len(COLOURS)]}
            contexts = [run.settings["context"] for run in runs]
            axes.plot(
                contexts,
                [run.predicted_kv_bytes / MIB for run in runs],
                linestyle=LINE_STYLES[index % len(LINE_STYLES)],
                marker="",
                label=f"{kv_type}, formula",
                **style,
            )
            axes.plot(
                contexts,
                [run.context_bytes / MIB for run in runs],
                linestyle="none",
                marker=MARKERS[index % len(MARKERS)],
                label=f"{kv_type}, measured",
                **style,
            )
        axes.set(xlabel="context, tokens", ylabel="KV cache, MiB", xlim=(0, None), ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_title(_title(result))
        axes.legend(fontsize=9)
        return figure_html(fig, _alt(result), _caption(result))


def _title(result: MemoryComparison) -> str:
    largest = max(result.runs, key=lambda run: run.predicted_kv_bytes)
    off = abs(largest.context_bytes / largest.predicted_kv_bytes - 1)
    if off <= _AGREE:
        return "The cache grows with the context,\nby as much as the formula says"
    return f"The cache grows with the context;\nmeasured and formula differ by {off:.0%} at the longest one"


def _caption(result: MemoryComparison) -> str:
    if all(run.context_bytes > run.predicted_kv_bytes for run in result.runs):
        return "The measured points lie a few MiB above their line: llama.cpp's book-keeping."
    return ""


def _alt(result: MemoryComparison) -> str:
    points = [
        f"{run.settings['kv_type']} at {run.settings['context']:,} tokens: measured "
        f"{run.context_bytes / MIB:.0f}, formula {run.predicted_kv_bytes / MIB:.0f} MiB"
        for run in result.runs
    ]
    message = _title(result).replace("\n", " ")
    return f"{message}. KV cache against context: {'; '.join(points)}."
