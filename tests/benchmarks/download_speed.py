"""labkit's download against curl's, from a hub on this machine throttled to 100 MB/s.

    python -m tests.benchmarks.download_speed --pairs 5

Each pair downloads the same file with curl and with `fetch` (hashing included), in turn, from a server in a
process of its own. Prints MB/s and the ratio of each pair. Target: median ratio at least 0.9.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit.models.catalogue import CatalogueEntry
from tests.hub_server import COMMIT, HubServer
from tests.models.support import FILENAME, REPO, blob, entry_for

_MB = 1_000_000


def _serve(n_bytes: int, bytes_per_s: float, pipe: Any) -> None:
    with HubServer(bytes_per_s=bytes_per_s) as hub:
        hub.add(REPO, FILENAME, blob(n_bytes))
        pipe.send(hub.url)
        pipe.recv()


def _curl(url: str, folder: Path) -> float:
    target = folder / "by-curl"
    command = ["curl", "--silent", "--fail", "--location", "--output", str(target)]
    began = time.perf_counter()
    subprocess.run([*command, f"{url}/{REPO}/resolve/{COMMIT}/{FILENAME}"], check=True)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def _labkit(entry: CatalogueEntry, folder: Path) -> float:
    from labkit.models.download import fetch

    home = folder / "hub"
    os.environ["HF_HOME"] = str(home)
    began = time.perf_counter()
    fetch(entry, show_progress=False)
    seconds = time.perf_counter() - began
    shutil.rmtree(home)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--limit", type=float, default=100.0, help="MB/s")
    arguments = parser.parse_args()
    n_bytes = arguments.megabytes * _MB
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(n_bytes, arguments.limit * _MB, there), daemon=True)
    server.start()
    there.close()  # so that recv ends, too, if the server dies
    url = here.recv()
    ratios = []
    print(f"{'pair':>4} {'curl [MB/s]':>12} {'labkit [MB/s]':>14} {'labkit / curl':>14}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(HF_ENDPOINT=url, LABKIT_CACHE=str(folder / "labkit"), HF_HOME=str(folder / "hub"))
        entry = entry_for(blob(n_bytes))
        for number in range(1, arguments.pairs + 1):
            # Each comes first every other time.
            order = (_curl_of(url), _labkit_of(entry)) if number % 2 else (_labkit_of(entry), _curl_of(url))
            seconds = {label: run(folder) for label, run in order}
            ratios.append(seconds["curl"] / seconds["labkit"])
            speeds = {label: n_bytes / _MB / s for label, s in seconds.items()}
            print(
                f"{number:4} {speeds['curl']:12.1f} {speeds['labkit']:14.1f} {ratios[-1]:14.3f}", flush=True
            )
    here.send("stop")
    server.join(10)
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} (target: at least 0.9)")
    return 0 if median >= 0.9 else 1


def _curl_of(url: str) -> tuple[str, Any]:
    return "curl", lambda folder: _curl(url, folder)


def _labkit_of(entry: CatalogueEntry) -> tuple[str, Any]:
    return "labkit", lambda folder: _labkit(entry, folder)


if __name__ == "__main__":
    sys.exit(main())
