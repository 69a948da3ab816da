"""Writing large files safely: one writer at a time, room on the disk, sentences for what the disk refuses."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import LabError
from labkit.units import format_bytes

#: left free beside a download: logs and notebooks need some room too
_MARGIN_BYTES = 32 * 2**20
_POLL_SECONDS = 0.2
#: what the system says when a disk or a quota is full
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class SourceFailed(LabError):
    """One source could not give the file.

    `unreachable`: it did not answer at all. `retry_after`: seconds to wait before a second try, or None.
    """

    def __init__(
        self, what: str, cure: str = "", *, unreachable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(what, cure)
        self.unreachable, self.retry_after = unreachable, retry_after


def disk_problem(error: OSError, folder: Path, setting: str) -> SourceFailed:
    """The sentence for an OSError met while writing into `folder`, which the variable `setting` can move."""
    if error.errno in FULL:
        free = free_bytes(folder)
        return SourceFailed(
            f"The disk that holds {folder} became full ({format_bytes(free or 0)} left) during the download.",
            f"Free some space and run the same again: it goes on where it stopped. Or set {setting} to a "
            "folder on a larger disk.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        why = "is on a read-only disk" if error.errno == errno.EROFS else "may not be written to by you"
        return SourceFailed(
            f"The folder for models, {folder}, {why}.",
            f"Set {setting} to a folder of your own, or ask for write permission.",
        )
    return SourceFailed(
        f"Writing into {folder} failed: {error.strerror or error}.",
        f"Check that disk, or set {setting} to another folder.",
    )


def require_disk_space(folder: Path, needed_bytes: int, setting: str) -> None:
    """Raises SourceFailed when the disk of `folder` has less than `needed_bytes` and a little more."""
    free = free_bytes(folder)
    if free is not None and free < needed_bytes + _MARGIN_BYTES:
        raise SourceFailed(
            f"The disk that holds {folder} has {format_bytes(free)} free, but "
            f"{format_bytes(needed_bytes + _MARGIN_BYTES)} are needed.",
            f"Free some space, or set {setting} to a folder on a larger disk.",
        )


@contextmanager
def only_one(lock_path: Path, on_wait: Callable[[], None], setting: str) -> Iterator[None]:
    """Holds the lock file while the block runs. `on_wait` is called again and again while another holds it.

    Raises SourceFailed when the lock cannot be written. A killed owner's lock is free at once.
    """
    import filelock

    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock: filelock.BaseFileLock = filelock.FileLock(str(lock_path), mode=0o664)
        try:
            _acquire(lock, on_wait)
        except NotImplementedError:  # a file system without locks: an ordinary file stands in
            lock = filelock.SoftFileLock(str(lock_path))
            _acquire(lock, on_wait)
    except OSError as error:
        raise disk_problem(error, lock_path.parent, setting) from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: object, on_wait: Callable[[], None]) -> None:
    import filelock

    while True:
        try:
            lock.acquire(timeout=_POLL_SECONDS, poll_interval=_POLL_SECONDS / 4)  # type: ignore[attr-defined]
            return
        except filelock.Timeout:
            on_wait()


def free_bytes(folder: Path) -> int | None:
    """Free bytes on the disk that holds `folder`, or will; None when the system does not tell."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None
