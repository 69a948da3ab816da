"""Every matrix and vector of a model, once per kind, with its parameters. Taught in chapter 2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.models.source import open_source
from labkit.tables import Table

if TYPE_CHECKING:
    from labkit.estimating.blueprint import TensorSpec
    from labkit.models.source import SourceLike

_LAYER = re.compile(r"^blk\.\d+\.")
#: GGUF's name of a tensor → what the chapter calls it; other tensors keep their name
_NAMES = {
    "token_embd.weight": "embedding",
    "attn_norm.weight": "norm before the attention",
    "attn_q.weight": "Q",
    "attn_k.weight": "K",
    "attn_v.weight": "V",
    "attn_output.weight": "O",
    "attn_q.bias": "bias of Q",
    "attn_k.bias": "bias of K",
    "attn_v.bias": "bias of V",
    "attn_q_norm.weight": "norm of Q",
    "attn_k_norm.weight": "norm of K",
    "ffn_norm.weight": "norm before the feed-forward part",
    "ffn_gate.weight": "gate",
    "ffn_up.weight": "up",
    "ffn_down.weight": "down",
    "output_norm.weight": "last norm",
    "output.weight": "output matrix",
}


@dataclass
class _Kind:
    """Tensors of one name and shape, in some or all layers."""

    name: str
    shape: tuple[int, ...]
    n_elements: int
    times: int = 0


def parameter_table(source: SourceLike) -> Table:
    """Rows × columns of each kind of matrix, how often the model has it, and the parameters in all.

    Raises LabError when the source cannot be read.
    """
    blueprint = open_source(source).blueprint
    rows = [
        [kind.name, _shape(kind), f"{kind.times}", f"{kind.times * kind.n_elements:,}"]
        for kind in _kinds(blueprint.tensors)
    ]
    rows.append(["in all", "", "", f"{blueprint.parameters:,}"])
    title = "this configuration" if isinstance(source, Mapping) else blueprint.title or "this model"
    return Table(f"The parameters of {title}", ["what", "rows × columns", "times", "parameters"], rows)


def _kinds(tensors: tuple[TensorSpec, ...]) -> list[_Kind]:
    found: dict[tuple[str, tuple[int, ...]], _Kind] = {}
    for tensor in sorted(tensors, key=_place):
        if tensor.part == "constants":
            continue
        name = _LAYER.sub("", tensor.name)
        kind = _Kind(_NAMES.get(name, name), tensor.shape, tensor.n_elements)
        found.setdefault((name, tensor.shape), kind).times += 1
    return list(found.values())


def _place(tensor: TensorSpec) -> int:
    names = list(_NAMES)
    name = _LAYER.sub("", tensor.name)
    return names.index(name) if name in names else names.index("output_norm.weight")


def _shape(kind: _Kind) -> str:
    """As the chapter draws them: as many rows as numbers go in, as many columns as come out.

    The embedding has a row for each token. Of experts there are several: their number comes first.
    """
    shape = kind.shape[::-1] if kind.name == "embedding" else (*kind.shape[2:], *kind.shape[:2])
    return " × ".join(f"{n:,}" for n in shape)
