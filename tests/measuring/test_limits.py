"""Cores and memory under affinity and control groups, on file systems made for the test."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import limits

GIB = 2**30
V2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw"
V1_CPU = "32 31 0:29 {shown} /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "35 31 0:32 {shown} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"


def make_root(folder: Path, files: dict[str, str], mounts: list[str], cgroup: str) -> Path:
    """A file system root with /proc/self and the given control group files."""
    everything = files | {
        "proc/self/mountinfo": "\n".join(mounts),
        "proc/self/cgroup": cgroup,
        "proc/meminfo": f"MemTotal: {16 * GIB // 1024} kB\nMemAvailable: {8 * GIB // 1024} kB\n",
    }
    for name, text in everything.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_affinity", lambda: set(range(8)))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("nonsense", 8),
        ("", 8),
        ("100000 0", 8),
    ],
)
def test_version_2_quota(tmp_path: Path, eight_cores: None, quota: str, cores: int) -> None:
    root = make_root(tmp_path, {"sys/fs/cgroup/cpu.max": quota}, [V2], "0::/")
    assert limits.cores_allowed(root) == cores
    assert limits.default_threads(root) == cores


def test_the_tightest_group_above_counts(tmp_path: Path, eight_cores: None) -> None:
    files = {
        "sys/fs/cgroup/pods/cpu.max": "300000 100000",
        "sys/fs/cgroup/pods/mine/cpu.max": "max 100000",
        "sys/fs/cgroup/pods/memory.max": str(4 * GIB),
        "sys/fs/cgroup/pods/memory.current": str(3 * GIB),
        "sys/fs/cgroup/pods/memory.stat": f"anon 1\ninactive_file {GIB}",
        "sys/fs/cgroup/pods/mine/memory.max": "max",
    }
    root = make_root(tmp_path, files, [V2], "0::/pods/mine")
    assert limits.cores_allowed(root) == 3
    assert limits.memory_allowed_bytes(root) == 4 * GIB
    assert limits.memory_available_bytes(root) == 2 * GIB


def test_version_1_in_a_container(tmp_path: Path, eight_cores: None) -> None:
    """The mount shows the container's own group as its root."""
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 * GIB),
        "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB),
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0",
    }
    mounts = [V1_CPU.format(shown="/docker/abc"), V1_MEMORY.format(shown="/docker/abc")]
    root = make_root(tmp_path, files, mounts, "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc")
    assert limits.cores_allowed(root) == 4
    assert limits.memory_allowed_bytes(root) == 2 * GIB
    assert limits.memory_available_bytes(root) == GIB


def test_version_1_without_limits(tmp_path: Path, eight_cores: None) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    }
    mounts = [V1_CPU.format(shown="/"), V1_MEMORY.format(shown="/")]
    root = make_root(tmp_path, files, mounts, "4:memory:/\n2:cpu,cpuacct:/")
    assert limits.cores_allowed(root) == 8
    assert limits.cpu_quota(root) == math.inf
    assert limits.memory_allowed_bytes(root) == 16 * GIB
    assert limits.memory_available_bytes(root) == 8 * GIB


def test_a_group_outside_the_namespace(tmp_path: Path, eight_cores: None) -> None:
    root = make_root(tmp_path, {"sys/fs/cgroup/cpu.max": "200000 100000"}, [V2], "0::/../../other")
    assert limits.cores_allowed(root) == 2


def test_hardware_threads_of_one_core_count_once(tmp_path: Path, eight_cores: None) -> None:
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {topology.format(cpu): f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)}
    root = make_root(tmp_path, files, [V2], "0::/")
    assert limits.cores_allowed(root) == 8
    assert limits.default_threads(root) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=30), min_size=7, max_size=7))
def test_odd_files_never_break_it(tmp_path: Path, texts: list[str]) -> None:
    names = ["cpu.max", "memory.max", "memory.high", "memory.current", "memory.stat"]
    files = {f"sys/fs/cgroup/{name}": text for name, text in zip(names, texts, strict=False)}
    files = {name: text.encode("utf-8", "replace").decode() for name, text in files.items()}
    root = make_root(tmp_path, files, [V2, "x y z"], "0::/\nodd")
    assert 1 <= limits.cores_allowed(root) <= (os.cpu_count() or 1)
    assert 0 <= limits.memory_available_bytes(root) <= limits.memory_allowed_bytes(root) or (
        limits.memory_available_bytes(root) <= limits.memory_total_bytes(root)
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_affinity_is_honoured() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from labkit import limits; print(limits.cores_allowed(), limits.default_threads())"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["1", "1"]


def test_this_machine() -> None:
    assert 1 <= limits.default_threads() <= limits.cores_allowed() <= (os.cpu_count() or 1)
    assert 0 < limits.memory_available_bytes() <= limits.memory_total_bytes()
    assert limits.memory_allowed_bytes() <= limits.memory_total_bytes()
