"""Pictures of where a model's parameters are: all of it by part, and one layer matrix by matrix.

Taught in chapter 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style
from labkit.models.source import open_source
from labkit.units import format_count

if TYPE_CHECKING:
    from labkit.models.source import SourceLike

#: part → (what it is called, how it is drawn)
_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "embedding": ("embedding", {"color": COLOURS[0]}),
    "attention": ("attention", {"color": COLOURS[1], "hatch": "//"}),
    "ffn": ("feed-forward", {"color": COLOURS[2]}),
    "experts": ("experts", {"color": COLOURS[2], "hatch": ".."}),
    "output": ("output matrix", {"color": COLOURS[3], "hatch": "\\\\"}),
    "norms": ("norms", {"color": COLOURS[4]}),
}
#: a part that takes less of the bar has no number in it
_ROOM_FOR_A_NUMBER = 0.06
#: a part that takes less of every bar would not be seen
_SMALLEST_SHOWN = 0.005

_MATRICES = {"attn_q": "Q", "attn_k": "K", "attn_v": "V", "attn_output": "O"}
_MATRICES |= {"ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down"}
#: up to so many columns, each parameter of a matrix is drawn as a square
_COUNTABLE = 40
#: what the numbers below a matrix take, as a share of the longest side of any
_LABEL = 0.62
#: how wide the picture of a layer is
_INCHES = 10.5


def parameter_chart(*sources: SourceLike, names: Sequence[str] = ()) -> Figure:
    """Each model as a bar of 100 %, split by part; how many parameters it has stands at the end.

    Parameters
    ----------
    sources : names of models, `config.json` mappings, GGUF files, or blueprints.
    names : what to write beside the bars, where the models' own names will not do.

    Raises LabError when a source cannot be read.
    """
    blueprints = [open_source(source).blueprint for source in sources]
    titles = [*names, *(_title(b) for b in blueprints[len(names) :])][: len(blueprints)]
    with plain_style() as plt:
        fig, axes = plt.subplots(figsize=(7.4, 0.9 + 0.55 * len(blueprints)))
        for part, (label, style) in _PARTS.items():
            shares = [b.parameters_by_part().get(part, 0) / b.parameters for b in blueprints]
            if max(shares) < _SMALLEST_SHOWN:
                continue
            starts = [_share_before(b, part) for b in blueprints]
            bars = axes.barh(titles, shares, left=starts, label=label, edgecolor="white", **style)
            axes.bar_label(bars, labels=[_number(s) for s in shares], label_type="center", **_TEXT)
        for title, blueprint in zip(titles, blueprints, strict=True):
            axes.text(1.01, title, format_count(blueprint.parameters), va="center", fontsize=9.5)
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="share of the parameters")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(axis="y", visible=False)
        axes.legend(ncols=5, fontsize=9, loc="lower left", bbox_to_anchor=(-0.02, 1.0), handlelength=1.2)
        return figure_html(fig, _alt(titles, blueprints), _caption(blueprints))


_TEXT = {"fontsize": 9, "color": "#111111", "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.2}}


def _caption(blueprints: Sequence[Blueprint]) -> str:
    norms = max(b.parameters_by_part().get("norms", 0) / b.parameters for b in blueprints)
    unseen = " Norms are too few to be seen." if norms < _SMALLEST_SHOWN else ""
    return f"Beside the bars: all parameters, M for million, B for billion.{unseen}"


def _title(blueprint: Blueprint) -> str:
    return blueprint.title or blueprint.architecture


def _number(share: float) -> str:
    return f"{share:.0%}" if share >= _ROOM_FOR_A_NUMBER else ""


def _share_before(blueprint: Blueprint, part: str) -> float:
    counts, parts = blueprint.parameters_by_part(), list(_PARTS)
    return sum(counts.get(p, 0) for p in parts[: parts.index(part)]) / blueprint.parameters


def _alt(titles: Sequence[str], blueprints: Sequence[Blueprint]) -> str:
    bars = []
    for title, blueprint in zip(titles, blueprints, strict=True):
        counts = blueprint.parameters_by_part()
        shares = ", ".join(
            f"{label} {counts[part] / blueprint.parameters:.1%}"
            for part, (label, _) in _PARTS.items()
            if part in counts
        )
        bars.append(f"{title}, {blueprint.parameters:,} parameters: {shares}")
    return f"Bars of the share of each part. {'; '.join(bars)}."


# ---------------------------------------------------------------- one layer, to scale


def layer_picture(source: SourceLike) -> Figure:
    """The matrices of a model's first layer, drawn to one scale, with rows, columns and parameters.

    A small one is drawn with every parameter as a square, so that they can be counted. Raises LabError when
    the source cannot be read, or its first layer has none of the matrices Q, K, V, O, gate, up and down.
    """
    from labkit.errors import LabError

    blueprint = open_source(source).blueprint
    matrices = _matrices_of_first_layer(blueprint)
    if not matrices:
        what = f"The first layer of {_title(blueprint)} has none of the matrices that this picture shows."
        raise LabError(what, "Choose a dense model such as SmolLM2.")
    longest = max(max(tensor.shape) for tensor in matrices.values())
    places, width = _places(matrices, longest)
    top, bottom = 0.48 * longest, -1.3 * longest
    with plain_style() as plt:
        fig, axes = plt.subplots(figsize=(_INCHES, _INCHES * (top - bottom) / width))
        fig.subplots_adjust(0, 0, 1, 1)
        for name, tensor in matrices.items():
            rows, columns = tensor.shape
            _draw_matrix(plt, axes, places[name], rows, columns, name)
            middle, below = places[name] + columns / 2, f"{rows:,} × {columns:,}\n{tensor.n_elements:,}"
            axes.text(middle, 0.05 * longest, name, ha="center", va="bottom", weight="bold")
            axes.text(middle, -rows - 0.05 * longest, below, ha="center", va="top", fontsize=10)
        for group, members in _groups(matrices).items():
            left, right = places[members[0]], places[members[-1]] + matrices[members[-1]].shape[1]
            axes.hlines(0.25 * longest, left, right, color=_colour(members[0]), linewidth=2.5)
            axes.text((left + right) / 2, 0.3 * longest, group, ha="center", va="bottom", fontsize=11)
        axes.set(xlim=(0, width), ylim=(bottom, top), aspect="equal")
        axes.axis("off")
        return figure_html(fig, _layer_alt(matrices), "Rows × columns, and below it how many parameters.")


def _matrices_of_first_layer(blueprint: Blueprint) -> dict[str, TensorSpec]:
    stored = {tensor.name: tensor for tensor in blueprint.tensors if len(tensor.shape) == 2}
    found = {label: stored.get(f"blk.0.{name}.weight") for name, label in _MATRICES.items()}
    return {label: tensor for label, tensor in found.items() if tensor is not None}


def _places(matrices: dict[str, TensorSpec], longest: int) -> tuple[dict[str, float], float]:
    """Where each matrix begins, with room for the numbers below it; and the width of it all."""
    places, at = {}, 0.0
    for name, tensor in matrices.items():
        columns = tensor.shape[1]
        room = max(columns, _LABEL * longest)
        places[name] = at + (room - columns) / 2
        at += room + 0.12 * longest
    return places, at - 0.12 * longest


def _groups(matrices: dict[str, TensorSpec]) -> dict[str, list[str]]:
    groups = {"attention": [n for n in matrices if _is_attention(n)]}
    groups["feed-forward part"] = [n for n in matrices if not _is_attention(n)]
    return {group: members for group, members in groups.items() if members}


def _is_attention(name: str) -> bool:
    return len(name) == 1  # Q, K, V, O


def _colour(name: str) -> str:
    return COLOURS[1] if _is_attention(name) else COLOURS[2]


def _draw_matrix(plt: Any, axes: Any, at: float, rows: int, columns: int, name: str) -> None:
    box = plt.Rectangle((at, -rows), columns, rows, facecolor=_colour(name), edgecolor="#111111", alpha=0.75)
    axes.add_patch(box)
    if max(rows, columns) <= _COUNTABLE:
        line = {"color": "#111111", "linewidth": 0.6}
        axes.vlines([at + c for c in range(1, columns)], -rows, 0, **line)
        axes.hlines([-r for r in range(1, rows)], at, at + columns, **line)


def _layer_alt(matrices: dict[str, TensorSpec]) -> str:
    parts = [
        f"{name} {tensor.shape[0]:,} × {tensor.shape[1]:,} = {math.prod(tensor.shape):,}"
        for name, tensor in matrices.items()
    ]
    return f"The matrices of one layer, to scale, rows × columns = parameters: {'; '.join(parts)}."
