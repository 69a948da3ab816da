"""Is a twin as fast as the model? Does the line through two depths give the whole?

    python -m tests.benchmarks.twin_speed [real] [depths] [writing] [--model GGUF ...] [--copies 4]
                                          [--rounds 5] [--threads N] [-p 128] [-n 32] [--processor-time]

real     tokens/s of a twin over the real model's, same tensor types. A copy of the model, its twin and
         another copy take turns in one process; the second ratio (A/A) is the scatter when nothing differs.
depths   the speed on the straight line through two shallow twins over that of the whole twin, likewise in
         turns: a dense model, a mixture of experts, one with sliding windows.
writing  how long it takes to write a twin of 1.2 billion parameters in Q4_0, with its hash, to the disk.

`--processor-time` reads the time that the process computed, not the clock: with `--threads 1` that holds
even while other programs compute. Without --model: the course's small model.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit import limits, settings
from labkit.estimating.shallow import layer_period, main_layers
from labkit.measuring.twin_depths import choose_depths
from labkit.measuring.twin_speed import layer_work
from labkit.models.download import fetch
from labkit.models.twin import shallow_twin, twin, twin_blueprint, twin_of_blueprint
from labkit.units import format_bytes
from tests.benchmarks.in_turn import TESTS, Seconds, in_turn
from tests.benchmarks.ratios import MedianRatio, median_ratio

#: name in the table of architectures → what it stands for
WHOLE_MODELS = {
    "smollm2-360m": "dense",
    "granite-3.1-1b-a400m": "mixture of experts",
    "gemma-3-1b": "sliding windows",
}
ALLOWED = {"real": 0.05, "depths": 0.10}
_PIECE = 1 << 20


def real_against_twin(path: Path, arguments: argparse.Namespace) -> bool:
    """Prints twin over real; True when it is within 5 % for both tests.

    Where the pages of a file lie in memory changes its speed by up to 10 %, even that of a copy of the same
    file. So for each of `--copies` times the model is copied twice and its twin is written, and a fresh
    process loads all three.
    """
    seconds: Seconds = {test: [[], [], []] for test in TESTS}
    for _ in range(arguments.copies):
        with tempfile.TemporaryDirectory(dir=settings.cache_dir()) as folder:
            paths = [Path(folder) / name for name in ("real.gguf", "twin.gguf", "again.gguf")]
            _copy(path, paths[0])
            twin(path, None, out=paths[1], show_progress=False)
            _copy(path, paths[2])
            _add(seconds, in_turn(paths, **_settings(arguments)))
    good = True
    for test in TESTS:
        real, its_twin, again = seconds[test]
        good &= _print(path.name, test, median_ratio(real, its_twin), median_ratio(real, again), "real")
    return good


def _copy(source: Path, target: Path) -> None:
    """In pieces as large as those of a twin, and on the disk before anything is measured."""
    with source.open("rb") as old, target.open("wb") as new:
        while piece := old.read(_PIECE):
            new.write(piece)
        new.flush()
        os.fsync(new.fileno())


def _add(seconds: Seconds, more: Seconds) -> None:
    for test in TESTS:
        for values, new in zip(seconds[test], more[test], strict=True):
            values += new


def depths_against_whole(name: str, arguments: argparse.Namespace) -> bool:
    """Prints line over whole; True when it is within 10 % for both tests."""
    whole = twin_blueprint(name, arguments.quant)
    total, period = main_layers(whole), layer_period(whole)
    first = choose_depths(whole)[0]
    second = max(first + period, total // 2 // period * period)
    blueprints = [shallow_twin(whole, first), shallow_twin(whole, second), whole, whole]
    works = [layer_work(blueprint) for blueprint in blueprints]
    lever = (works[2] - works[0]) / (works[1] - works[0])
    seconds: Seconds = {test: [[] for _ in blueprints] for test in TESTS}
    for _ in range(arguments.copies):
        with tempfile.TemporaryDirectory(dir=settings.cache_dir()) as folder:
            paths = [Path(folder) / f"{number}.gguf" for number in range(len(blueprints))]
            for blueprint, path in zip(blueprints, paths, strict=True):
                twin_of_blueprint(blueprint, out=path, show_progress=False)
            _add(seconds, in_turn(paths, **_settings(arguments)))
    good = True
    for test in TESTS:
        near, far, real, again = seconds[test]
        line = [a + (b - a) * lever for a, b in zip(near, far, strict=True)]
        what = f"{name} ({WHOLE_MODELS[name]}), {first} and {second} of {total}"
        good &= _print(what, test, median_ratio(real, line), median_ratio(real, again), "depths")
    return good


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("prompt", "generate", "rounds", "threads", "processor_time")
    return {name: getattr(arguments, name) for name in names}


def _print(what: str, test: str, ratio: MedianRatio, control: MedianRatio, kind: str) -> bool:
    good = abs(ratio.median - 1) <= ALLOWED[kind]
    print(f"{what:62} {test:4}{ratio!s:36}{control!s:36}{'good' if good else 'OUT'}", flush=True)
    return good


def writing() -> bool:
    """Prints the time to write a twin of 1.2 billion parameters; True when it is below 10 s."""
    blueprint = twin_blueprint("llama-3.2-1b", "Q4_0")
    path = settings.cache_dir() / "twins" / "benchmark.gguf"
    start = time.perf_counter()
    file = twin_of_blueprint(blueprint, out=path, show_progress=False)
    seconds = time.perf_counter() - start
    path.unlink()
    print(f"{file.twin_of}: {format_bytes(file.bytes)} written, hashed and on disk in {seconds:.1f} s")
    return seconds < 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["real", "depths", "writing", []], default=[])
    parser.add_argument("--model", type=Path, action="append")
    parser.add_argument("--name", action="append", choices=list(WHOLE_MODELS))
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=limits.default_threads())
    parser.add_argument("-p", "--prompt", type=int, default=128)
    parser.add_argument("-n", "--generate", type=int, default=32)
    parser.add_argument("--processor-time", action="store_true")
    arguments = parser.parse_args()
    parts = arguments.parts or ["real", "depths", "writing"]
    good = []
    if "real" in parts:
        print(f"{'model':62} {'':4}{'twin / real, tokens/s':36}{'real / itself (A/A)':36}within 5 %")
        for model in arguments.model or [fetch().path]:
            good.append(real_against_twin(model, arguments))
    if "depths" in parts:
        print(f"{'model':62} {'':4}{'line / whole, tokens/s':36}{'whole / itself (A/A)':36}within 10 %")
        for name in arguments.name or WHOLE_MODELS:
            good.append(depths_against_whole(name, arguments))
    if "writing" in parts:
        good.append(writing())
    raise SystemExit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
