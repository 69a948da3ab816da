"""Gemma 4: layers of two kinds, keys that serve as values, a further embedding for each layer.

Layers with full attention have longer heads, and may have fewer of them for keys; the last layers of the
small models take keys and values from earlier ones.

Source: src/models/gemma4.cpp and Gemma4Model in conversion/gemma.py of llama.cpp; Gemma4TextConfig of
transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.estimating.architectures.blocks import GatedFFN, Named, Norm, linear
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.metadata import window_pattern

_PERIOD = 6


def _slides(config: HFConfig) -> list[bool]:
    """For each layer: does it look back on a window? The last one never does."""
    pattern = window_pattern(config) or [(layer + 1) % _PERIOD != 0 for layer in range(config.n_layers)]
    return [*pattern[:-1], False]


def _of_full_layers(config: HFConfig, key: str, key_of_layers: str, default: int) -> int:
    """A number of the layers with full attention: under `key`, or in the `per_layer_config` of one."""
    layers = config.table("per_layer_config")
    entries = [HFConfig(entry) for entry in layers.values() if isinstance(entry, Mapping)]
    stated = next((entry for entry in entries if entry.get(key_of_layers) is not None), HFConfig({}))
    return config.integer(key, default=stated.integer(key_of_layers, default=default))


def _full_head_dim(config: HFConfig) -> int:
    return _of_full_layers(config, "global_head_dim", "head_dim", 512)


def _full_kv_heads(config: HFConfig) -> int:
    if not config.flag("attention_k_eq_v"):
        return config.n_kv_heads
    return _of_full_layers(config, "num_global_key_value_heads", "num_key_value_heads", config.n_kv_heads)


def _first_sharing_layer(config: HFConfig) -> int:
    most = config.n_layers - 1
    return config.n_layers - config.integer("num_kv_shared_layers", default=0, least=0, most=most)


def _ffn_width(config: HFConfig, layer: int) -> int:
    wide = config.flag("use_double_wide_mlp") and layer >= _first_sharing_layer(config)
    return 2 * config.n_ff if wide else config.n_ff


@dataclass(frozen=True)
class _Attention:
    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        full = not _slides(config)[layer]
        head_dim = _full_head_dim(config) if full else config.head_dim
        n_q = config.n_heads * head_dim
        n_kv = (_full_kv_heads(config) if full else config.n_kv_heads) * head_dim
        yield from linear("attn_q", config.n_embd, n_q)
        yield "attn_q_norm.weight", (head_dim,)
        if layer < _first_sharing_layer(config):
            yield from linear("attn_k", config.n_embd, n_kv)
            yield "attn_k_norm.weight", (head_dim,)
            if not (full and config.flag("attention_k_eq_v")):
                yield from linear("attn_v", config.n_embd, n_kv)
        yield from linear("attn_output", n_q, config.n_embd)


@dataclass(frozen=True)
class _FFN:
    """A dense FFN and, in the models with experts, the experts beside it."""

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, n = config.n_embd, config.n_experts
        yield from GatedFFN(width=lambda config: _ffn_width(config, layer)).tensors(config, layer)
        if not config.flag("enable_moe_block"):
            return
        width = config.integer("moe_intermediate_size", "expert_intermediate_size")
        yield "ffn_gate_inp.weight", (n_embd, n)
        yield "ffn_gate_inp.scale", (n_embd,)
        yield "ffn_gate_up_exps.weight", (n_embd, 2 * width, n)
        yield "ffn_down_exps.weight", (width, n_embd, n)
        yield "ffn_down_exps.scale", (n,)
        for name in ("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"):
            yield f"{name}.weight", (n_embd,)


def _n_embd_per_layer(config: HFConfig) -> int:
    return config.integer("hidden_size_per_layer_input", default=0, least=0)


@dataclass(frozen=True)
class _LayerInput:
    """Each layer's own embedding of the token, added at its end."""

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        if width := _n_embd_per_layer(config):
            yield from linear("inp_gate", config.n_embd, width)
            yield from linear("proj", width, config.n_embd)
            yield "post_norm.weight", (config.n_embd,)
        yield "layer_output_scale.weight", (1,)


def _tables(config: HFConfig) -> Iterator[Named]:
    yield "rope_freqs.weight", (_full_head_dim(config) // 2,)
    if width := _n_embd_per_layer(config):
        n_vocab = config.integer("vocab_size_per_layer_input", default=config.n_vocab)
        yield "per_layer_token_embd.weight", (width * config.n_layers, n_vocab)
        yield "per_layer_model_proj.weight", (config.n_embd, width * config.n_layers)
        yield "per_layer_proj_norm.weight", (width,)


def _keys(config: HFConfig) -> dict[str, Any]:
    slides = _slides(config)
    full_kv_heads = _full_kv_heads(config)
    keys: dict[str, Any] = {
        "attention.sliding_window": config.integer("sliding_window"),
        "attention.sliding_window_pattern": slides,
        "attention.shared_kv_layers": config.n_layers - _first_sharing_layer(config),
        "attention.key_length": _full_head_dim(config),
        "attention.value_length": _full_head_dim(config),
        "attention.key_length_swa": config.head_dim,
        "attention.value_length_swa": config.head_dim,
        "rope.dimension_count": _full_head_dim(config),
        "rope.dimension_count_swa": config.head_dim,
        "embedding_length_per_layer_input": _n_embd_per_layer(config),
    }
    if full_kv_heads != config.n_kv_heads:
        keys["attention.head_count_kv"] = [config.n_kv_heads if s else full_kv_heads for s in slides]
    if config.flag("use_double_wide_mlp"):
        keys["feed_forward_length"] = [_ffn_width(config, layer) for layer in range(config.n_layers)]
    if config.flag("enable_moe_block"):
        keys["expert_feed_forward_length"] = config.integer(
            "moe_intermediate_size", "expert_intermediate_size"
        )
    if cap := config.number("final_logit_softcapping", default=None):
        keys["final_logit_softcapping"] = cap
    return keys


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "gemma4",
        ("gemma4_text", "gemma4"),
        ("Gemma4ForCausalLM", "Gemma4ForConditionalGeneration"),
        (
            Norm("attn_norm"),
            _Attention(),
            Norm("post_attention_norm"),
            Norm("ffn_norm"),
            _FFN(),
            Norm("post_ffw_norm"),
            _LayerInput(),
        ),
        keys=_keys,
        tables=_tables,
    ),
)
