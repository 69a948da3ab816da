"""How many bytes of a model one generated token reads. Taught in chapters 3, 6 and 19."""

from __future__ import annotations

import re

from labkit.errors import LabError
from labkit.models.gguf import GGUFHeader

_F16_BYTES = 2
#: Tables of which a token reads one row, whatever the model's other tensors.
_ROW_TABLES = re.compile(r"^(position_embd|token_types|per_layer_token_embd)\.weight$")
_EXPERTS = re.compile(r"_exps\.weight$")


def weight_bytes_per_token(header: GGUFHeader) -> int:
    """Bytes of weights read to generate one token.

    All tensors, except: of the token embedding one row, unless it is the output matrix too (then it is read
    whole); of a mixture of experts only the experts that a token uses.
    """
    tied = all(tensor.name != "output.weight" for tensor in header.tensors)
    share_of_experts = _share_of_experts(header)
    total = 0.0
    for tensor in header.tensors:
        one_row = _ROW_TABLES.match(tensor.name) or (tensor.name == "token_embd.weight" and not tied)
        if one_row:
            rows = max(1, tensor.n_elements // max(1, tensor.shape[0]))
            total += tensor.n_bytes / rows
        elif _EXPERTS.search(tensor.name):
            total += tensor.n_bytes * share_of_experts
        else:
            total += tensor.n_bytes
    return round(total)


def kv_bytes_per_token(header: GGUFHeader) -> int:
    """Bytes of KV cache for one token of context at f16, over all layers; 0 for a model without attention.

    Exact for full attention. Layers with a sliding window keep fewer tokens, so a long context takes less.
    """
    try:
        heads = header.per_layer("attention.head_count_kv", default=header.n_heads)
        key = header.number("attention.key_length", default=header.head_dim)
        value = header.number("attention.value_length", default=header.head_dim)
    except LabError:
        return 0
    return sum(heads) * (key + value) * _F16_BYTES


def _share_of_experts(header: GGUFHeader) -> float:
    try:
        present, used = header.number("expert_count", 0), header.number("expert_used_count", 0)
    except LabError:
        return 1.0
    return used / present if 0 < used <= present else 1.0
