"""Seconds that `import labkit` adds to Python's own start, beside the limit.

    python -m tests.benchmarks.import_time [--pairs 20]

Each pair starts `python -c pass` and `python -c "import labkit"`; the difference of their wall times is the
import. Compile the bytecode first (a first run does), as an installed package has it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LIMIT_SECONDS = 0.15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure(pairs: int) -> tuple[list[float], list[float]]:
    """Wall seconds of the empty program and of the import, pair by pair."""
    seconds("import labkit")
    empty, imported = [], []
    for _ in range(pairs):
        empty.append(seconds("pass"))
        imported.append(seconds("import labkit"))
    return empty, imported


def print_table(pairs: int) -> bool:
    """Returns whether the median import stays under the limit."""
    empty, imported = measure(pairs)
    added = [b - a for a, b in zip(empty, imported, strict=True)]
    median = statistics.median(added)
    print(f"{'python -c pass':28}{statistics.median(empty):8.3f} s (median of {pairs})")
    print(f"{'python -c import labkit':28}{statistics.median(imported):8.3f} s")
    print(f"{'the import itself':28}{median:8.3f} s, limit {LIMIT_SECONDS} s")
    return median < LIMIT_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    raise SystemExit(0 if print_table(parser.parse_args().pairs) else 1)


if __name__ == "__main__":
    main()
