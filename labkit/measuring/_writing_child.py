"""The half of `labkit.measuring.writing_speed` that runs the models, one after the other, round by round."""

from __future__ import annotations

import gc
import statistics
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.measuring._trio_child import seconds_per_token
from labkit.measuring.engine import Engine
from labkit.measuring.llama_build import llama_build


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """tokens/s of each model in each round: `{"tokens_per_s": [[...], [...]], "runs_on": ...}`.

    One model is in memory at a time. Every other round goes backwards, so that what slows the machine for a
    while slows the first and the last alike.
    """
    paths = [Path(path) for path in job["paths"]]
    speeds: list[list[float]] = [[] for _ in paths]
    order = list(range(len(paths)))
    gc.disable()
    for done in range(job["rounds"]):
        for position, i in enumerate(order):
            speeds[i].append(_tokens_per_s(paths[i], job))
            report(done * len(paths) + position + 1, job["rounds"] * len(paths), paths[i].name)
        order.reverse()
        gc.collect()
    return {"tokens_per_s": speeds, "runs_on": llama_build().runs_on if job["gpu_layers"] else "CPU"}


def _tokens_per_s(path: Path, job: dict[str, Any]) -> float:
    """The middle token's, by time: a program that takes the processor for a moment then changes nothing."""
    engine = Engine(path, threads=1, gpu_layers=job["gpu_layers"], mmap=False)
    context = engine.context(job["generate"] + 2)
    try:
        context.generate_ns(engine.random_tokens(2))  # the warm-up
        return 1 / statistics.median(seconds_per_token(engine, context, job["generate"], job["budget_s"]))
    finally:
        context.close()
        engine.close()


if __name__ == "__main__":
    serve_job(measure)
