"""The resident memory of real runs against `estimate_memory`.

    python -m tests.benchmarks.resident_memory [--gguf FILE ...] [--quick]

Each line is a child process that loads a model, makes a context, and processes a prompt of 512 tokens and
one more. Measured is its peak, less its reading before the load. The models are the course's small one, any
file given with --gguf (a real Gemma, say), and random-weight twins of 0.1 to 3 B parameters, which are made
for the occasion and removed. Good is a prediction within 5 % or 40 MiB, whichever is larger.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.config import blueprint_from_config
from labkit.measuring.memory_run import MemoryRun, measure_memory
from labkit.models.download import get_model
from labkit.models.twin import twin_blueprint, twin_of_blueprint
from labkit.units import MIB

_TOLERANCE, _TOLERANCE_BYTES = 0.05, 40 * MIB

#: (context, type of the cache, mapped?)
_SETTINGS = (
    (512, "f16", True),
    (512, "f16", False),
    (2048, "q8_0", True),
    (8192, "f16", True),
    (8192, "q4_0", False),
    (32768, "q8_0", True),
    (32768, "q4_0", True),
    (32768, "f16", False),
)
#: dense, many heads, windows, experts; types with and without a copy for the processor
_TWINS = (
    ("smollm2-135m", "F16"),
    ("smollm2-360m", "Q8_0"),
    ("gemma-3-270m", "Q4_0"),
    ("qwen3-0.6b", "Q4_K_M"),
    ("gemma-3-1b", "Q4_K_M"),
    ("llama-3.2-1b", "Q4_0"),
    ("granite-3.1-1b-a400m", "Q4_0"),
    ("qwen2.5-1.5b", "Q8_0"),
    ("gemma-2-2b", "Q4_K_M"),
    ("llama-3.2-3b", "Q4_K_M"),
)
_QUICK = (("smollm2-135m", "F16"), ("gemma-3-270m", "Q4_0"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path, action="append", default=[], help="A model file of yours.")
    parser.add_argument("--quick", action="store_true", help="Two small twins and three settings.")
    arguments = parser.parse_args()
    settings = _SETTINGS[:3] if arguments.quick else _SETTINGS
    print(
        f"{'model':32} {'context':>7} {'cache':5} {'mmap':4} {'measured':>9} {'predicted':>9} {'off by':>7}"
    )
    errors, good = [], True
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        for name, path, twin in _models(arguments.gguf, arguments.quick, Path(folder)):
            for context, kv_type, mmap in settings:
                try:
                    run = measure_memory(path, context=context, kv_type=kv_type, mmap=mmap)
                except LabError as error:
                    print(
                        f"{name:32} {context:7,} {kv_type:5} {mmap!s:4.1} {error.what.splitlines()[0][:60]}"
                    )
                    continue
                errors.append(_print_line(name, run))
                good &= abs(errors[-1]) <= max(_TOLERANCE * run.resident_bytes, _TOLERANCE_BYTES)
            if twin:
                path.unlink()
    sizes = [abs(error) / MIB for error in errors]
    typical, worst = statistics.median(sizes), max(sizes)
    print(f"{len(errors)} runs: off by {typical:.1f} MiB in the median, {worst:.1f} MiB at most")
    raise SystemExit(0 if good else 1)


def _models(files: list[Path], quick: bool, folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """(name, file, is it a twin that can go afterwards?)"""
    yield "SmolLM2-135M Q4_1", get_model().path, False
    for file in files:
        yield file.stem[:32], file, False
    for architecture, quant in _QUICK if quick else _TWINS:
        row = facts.find_architecture(architecture)
        blueprint = twin_blueprint(blueprint_from_config(row.config(), row.name), quant)
        twin = twin_of_blueprint(blueprint, out=folder / f"{architecture}-{quant}.gguf", show_progress=False)
        yield f"twin of {architecture} {quant}", twin.path, True


def _print_line(name: str, run: MemoryRun) -> int:
    """Prints the run; returns predicted less measured, in bytes."""
    error = run.predicted_resident_bytes - run.resident_bytes
    set_to = run.settings
    limit = max(_TOLERANCE * run.resident_bytes, _TOLERANCE_BYTES)
    print(
        f"{name:32} {set_to['context']:7,} {set_to['kv_type']:5} {'yes' if set_to['mmap'] else 'no':4} "
        f"{run.resident_bytes / MIB:5,.0f} MiB {run.predicted_resident_bytes / MIB:5,.0f} MiB "
        f"{error / MIB:+7.1f}{'' if abs(error) <= limit else '  NOT GOOD'}",
        flush=True,
    )
    return error


if __name__ == "__main__":
    main()
