"""The measuring half of `labkit.measuring.twin_speed`: two twins in turn, in a process of their own."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.measuring.engine import Context, Engine
from labkit.measuring.llama_build import ggml_version, llama_build
from labkit.models import native


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Seconds per token of each twin in each round: `{"pp": [[...], [...]], "tg": ...}`."""
    paths = [Path(path) for path in job["paths"]]
    steps = len(paths) * (1 + 2 * (1 + job["repetitions"]))
    done = 0

    def step(text: str) -> None:
        nonlocal done
        done += 1
        report(done, steps, text)

    engines = []
    for path in paths:
        engines.append(Engine(path, threads=job["threads"], gpu_layers=job["gpu_layers"]))
        step("Twins loaded")
    # Garbage collection inside a timed loop would be Python's time, not the model's.
    gc.collect()
    gc.disable()
    return {
        "pp": _in_turn(engines, job, job["prompt"], Context.prompt_ns, step, "Prompt processing"),
        "tg": _in_turn(engines, job, job["generate"], Context.generate_ns, step, "Generation"),
        "settings": engines[0].settings()
        | {"runs_on": llama_build().runs_on if job["gpu_layers"] else "CPU"},
        "cpu_features": sorted(native.cpu_features()),
        "ggml": ggml_version(),
    }


def _in_turn(
    engines: list[Engine],
    job: dict[str, Any],
    n_tokens: int,
    run: Callable[[Context, list[int]], int],
    step: Callable[[str], None],
    what: str,
) -> list[list[float]]:
    """As llama-bench has it: a context of the test's size, a warm-up, an empty cache before each run.

    The twins take turns, and each round begins with the other one, so that what slows the machine slows both.
    """
    how = {"kv_type": job["kv_type"], "flash_attention": job["flash_attention"]}
    contexts = [engine.context(job["context"] or n_tokens, **how) for engine in engines]
    for engine, context in zip(engines, contexts, strict=True):
        run(context, engine.random_tokens(n_tokens if run is Context.prompt_ns else 1))
        step(what)
    seconds: list[list[float]] = [[] for _ in engines]
    order = list(range(len(engines)))
    for _ in range(job["repetitions"]):
        for i in order:
            contexts[i].clear()
            seconds[i].append(run(contexts[i], engines[i].random_tokens(n_tokens)) / 1e9 / n_tokens)
            step(what)
        order.reverse()
    for context in contexts:
        context.close()
    return seconds


if __name__ == "__main__":
    serve_job(measure)
