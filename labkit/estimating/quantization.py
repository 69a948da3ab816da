"""Which type each tensor gets in each quantization, as llama-quantize decides it. Taught in chapter 7.

A mixture such as Q4_K_M has a base type, and rules for the tensors that deserve other types
(`quant_mixtures`). On top come the model's own traits: tied embeddings, eight experts, 80 layers, rows that
are no whole number of blocks. Source: ggml-org/llama.cpp, src/llama-quant.cpp, as built into
llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint, TensorSpec
from labkit.estimating.quant_mixtures import (
    CHANGED_BY_MATRIX,
    EIGHT_EXPERTS_OUTPUT_Q5,
    FALCON,
    FALLBACK_TYPES,
    FUSED_QKV,
    MATRIX_TYPES,
    MIXTURES,
    OLDER_FUSED_QKV,
    Mixture,
    Place,
    Role,
    is_at_least_q8,
    is_quantized_tensor,
    layer_of,
    role_of,
)

#: llama-quantize's names, from most bits to fewest
QUANTIZATIONS: tuple[str, ...] = tuple(MIXTURES)

_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE", "FP16": "F16"}
_UNQUANTIZED = ("F32", "F16", "BF16")
_QUANTIZATION_VERSION = 2
#: architecture → layers at which llama.cpp calls it a "70B" (llama also asks for grouped heads)
_70B_LAYERS = {"llama": 80, "llama-embed": 80, "qwen2": 80, "deci": 80, "olmo": 80, "jais2": 68}


@dataclass(frozen=True)
class Fallback:
    """A tensor that cannot have the type the mixture gives it: its rows are no whole number of blocks."""

    tensor: str
    wanted: str
    got: str


def quantization_name(text: str) -> str:
    """llama-quantize's name of a mixture, for any spelling: `"q4_k_m"` → `"Q4_K_M"`, `"Q4_K"` → `"Q4_K_M"`.

    Raises LabError when there is no such mixture.
    """
    name = str(text).strip().upper().replace("-", "_")
    name = _ALIASES.get(name, name)
    if name not in MIXTURES:
        near = difflib.get_close_matches(name, QUANTIZATIONS, n=3)
        did_you_mean = f"Did you mean {' or '.join(near)}? " if near else ""
        raise LabError(
            f"There is no quantization {str(text)!r:.40}.",
            f"{did_you_mean}Choose one of {', '.join(QUANTIZATIONS)}.",
        )
    return name


def quantized(
    blueprint: Blueprint, quant: str, *, importance_matrix: bool = False, older_rules: bool = False
) -> Blueprint:
    """The same tensors in the types that llama-quantize gives them; `general.file_type` says which mixture.

    Parameters
    ----------
    blueprint : of an unquantized model. From a quantized one the types are those that its original would get.
    quant : a name of `QUANTIZATIONS`, in any spelling.
    importance_matrix : as if one were given. It changes the types in IQ3_XXS, IQ4_NL, IQ4_XS, Q4_0 and Q5_0.
        Some mixtures are made only with one (`needs_importance_matrix`); `notes` says so.
    older_rules : as files of 2024 and 2025 have it; differs for fused QKV matrices, as in Phi-3.

    Raises LabError for an unknown name, or when the mixture has no type that fits a tensor's rows.
    """
    name = quantization_name(quant)
    choices = list(_choices(blueprint, _Chooser(blueprint, name, importance_matrix, older_rules)))
    tensors = tuple(
        replace(spec, type_name=got) for spec, (_, got) in zip(blueprint.tensors, choices, strict=True)
    )
    metadata = {
        **blueprint.metadata,
        "general.quantization_version": _QUANTIZATION_VERSION,
        "general.file_type": MIXTURES[name].file_type,
    }
    notes = blueprint.notes
    if not importance_matrix and _uses_matrix_types(tensors, name):
        notes = (
            *notes,
            f"llama-quantize makes {name} of this model only with an importance matrix; the types are "
            "those of its dry run without one.",
        )
    return replace(blueprint, metadata=metadata, tensors=tensors, notes=notes)


def fallbacks(blueprint: Blueprint, quant: str, *, importance_matrix: bool = False) -> tuple[Fallback, ...]:
    """The tensors that fall back to a larger type, in the blueprint's order. Small models have many."""
    choices = _choices(blueprint, _Chooser(blueprint, quantization_name(quant), importance_matrix))
    return tuple(
        Fallback(spec.name, wanted, got)
        for spec, (wanted, got) in zip(blueprint.tensors, choices, strict=True)
        if wanted != got
    )


