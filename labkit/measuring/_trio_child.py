"""Speed and memory of one model, as a process of its own: what `moe_trio` and `quant_speed` repeat."""

from __future__ import annotations

import gc
import os
import statistics
import time
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.measuring.engine import Context, Engine
from labkit.measuring.gpu import ProcessGPUMemory
from labkit.measuring.llama_build import llama_build
from labkit.measuring.memory import memory_now
from labkit.models import native


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Speed and memory of one model.

    The speed of writing is that of the middle token, by time: another program that takes the processor for a
    moment then changes nothing. `fastest_tokens_per_s` is that of the quickest token: it withstands a program
    that takes more than half of the processor. A slow machine gets fewer tokens, so that the whole stays
    short. The prompt is processed `prompt_runs` times (once, if it is not given), and the quickest counts.
    """
    llama = native.llama()
    gpu = ProcessGPUMemory(os.getpid()) if llama.llama_supports_gpu_offload() else None
    before = memory_now()
    # Read whole, not mapped: what is resident is then what the weights take, on every system.
    engine = Engine(Path(job["path"]), threads=1, gpu_layers=job["gpu_layers"], mmap=False)
    context = engine.context(job["prompt"] + job["generate"])
    gc.collect()
    gc.disable()
    context.prompt_ns(engine.random_tokens(4))  # the warm-up
    context.clear()
    prompt_s = min(_seconds_per_prompt(engine, context, job["prompt"], job.get("prompt_runs", 1)))
    token_s = seconds_per_token(engine, context, job["generate"], job["budget_s"])
    if gpu:
        gpu.sample()
    now = memory_now()
    return {
        "pp_tokens_per_s": job["prompt"] / prompt_s,
        "tg_tokens_per_s": 1 / statistics.median(token_s),
        "fastest_tokens_per_s": 1 / min(token_s),
        "memory_bytes": now.resident_bytes - before.resident_bytes + ((gpu.largest_bytes or 0) if gpu else 0),
        "runs_on": llama_build().runs_on if job["gpu_layers"] else "CPU",
    }


def _seconds_per_prompt(engine: Engine, context: Context, tokens: int, runs: int) -> list[float]:
    """Times of whole prompts; the last one stays in the context."""
    seconds = []
    for _ in range(runs):
        context.clear()
        seconds.append(context.prompt_ns(engine.random_tokens(tokens)) / 1e9)
    return seconds


def seconds_per_token(engine: Engine, context: Context, most: int, budget_s: float) -> list[float]:
    """Times of single tokens, at least four, until `most` are made or the time is up."""
    until = time.perf_counter() + budget_s
    seconds: list[float] = []
    while len(seconds) < 4 or (len(seconds) < most and time.perf_counter() < until):
        seconds.append(context.generate_ns(engine.random_tokens(1)) / 1e9)
    return seconds


if __name__ == "__main__":
    serve_job(measure)
