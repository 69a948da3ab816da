"""From PyTorch to GGUF, and back for fine-tuning, with the `gguf` library.

Matrices are stored as F16, norms and routers as F32, under llama.cpp's names for the Llama architecture.
Needs the `train` extra.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labkit.pocket import tokenizer as words
from labkit.pocket.architecture import PocketModel, Shape

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_NORMAL, _CONTROL = 1, 3
_LAYER_NAMES = {
    "attention_norm": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.output": "attn_output",
    "ffn_norm": "ffn_norm",
    "ffn.gate": "ffn_gate",
    "ffn.up": "ffn_up",
    "ffn.down": "ffn_down",
    "ffn.router": "ffn_gate_inp",
}


def write_gguf(
    path: Path, model: PocketModel, tokenizer: Tokenizer, *, chat: bool, about: Mapping[str, str]
) -> None:
    """Writes the model. `about`: name, description, and so on, for the `general.` keys.

    With `chat`, the file holds the chat template, and an answer ends with `<|im_end|>`; else a text ends with
    `<|endoftext|>`.
    """
    import gguf

    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    for key, value in about.items():
        writer.add_string(f"general.{key}", value)
    _add_shape(writer, model.shape)
    _add_tokenizer(writer, tokenizer, chat=chat)
    for name, values in gguf_tensors(model).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def _add_shape(writer: Any, shape: Shape) -> None:
    import gguf

    writer.add_block_count(shape.n_layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.d_model)
    writer.add_feed_forward_length(shape.d_ff)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.n_vocab)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_F16))
    if shape.n_experts:
        writer.add_expert_count(shape.n_experts)
        writer.add_expert_used_count(shape.n_experts_used)


def _add_tokenizer(writer: Any, tokenizer: Tokenizer, *, chat: bool) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words.PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types([_CONTROL if token in words.SPECIAL_TOKENS else _NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(words.END_OF_TEXT_ID)
    writer.add_eos_token_id(words.IM_END_ID if chat else words.END_OF_TEXT_ID)
    writer.add_pad_token_id(ids["<|pad|>"])
    writer.add_add_bos_token(True)
    for part, token in (("pre", words.FIM_PREFIX), ("suf", words.FIM_SUFFIX), ("mid", words.FIM_MIDDLE)):
        writer.add_uint32(f"tokenizer.ggml.fim_{part}_token_id", ids[token])
    if chat:
        writer.add_chat_template(words.CHAT_TEMPLATE)


def gguf_tensors(model: PocketModel) -> dict[str, np.ndarray]:
    """The weights under their names in a GGUF, shapes as (rows, columns); experts are stacked in front."""
    weights = {name: value.detach().float().cpu().numpy() for name, value in model.state_dict().items()}
    tensors = {
        "token_embd.weight": weights["embedding.weight"],
        "output_norm.weight": weights["output_norm.weight"],
    }
    for layer in range(model.shape.n_layers):
        ours, theirs = f"layers.{layer}.", f"blk.{layer}."
        for inner, outer in _LAYER_NAMES.items():
            if f"{ours}{inner}.weight" in weights:
                tensors[f"{theirs}{outer}.weight"] = weights[f"{ours}{inner}.weight"]
        for part in ("gate", "up", "down") if model.shape.n_experts else ():
            experts = (weights[f"{ours}ffn.experts.{i}.{part}.weight"] for i in range(model.shape.n_experts))
            tensors[f"{theirs}ffn_{part}_exps.weight"] = np.stack(list(experts))
    return {name: _as_stored(name, values) for name, values in tensors.items()}


def _as_stored(name: str, values: np.ndarray) -> np.ndarray:
    keep = values.ndim == 1 or "ffn_gate_inp" in name
    return np.ascontiguousarray(values, np.float32 if keep else np.float16)


def read_gguf(path: Path) -> PocketModel:
    """The dense pocket model in an F16 GGUF, ready to be trained further."""
    import gguf

    reader = gguf.GGUFReader(path)
    number = {key: field.contents() for key, field in reader.fields.items() if key.startswith("llama.")}
    shape = Shape(
        n_vocab=number["llama.vocab_size"],
        d_model=number["llama.embedding_length"],
        n_layers=number["llama.block_count"],
        n_heads=number["llama.attention.head_count"],
        n_kv_heads=number["llama.attention.head_count_kv"],
        d_ff=number["llama.feed_forward_length"],
        context=number["llama.context_length"],
        rope_theta=number["llama.rope.freq_base"],
        norm_eps=number["llama.attention.layer_norm_rms_epsilon"],
    )
    model = PocketModel(shape)
    names = {"token_embd.weight": "embedding.weight", "output_norm.weight": "output_norm.weight"}
    for layer in range(shape.n_layers):
        for inner, outer in _LAYER_NAMES.items():
            names[f"blk.{layer}.{outer}.weight"] = f"layers.{layer}.{inner}.weight"
    state = {names[t.name]: torch.from_numpy(np.array(t.data, np.float32)) for t in reader.tensors}
    model.load_state_dict(state)
    return model
