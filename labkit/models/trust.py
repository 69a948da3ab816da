"""What labkit remembers about files it has hashed or tried, so that it need not do so again.

A stamp is tied to path, size, inode and both time stamps. A file that was written less than two seconds
before it was hashed gets no trusted stamp: within one tick of the clock it could change without showing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from labkit.settings import cache_dir

_TICK_NS = 2_000_000_000
_CHUNK = 1 << 20


def file_sha256(path: Path, *, on_bytes: Callable[[int], None] | None = None, fresh: bool = False) -> str:
    """SHA-256 of a file as hexadecimal digits, from memory if the file has not changed since.

    `on_bytes` gets the number of bytes read after each piece; `fresh` reads the file in any case.
    Raises OSError.
    """
    if not fresh and (known := _trusted_stamp(path)):
        return known["sha256"]
    started_ns = time.time_ns()
    before = _identity(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            if on_bytes:
                on_bytes(len(piece))
    sha256 = digest.hexdigest()
    if _identity(path) == before:
        _write_stamp(path, {"identity": before, "hashed_ns": started_ns, "sha256": sha256})
    return sha256


def remember_loads(path: Path, sha256: str, engine: str) -> None:
    """Notes that `engine` (name and version) loaded the file with this hash."""
    stamp = _trusted_stamp(path)
    if stamp and stamp["sha256"] == sha256:
        _write_stamp(path, {**stamp, "loads_with": engine})


def is_known_to_load(path: Path, sha256: str, engine: str) -> bool:
    """True when this very file was loaded by this version of `engine` before."""
    stamp = _trusted_stamp(path)
    return bool(stamp) and stamp["sha256"] == sha256 and stamp.get("loads_with") == engine


def _identity(path: Path) -> list[int]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]


def _trusted_stamp(path: Path) -> dict[str, Any]:
    """The stamp of `path` if it still holds, else an empty dict."""
    try:
        stamp = json.loads(_stamp_path(path).read_text(encoding="utf-8"))
        _, mtime_ns, ctime_ns, _ = identity = _identity(path)
        settled = stamp["hashed_ns"] - max(mtime_ns, ctime_ns) > _TICK_NS
        holds = stamp["identity"] == identity and settled and len(stamp["sha256"]) == 64
        return stamp if holds else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_stamp(path: Path, stamp: dict[str, Any]) -> None:
    """Best effort: without a stamp the file is only hashed once more."""
    target = _stamp_path(path)
    temporary = target.with_name(f"{target.name}.{uuid4().hex[:8]}.tmp")
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(stamp), encoding="utf-8")
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _stamp_path(path: Path) -> Path:
    key = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()
    return cache_dir() / "verified" / f"{key}.json"
