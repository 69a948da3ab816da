"""Bytes read for each token, and the speed that follows from bandwidth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.speed import (
    LEAST_SHARE,
    kv_bytes_read,
    predicted_speed,
    speed_range,
    weight_bytes_per_token,
)


def llama(*tensors: TensorSpec, **metadata: int) -> Blueprint:
    base = {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.embedding_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.context_length": 4096,
    }
    return Blueprint(base | {f"llama.{k}": v for k, v in metadata.items()}, tensors)


def test_one_row_of_the_embedding_unless_it_is_the_output_too() -> None:
    table = TensorSpec("token_embd.weight", (64, 1000), "F16")
    layer = TensorSpec("blk.0.attn_q.weight", (64, 64), "F16")
    assert weight_bytes_per_token(llama(table, layer)) == 64 * 1000 * 2 + 64 * 64 * 2
    output = TensorSpec("output.weight", (64, 1000), "Q8_0")
    read = weight_bytes_per_token(llama(table, layer, output))
    assert read == 64 * 2 + 64 * 64 * 2 + 64 * 1000 // 32 * 34


def test_only_the_experts_used_are_read() -> None:
    experts = TensorSpec("blk.0.ffn_up_exps.weight", (64, 128, 8), "F16")
    shared = TensorSpec("blk.0.ffn_up_shexp.weight", (64, 128), "F16")
    router = TensorSpec("blk.0.ffn_gate_inp.weight", (64, 8), "F32")
    table = TensorSpec("token_embd.weight", (64, 100), "F16")
    model = llama(table, experts, shared, router, expert_count=8, expert_used_count=2)
    rest = 64 * 128 * 2 + 64 * 8 * 4 + 64 * 100 * 2
    assert weight_bytes_per_token(model) == experts.n_bytes // 4 + rest
    # a file that says nothing of its experts: all of them are counted
    silent = replace(model, metadata=llama().metadata)
    assert weight_bytes_per_token(silent) == experts.n_bytes + rest


def test_a_sliding_window_reads_no_more_than_its_window() -> None:
    model = llama()
    row = 2 * (16 + 16) * 2  # two KV heads, key and value of 16, two bytes
    assert kv_bytes_read(model, 1000) == 2 * 1000 * row
    assert kv_bytes_read(model, 0) == 0
    gemma = Blueprint(
        {k.replace("llama", "gemma2"): v for k, v in model.metadata.items()}
        | {"general.architecture": "gemma2", "gemma2.attention.sliding_window": 100},
        (),
    )
    assert kv_bytes_read(gemma, 1000) == (1000 + 100) * row
    assert kv_bytes_read(gemma, 50) == 2 * 50 * row


def test_prediction_is_bandwidth_over_bytes() -> None:
    found = predicted_speed(10**9, 20e9)
    assert found.high == pytest.approx(20) and found.low == pytest.approx(20 * LEAST_SHARE)
    assert found.text() == "6 to 20 tokens/s (predicted)"
    split = predicted_speed(10**9, 20e9, gpu_share=0.5, gpu_bandwidth_bytes_per_s=500e9)
    assert split.high == pytest.approx(1 / (0.5 / 20 + 0.5 / 500))
    on_gpu = predicted_speed(10**9, None, gpu_share=1.0, gpu_bandwidth_bytes_per_s=500e9)
    assert on_gpu.high == pytest.approx(500)
    assert speed_range(0.123, 1234) == "0.12 to 1,200"


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ((0, 1e9), {}),
        ((10, 0.0), {}),
        ((10, float("nan")), {}),
        ((10, None), {}),
        ((10, 1e9), {"gpu_share": 0.5}),
        ((10, 1e9), {"gpu_share": 1.5}),
        ((10, 1e9), {"gpu_share": float("nan")}),
    ],
)
def test_nonsense_is_refused(arguments: tuple, more: dict) -> None:
    with pytest.raises(LabError):
        predicted_speed(*arguments, **more)
