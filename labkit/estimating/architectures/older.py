"""Architectures of GPT-2's time and line: LayerNorm, one matrix for query, key and value, plain FFNs.

Source of the blocks: load_arch_tensors in llama.cpp's src/models/*.cpp; of the keys: its conversion/*.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labkit.estimating.architectures.blocks import Attention, GatedFFN, Named, Norm, PlainFFN
from labkit.estimating.architectures.dense import PRE_NORM, rotary_dims, rotated_head
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.metadata import norm_keys, shape_keys

_GPT_LAYER = (
    Norm("attn_norm", bias=True),
    Attention(bias=True, output_bias=True, fused=True),
    Norm("ffn_norm", bias=True),
    PlainFFN(bias=True),
)


class _SecondNorm:
    """Falcon 40B norms the FFN's input apart from the attention's; 7B uses one norm for both."""

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        if config.flag("new_decoder_architecture"):
            yield from Norm("attn_norm_2", bias=True).tensors(config, layer)


def _four_times_wide(config: HFConfig) -> dict[str, Any]:
    return {"intermediate_size": config.integer("n_inner", "ffn_hidden_size", default=4 * config.n_embd)}


def _multi_query(config: HFConfig) -> dict[str, Any]:
    n_kv_heads = 1 if config.flag("multi_query", default=True) else config.n_heads
    return _four_times_wide(config) | {"num_key_value_heads": n_kv_heads}


def _falcon_derived(config: HFConfig) -> dict[str, Any]:
    if config.flag("new_decoder_architecture"):
        n_kv_heads = config.integer("num_kv_heads", "n_head_kv", default=config.n_heads)
        return _four_times_wide(config) | {"num_key_value_heads": n_kv_heads}
    return _multi_query(config)


def _plain_common(config: HFConfig) -> dict[str, Any]:
    return shape_keys(config) | norm_keys(config)


def _all_heads_common(config: HFConfig) -> dict[str, Any]:
    keys = _plain_common(config)
    keys.pop("attention.head_count_kv")
    return keys


def _gpt_neox_keys(config: HFConfig) -> dict[str, Any]:
    return {
        "rope.dimension_count": rotary_dims(config, 0.25),
        "use_parallel_residual": config.flag("use_parallel_residual", default=True),
    }


def _neox_derived(config: HFConfig) -> dict[str, Any]:
    share = config.number("rotary_pct", default=None)
    return {} if share is None else {"partial_rotary_factor": share}


def _position_table(config: HFConfig) -> Iterator[Named]:
    yield "position_embd.weight", (config.n_embd, config.context_length)


def _embedding_norm(config: HFConfig) -> Iterator[Named]:
    yield "token_embd_norm.weight", (config.n_embd,)
    yield "token_embd_norm.bias", (config.n_embd,)


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "gpt2",
        ("gpt2",),
        ("GPT2LMHeadModel",),
        _GPT_LAYER,
        output_norm_bias=True,
        derived=_four_times_wide,
        common=_all_heads_common,
        tables=_position_table,
    ),
    Architecture(
        "starcoder",
        ("gpt_bigcode",),
        ("GPTBigCodeForCausalLM",),
        _GPT_LAYER,
        output_norm_bias=True,
        derived=_multi_query,
        common=_plain_common,
        tables=_position_table,
    ),
    Architecture(
        "gptneox",
        ("gpt_neox",),
        ("GPTNeoXForCausalLM",),
        _GPT_LAYER,
        output_norm_bias=True,
        derived=_neox_derived,
        common=_all_heads_common,
        keys=_gpt_neox_keys,
    ),
    Architecture(
        "bloom",
        ("bloom",),
        ("BloomForCausalLM",),
        _GPT_LAYER,
        output_norm_bias=True,
        derived=lambda config: (
            _four_times_wide(config) | {"max_position_embeddings": config.integer("seq_length", default=2048)}
        ),
        common=_plain_common,
        tables=_embedding_norm,
    ),
    Architecture(
        "falcon",
        ("falcon", "refinedweb", "refinedwebmodel"),
        ("FalconForCausalLM", "RWForCausalLM"),
        (
            Norm("attn_norm", bias=True),
            _SecondNorm(),
            Attention(bias="bias", output_bias="bias", fused=True),
            PlainFFN(bias="bias"),
        ),
        output_norm_bias=True,
        derived=_falcon_derived,
        common=_plain_common,
        keys=lambda config: {"context_length": 2048, "tensor_data_layout": "jploski"},
    ),
    Architecture(
        "baichuan",
        ("baichuan",),
        ("BaichuanForCausalLM", "BaiChuanForCausalLM"),
        PRE_NORM,
        keys=lambda config: rotated_head(config) | {"tensor_data_layout": "Meta AI original pth"},
    ),
    Architecture(
        "xverse",
        ("xverse",),
        ("XverseForCausalLM",),
        PRE_NORM,
        keys=lambda config: rotated_head(config) | {"tensor_data_layout": "Meta AI original pth"},
    ),
    Architecture(
        "orion",
        ("orion",),
        ("OrionForCausalLM",),
        (Norm("attn_norm", bias=True), Attention(), Norm("ffn_norm", bias=True), GatedFFN()),
        output_norm_bias=True,
        keys=lambda config: {
            "attention.layer_norm_epsilon": config.number("rms_norm_eps"),
            "tensor_data_layout": "Meta AI original pth",
        },
    ),
)
