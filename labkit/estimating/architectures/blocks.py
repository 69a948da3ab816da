"""The building blocks of a layer, each of which names its tensors and their shapes.

An architecture is a tuple of these blocks (see `dense.py`, `windowed.py` and `mixtures.py`). Shapes are in
GGUF's order: a row's length, that is the input's width, first. Taught in chapter 2.

Source: load_arch_tensors in llama.cpp's src/models/*.cpp, and its converter, conversion/*.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from labkit.estimating.architectures.hf_config import HFConfig

#: a tensor's name within its layer, and its shape
Named = tuple[str, tuple[int, ...]]
#: yes, no, or the key of config.json that says so
Switch = bool | str
#: a width that follows from the configuration
Width = Callable[[HFConfig], int]


class Block(Protocol):
    """One part of a layer."""

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        """The tensors that it has in the layer with that number, counted from 0."""
        ...


def is_on(switch: Switch, config: HFConfig) -> bool:
    """`True`, `False`, or what config.json says under that key; false where the key is missing."""
    return config.flag(switch) if isinstance(switch, str) else switch


def linear(name: str, n_in: int, n_out: int, bias: bool = False) -> Iterator[Named]:
    """A matrix from `n_in` to `n_out` numbers, with or without a bias."""
    yield f"{name}.weight", (n_in, n_out)
    if bias:
        yield f"{name}.bias", (n_out,)


@dataclass(frozen=True)
class Norm:
    """A norm over the residual stream. LayerNorm has a bias, RMSNorm none."""

    name: str
    bias: Switch = False

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        yield f"{self.name}.weight", (config.n_embd,)
        if is_on(self.bias, config):
            yield f"{self.name}.bias", (config.n_embd,)


@dataclass(frozen=True)
class Attention:
    """Attention with grouped key/value heads.

    Attributes
    ----------
    bias : of the query, key and value matrices.
    output_bias : of the output matrix.
    qk_norm : "head": a norm as long as one head; "each": one for each head; "all": as long as all together.
    qk_norm_if : is that norm there?
    fused : one matrix `attn_qkv` for the three.
    sinks : one learned number for each head.
    gated : a further matrix decides how much of each head's answer counts.
    """

    bias: Switch = False
    output_bias: Switch = False
    qk_norm: Literal["", "head", "each", "all"] = ""
    qk_norm_if: Switch = True
    fused: bool = False
    sinks: bool = False
    gated: bool = False

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, head_dim = config.n_embd, config.head_dim
        n_q, n_kv = config.n_heads * head_dim, config.n_kv_heads * head_dim
        bias = is_on(self.bias, config)
        if self.fused:
            yield from linear("attn_qkv", n_embd, n_q + 2 * n_kv, bias)
        else:
            yield from linear("attn_q", n_embd, n_q, bias)
            yield from linear("attn_k", n_embd, n_kv, bias)
            yield from linear("attn_v", n_embd, n_kv, bias)
        yield from linear("attn_output", n_q, n_embd, is_on(self.output_bias, config))
        if self.qk_norm and is_on(self.qk_norm_if, config):
            for name, n_heads in (("attn_q_norm", config.n_heads), ("attn_k_norm", config.n_kv_heads)):
                shapes = {"head": (head_dim,), "each": (head_dim, n_heads), "all": (head_dim * n_heads,)}
                yield f"{name}.weight", shapes[self.qk_norm]
        if self.gated:
            yield from linear("attn_gate", n_embd, n_q)
        if self.sinks:
            yield "attn_sinks.weight", (config.n_heads,)


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention (MLA): keys and values come from one short vector for each token.

    Attributes
    ----------
    split : the matrix from the short vector to keys and values is stored as two, one slice for each head.
    """

    split: bool = True

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, n_heads = config.n_embd, config.n_heads
        nope, rope, value = latent_widths(config)
        q_rank = config.integer("q_lora_rank", default=None)
        kv_rank = config.integer("kv_lora_rank")
        if q_rank is None:
            yield from linear("attn_q", n_embd, n_heads * (nope + rope))
        else:
            yield from linear("attn_q_a", n_embd, q_rank)
            yield "attn_q_a_norm.weight", (q_rank,)
            yield from linear("attn_q_b", q_rank, n_heads * (nope + rope))
        yield from linear("attn_kv_a_mqa", n_embd, kv_rank + rope)
        yield "attn_kv_a_norm.weight", (kv_rank,)
        if self.split:
            yield "attn_k_b.weight", (nope, kv_rank, n_heads)
            yield "attn_v_b.weight", (kv_rank, value, n_heads)
        else:
            yield from linear("attn_kv_b", kv_rank, n_heads * (nope + value))
        yield from linear("attn_output", n_heads * value, n_embd)