def published_variants(blueprint: Blueprint) -> tuple[Blueprint, ...]:
    """What else a published file of this mixture may hold: with an importance matrix, or by older rules.

    `blueprint` is one that `quantized` returned; of any other there are no variants.
    """
    file_type = blueprint.metadata.get("general.file_type")
    name = next((name for name, mixture in MIXTURES.items() if mixture.file_type == file_type), "F16")
    matrix = (False, True) if name in CHANGED_BY_MATRIX else (False,)
    older = (False, True) if any(FUSED_QKV in spec.name for spec in blueprint.tensors) else (False,)
    if len(matrix) + len(older) == 2 or MIXTURES[name].base in _UNQUANTIZED:
        return ()
    all_of_them = [
        quantized(blueprint, name, importance_matrix=with_matrix, older_rules=by_older)
        for with_matrix in matrix
        for by_older in older
    ]
    others = tuple(variant for variant in all_of_them if variant.tensors != blueprint.tensors)
    return others if len(others) < len(all_of_them) else ()


def needs_importance_matrix(blueprint: Blueprint, quant: str) -> bool:
    """Does llama-quantize refuse this quantization of the model without an importance matrix?"""
    name = quantization_name(quant)
    return _uses_matrix_types(quantized(blueprint, name).tensors, name)


def bits_per_weight(blueprint: Blueprint) -> float:
    """Bits of tensor data for each number stored, as llama-quantize prints it (BPW)."""
    n_elements = sum(spec.n_elements for spec in blueprint.tensors)
    if not n_elements:
        raise LabError("The model has no tensors.", "Check the file or the configuration.")
    return blueprint.tensor_bytes * 8 / n_elements


def _uses_matrix_types(tensors: tuple[TensorSpec, ...], name: str) -> bool:
    needed = MATRIX_TYPES | {"Q2_K"} if name == "Q2_K_S" else MATRIX_TYPES
    return any(t.type_name in needed and role_of(t.name) not in ("embedding", "output") for t in tensors)


def _choices(blueprint: Blueprint, chooser: _Chooser) -> Iterator[tuple[str, str]]:
    """(wanted, got) for each tensor, in the blueprint's order."""
    chosen = {spec.name: chooser.types(spec) for spec in sorted(blueprint.tensors, key=_file_order)}
    return (chosen[spec.name] for spec in blueprint.tensors)


def _file_order(spec: TensorSpec) -> tuple[int, bytes]:
    """The order in which llama.cpp counts tensors: by layer, then by name."""
    layer = layer_of(spec.name)
    return (-1 if layer is None else layer), spec.name.encode(errors="replace")


