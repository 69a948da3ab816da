"""A model without its weights: hyperparameters and the list of tensors.

Everything that can be known before a download follows from a blueprint: parameters, bytes for each
quantization, KV cache, memory. It comes from a `config.json` (`config.blueprint_from_config`) or from the
header of a GGUF file (`GGUFHeader.blueprint`), and a twin is written from it. Taught in chapter 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from labkit.errors import LabError
from labkit.estimating.gguf_types import GGML_TYPES, TensorType
from labkit.estimating.hyperparameters import Hyperparameters

Part = Literal["embedding", "attention", "ffn", "experts", "norms", "output", "constants"]

#: the first pattern that fits a tensor's name decides
_PARTS: tuple[tuple[str, Part], ...] = (
    # Tables that are computed from the configuration, not learned: no parameters.
    (r"^rope_(freqs|factors_long|factors_short)\.", "constants"),
    (r"^(token_embd|position_embd|token_types|per_layer_\w+_(embd|proj))\.", "embedding"),
    (r"^blk\.\d+\.(inp_gate|proj)\.", "embedding"),
    (r"^output\.|\.nextn\.(eh_proj|embed_tokens|shared_head_head)\.", "output"),
    (r"norm|layer_output_scale", "norms"),
    (r"^blk\.\d+\.(ffn_\w+_(exps|shexp|chexps)|ffn_gate_inp(_shexp)?|exp_probs_b)\b", "experts"),
    (r"^blk\.\d+\.ffn_", "ffn"),
    (r"", "attention"),
)
_ROUTED = re.compile(r"^blk\.\d+\.ffn_\w+_exps\.")
_LAYER = re.compile(r"^blk\.(\d+)\.")

TYPES_BY_NAME: dict[str, TensorType] = {tensor_type.name: tensor_type for tensor_type in GGML_TYPES.values()}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor, not its values.

    Attributes
    ----------
    name : as in a GGUF file, such as `"blk.0.attn_q.weight"`.
    shape : in GGUF's order: the length of a row first. Experts are the third dimension.
    type_name : the type it is stored in, such as `"Q4_K"`; before quantization `"F16"` or `"F32"`.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str = "F16"

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes in a file, without padding."""
        return bytes_as(self.shape, self.type_name)

    @property
    def part(self) -> Part:
        """The part of the model that it belongs to."""
        return next(part for pattern, part in _PARTS if re.search(pattern, self.name))

    @property
    def layer(self) -> int | None:
        """The number of the layer that it belongs to, counted from 0; None outside the layers."""
        found = _LAYER.match(self.name)
        return int(found[1]) if found else None

    @property
    def is_routed_expert(self) -> bool:
        """Is it a stack of experts, of which a token uses some?"""
        return bool(_ROUTED.match(self.name))


def bytes_as(shape: tuple[int, ...], type_name: str) -> int:
    """Bytes of a tensor of that shape when it is stored as `type_name`; rows must be whole blocks."""
    tensor_type = TYPES_BY_NAME[type_name]
    return math.prod(shape) // tensor_type.block_elements * tensor_type.block_bytes


@dataclass(frozen=True, repr=False)
class Blueprint(Hyperparameters):
    """Hyperparameters and tensors of a model.

    Attributes
    ----------
    metadata : GGUF's keys and values. From a `config.json` there is no tokenizer in it, but `vocab_size`.
    tensors : in a file's order, as they are stored; before quantization F16, and F32 for vectors, routers.
    title : what to call the model.
    notes : sentences for a reader on what had to be assumed.
    """

    metadata: Mapping[str, Any]
    tensors: tuple[TensorSpec, ...]
    title: str = ""
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"Blueprint({self.title or self.architecture}, {self.parameters:,} parameters)"

    @property
    def parameters(self) -> int:
        """All parameters: what is learned in training. Position tables that are computed do not count."""
        return sum(t.n_elements for t in self.tensors if t.part != "constants")

    @property
    def parameters_active(self) -> int:
        """Parameters that take part in one token.

        All, but of the routed experts only those that are used, and no layers for multi-token prediction.
        """
        present, used = self.n_experts, self.n_experts_used
        further = self.number("nextn_predict_layers", 0)
        idle_layers = range(self.n_layers - further, self.n_layers) if further else range(0)
        idle = sum(t.n_elements for t in self.tensors if t.layer in idle_layers)
        routed = sum(t.n_elements for t in self.tensors if t.is_routed_expert and t.layer not in idle_layers)
        return self.parameters - idle - (routed - routed * used // present if present else 0)

    @property
    def n_experts(self) -> int:
        """Routed experts in a layer; 0 for a dense model."""
        return self.number("expert_count", 0)

    @property
    def n_experts_used(self) -> int:
        """Routed experts that each token uses in a layer."""
        return self.number("expert_used_count", 0)

    @property
    def tied_embeddings(self) -> bool:
        """Is the output matrix the token embedding, stored once?"""
        return all(t.name != "output.weight" for t in self.tensors)

    def parameters_by_part(self) -> dict[Part, int]:
        """Part → parameters, the parts that the model has, in a fixed order."""
        counts: dict[Part, int] = {}
        for part in ("embedding", "attention", "ffn", "experts", "norms", "output"):
            n = sum(t.n_elements for t in self.tensors if t.part == part)
            if n:
                counts[part] = n
        return counts

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors as they are stored, without padding."""
        return sum(t.n_bytes for t in self.tensors)

    def tensor(self, name: str) -> TensorSpec:
        """The tensor of that name. Raises LabError when there is none."""
        for spec in self.tensors:
            if spec.name == name:
                return spec
        raise LabError(f"{self._what} has no tensor {name}.", self._cure)