def latent_widths(config: HFConfig) -> tuple[int, int, int]:
    """Of one head of latent attention: the key's part without and with position, and the value."""
    return (
        config.integer("qk_nope_head_dim"),
        config.integer("qk_rope_head_dim", least=2),
        config.integer("v_head_dim"),
    )


def ffn_width(config: HFConfig) -> int:
    """How wide a dense FFN is."""
    return config.n_ff


@dataclass(frozen=True)
class GatedFFN:
    """Gate, up and down matrices, `width` wide; `fused`: gate and up in one, twice as wide."""

    bias: Switch = False
    fused: bool = False
    width: Width = ffn_width

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, n_ff, bias = config.n_embd, self.width(config), is_on(self.bias, config)
        if not self.fused:
            yield from linear("ffn_gate", n_embd, n_ff, bias)
        yield from linear("ffn_up", n_embd, 2 * n_ff if self.fused else n_ff, bias)
        yield from linear("ffn_down", n_ff, n_embd, bias)


@dataclass(frozen=True)
class PlainFFN:
    """Up and down matrices, without a gate."""

    bias: Switch = False

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        bias = is_on(self.bias, config)
        yield from linear("ffn_up", config.n_embd, config.n_ff, bias)
        yield from linear("ffn_down", config.n_ff, config.n_embd, bias)


def expert_width(config: HFConfig) -> int:
    """How wide one expert is."""
    return config.integer_of_all_layers("moe_intermediate_size", "intermediate_size")


@dataclass(frozen=True)
class Experts:
    """A router and a stack of gated experts.

    Attributes
    ----------
    width : how wide one expert is.
    bias : of the router and of the experts.
    selection_bias : a number for each expert, added for the choice only.
    """

    width: Width = expert_width
    bias: bool = False
    selection_bias: Callable[[HFConfig], bool] = lambda config: False

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, n, n_ff = config.n_embd, config.n_experts, self.width(config)
        yield from linear("ffn_gate_inp", n_embd, n, self.bias)
        if self.selection_bias(config):
            yield "exp_probs_b.bias", (n,)
        for name, n_in, n_out in (("gate", n_embd, n_ff), ("up", n_embd, n_ff), ("down", n_ff, n_embd)):
            yield f"ffn_{name}_exps.weight", (n_in, n_out, n)
            if self.bias:
                yield f"ffn_{name}_exps.bias", (n_out, n)


@dataclass(frozen=True)
class SharedExpert:
    """A gated FFN beside the experts, which every token uses; none where `width` is 0.

    `gated`: a further vector decides how much of it counts.
    """

    width: Width
    gated: bool = False

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        n_embd, n_ff = config.n_embd, self.width(config)
        if not n_ff:
            return
        if self.gated:
            yield "ffn_gate_inp_shexp.weight", (n_embd, 1)
        yield from linear("ffn_gate_shexp", n_embd, n_ff)
        yield from linear("ffn_up_shexp", n_embd, n_ff)
        yield from linear("ffn_down_shexp", n_ff, n_embd)


@dataclass(frozen=True)
class EitherFFN:
    """`experts` in the layers for which `has_experts` says so, `dense` in the others."""

    has_experts: Callable[[HFConfig, int], bool]
    experts: tuple[Block, ...]
    dense: Block = GatedFFN()

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        for block in self.experts if self.has_experts(config, layer) else (self.dense,):
            yield from block.tensors(config, layer)


def any_experts(config: HFConfig, layer: int) -> bool:
    """Every layer has experts when the configuration has any."""
    return config.n_experts > 0


@dataclass(frozen=True)
class NextTokenHead:
    """What a layer for multi-token prediction has beyond the others: it starts from embedding and state."""

    def tensors(self, config: HFConfig, layer: int) -> Iterator[Named]:
        if layer < config.n_layers:
            return
        n_embd, n_vocab = config.n_embd, config.n_vocab
        yield from linear("nextn.eh_proj", 2 * n_embd, n_embd)
        yield from linear("nextn.embed_tokens", n_embd, n_vocab)
        yield "nextn.enorm.weight", (n_embd,)
        yield "nextn.hnorm.weight", (n_embd,)
        yield from linear("nextn.shared_head_head", n_embd, n_vocab)
        yield "nextn.shared_head_norm.weight", (n_embd,)
