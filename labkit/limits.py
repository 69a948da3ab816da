"""What this process may use: cores and memory, as the operating system limits them.

A container, a JupyterHub or a batch job often gives a process two cores and 2 GB of a machine with 64 cores
and 512 GB. `os.cpu_count()` and the size of the RAM know nothing of that; a thread pool or a model sized by
them is slow or gets killed. These functions read the CPU affinity and the control groups (version 1 and 2,
the process's own group and every group above it).
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Control groups of version 1 write "no limit" as a number near 2^63.
_NO_LIMIT = 2**60

_ROOT = Path("/")


def cores_allowed(root: Path = _ROOT) -> int:
    """Logical CPUs that this process may keep busy, at least 1: affinity, capped by the CPU quota.

    A quota of 2.5 CPUs counts as 2: a third thread would be stopped for part of every period, and the other
    threads of a matrix product would wait for it. `root` is another file system root, for tests.
    """
    return max(1, int(min(len(_affinity()), cpu_quota(root))))


def default_threads(root: Path = _ROOT) -> int:
    """Threads to run a model with: one for each *physical* core allowed, as llama.cpp's own tools choose.

    Two hardware threads of one core share its arithmetic units; a second thread there gains nothing.
    On Apple silicon only the performance cores count.
    """
    if sys.platform == "darwin":
        cores = _sysctl_int("hw.perflevel0.physicalcpu") or _sysctl_int("hw.physicalcpu")
        return max(1, min(cores or cores_allowed(root), cores_allowed(root)))
    affinity = _affinity()
    physical = {_first_sibling(cpu, root) for cpu in affinity}
    if physical == affinity and sys.platform == "win32":
        import psutil

        logical = psutil.cpu_count(logical=True) or 1
        share = (psutil.cpu_count(logical=False) or logical) / logical
        return max(1, round(len(affinity) * share))
    return max(1, int(min(len(physical), cpu_quota(root))))


def cpu_quota(root: Path = _ROOT) -> float:
    """CPUs' worth of time that the control groups allow; `math.inf` without a quota."""
    quotas = [math.inf]
    for group in _groups("cpu", root):
        if group.version == 2:
            words = _read(group.folder / "cpu.max").split()
            quota, period = (words + ["", ""])[:2]
        else:
            quota = _read(group.folder / "cpu.cfs_quota_us")
            period = _read(group.folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            quotas.append(int(quota) / int(period))
    return min(quotas)


def memory_total_bytes(root: Path = _ROOT) -> int:
    """RAM of the machine in bytes."""
    if (root / "proc/meminfo").exists():
        return _meminfo(root).get("MemTotal", 0)
    import psutil

    return psutil.virtual_memory().total


def memory_allowed_bytes(root: Path = _ROOT) -> int:
    """RAM in bytes that this process and its neighbours in the same control group may use together."""
    return min([memory_total_bytes(root), *(limit for limit, _ in _memory_groups(root))])


def memory_available_bytes(root: Path = _ROOT) -> int:
    """RAM in bytes still free for this process: of the machine, and under each control group's limit.

    File pages that the kernel can drop at once count as free.
    """
    if (root / "proc/meminfo").exists():
        meminfo = _meminfo(root)
        free = meminfo.get("MemAvailable", meminfo.get("MemFree", 0))
    else:
        import psutil

        free = psutil.virtual_memory().available
    return max(0, min([free, *(limit - used for limit, used in _memory_groups(root))]))


@dataclass(frozen=True)
class _Group:
    version: int
    folder: Path


def _memory_groups(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, bytes used that can't be dropped) of every control group with a memory limit."""
    for group in _groups("memory", root):
        if group.version == 2:
            limits = [_read(group.folder / name) for name in ("memory.max", "memory.high")]
            used_file, droppable = "memory.current", "inactive_file"
        else:
            limits = [_read(group.folder / "memory.limit_in_bytes")]
            used_file, droppable = "memory.usage_in_bytes", "total_inactive_file"
        numbers = [int(text) for text in limits if text.isdigit() and int(text) < _NO_LIMIT]
        if not numbers:
            continue
        used = _read(group.folder / used_file)
        stat = dict(
            line.split()[:2] for line in _read(group.folder / "memory.stat").splitlines() if " " in line
        )
        reclaimable = int(stat.get(droppable, 0))
        yield min(numbers), max(0, int(used) - reclaimable) if used.isdigit() else 0


def _groups(controller: str, root: Path) -> Iterator[_Group]:
    """The control groups that this process is in for `controller`: its own, then each one above it."""
    paths = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for name in parts[1].split(","):
                paths[name] = parts[2]
    for mount in _mounts(root):
        if mount.version == 2 and "" in paths:
            path = paths[""]
        elif mount.version == 1 and controller in mount.controllers and controller in paths:
            path = paths[controller]
        else:
            continue
        for folder in _ancestors(mount, path):
            yield _Group(mount.version, folder)


@dataclass(frozen=True)
class _Mount:
    version: int
    controllers: frozenset[str]
    shown: str
    """Which group of the hierarchy the mount point shows: '/' or, in a container, the container's group."""
    point: Path


def _mounts(root: Path) -> list[_Mount]:
    mounts = []
    for line in _read(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        left_words, right_words = left.split(), right.split()
        if len(left_words) < 5 or len(right_words) < 3 or not right_words[0].startswith("cgroup"):
            continue
        version = 2 if right_words[0] == "cgroup2" else 1
        point = root / left_words[4].replace("\\040", " ").lstrip("/")
        mounts.append(_Mount(version, frozenset(right_words[2].split(",")), left_words[3], point))
    return mounts


def _ancestors(mount: _Mount, path: str) -> Iterator[Path]:
    """Folders under the mount point from the process's group up to the top one that can be seen."""
    shown = mount.shown.rstrip("/")
    inside = path[len(shown) :] if path == shown or path.startswith(shown + "/") else ""
    parts = [part for part in inside.split("/") if part]
    if ".." in parts:  # the group lies outside what this namespace shows
        parts = []
    for n in range(len(parts), -1, -1):
        folder = mount.point.joinpath(*parts[:n])
        if folder.is_dir():
            yield folder


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    if sys.platform == "win32":
        import psutil

        return set(psutil.Process().cpu_affinity())
    return set(range(os.cpu_count() or 1))


def _first_sibling(cpu: int, root: Path) -> int:
    """The lowest-numbered hardware thread of the core that `cpu` is a thread of; `cpu` where unknown."""
    text = _read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    first = text.replace("-", ",").split(",")[0]
    return int(first) if first.isdigit() else cpu


def _meminfo(root: Path) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    values = {}
    for line in _read(root / "proc/meminfo").splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            values[words[0].rstrip(":")] = int(words[1]) * 1024
    return values


def _sysctl_int(name: str) -> int:
    """A number from macOS's sysctl; 0 where there is none."""
    import ctypes

    value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
    libc = ctypes.CDLL(None)
    failed = libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
