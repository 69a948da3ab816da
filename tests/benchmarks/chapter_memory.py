"""Peak memory of a whole chapter: its kernel and every process that the kernel starts.

    python -m tests.benchmarks.chapter_memory course/19_open_vs_closed.ipynb [--limit-mib 700]

Runs the notebook with nbclient and samples ten times a second. Pages that several of the processes share (a
mapped model, Python itself) count once: Linux's proportional set size (PSS) splits them. Elsewhere the
resident sizes are added up, which counts shared pages twice and so can only be too large.
"""

from __future__ import annotations

import argparse
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from labkit.units import MIB

_SAMPLE_SECONDS = 0.1


@dataclass
class Sampler:
    """The largest sum over the kernel and its descendants, and where in the notebook it was."""

    pid: int
    cell: int = -1
    peak_bytes: int = 0
    peak_resident_bytes: int = 0
    peak_cell: int = -1
    last_bytes: int = 0
    by_cell: dict[int, int] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            self.sample()

    def sample(self) -> None:
        proportional, resident = 0, 0
        for process in self._processes():
            try:
                memory = process.memory_full_info()
            except psutil.Error:
                continue
            proportional += getattr(memory, "pss", memory.rss)
            resident += memory.rss
        self.last_bytes = proportional
        self.by_cell[self.cell] = max(self.by_cell.get(self.cell, 0), proportional)
        self.peak_resident_bytes = max(self.peak_resident_bytes, resident)
        if proportional > self.peak_bytes:
            self.peak_bytes, self.peak_cell = proportional, self.cell

    def _processes(self) -> list[psutil.Process]:
        try:
            kernel = psutil.Process(self.pid)
            return [kernel, *kernel.children(recursive=True)]
        except psutil.Error:
            return []


def run(path: Path, timeout_s: int) -> tuple[Sampler, float]:
    """Execute the notebook; returns the samples and the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=timeout_s, resources={"metadata": {"path": str(path.parent)}})
    stop = threading.Event()
    start = time.perf_counter()
    with client.setup_kernel():
        sampler = Sampler(client.km.provisioner.process.pid)
        thread = threading.Thread(target=sampler.run, args=(stop,))
        thread.start()
        try:
            for index, cell in enumerate(notebook.cells):
                sampler.cell = index
                client.execute_cell(cell, index)
            took = time.perf_counter() - start
            sampler.cell = len(notebook.cells)
            sampler.sample()
        finally:
            stop.set()
            thread.join()
    return sampler, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--limit-mib", type=float, default=700)
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell")
    arguments = parser.parse_args()
    sampler, took = run(arguments.notebook, arguments.timeout)
    for cell, size in sorted(sampler.by_cell.items()):
        print(f"cell {cell:3}: {size / MIB:7.1f} MiB")
    print(f"{arguments.notebook.name}: {took:.1f} s")
    print(f"peak, shared pages once: {sampler.peak_bytes / MIB:.1f} MiB in cell {sampler.peak_cell}")
    print(f"peak, resident sizes added: {sampler.peak_resident_bytes / MIB:.1f} MiB")
    print(f"after the last cell: {sampler.last_bytes / MIB:.1f} MiB; limit {arguments.limit_mib:.0f} MiB")
    raise SystemExit(0 if sampler.peak_bytes < arguments.limit_mib * MIB else 1)


if __name__ == "__main__":
    main()
