"""Kills a download from a hub on this machine at random moments and starts it again, until the file is there.

    python -m tests.benchmarks.kill_and_resume --kills 50

Prints one line per kill: bytes on disk when it was killed, byte at which the next run went on. Target: the
file is whole, and no run after the first begins at zero.
"""

from __future__ import annotations

import argparse
import os
import random as random_module
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub_server import HubServer
from tests.models.support import FILENAME, REPO, blob, entry_for

_SEED = 7
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_FETCH = """
import sys
from tests.models.support import blob, entry_for
from labkit.models.download import fetch
entry = entry_for(blob(int(sys.argv[1]), seed=7))
fetch(entry)
"""


@dataclass
class Table:
    """What happened. `rows`: bytes on disk at each kill, and the byte at which the next run went on."""

    file_bytes: int
    rows: list[tuple[int, int]] = field(default_factory=list)
    bytes_sent: int = 0
    whole: bool = False
    last_words: str = ""

    @property
    def kills(self) -> int:
        return len(self.rows)

    @property
    def never_from_zero(self) -> bool:
        """Every run went on from what was on the disk."""
        return all(resumed_at == on_disk for on_disk, resumed_at in self.rows)

    def __str__(self) -> str:
        lines = ["kill   on disk [bytes]   next run went on at"]
        lines += [f"{i:4}   {disk:15,}   {at:19,}" for i, (disk, at) in enumerate(self.rows, start=1)]
        sent = self.bytes_sent / self.file_bytes
        lines.append(
            f"{self.kills} kills; whole at the end: {self.whole}; never from zero: {self.never_from_zero}; "
            f"sent {sent:.2f} times the file's {self.file_bytes:,} bytes"
        )
        return "\n".join(lines)


def kill_and_resume(
    folder: Path,
    *,
    kills: int,
    n_bytes: int,
    random: random_module.Random,
    how: signal.Signals = _KILL,
) -> Table:
    """Runs `fetch` in a child, ends it by the signal `how`, `kills` times, then lets it finish."""
    content = blob(n_bytes, seed=_SEED)
    entry = entry_for(content)
    table = Table(n_bytes)
    partial = folder / "hub/models--someone--small-model/blobs" / f"{entry.sha256}.incomplete"
    environment = {**os.environ, "HF_HOME": str(folder), "LABKIT_CACHE": str(folder / "labkit")}
    with HubServer(bytes_per_s=n_bytes / max(1, kills) / 0.25) as hub:
        hub.add(REPO, FILENAME, content)
        environment["HF_ENDPOINT"] = hub.url
        on_disk = 0
        for number in range(kills + 1):
            seen = len(hub.gets())
            process = _start(n_bytes, environment)
            if number < kills:
                # More runs are to come, so a run may take its share of what is left, and no more.
                share = (n_bytes - on_disk) / (kills - number + 1)
                _wait_for(partial, on_disk + random.random() * share, process)
                process.send_signal(how)
            table.last_words = process.communicate(timeout=120)[1] if number < kills else table.last_words
            process.communicate(timeout=120)
            if number:
                starts = [asked.range_start for asked in hub.gets()[seen:]]
                table.rows.append((on_disk, starts[0] if starts else -1))
            on_disk = partial.stat().st_size if partial.exists() else 0
        table.bytes_sent = hub.bytes_sent
    found = list(folder.glob("hub/models--*/snapshots/*/*"))
    table.whole = [path.read_bytes() == content for path in found] == [True] and not partial.exists()
    return table


def _start(n_bytes: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _FETCH, str(n_bytes)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(partial: Path, n_bytes: float, process: subprocess.Popen[str]) -> None:
    """Returns when the partial file has grown beyond `n_bytes`, or the process has ended."""
    give_up = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up:
        if partial.exists() and partial.stat().st_size > max(1, n_bytes):
            return
        time.sleep(0.002)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=98)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = kill_and_resume(
            Path(folder),
            kills=arguments.kills,
            n_bytes=arguments.megabytes * 1_000_000,
            random=random_module.Random(arguments.seed),
        )
    print(table)
    return 0 if table.whole and table.never_from_zero else 1


if __name__ == "__main__":
    sys.exit(main())
