"""The mixtures of llama-quantize as tables: which tensors get another type than the mixture's base type.

"Q4_K_M" is a mixture: Q4_K for most matrices, Q6_K for the output and for half of two kinds of tensors that
suffer most. Source: ggml-org/llama.cpp, src/llama-quant.cpp (llama_tensor_get_type_impl), as built into
llama-cpp-python 0.3.36; a test compares every tensor with that library's own plan. Taught in chapter 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal[
    "output",
    "embedding",
    "attn_v",
    "attn_k",
    "attn_q",
    "attn_output",
    "ffn_up",
    "ffn_gate",
    "ffn_down",
    "other",
]

#: fragment of the name of a tensor that is queries, keys and values in one
FUSED_QKV = "attn_qkv.weight"

#: the first fragment found in a tensor's name decides; fused QKV and MLA's KV count as values
_ROLES: tuple[tuple[str, Role], ...] = (
    (FUSED_QKV, "attn_v"),
    ("attn_kv_b.weight", "attn_v"),
    ("attn_v.weight", "attn_v"),
    ("attn_k.weight", "attn_k"),
    ("attn_q.weight", "attn_q"),
    ("attn_output.weight", "attn_output"),
    ("ffn_up", "ffn_up"),
    ("ffn_gate", "ffn_gate"),
    ("ffn_down", "ffn_down"),
)
_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")


def role_of(name: str) -> Role:
    """What a tensor does, as far as the mixtures care."""
    if name == "output.weight":
        return "output"
    if name in _EMBEDDINGS:
        return "embedding"
    return next((role for fragment, role in _ROLES if fragment in name), "other")


@dataclass(frozen=True)
class Place:
    """Where a tensor stands, and what the rules ask about its model.

    Attributes
    ----------
    index, count : it is the index-th of `count` of its role.
    heads_per_kv : query heads that share one KV head; 0 where the first layer has no KV heads.
    n_experts : routed experts per layer; 0 for a dense model.
    importance_matrix : is one given to llama-quantize?
    """

    index: int
    count: int
    heads_per_kv: int
    n_experts: int
    importance_matrix: bool


Condition = Callable[[Place], bool]


def _always(_: Place) -> bool:
    return True


def _first(n: int) -> Condition:
    return lambda place: place.index < n


def _first_eighth(place: Place) -> bool:
    return place.index < place.count // 8


def _first_sixteenth(place: Place) -> bool:
    return place.index < place.count // 16


def _between_the_eighths(place: Place) -> bool:
    return place.count // 8 <= place.index < 7 * place.count // 8


def _more_bits(place: Place) -> bool:
    """The first and the last eighth, and every third in between."""
    eighth = place.count // 8
    return place.index < eighth or place.index >= 7 * place.count // 8 or (place.index - eighth) % 3 == 2


def _shared(place: Place) -> bool:
    return place.heads_per_kv >= 4


def _shared_or_moe(place: Place) -> bool:
    return _shared(place) or place.n_experts >= 4


def _eight_experts(place: Place) -> bool:
    return place.n_experts == 8


def _eight_experts_more_bits(place: Place) -> bool:
    return _eight_experts(place) and _more_bits(place)


def _no_matrix(place: Place) -> bool:
    return not place.importance_matrix


def _no_matrix_first_eighth(place: Place) -> bool:
    return _no_matrix(place) and _first_eighth(place)


def _matrix_first_eighth(place: Place) -> bool:
    return place.importance_matrix and _first_eighth(place)


#: (condition, type), the first that holds decides; none: the base type
Rules = tuple[tuple[Condition, str], ...]


def _all(type_name: str) -> Rules:
    return ((_always, type_name),)


@dataclass(frozen=True)
class Mixture:
    """One of llama-quantize's choices.

    Attributes
    ----------
    base : the type of every matrix that no rule names.
    file_type : `general.file_type` in the file.
    rules : role → rules.
    low_bit : of the group below 3 bits, which has rules of its own and needs an importance matrix.
    """

    base: str
    file_type: int
    rules: Mapping[Role, Rules] = field(default_factory=dict)
    low_bit: bool = False


def _low_bit(base: str, file_type: int, better: str, attn_output: Rules = ()) -> Mixture:
    """Below 3 bits: `better` for the value matrices and the first eighth of the FFN."""
    return Mixture(
        base,
        file_type,
        {
            "output": _all("Q5_K"),
            "embedding": _all(better),
            "attn_v": ((_shared_or_moe, "Q4_K"), (_always, better)),
            "attn_k": ((_eight_experts, "Q4_K"),),
            "attn_output": ((_eight_experts, "Q5_K"), *attn_output),
            "ffn_down": ((_first_eighth, better),),
        },
        low_bit=True,
    )


_IQ4_RULES: dict[Role, Rules] = {
    "attn_v": ((_shared, "Q5_K"),),
    "ffn_down": ((_no_matrix_first_eighth, "Q5_K"),),
}
_TERNARY_RULES: dict[Role, Rules] = {"embedding": _all("Q4_K")}

#: llama-quantize's name → mixture, by bits
MIXTURES: dict[str, Mixture] = {
    "F32": Mixture("F32", 0),
    "BF16": Mixture("BF16", 32),
    "F16": Mixture("F16", 1),
    "Q8_0": Mixture("Q8_0", 7),
    "Q6_K": Mixture("Q6_K", 18),
    "Q5_K_M": Mixture("Q5_K", 17, {"attn_v": ((_more_bits, "Q6_K"),), "ffn_down": ((_more_bits, "Q6_K"),)}),
    "Q5_K_S": Mixture("Q5_K", 16),
    "Q5_1": Mixture("Q5_1", 9),
    "Q5_0": Mixture("Q5_0", 8, {"ffn_down": ((_matrix_first_eighth, "Q5_1"),)}),
    "Q4_K_M": Mixture("Q4_K", 15, {"attn_v": ((_more_bits, "Q6_K"),), "ffn_down": ((_more_bits, "Q6_K"),)}),
    "Q4_K_S": Mixture("Q4_K", 14, {"attn_v": ((_first(4), "Q5_K"),), "ffn_down": ((_first_eighth, "Q5_K"),)}),
    "Q4_1": Mixture("Q4_1", 3),
    "Q4_0": Mixture("Q4_0", 2, {"ffn_down": ((_matrix_first_eighth, "Q4_1"),)}),
    "MXFP4_MOE": Mixture("MXFP4", 38),
    "IQ4_NL": Mixture("IQ4_NL", 25, _IQ4_RULES),
    "IQ4_XS": Mixture("IQ4_XS", 30, _IQ4_RULES),
    "Q3_K_L": Mixture(
        "Q3_K", 13, {"attn_v": _all("Q5_K"), "attn_output": _all("Q5_K"), "ffn_down": _all("Q5_K")}
    ),
    "Q3_K_M": Mixture(
        "Q3_K",
        12,
        {
            "attn_v": ((_first(2), "Q5_K"), (_always, "Q4_K")),
            "attn_output": _all("Q4_K"),
            "ffn_down": ((_first_sixteenth, "Q5_K"), (_always, "Q4_K")),
        },
    ),
    "Q3_K_S": Mixture("Q3_K", 11),
    "IQ3_M": Mixture(
        "IQ3_S",
        27,
        {
            "attn_v": _all("Q4_K"),
            "attn_output": _all("Q4_K"),
            "ffn_down": ((_first_eighth, "Q4_K"), (_eight_experts_more_bits, "Q4_K")),
        },
    ),
    "IQ3_S": Mixture("IQ3_S", 26, {"attn_v": ((_shared, "Q4_K"),)}),
    "IQ3_XS": Mixture(
        "IQ3_S",
        22,
        {
            "attn_v": ((_shared, "Q4_K"),),
            "attn_k": _all("IQ3_XXS"),
            "attn_q": _all("IQ3_XXS"),
            "ffn_gate": ((_between_the_eighths, "IQ3_XXS"),),
            "ffn_up": ((_between_the_eighths, "IQ3_XXS"),),
        },
    ),
    "IQ3_XXS": Mixture(
        "IQ3_XXS",
        23,
        {
            "output": _all("Q5_K"),
            "embedding": _all("IQ3_S"),
            "attn_v": ((_shared, "Q4_K"), (_no_matrix, "IQ3_S")),
            "attn_k": _all("IQ2_S"),
            "attn_q": _all("IQ2_S"),
            "attn_output": _all("IQ3_S"),
            "ffn_down": ((_no_matrix_first_eighth, "Q4_K"), (_no_matrix, "Q3_K")),
        },
    ),
    "Q2_K": Mixture(
        "Q2_K",
        10,
        {
            "attn_v": ((_shared, "Q4_K"), (_always, "Q3_K")),
            "attn_output": _all("Q3_K"),
            "ffn_down": _all("Q3_K"),
        },
    ),
    "Q2_K_S": Mixture("Q2_K", 21, {"attn_v": ((_shared, "Q4_K"),), "ffn_down": ((_first_eighth, "Q4_K"),)}),
    "Q2_0": Mixture("Q2_0", 41, _TERNARY_RULES),
    "IQ2_M": _low_bit("IQ2_S", 29, "IQ3_S", _all("IQ3_S")),
    "IQ2_S": _low_bit("IQ2_XS", 28, "IQ3_S", _all("IQ3_S")),
    "IQ2_XS": _low_bit("IQ2_XS", 20, "Q2_K"),
    "IQ2_XXS": _low_bit("IQ2_XXS", 19, "Q2_K"),
    "TQ2_0": Mixture("TQ2_0", 37, _TERNARY_RULES),
    "TQ1_0": Mixture("TQ1_0", 36, _TERNARY_RULES),
    "IQ1_M": _low_bit("IQ1_M", 31, "Q2_K", _all("IQ2_XXS")),
    "IQ1_S": _low_bit("IQ1_S", 24, "Q2_K", _all("IQ2_XXS")),
    "Q1_0": Mixture("Q1_0", 40),
}

#: Falcon's exceptions: mixture → role → rules in place of those above
FALCON: dict[str, dict[Role, Rules]] = {
    "Q4_K_M": {"ffn_down": ((_first_sixteenth, "Q6_K"), (_more_bits, "Q5_K"))},
    "Q4_K_S": {"ffn_down": ()},
    "Q3_K_L": {"attn_output": _all("Q4_K"), "ffn_down": _all("Q4_K")},
    "Q3_K_M": {"attn_output": (), "ffn_down": ((_first_sixteenth, "Q5_K"), (_more_bits, "Q4_K"))},
    "Q2_K": {"attn_output": ()},
    "IQ3_M": {"attn_output": ()},
    "IQ3_XXS": {"attn_output": ()},
}

#: llama-quantize once had rules of its own for a fused QKV matrix: the base type, but for these. It counts
#: among the values now. Published files of Phi-3, Phi-4 and Phi-4-mini (2024, 2025) follow the older rules.
OLDER_FUSED_QKV: dict[str, str] = {
    "Q3_K_M": "Q4_K",
    "Q3_K_L": "Q4_K",
    "IQ3_M": "Q4_K",
    "Q4_K_M": "Q5_K",
    "Q5_K_M": "Q6_K",
}

#: Mixtures of which an importance matrix changes the types.
CHANGED_BY_MATRIX = frozenset(("Q4_0", "Q5_0", "IQ4_NL", "IQ4_XS", "IQ3_XXS"))

#: With eight experts the attention is small beside them: these mixtures raise attn_output to Q5_K. All others
#: outside the low-bit group leave it at the base type, whatever their own rule says.
EIGHT_EXPERTS_OUTPUT_Q5 = frozenset(
    (
        "Q2_K",
        "IQ3_XS",
        "IQ3_XXS",
        "IQ3_S",
        "IQ3_M",
        "Q3_K_S",
        "Q3_K_M",
        "IQ4_NL",
        "IQ4_XS",
        "Q4_K_S",
        "Q4_K_M",
    )
)

#: Type → what replaces it when a row is no whole number of its blocks; if that fits no better, F16.
FALLBACK_TYPES: dict[str, str] = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("Q2_0", "Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}

#: Types that llama-quantize makes only with an importance matrix (embedding and output apart).
MATRIX_TYPES = frozenset(("IQ3_XXS", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S"))

#: Matrices that stay as they are: too small to matter, or too delicate. Fragments of names.
_KEPT = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    *(
        f"time_mix_{matrix}.weight"
        for matrix in ("w0", "w1", "w2", "v0", "v1", "v2", "a0", "a1", "a2", "g1", "g2")
    ),
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
)
_KEPT_GLM5_NEXT = (
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
)
_AT_LEAST_Q8_GLM5_NEXT = ("attn_q_a", "attn_q_b", "nextn.eh_proj")


def is_quantized_tensor(architecture: str, name: str, shape: tuple[int, ...]) -> bool:
    """Does llama-quantize touch it? Matrices named `…weight`, with the exceptions above."""
    if max(shape[1:], default=1) <= 1 or not name.endswith("weight"):
        return False
    if name in ("position_embd.weight", "token_types.weight"):
        return False
    kept = (*_KEPT, *_KEPT_GLM5_NEXT) if architecture == "glm5-next" else _KEPT
    return not any(fragment in name for fragment in kept)


def is_at_least_q8(architecture: str, name: str) -> bool:
    """Forced to Q8_0 in any quantized mixture (GLM-5's low-rank queries and prediction heads)."""
    return architecture == "glm5-next" and any(part in name for part in _AT_LEAST_Q8_GLM5_NEXT)


def layer_of(name: str) -> int | None:
    """`"blk.12.ffn_down.weight"` → 12."""
    match = re.match(r"blk\.(\d+)\.", name)
    return int(match.group(1)) if match else None
