"""Large files that labkit makes itself, and can make again: where they are kept, and how much room they take.

Each kind has a folder of its own in labkit's cache. The ones used longest ago go first.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from labkit import settings
from labkit.models.storage import free_bytes, only_one
from labkit.progress_bar import ProgressBar
from labkit.units import format_bytes

_SETTING = "LABKIT_CACHE"
#: left free on the disk
MARGIN_BYTES = 64 * 2**20


class Room(NamedTuple):
    """Files that must go so that another one fits, what that frees, and a sentence about it."""

    paths: list[Path]
    n_bytes: int
    sentence: str

    def make(self) -> str:
        """Removes them; returns the sentence, empty when there are none."""
        for path in self.paths:
            _remove(path)
        return self.sentence


class MadeFiles:
    """One kind of file, and its folder.

    Parameters
    ----------
    folder_name : in labkit's cache.
    one, many : what such a file is called, such as "twin" and "twins".
    space_setting : the variable with the GiB that all of them together may take.
    """

    def __init__(self, folder_name: str, one: str, many: str, space_setting: str) -> None:
        self._folder_name, self.one, self.many = folder_name, one, many
        self._space_setting = space_setting
        #: those that this process made or found: another notebook may be measuring with the others
        self._used_here: set[Path] = set()

    def folder(self) -> Path:
        """Where they are. May not exist yet."""
        return settings.cache_dir() / self._folder_name

    def most_bytes(self) -> int:
        """Bytes that all of them together may take."""
        return settings.space_bytes(self._space_setting)

    def forget(self, *, everywhere: bool = False) -> str:
        """Removes the files that this notebook used, or all; returns a sentence that says what went."""
        self._remove_leftovers()
        files = [_Kept.at(path) for path in self._paths() if everywhere or path in self._used_here]
        for kept in files:
            _remove(kept.path)
        still_there = {kept.path for kept in files} & set(self._paths())
        gone = [kept for kept in files if kept.path not in still_there]
        in_use = f" {len(still_there)} in use stayed." if still_there else ""
        size = format_bytes(sum(kept.n_bytes for kept in gone))
        return f"Removed {len(gone)} {self._noun(len(gone))}, {size}.{in_use}"

    @contextmanager
    def only_writer(self, path: Path, show_progress: bool) -> Iterator[None]:
        """Holds the file at `path` while the block runs: another notebook may be making the same one.

        From now on it counts as used by this process, for `forget`.
        """
        self._used_here.add(path)
        bars: list[ProgressBar] = []

        def on_wait() -> None:
            if not bars:
                title = f"Another program is writing the same {self.one}: waiting for it"
                bars.append(ProgressBar(title=title, show=show_progress))

        with only_one(_lock_path(path), on_wait, _SETTING):
            for bar in bars:
                bar.close()
            yield

    def recorded_sha256(self, path: Path) -> str:
        """The SHA-256 of the file at `path` if it is there, unchanged since it was made; else empty."""
        try:
            record = json.loads(_record_path(path).read_text(encoding="utf-8"))
            if record["identity"] != _identity(path):
                return ""
            os.utime(_record_path(path))  # used now
            return str(record["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def record(self, path: Path, sha256: str) -> None:
        """Remembers the hash of a file that was just made. Without it, it is made again next time."""
        with contextlib.suppress(OSError):
            text = json.dumps({"sha256": sha256, "identity": _identity(path)})
            _record_path(path).write_text(text, encoding="utf-8")

    def room_for(self, needed_bytes: int, keep: Collection[Path] = ()) -> Room:
        """What must go so that `needed_bytes` more fit within the cap and on the disk: the oldest first.

        What is in `keep` stays. A file larger than the cap may be there alone.
        """
        self._remove_leftovers()
        files = sorted((_Kept.at(path) for path in self._paths()), key=lambda kept: kept.used)
        held, freed = sum(kept.n_bytes for kept in files), 0
        free, cap = free_bytes(self.folder()), self.most_bytes()
        going: list[Path] = []
        for kept in files:
            if kept.path in keep:
                continue
            over_cap = held - freed + needed_bytes > cap
            disk_short = free is not None and free + freed < needed_bytes + MARGIN_BYTES
            if not (over_cap or disk_short):
                break
            going.append(kept.path)
            freed += kept.n_bytes
        return Room(going, freed, self._went(len(going), freed, cap))

    def _went(self, n: int, n_bytes: int, cap: int) -> str:
        if not n:
            return ""
        older = f"an older {self.one}" if n == 1 else f"{n} older {self.many}"
        return (
            f"Removed {older} ({format_bytes(n_bytes)}): {self.many} may take {format_bytes(cap)} "
            f"({self._space_setting})."
        )

    def _noun(self, n: int) -> str:
        return self.one if n == 1 else self.many

    def _paths(self) -> list[Path]:
        return sorted(self.folder().glob("*.gguf"))

    def _remove_leftovers(self) -> None:
        """Removes half-written files of programs that were killed: those that nobody is writing."""
        import filelock

        for part in self.folder().glob(".*.part"):
            path = part.with_name(part.name.removeprefix(".").removesuffix(".part"))
            lock = filelock.FileLock(str(_lock_path(path)), timeout=0)
            with contextlib.suppress(OSError, filelock.Timeout, NotImplementedError), lock:
                part.unlink(missing_ok=True)


def part_path(path: Path) -> Path:
    """Where a file is written before it moves to `path`, whole."""
    return path.with_name(f".{path.name}.part")


class _Kept(NamedTuple):
    """A file in the cache; `used` is the time of its last use."""

    path: Path
    n_bytes: int
    used: float

    @classmethod
    def at(cls, path: Path) -> _Kept:
        try:
            n_bytes = path.stat().st_size
            return cls(path, n_bytes, _record_path(path).stat().st_mtime)
        except OSError:  # nobody knows its hash: it is of no more use
            return cls(path, path.stat().st_size if path.exists() else 0, 0.0)


def _remove(path: Path) -> None:
    """On Windows a file in use stays."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        _record_path(path).unlink(missing_ok=True)
        _lock_path(path).unlink(missing_ok=True)


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _identity(path: Path) -> list[int]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino]
