"""Memory against context, for several types of KV cache, with this machine's limit. Taught in chapter 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.fitting import Room
from labkit.estimating.kv_cache import kv_types as types_of
from labkit.estimating.memory import estimate_memory
from labkit.learning.figure import Figure, figure_html, plain_style
from labkit.models.estimate import in_quantization, longest_context
from labkit.models.source import Source, SourceLike, open_source
from labkit.units import GIB, format_bytes

KV_TYPES = ("f16", "q8_0", "q4_0")
_FIRST = 512
_MOST = 2**20
_FAR_ABOVE = 3


@dataclass(frozen=True)
class Line:
    """Memory in all, in bytes, for each of `contexts`, with one type of cache."""

    kv_type: str
    contexts: tuple[int, ...]
    total_bytes: tuple[int, ...]
    fits: int  #: the largest context within the limit; 0 when not even the weights fit


def memory_lines(
    blueprint: Blueprint,
    kv_types: Sequence[str],
    room: Room,
    longest: int | None = None,
    gpu_layers: int = 0,
) -> list[Line]:
    """The lines of the chart, from 512 tokens to the model's own length, or to `longest`.

    A type of cache that does not suit the model's heads has no line. Raises LabError when none does.
    """
    contexts = _contexts(longest or _length(blueprint))
    lines, problem = [], None
    for kv_type in kv_types:
        type_k, type_v = types_of(kv_type)
        settings: dict[str, Any] = {"type_k": type_k, "type_v": type_v, "gpu_layers": gpu_layers}
        try:
            totals = tuple(estimate_memory(blueprint, n, **settings).total_bytes for n in contexts)
            vram = room.usable_vram_bytes if gpu_layers else None
            fits = longest_context(blueprint, room.ram_bytes, vram, **settings)
        except LabError as error:
            problem = error
            continue
        lines.append(Line(kv_type, contexts, totals, fits))
    if not lines:
        raise problem or LabError("There is no type of cache to draw.", 'Name one, such as "f16".')
    return lines


def memory_chart(
    source: SourceLike | Source,
    quant: str | None = None,
    kv_types: Sequence[str] = KV_TYPES,
    *,
    longest: int | None = None,
) -> Figure:
    """A plot of memory against context, with the memory that this process may use drawn in.

    Parameters
    ----------
    source : any model, as `lk.estimate` takes it.
    quant : None is the file's own, or Q4_K_M.
    kv_types : one line for each, such as `"f16"`, or `"q8_0,f16"` for keys and values apart.
    longest : the longest context drawn, in tokens. None: the model's own length.

    Raises LabError when the model cannot be read, or a type does not exist. Taught in chapter 6.
    """
    if isinstance(kv_types, str):
        kv_types = (kv_types,)
    if longest is not None and (not isinstance(longest, int) or isinstance(longest, bool) or longest < 1):
        raise LabError(f"`longest` must be a number of tokens, not {longest!r:.40}.", "Such as 32768.")
    found = open_source(source, quant=quant)
    name, blueprint, _ = in_quantization(found, quant, ask_llama=False)
    room = Room(limits.memory_allowed_bytes())
    lines = memory_lines(blueprint, kv_types, room, longest)
    return chart(f"{found.title} in {name}", lines, room.ram_bytes)


def chart(model: str, lines: Sequence[Line], limit_bytes: int, now: int | None = None) -> Figure:
    """The plot of `lines`. `now` marks one context."""
    ticks = _ticks(lines[0].contexts)
    with plain_style() as plt:
        fig, axes = plt.subplots()
        for line in lines:
            axes.plot(line.contexts, [n / GIB for n in line.total_bytes], label=f"{line.kv_type} cache")
        _draw_limit(axes, limit_bytes / GIB, max(max(line.total_bytes) for line in lines) / GIB)
        if now is not None:
            axes.axvline(now, color="#555555", linestyle=(0, (2, 2)), linewidth=1.4, marker="")
            axes.text(now, 0.02, " chosen", transform=axes.get_xaxis_transform(), rotation=90, va="bottom")
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.minorticks_off()
        axes.set_xlabel("context, tokens")
        axes.set_ylabel("memory in all, GiB")
        axes.set_title(_title(model, lines), fontsize=11)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        return figure_html(fig, _alt(model, lines, limit_bytes), _caption(ticks))


def _draw_limit(axes: Any, limit: float, top: float) -> None:
    """The limit as a line; far above all lines, as words at the upper edge. Both in GiB."""
    words = f"the memory you may use: {limit:.3g} GiB"
    if limit > _FAR_ABOVE * top:
        axes.set_ylim(0, 1.2 * top)
        axes.text(0.01, 0.97, f"↑ {words}", transform=axes.transAxes, va="top")
        return
    axes.set_ylim(0, 1.15 * max(top, limit))
    axes.axhline(limit, color="#111111", linestyle="-", linewidth=1.8, marker="")
    # x as a share of the width, y in GiB
    axes.text(0.01, limit, words, transform=axes.get_yaxis_transform(), va="bottom")


def _ticks(contexts: Sequence[int]) -> list[int]:
    """Powers of two, at most seven of them."""
    powers = [n for n in contexts if n & (n - 1) == 0] or list(contexts)
    return powers[:: -(-len(powers) // 7)]


def _caption(ticks: Sequence[int]) -> str:
    if len(ticks) < 2:
        return "Computed, not measured."
    factor = ticks[1] / ticks[0]
    return (
        f"Computed, not measured. Each mark on the lower axis is {factor:g} times the last, so that a "
        "straight line looks bent."
    )


def _title(model: str, lines: Sequence[Line]) -> str:
    first = lines[0]
    if not first.fits:
        return f"{model} does not fit here, however short the context"
    if first.fits >= first.contexts[-1]:
        return f"{model}: its whole context fits here"
    return f"{model}: {first.fits:,} tokens fit here with a cache of {first.kv_type}"


def _alt(model: str, lines: Sequence[Line], limit_bytes: int) -> str:
    said = []
    for line in lines:
        ends = ", ".join(
            f"{format_bytes(line.total_bytes[i])} at {line.contexts[i]:,} tokens"
            for i in dict.fromkeys((0, len(line.contexts) // 2, len(line.contexts) - 1))
        )
        fits = f"{line.fits:,} tokens fit" if line.fits else "no context fits"
        said.append(f"{line.kv_type} cache: {ends}; {fits}.")
    return (
        f"Memory in all against context for {model}. The memory you may use is {format_bytes(limit_bytes)}. "
        + " ".join(said)
    )


def _length(blueprint: Blueprint) -> int:
    """The model's own length, or a usual one where it does not say."""
    try:
        return blueprint.context_length
    except LabError:
        return 32_768


def _contexts(longest: int) -> tuple[int, ...]:
    """512, 768, 1,024, 1,536 ... up to `longest`."""
    longest = max(_FIRST, min(longest, _MOST))
    points = {longest}
    n = _FIRST
    while n < longest:
        points |= {n, min(longest, n + n // 2)}
        n *= 2
    return tuple(sorted(points))
