"""tokens/s of labkit's `bench` over `llama-bench`, on the same file.

    python -m tests.benchmarks.against_llama_bench --llama-bench PATH [--model GGUF] [--pairs 30]
                                     [-p 256] [-n 64] [-r 3] [--patience 10] [--save FILE.json]

Each round runs three programs in random order: labkit, llama-bench, and llama-bench again. The first pair
gives labkit's ratio, the second the ratio of llama-bench to itself (A/A): the scatter that a machine shows
when nothing differs. Threads, flash attention, batch sizes, cache types and load mode must be equal, or it
stops.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from labkit import limits
from labkit.measuring.bench import bench
from tests.benchmarks.ratios import median_ratio

TESTS = ("pp", "tg")
#: llama-bench's JSON writes flash attention as a number (llama.h, enum llama_flash_attn_type).
_FLASH_AUTO = -1
#: A run is undisturbed when others took less than this share of the processor meanwhile.
_QUIET = 0.1


def run_llama_bench(program: Path, model: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """{"pp": row, "tg": row} of llama-bench's JSON."""
    command = [str(program), "-m", str(model), "-o", "json", "-t", str(arguments.threads)]
    command += ["-p", str(arguments.prompt), "-n", str(arguments.generate), "-r", str(arguments.repetitions)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = json.loads(output)
    return {"pp": next(r for r in rows if r["n_prompt"]), "tg": next(r for r in rows if r["n_gen"])}


def run_labkit(model: Path, arguments: argparse.Namespace) -> Any:
    return bench(
        model,
        threads=arguments.threads,
        prompt=arguments.prompt,
        generate=arguments.generate,
        repetitions=arguments.repetitions,
        show_progress=False,
    )


def resolved_by_llama_bench(program: Path, model: Path) -> dict[str, str]:
    """How llama-bench's llama.cpp resolved "auto", from its verbose log: a short run of its own."""
    command = [str(program), "-m", str(model), "-p", "8", "-n", "1", "-r", "1", "-v"]
    log = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    flash = "enabled" if "Flash Attention enabled" in log else "disabled"
    mode = log.split("load_mode = ", 1)[1].split(")")[0] if "load_mode = " in log else ""
    return {"flash_attention": flash, "load_mode": mode}


def assert_equal_settings(ours: dict[str, Any], theirs: dict[str, Any], resolved: dict[str, str]) -> None:
    pairs = {
        "threads": (ours["threads"], theirs["n_threads"]),
        "batch": (ours["batch"], theirs["n_batch"]),
        "ubatch": (ours["ubatch"], theirs["n_ubatch"]),
        "type_k": (ours["type_k"], theirs["type_k"]),
        "type_v": (ours["type_v"], theirs["type_v"]),
        "gpu_layers": (ours["gpu_layers"], theirs["n_gpu_layers"]),
        "load mode asked": ("auto", theirs["load_mode"]),
        "load mode used": (ours["load_mode"], resolved["load_mode"]),
        "flash attention asked": (_FLASH_AUTO, theirs["flash_attn"]),
        "flash attention used": (ours["flash_attention"], resolved["flash_attention"]),
    }
    for name, (mine, other) in pairs.items():
        assert mine == other, f"{name}: labkit has {mine!r}, llama-bench {other!r}"
    print("equal settings: " + ", ".join(f"{name} {mine}" for name, (mine, _) in pairs.items()))


def undisturbed(run: Callable[[], Any], patience_s: float) -> Any:
    """The result of the first run during which other programs left the processor alone.

    A run counts as disturbed by what others took, never by its own result. After `patience_s` any run counts.
    """
    until = time.monotonic() + patience_s
    while True:
        while psutil.cpu_percent(interval=0.5) > 100 * _QUIET and time.monotonic() < until:
            pass
        start, busy, own = time.monotonic(), _busy_s(), _children_s()
        result = run()
        others = (_busy_s() - busy) - (_children_s() - own)
        share = others / ((time.monotonic() - start) * (psutil.cpu_count() or 1))
        if share < _QUIET or time.monotonic() > until:
            return result


def _busy_s() -> float:
    """Seconds of processor time spent on this machine since it started."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0)


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def compare(arguments: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Median tokens/s of each program in each round."""
    order = random.Random(arguments.seed)
    speeds = {test: {"labkit": [], "first": [], "second": []} for test in TESTS}
    program, model = arguments.llama_bench, arguments.model
    resolved = resolved_by_llama_bench(program, model)
    for round_number in range(arguments.pairs):
        for who in order.sample(["labkit", "first", "second"], 3):
            if who == "labkit":
                result = undisturbed(lambda: run_labkit(model, arguments), arguments.patience)
                values = {"pp": result.pp_tokens_per_s.values, "tg": result.tg_tokens_per_s.values}
                ours = result.settings
            else:
                rows = undisturbed(lambda: run_llama_bench(program, model, arguments), arguments.patience)
                values = {test: rows[test]["samples_ts"] for test in TESTS}
                theirs = rows["tg"]
            for test in TESTS:
                speeds[test][who].append(statistics.median(values[test]))
        if round_number == 0:
            assert_equal_settings(ours, theirs, resolved)
        last = {test: {who: round(v[-1], 1) for who, v in speeds[test].items()} for test in TESTS}
        print(f"round {round_number + 1:2} of {arguments.pairs}: {last}", flush=True)
    return speeds


def print_table(speeds: dict[str, dict[str, list[float]]]) -> bool:
    """Returns whether labkit's interval overlaps the control's in every test."""
    good = True
    print(f"\n{'':6}{'labkit / llama-bench, 95 % interval':42}{'llama-bench / itself (A/A)':42}")
    for test in TESTS:
        by = speeds[test]
        ratio = median_ratio(by["labkit"], by["first"])
        control = median_ratio(by["second"], by["first"])
        overlap = ratio.overlaps(control)
        good &= overlap
        print(f"{test:6}{ratio!s:42}{control!s:42}{'overlap' if overlap else 'NO OVERLAP'}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-bench", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="default: the course's small model, fetched if need be")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("-p", "--prompt", type=int, default=256)
    parser.add_argument("-n", "--generate", type=int, default=64)
    parser.add_argument("-r", "--repetitions", type=int, default=3)
    parser.add_argument("-t", "--threads", type=int, default=limits.default_threads())
    parser.add_argument("--patience", type=float, default=10, help="seconds to wait for each undisturbed run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="write all values as JSON")
    arguments = parser.parse_args()
    if arguments.model is None:
        from labkit.models.download import fetch

        arguments.model = fetch(show_progress=False).path
    speeds = compare(arguments)
    good = print_table(speeds)
    if arguments.save:
        arguments.save.write_text(json.dumps(speeds, indent=1))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
