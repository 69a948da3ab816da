"""Where twins are kept, and how much room they may take: the ones used longest ago go first."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from labkit import settings
from labkit.models.storage import free_bytes, only_one
from labkit.models.twin_file import MARGIN_BYTES
from labkit.progress_bar import ProgressBar
from labkit.units import format_bytes

_SETTING = "LABKIT_CACHE"


def folder() -> Path:
    """The folder of the twins. May not exist yet."""
    return settings.cache_dir() / "twins"


#: the twins that this process wrote or found: another notebook may be measuring with the others
_used_here: set[Path] = set()


def forget_twins(*, everywhere: bool = False) -> str:
    """Removes the twins that this notebook used; returns a sentence that says what was removed.

    `everywhere` removes those of other notebooks and of earlier sessions too. Taught in chapter 2.
    """
    _remove_leftovers()
    twins = [_Kept.at(path) for path in _paths() if everywhere or path in _used_here]
    for kept in twins:
        _remove(kept.path)
    still_there = {kept.path for kept in twins} & set(_paths())
    gone = [kept for kept in twins if kept.path not in still_there]
    in_use = f" {len(still_there)} in use stayed." if still_there else ""
    plural = "" if len(gone) == 1 else "s"
    return f"Removed {len(gone)} twin{plural}, {format_bytes(sum(k.n_bytes for k in gone))}.{in_use}"


@contextmanager
def only_writer(path: Path, show_progress: bool) -> Iterator[None]:
    """Holds the twin at `path` while the block runs: another notebook may be writing the same one.

    From now on it counts as used by this process, for `forget_twins`.
    """
    _used_here.add(path)
    bars: list[ProgressBar] = []

    def on_wait() -> None:
        if not bars:
            title = "Another program is writing the same twin: waiting for it"
            bars.append(ProgressBar(title=title, show=show_progress))

    with only_one(_lock_path(path), on_wait, _SETTING):
        for bar in bars:
            bar.close()
        yield


def recorded_sha256(path: Path, header: bytes, n_bytes: int) -> str:
    """The SHA-256 of the twin at `path` if it is there, whole and unchanged since it was written; else ""."""
    try:
        record = json.loads(_record_path(path).read_text(encoding="utf-8"))
        with path.open("rb") as file:
            begins_alike = file.read(len(header)) == header
        if not begins_alike or record["identity"] != _identity(path) or record["identity"][0] != n_bytes:
            return ""
        os.utime(_record_path(path))  # used now
        return str(record["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def record(path: Path, sha256: str) -> None:
    """Remembers the hash of a twin that was just written. Without it the twin is written again next time."""
    with contextlib.suppress(OSError):
        text = json.dumps({"sha256": sha256, "identity": _identity(path)})
        _record_path(path).write_text(text, encoding="utf-8")


class Room(NamedTuple):
    """Twins that must go so that another one fits, and what that frees."""

    paths: list[Path]
    n_bytes: int

    def make(self) -> str:
        """Removes them; returns a sentence about it, empty when there are none."""
        for path in self.paths:
            _remove(path)
        if not self.paths:
            return ""
        older = "an older twin" if len(self.paths) == 1 else f"{len(self.paths)} older twins"
        cap = format_bytes(settings.twin_space_bytes())
        return f"Removed {older} ({format_bytes(self.n_bytes)}): twins may take {cap} (LABKIT_TWIN_SPACE)."


def room_for(needed_bytes: int) -> Room:
    """What must go so that a twin of `needed_bytes` fits within the cap and on the disk: the oldest first.

    A twin larger than the cap may be there alone.
    """
    _remove_leftovers()
    twins = sorted((_Kept.at(path) for path in _paths()), key=lambda kept: kept.used)
    held, freed = sum(kept.n_bytes for kept in twins), 0
    free, cap = free_bytes(folder()), settings.twin_space_bytes()
    going: list[Path] = []
    for kept in twins:
        over_cap = held - freed + needed_bytes > cap
        disk_short = free is not None and free + freed < needed_bytes + MARGIN_BYTES
        if not (over_cap or disk_short):
            break
        going.append(kept.path)
        freed += kept.n_bytes
    return Room(going, freed)


class _Kept(NamedTuple):
    """A twin in the cache; `used` is the time of its last use."""

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


def _paths() -> list[Path]:
    return sorted(folder().glob("*.gguf"))


def _remove(path: Path) -> None:
    """On Windows a file in use stays."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        _record_path(path).unlink(missing_ok=True)
        _lock_path(path).unlink(missing_ok=True)


def _remove_leftovers() -> None:
    """Removes half-written files of programs that were killed: those that nobody is writing."""
    import filelock

    for part in folder().glob(".*.part"):
        path = part.with_name(part.name.removeprefix(".").removesuffix(".part"))
        lock = filelock.FileLock(str(_lock_path(path)), timeout=0)
        with contextlib.suppress(OSError, filelock.Timeout, NotImplementedError), lock:
            part.unlink(missing_ok=True)


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _identity(path: Path) -> list[int]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino]
