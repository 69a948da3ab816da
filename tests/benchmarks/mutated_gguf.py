"""Feeds damaged GGUF files to labkit, as a learner would, and counts dead processes.

    python -m tests.benchmarks.mutated_gguf --files 1000

A worker process stands for the notebook's kernel: it opens each file with `local_model`, loads it and lets it
write. Every file must end in a sentence (LabError) or in a model that runs. Target: 0 dead workers, 0 other
exceptions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from labkit.models.embedded import embedded_model
from tests.models.mutants import mutants

_KERNEL = """
import json, sys
from labkit.errors import LabError
from labkit.models.download import local_model
from labkit.models.loading import load_model
for line in sys.stdin:
    try:
        with load_model(local_model(line.strip()), context=256, threads=1) as model:
            model.generate("ab", max_tokens=3, chat=False)
        answer = {"end": "runs", "text": ""}
    except LabError as error:
        answer = {"end": "sentence", "text": error.what}
    except BaseException as error:
        answer = {"end": "other exception", "text": repr(error)}
    print(json.dumps(answer), flush=True)
"""


@dataclass
class Tally:
    """How the files ended. `bad`: what was done to those that killed the worker or raised something else."""

    ends: Counter[str] = field(default_factory=Counter)
    crashes_in_the_child: int = 0
    bad: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        ends = ", ".join(f"{name}: {n}" for name, n in sorted(self.ends.items()))
        lines = [
            f"{self.ends.total()} damaged files in {self.seconds:.0f} s; {ends}",
            f"llama.cpp crashed {self.crashes_in_the_child} times in the child that tries files first",
            f"dead or unruly kernels: {len(self.bad)}",
        ]
        return "\n".join(lines + self.bad)


def run(n_files: int, *, seed: int = 0, original: Path | None = None) -> Tally:
    """Opens `n_files` damaged copies of `original` (the embedded model) in a worker process."""
    data = (original or embedded_model()).read_bytes()
    tally = Tally()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LABKIT_CACHE": folder + "/cache"}
        worker = _start(environment)
        for number, (story, damaged) in enumerate(mutants(data, n_files, seed)):
            path = Path(folder) / f"{number}.gguf"
            path.write_bytes(damaged)
            worker.stdin.write(f"{path}\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            answer = json.loads(line) if line else {"end": "dead kernel", "text": str(worker.wait())}
            tally.ends[answer["end"]] += 1
            tally.crashes_in_the_child += "crashed on it" in answer["text"]
            if answer["end"] not in ("runs", "sentence"):
                tally.bad.append(f"{answer['end']}: {story}: {answer['text']}")
            if not line:
                worker = _start(environment)
            path.unlink()
        worker.stdin.close()
        worker.wait(timeout=60)
    tally.seconds = time.monotonic() - began
    return tally


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _KERNEL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally = run(arguments.files, seed=arguments.seed)
    print(tally)
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
