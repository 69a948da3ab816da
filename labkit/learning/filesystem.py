"""Is a folder on a network file system? SQLite's write-ahead log needs memory shared between processes,
which network file systems do not give (https://sqlite.org/wal.html)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

#: File systems that are, or may be, served by another machine. Any `fuse.` type counts as one as well.
_NETWORK_TYPES = {
    *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "afpfs", "webdav", "davfs", "9p", "virtiofs"),
    *("ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "ocfs2", "gfs2", "ncpfs", "vboxsf"),
    *("prl_fs", "fuse", "sshfs", "osxfuse", "macfuse"),
}
_DRIVE_REMOTE = 4  # what Windows' GetDriveTypeW answers for a network drive


def is_network_path(path: Path) -> bool:
    """True when `path` (or its nearest existing parent) lies on a network file system.

    Where it can't be told, False: a local disk is by far the most common.
    """
    if sys.platform == "win32":
        return _is_network_drive(path)
    if sys.platform == "darwin":
        return _is_network(file_system_type(path, _mac_mounts()))
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _is_network(file_system_type(path, _linux_mounts(mounts)))


def _is_network(kind: str) -> bool:
    return kind in _NETWORK_TYPES or kind.startswith("fuse.")


def file_system_type(path: Path, mounts: list[tuple[str, str]]) -> str:
    """The type of the mount that holds `path`, from (mount point, type) pairs; the last of two counts."""
    resolved = path.resolve()
    best, kind = -1, ""
    for point, this_kind in mounts:
        if (resolved == Path(point) or resolved.is_relative_to(point)) and len(point) >= best:
            best, kind = len(point), this_kind
    return kind


def _linux_mounts(text: str) -> list[tuple[str, str]]:
    mounts = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 3:
            # Spaces and the like stand as three octal digits.
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), parts[1])
            mounts.append((point, parts[2]))
    return mounts


def _mac_mounts() -> list[tuple[str, str]]:
    try:
        text = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return re.findall(r" on (.+) \((\w+)", text)


def _is_network_drive(path: Path) -> bool:
    anchor = path.absolute().anchor
    if anchor.startswith("\\\\"):
        return True
    try:
        import ctypes

        return ctypes.windll.kernel32.GetDriveTypeW(anchor) == _DRIVE_REMOTE  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False
