"""llama.cpp asked for its buffers: agreement with a real load, odd models, and a worker that dies."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from labkit import facts, load_model
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.models import llama_worker
from labkit.models.buffers_by_llama import buffers_by_llama
from labkit.models.gguf import read_gguf_header

_ROUNDING = 6000


def model(architecture: str) -> Blueprint:
    return blueprint_from_config(facts.find_architecture(architecture).config())


def test_the_plan_is_what_a_real_load_takes(random_model: object) -> None:
    told = buffers_by_llama(random_model.path, 700)
    with load_model(random_model, context=700) as loaded:
        for name in ("kv_bytes", "compute_bytes", "output_bytes"):
            assert told[name] == pytest.approx(loaded.buffers[name], abs=_ROUNDING)
    blueprint = read_gguf_header(random_model.path).blueprint()
    assert buffers_by_llama(blueprint, 700) == told
    assert sum(told["compute_bytes_by_device"].values()) == told["compute_bytes"]


def test_settings_reach_llama() -> None:
    llama = model("llama-3.2-1b")
    plain = buffers_by_llama(llama, 8192)
    assert plain["flash_attention"] and plain["kv_bytes"] == 8192 * 32 * 1024
    assert (
        buffers_by_llama(llama, 8192, type_k="q8_0", type_v="q4_0")["kv_bytes"] == 8192 * 16 * 512 * 52 // 32
    )
    without = buffers_by_llama(llama, 8192, flash_attention=False)
    assert not without["flash_attention"]
    assert without["compute_bytes"] > 2 * plain["compute_bytes"]
    assert buffers_by_llama(llama, 8192, parallel=4)["output_bytes"] > 3 * plain["output_bytes"]
    assert buffers_by_llama(llama, 8192, n_ubatch=128)["compute_bytes"] < plain["compute_bytes"] / 3


def test_nothing_is_printed_and_a_question_takes_little(capfd: pytest.CaptureFixture[str]) -> None:
    llama = model("llama-3.1-405b")
    buffers_by_llama(llama, 512)
    start = time.perf_counter()
    for context in range(1000, 11_000, 1000):
        buffers_by_llama(llama, context)
    assert time.perf_counter() - start < 30
    assert capfd.readouterr() == ("", "")


def test_a_model_that_llama_refuses_is_a_sentence() -> None:
    llama = model("llama-3.2-1b")
    with pytest.raises(LabError, match=r"refuses .*not found"):
        buffers_by_llama(replace(llama, tensors=llama.tensors[:-3]), 512)
    with pytest.raises(LabError, match="quantized V cache requires"):
        buffers_by_llama(llama, 512, type_v="q8_0", flash_attention=False)


def test_a_model_that_stops_llama_harms_nobody() -> None:
    gemma = model("gemma-3-270m")
    odd = {**gemma.metadata, "gemma3.attention.sliding_window_pattern": [False] * gemma.n_layers}
    with pytest.raises(LabError, match=r"GGML_ASSERT.*process of its own"):
        buffers_by_llama(replace(gemma, metadata=odd), 512)
    assert buffers_by_llama(gemma, 512)["kv_bytes"] > 0


def test_a_worker_that_died_is_replaced() -> None:
    llama = model("llama-3.2-1b")
    before = buffers_by_llama(llama, 512)
    process = llama_worker._worker._process
    assert process is not None
    process.kill()
    process.wait()
    assert buffers_by_llama(llama, 512) == before
    assert llama_worker._worker._process is not process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_gets_a_worker_of_its_own() -> None:
    llama = model("llama-3.2-1b")
    buffers_by_llama(llama, 512)
    pid = os.fork()
    if pid == 0:
        try:
            told = buffers_by_llama(llama, 4096)["kv_bytes"]
            llama_worker._worker.stop()
        finally:
            os._exit(0 if told == 128 * 2**20 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert buffers_by_llama(llama, 512)["kv_bytes"] == 16 * 2**20


@pytest.mark.parametrize(
    "settings",
    [
        {"context": 0},
        {"context": 2**40},
        {"context": "many"},
        {"parallel": -1},
        {"n_ubatch": 0},
        {"type_k": "q3_k"},
        {"type_v": 8},
    ],
)
def test_odd_settings(settings: dict[str, object]) -> None:
    with pytest.raises(LabError):
        buffers_by_llama(model("llama-3.2-1b"), **({"context": 512} | settings))
