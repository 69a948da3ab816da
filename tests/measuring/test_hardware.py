"""What the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from labkit import limits
from labkit.measuring import gpu
from labkit.measuring.hardware import last_level_cache_bytes, llama_build, machine, versions
from labkit.measuring.memory import _from_linux, memory_now
from labkit.units import MIB


def test_machine_agrees_with_psutil() -> None:
    here = machine()
    assert here.memory_total_bytes == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert here.memory_allowed_bytes <= here.memory_total_bytes
    assert 1 <= here.cores_allowed <= here.cores_present == os.cpu_count()
    assert here.cpu and here.os and here.disk_free_bytes > 0


def test_last_level_cache_counts_each_copy_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores, two L3 of 16 MiB for four cores each, an L2 and an instruction cache per core."""
    monkeypatch.setattr(limits, "_affinity", lambda: set(range(8)))
    monkeypatch.setattr(sys, "platform", "linux")
    for cpu in range(8):
        caches = {
            "index1": ("1", "Instruction", "32K", str(cpu)),
            "index2": ("2", "Unified", "1024K", str(cpu)),
            "index3": ("3", "Unified", "16M", "0-3" if cpu < 4 else "4-7"),
        }
        for index, values in caches.items():
            folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cache/{index}"
            folder.mkdir(parents=True)
            for name, value in zip(("level", "type", "size", "shared_cpu_list"), values, strict=True):
                (folder / name).write_text(value + "\n")
    assert last_level_cache_bytes(tmp_path) == 32 * MIB
    assert last_level_cache_bytes(tmp_path / "nothing") is None


def test_versions_do_not_load_llama_cpp() -> None:
    code = "import sys; from labkit.measuring.hardware import versions, machine; versions(); machine();"
    code += "print('llama_cpp' in sys.modules, 'pandas' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]
    assert {"labkit", "python", "llama_cpp_python"} <= set(versions())


def test_llama_build(capfd: pytest.CaptureFixture[str]) -> None:
    build = llama_build()
    assert "CPU" in build.backends
    assert any(device.kind == "CPU" for device in build.devices)
    assert build.runs_on == "CPU" or build.gpu_offload
    assert set(build.cpu_features) <= set(build.system_info.replace("|", " ").split())
    assert capfd.readouterr() == ("", "")


def test_gpu_or_a_sentence() -> None:
    watched = gpu.watch_gpu()
    if watched.gpus:
        assert all(card.vram_bytes >= card.vram_free_bytes > 0 for card in watched.gpus)
    else:
        assert repr(watched) == watched.reason and watched.reason.endswith(".")
        assert "<p>" in watched._repr_html_()
        own = gpu.ProcessGPUMemory(os.getpid())
        own.sample()
        assert own.largest_bytes is None


def test_memory_reading_adds_up_and_sees_new_memory() -> None:
    before = memory_now()
    assert before.private_bytes + before.file_backed_bytes == before.resident_bytes <= before.peak_bytes
    block = bytearray(os.urandom(1)) * (64 * MIB)
    after = memory_now()
    assert after.private_bytes - before.private_bytes > 0.9 * len(block)
    assert after.peak_bytes >= after.resident_bytes


def test_linux_status_is_read_in_kib() -> None:
    status = "Name:\tpython\nVmHWM:\t  3000 kB\nRssAnon:\t 1000 kB\nRssFile:\t 500 kB\nRssShmem:\t 24 kB\n"
    reading = _from_linux(status)
    assert reading.private_bytes == 1024 * 1024
    assert reading.file_backed_bytes == 500 * 1024
    assert reading.peak_bytes == 3000 * 1024
