"""The half of `labkit.measuring.cache_benefit` that runs the model, as a process of its own."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.measuring.engine import Context, Engine


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Time the next token after `length` tokens: with their cache, and by computing all of them anew."""
    engine = Engine(Path(job["path"]), threads=1)
    context = engine.context(max(job["lengths"]) + 2)
    gc.collect()
    gc.disable()
    context.generate_ns(engine.random_tokens(1))  # the warm-up
    seconds: dict[int, tuple[list[float], list[float]]] = {length: ([], []) for length in job["lengths"]}
    for done in range(job["rounds"]):
        for length, (cached, anew) in seconds.items():
            with_cache, without = _one_round(engine, context, length)
            cached.append(with_cache)
            anew.append(without)
        report(done + 1, job["rounds"], "Making the next token")
    return {
        "with_cache": [cached for cached, _ in seconds.values()],
        "without": [anew for _, anew in seconds.values()],
    }


def _one_round(engine: Engine, context: Context, length: int) -> tuple[float, float]:
    """(seconds with the cache, seconds without it) for one token after `length` others."""
    context.clear()
    # Without a cache, one more token means: all the tokens before it, and the token itself.
    without = context.prompt_ns(engine.random_tokens(length + 1))
    # Now all of them are in the cache, and the next one is computed alone.
    return context.generate_ns(engine.random_tokens(1)) / 1e9, without / 1e9


if __name__ == "__main__":
    serve_job(measure)
