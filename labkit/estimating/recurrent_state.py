"""The memory of layers that keep a state of fixed size instead of a cache that grows with the text.

Mamba, RWKV, short convolutions and gated delta nets carry one state per sequence, in 32 bits, whatever the
length of the text. Models such as LFM2, Granite 4 or Qwen3-Next mix such layers with attention.

Source: `is_recr`, `n_embd_r` and `n_embd_s` in llama.cpp's src/llama-hparams.cpp, the layer rules in
src/models/*.cpp, as built into llama-cpp-python 0.3.36. Taught in chapter 6.
"""

from __future__ import annotations

from labkit.estimating.hyperparameters import Hyperparameters

_F32_BYTES = 4

#: every layer carries a state, and none attends
RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})

#: a layer without key/value heads carries a state
_WITHOUT_HEADS = frozenset(
    {"jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "kimi-linear", "bailingmoe3"}
)
_NEMOTRON = frozenset({"nemotron_h", "nemotron_h_moe"})
#: architecture → every how many layers one attends, unless the file says
_INTERVALS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "minimax-01": 8}


def recurrent_layers(model: Hyperparameters, n_layers: int, kv_heads: list[int]) -> list[bool]:
    """For each of the `n_layers` layers that process text: does it carry a state?"""
    architecture = model.architecture
    if architecture in RECURRENT or architecture == "falcon-h1":
        return [True] * n_layers
    if architecture in _WITHOUT_HEADS:
        return [heads == 0 for heads in kv_heads[:n_layers]]
    if architecture in _NEMOTRON:
        widths = model.per_layer("feed_forward_length", default=0)
        return [heads == 0 and ff == 0 for heads, ff in zip(kv_heads[:n_layers], widths, strict=False)]
    if architecture in _INTERVALS:
        if f"{architecture}.attention.recurrent_layers" in model.metadata:
            return [bool(flag) for flag in model.per_layer("attention.recurrent_layers")][:n_layers]
        every = max(1, model.number("full_attention_interval", _INTERVALS[architecture]))
        return [(layer + 1) % every != 0 for layer in range(n_layers)]
    return [False] * n_layers


def state_bytes_per_layer(model: Hyperparameters) -> int:
    """Bytes that one recurrent layer keeps for one sequence."""
    n_embd, n_heads = model.n_embd, model.per_layer("attention.head_count", default=0)[0]
    wkv = model.number("wkv.head_size", 0)
    short_convolution = model.number("shortconv.l_cache", 0)
    kda = model.number("kda.head_dim", 0)
    kernel, inner = model.number("ssm.conv_kernel", 0), model.number("ssm.inner_size", 0)
    state, groups = model.number("ssm.state_size", 0), model.number("ssm.group_count", 0)
    scan = state * inner
    if wkv:
        n_values = model.number("token_shift_count", 2) * n_embd + n_embd * wkv
    elif short_convolution:
        n_values = n_embd * (short_convolution - 1) + scan
    elif kda:
        n_values = 3 * (kernel - 1 if kernel else 3) * n_heads * kda + kda * kda * n_heads
    else:
        convolution = max(0, kernel - 1) * (inner + 2 * groups * state)
        if model.architecture == "minimax-01":
            scan = model.head_dim**2 * n_heads
        n_values = convolution + scan
    return n_values * _F32_BYTES
