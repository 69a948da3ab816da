"""Blueprints by hand, of any architecture and shape: what the rules for quantization look at, no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.estimating.blueprint import Blueprint, TensorSpec


@dataclass(frozen=True)
class Shape:
    """A made-up model. `n_nextn` layers of `n_layers` predict further tokens."""

    architecture: str = "llama"
    n_layers: int = 16
    n_embd: int = 1024
    n_heads: int = 16
    n_kv_heads: int = 4
    n_ff: int = 2816
    n_vocab: int = 3200
    n_experts: int = 0
    n_shared: int = 0
    n_dense: int = 0
    n_nextn: int = 0
    tied: bool = False
    fused_qkv: bool = False
    mla: bool = False
    extra: tuple[tuple[str, tuple[int, ...], str], ...] = ()

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_heads

    def blueprint(self) -> Blueprint:
        tensors = tuple(TensorSpec(*tensor) for tensor in self._tensors())
        return Blueprint(self._metadata(), tensors, f"synthetic {self.architecture}")

    def _tensors(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        yield "token_embd.weight", (self.n_embd, self.n_vocab), "F16"
        for layer in range(self.n_layers):
            for name, shape, type_name in (*self._attention(), *self._feed_forward(layer), *self.extra):
                yield f"blk.{layer}.{name}", shape, type_name
            yield f"blk.{layer}.attn_norm.weight", (self.n_embd,), "F32"
            yield f"blk.{layer}.ffn_norm.weight", (self.n_embd,), "F32"
        yield "output_norm.weight", (self.n_embd,), "F32"
        if not self.tied:
            yield "output.weight", (self.n_embd, self.n_vocab), "F16"

    def _attention(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        q, kv = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        if self.mla:
            yield "attn_q_a.weight", (self.n_embd, 768), "F16"
            yield "attn_q_b.weight", (768, self.n_heads * 96), "F16"
            yield "attn_kv_a_mqa.weight", (self.n_embd, 512 + 32), "F16"
            yield "attn_k_b.weight", (64, 512, self.n_heads), "F16"
            yield "attn_v_b.weight", (512, 64, self.n_heads), "F16"
            yield "attn_kv_b.weight", (512, self.n_heads * 128), "F16"
        elif self.fused_qkv:
            yield "attn_qkv.weight", (self.n_embd, q + 2 * kv), "F16"
            yield "attn_qkv.bias", (q + 2 * kv,), "F32"
        else:
            yield "attn_q.weight", (self.n_embd, q), "F16"
            yield "attn_k.weight", (self.n_embd, kv), "F16"
            yield "attn_v.weight", (self.n_embd, kv), "F16"
            yield "attn_v.bias", (kv,), "F32"
        yield "attn_output.weight", (q, self.n_embd), "F16"

    def _feed_forward(self, layer: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
        if self.n_experts and layer >= self.n_dense:
            yield "ffn_gate_inp.weight", (self.n_embd, self.n_experts), "F32"
            yield "ffn_gate_exps.weight", (self.n_embd, self.n_ff, self.n_experts), "F16"
            yield "ffn_up_exps.weight", (self.n_embd, self.n_ff, self.n_experts), "F16"
            yield "ffn_down_exps.weight", (self.n_ff, self.n_embd, self.n_experts), "F16"
            if self.n_shared:
                yield "ffn_gate_inp_shexp.weight", (self.n_embd, 1), "F32"
                yield "ffn_gate_shexp.weight", (self.n_embd, self.n_ff * self.n_shared), "F16"
                yield "ffn_up_shexp.weight", (self.n_embd, self.n_ff * self.n_shared), "F16"
                yield "ffn_down_shexp.weight", (self.n_ff * self.n_shared, self.n_embd), "F16"
        else:
            yield "ffn_gate.weight", (self.n_embd, self.n_ff), "F16"
            yield "ffn_up.weight", (self.n_embd, self.n_ff), "F16"
            yield "ffn_down.weight", (self.n_ff, self.n_embd), "F16"

    def _metadata(self) -> dict[str, object]:
        """All that the loaders of the architectures in use ask for; what one does not know it passes over."""
        keys: dict[str, object] = {
            "block_count": self.n_layers,
            "context_length": 4096,
            "embedding_length": self.n_embd,
            "feed_forward_length": self.n_ff,
            "attention.head_count": self.n_heads,
            "attention.head_count_kv": self.n_kv_heads,
            "attention.layer_norm_rms_epsilon": 1e-5,
            "attention.layer_norm_epsilon": 1e-5,
            "attention.sliding_window": 1024,
            "attention.q_lora_rank": 768,
            "attention.kv_lora_rank": 512,
            "attention.key_length_mla": 96,
            "attention.value_length_mla": 64,
            "attention.indexer.head_count": 4,
            "attention.indexer.key_length": 64,
            "attention.indexer.top_k": 64,
            "attention.indexer.kpool": 2,
            "hyper_connection.count": 4,
            "hyper_connection.sinkhorn_iterations": 2,
            "hyper_connection.epsilon": 1e-6,
            "leading_dense_block_count": self.n_dense,
            "expert_shared_count": self.n_shared,
            "expert_shared_feed_forward_length": self.n_ff,
            "expert_feed_forward_length": self.n_ff,
            "expert_gating_func": 2,
            "logit_scale": 1.0,
            "nextn_predict_layers": self.n_nextn,
            "ssm.conv_kernel": 4,
            "kda.head_dim": 64,
            "kda.gate_lower_bound": -5.0,
            "vocab_size": self.n_vocab,
        }
        if self.n_experts:
            keys |= {"expert_count": self.n_experts, "expert_used_count": min(2, self.n_experts)}
        named = {f"{self.architecture}.{key}": value for key, value in keys.items()}
        return {"general.architecture": self.architecture, "general.file_type": 1, **named}