class _Chooser:
    """Goes through a model's tensors in llama.cpp's order and gives each its type."""

    def __init__(
        self, blueprint: Blueprint, name: str, importance_matrix: bool, older_rules: bool = False
    ) -> None:
        self.name = name
        self.mixture: Mixture = MIXTURES[name]
        self.architecture = blueprint.architecture
        self.importance_matrix = importance_matrix
        self.older_rules = older_rules
        self.n_experts = blueprint.n_experts
        self.n_layers = blueprint.n_layers
        self.tied = blueprint.tied_embeddings
        self.heads_per_kv = _heads_per_kv(blueprint)
        self.is_70b = _is_70b(blueprint)
        self.n_attn_v = sum(role_of(spec.name) == "attn_v" for spec in blueprint.tensors)
        self.seen: Counter[Role] = Counter()

    def types(self, spec: TensorSpec) -> tuple[str, str]:
        """(wanted, got): they differ where the rows do not fit."""
        if not is_quantized_tensor(self.architecture, spec.name, spec.shape):
            return spec.type_name, spec.type_name
        if self.mixture.base in _UNQUANTIZED:
            return self.mixture.base, self.mixture.base
        role = role_of(spec.name)
        wanted = self._wanted(spec, role)
        self.seen[role] += 1
        return wanted, self._that_fits(spec, wanted)

    def _wanted(self, spec: TensorSpec, role: Role) -> str:
        if is_at_least_q8(self.architecture, spec.name):
            return "Q8_0"
        if role == "output" or (role == "embedding" and self.tied):
            return self._output_type(spec.shape[0])
        if self.name == "MXFP4_MOE":
            return "MXFP4" if self._is_stack_of_experts(spec, role) else "Q8_0"
        if self.older_rules and FUSED_QKV in spec.name:
            return OLDER_FUSED_QKV.get(self.name, self.mixture.base)
        type_name = self._by_rules(spec, role)
        if self.mixture.low_bit:
            return type_name
        if role == "attn_v" and self.is_70b and type_name in ("Q3_K", "Q4_K"):
            type_name = "Q5_K"
        if role in ("attn_v", "attn_k") and self.n_experts == 8:
            type_name = "Q8_0"
        return type_name

    def _output_type(self, row: int) -> str:
        """Of the output matrix, or of the embedding that doubles as one."""
        base = self.mixture.base
        no_whole_blocks = row % TYPES_BY_NAME[base].block_elements != 0
        if self.name == "MXFP4_MOE" or self.architecture == "falcon" or no_whole_blocks:
            return "Q8_0"
        special = self.mixture.rules.get("output")
        if special:
            return special[0][1]
        return "Q8_0" if base == "Q8_0" else "Q6_K"

    def _is_stack_of_experts(self, spec: TensorSpec, role: Role) -> bool:
        stacked = len(spec.shape) > 2 and spec.shape[2] > 1
        return stacked and (self.architecture != "bailingmoe3" or role in ("ffn_up", "ffn_gate", "ffn_down"))

    def _by_rules(self, spec: TensorSpec, role: Role) -> str:
        rules = self.mixture.rules.get(role, ())
        if not self.mixture.low_bit:
            if self.architecture == "falcon":
                rules = FALCON.get(self.name, {}).get(role, rules)
            elif role == "attn_output" and self.n_experts == 8:
                return "Q5_K" if self.name in EIGHT_EXPERTS_OUTPUT_Q5 else self.mixture.base
        place = self._place(spec, role)
        return next((type_name for holds, type_name in rules if holds(place)), self.mixture.base)

    def _place(self, spec: TensorSpec, role: Role) -> Place:
        index = self.seen[role]
        if role.startswith("ffn_") and self.n_experts > 1 and not self.mixture.low_bit:
            # A layer of experts has several such tensors: llama.cpp reads the layer from the name there.
            layer = layer_of(spec.name)
            index = index if layer is None else layer
        count = self.n_attn_v if role == "attn_v" else self.n_layers
        return Place(index, count, self.heads_per_kv, self.n_experts, self.importance_matrix)

    def _that_fits(self, spec: TensorSpec, wanted: str) -> str:
        row = spec.shape[0]
        if row % TYPES_BY_NAME[wanted].block_elements == 0:
            return wanted
        fallback = FALLBACK_TYPES.get(wanted)
        if fallback is None:
            if TYPES_BY_NAME[wanted].block_elements > 32:
                raise LabError(
                    f"llama.cpp cannot make {self.name} of this model: the rows of {spec.name} have {row:,} "
                    f"values, and {wanted} needs multiples of {TYPES_BY_NAME[wanted].block_elements}.",
                    "Choose another quantization.",
                )
            return "F16"
        return fallback if row % TYPES_BY_NAME[fallback].block_elements == 0 else "F16"


def _heads_per_kv(blueprint: Blueprint) -> int:
    """Query heads per KV head in the first layer, which is the one llama.cpp asks."""
    n_heads, n_kv_heads = _heads_of_first_layer(blueprint)
    return n_heads // n_kv_heads if n_kv_heads else 0


def _heads_of_first_layer(blueprint: Blueprint) -> tuple[int, int]:
    n_heads = blueprint.per_layer("attention.head_count", default=0)[0]
    return n_heads, blueprint.per_layer("attention.head_count_kv", default=n_heads)[0]


def _is_70b(blueprint: Blueprint) -> bool:
    architecture = blueprint.architecture
    n_layers = blueprint.n_layers - blueprint.number("nextn_predict_layers", 0)
    if n_layers != _70B_LAYERS.get(architecture):
        return False
    if architecture in ("llama", "llama-embed"):
        n_heads, n_kv_heads = _heads_of_first_layer(blueprint)
        return blueprint.n_experts != 8 and n_heads != n_kv_heads
    return True
