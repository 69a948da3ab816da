"""Several model files in one fresh process that take turns: what slows the machine slows all of them.

They take turns prompt by prompt, and in generation token by token, each time in another order.

    python -m tests.benchmarks.in_turn '{"paths": [...], "prompt": 64, "generate": 16, "rounds": 10, ...}'

prints, as JSON, for prompt processing and generation the seconds per token of each file in each round.
"""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from labkit.measuring.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("pp", "tg")

#: test → for each file, seconds per token of each round
Seconds = dict[str, list[list[float]]]


def in_turn(paths: list[Path], **settings: Any) -> Seconds:
    """`settings`: prompt, generate, rounds, threads, processor_time."""
    job = json.dumps({"paths": [str(path) for path in paths], **settings})
    command = [sys.executable, "-m", "tests.benchmarks.in_turn", job]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


def _measure(job: dict[str, Any]) -> Seconds:
    clock = time.process_time if job["processor_time"] else time.perf_counter
    engines = [Engine(Path(path), threads=job["threads"], gpu_layers=0) for path in job["paths"]]
    gc.collect()
    gc.disable()
    order = random.Random(0)
    seconds: Seconds = {}
    for test in TESTS:
        n_tokens = job["prompt" if test == "pp" else "generate"]
        turns = [n_tokens] if test == "pp" else [1] * n_tokens
        contexts = [engine.context(n_tokens) for engine in engines]
        values: list[list[float]] = [[] for _ in engines]
        for number in range(job["rounds"] + 1):
            for context in contexts:
                context.clear()
            for n in turns:
                for at in order.sample(range(len(engines)), len(engines)):
                    tokens, context = engines[at].random_tokens(n), contexts[at]
                    start = clock()
                    context.prompt_ns(tokens) if test == "pp" else context.generate_ns(tokens)
                    if number:  # the first round warms up
                        values[at].append((clock() - start) / n)
        for context in contexts:
            context.close()
        seconds[test] = values
    return seconds


if __name__ == "__main__":
    print(json.dumps(_measure(json.loads(sys.argv[1]))))
