"""What other tools estimate, written afresh from their formulas as read on 2026-11-22.

* llmfit (AlexsJones/llmfit, `llmfit-core/src/models.rs`): a table of bytes per parameter; the KV cache from
  layers, key/value heads and head size of config.json, the whole context in every layer. What `llmfit plan`
  of release 1.1.17 prints for DeepSeek V2-Lite and V3 is what these functions give.
* gguf-parser (gpustack/gguf-parser-go, `file_estimate__llamacpp.go`, `file_architecture.go`): reads the
  tensors of a file that exists, so it has no size to estimate; its KV cache knows the windows of four
  architectures by a period written into the program, and rounds them up to the logical batch. Here with
  flash attention, and with its figures for a GPU that holds the whole model.
* Ollama (ollama/ollama, `fs/ggml/ggml.go`, `GraphSize`, and `llm/server.go`): the KV cache of every layer
  from the keys of the GGUF header, with special cases for gemma3 and gpt-oss; the compute buffer ("graph")
  from a formula for each architecture, for a GPU that holds the whole model.
"""

from __future__ import annotations

import re

from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_types import GGML_TYPES
from labkit.facts import ArchitectureRow
from labkit.units import MIB

N_BATCH, N_UBATCH = 2048, 512

#: bytes of a parameter; any other quantization counts as Q4_K_M
_LLMFIT_BYTES = {
    "F32": 4.0,
    "F16": 2.0,
    "BF16": 2.0,
    "Q8_0": 1.05,
    "Q6_K": 0.80,
    "Q5_K_M": 0.68,
    "Q4_K_M": 0.58,
    "Q4_0": 0.58,
    "Q3_K_M": 0.48,
    "Q2_K": 0.37,
}
LLMFIT_QUANTIZATIONS = frozenset(_LLMFIT_BYTES)

#: what it adds to every model for "runtime overhead"
LLMFIT_OVERHEAD_BYTES = 0.5 * 2**30

#: one layer of so many attends to the whole context
_GGUF_PARSER_PERIODS = {"llama4": 4, "gemma2": 2, "gemma3": 6, "cohere2": 4}


def llmfit_weights_bytes(parameters: int, quantization: str) -> float:
    return parameters * _LLMFIT_BYTES.get(quantization, 0.58)


def llmfit_kv_bytes(row: ArchitectureRow, context: int, kv_type: str) -> float:
    """Its table has, for latent attention, width over heads as the size of a head."""
    head_dim = row.head_dim or row.hidden_size // row.num_attention_heads
    bytes_each = {"f16": 2.0, "q8_0": 1.0, "q4_0": 0.5}[kv_type]
    return 2 * row.num_hidden_layers * row.num_key_value_heads * head_dim * context * bytes_each


def gguf_parser_kv_bytes(blueprint: Blueprint, context: int, kv_type: str) -> float:
    """With flash attention, which rounds cells up to 256."""
    cells = _padded(context)
    window = blueprint.number("attention.sliding_window", 0)
    period = _GGUF_PARSER_PERIODS.get(blueprint.architecture, 1)
    in_window = min(cells, _padded(window + N_BATCH)) if period != 1 else cells
    key, value = _head_sizes(blueprint)
    key = blueprint.number("attention.key_length_mla", key)
    value = blueprint.number("attention.value_length_mla", value)
    per_cell = (key + value) * blueprint.per_layer("attention.head_count_kv")[0] * _exact_bytes(kv_type)
    return sum(
        per_cell * (cells if layer % period == 0 else in_window) for layer in range(blueprint.n_layers)
    )


def gguf_parser_compute_bytes(blueprint: Blueprint, context: int) -> float:
    """`blueprint` as it is stored: the formula counts the bytes of a weight, attn_q, too."""
    cells, tokens = _padded(context), min(context, N_UBATCH)
    key, value = _head_sizes(blueprint)
    last = f"blk.{blueprint.n_layers - 1}."
    in_last = {t.name.removeprefix(last): t for t in blueprint.tensors if t.name.startswith(last)}
    attention = 2 * cells * tokens + 2 * (key + value) * cells * blueprint.n_kv_heads
    feed_forward = 0
    for name, tensor in in_last.items():
        if re.fullmatch(r"attn_(q|qkv|q_b)\.weight", name):
            attention += tensor.n_bytes
        if name == "attn_norm.weight":
            attention += 4 * tensor.shape[-1] * tokens
        if re.fullmatch(r"(attn_norm|ffn_norm|ffn_gate|ffn_up)\.weight", name):
            feed_forward += 4 * tensor.shape[-1] * tokens
    if blueprint.n_experts:
        router = blueprint.n_experts * (blueprint.n_embd + tokens)
        feed_forward += 4 * (router + blueprint.n_embd * blueprint.n_experts_used * tokens)
    inputs = 4 * tokens * (blueprint.n_embd + 1 + cells)
    outputs = 4 * tokens * (blueprint.n_embd + blueprint.vocabulary_size)
    return inputs + max(attention, feed_forward) + outputs


def ollama_kv_bytes(blueprint: Blueprint, context: int, kv_type: str) -> float:
    bytes_each = {"f16": 2.0, "q8_0": 1.0, "q4_0": 0.5}[kv_type]
    window = blueprint.number("attention.sliding_window", 0)
    key, value = _head_sizes(blueprint)
    total = 0.0
    for layer, n_kv_heads in enumerate(blueprint.per_layer("attention.head_count_kv")):
        cells = context
        if blueprint.architecture == "gemma3" and (layer + 1) % 6:
            cells = window + N_UBATCH
        elif blueprint.architecture == "gpt-oss" and layer % 2 == 0:
            cells = 4096 + N_UBATCH
        total += cells * (key + value) * n_kv_heads * bytes_each
    return total


def ollama_compute_bytes(blueprint: Blueprint, context: int) -> float:
    n_embd, heads, vocab = blueprint.n_embd, blueprint.n_heads, blueprint.vocabulary_size
    kv_heads, (key, _) = blueprint.n_kv_heads, _head_sizes(blueprint)
    scores = context * (1 + heads)
    widths = {
        "llama": (1 + 4 * n_embd + scores, n_embd + vocab),
        "gemma2": (n_embd + vocab, 2 + scores + 2 * n_embd + 2 * key * heads),
        "gemma3": (n_embd + vocab, 2 + scores + 2 * n_embd + 2 * key * heads),
        "qwen2": (n_embd + vocab, 1 + 2 * n_embd + scores),
        "deepseek2": (
            3 * n_embd + vocab,
            3 * n_embd + 2 + context * (1 + kv_heads) + 2 * key * kv_heads,
        ),
    }
    if blueprint.architecture == "gpt-oss":
        return (4 + context // 1024 + 110) * MIB
    if blueprint.architecture in widths:
        return 4 * N_UBATCH * max(widths[blueprint.architecture])
    return heads // kv_heads * ollama_kv_bytes(blueprint, context, "f16") / 6


def _head_sizes(blueprint: Blueprint) -> tuple[int, int]:
    key = blueprint.head_dim
    return key, blueprint.number("attention.value_length", key)


def _exact_bytes(kv_type: str) -> float:
    wanted = next(t for t in GGML_TYPES.values() if t.name.lower() == kv_type)
    return wanted.block_bytes / wanted.block_elements


def _padded(cells: int) -> int:
    return -(-cells // 256) * 256
