"""The rated bandwidth of a graphics card, from a driver that tells and from one that does not."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from labkit.measuring.gpu import GPU, gpus, watch_gpu
from labkit.units import GIB


class NVMLError(Exception):
    """As pynvml has it."""


def driver(**functions: object) -> SimpleNamespace:
    """A stand-in for pynvml with one card; there is none where the tests run."""

    def not_supported(*_: object) -> None:
        raise NVMLError("Not Supported")

    known = {
        "NVMLError": NVMLError,
        "NVML_CLOCK_MEM": 2,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda _: b"Card",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=80 * GIB, free=79 * GIB),
        "nvmlSystemGetDriverVersion": lambda: "1",
        "nvmlDeviceGetUUID": lambda _: "GPU-0",
        "nvmlDeviceGetComputeRunningProcesses": not_supported,
        "nvmlDeviceGetGraphicsRunningProcesses": not_supported,
        "nvmlDeviceGetMemoryBusWidth": lambda _: 5120,
        "nvmlDeviceGetMaxClockInfo": lambda _, kind: {2: 2619}[kind],
    }
    return SimpleNamespace(**known | functions)


def test_bus_width_times_clock_times_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver())
    (card,) = gpus()
    assert card == GPU("Card", 80 * GIB, 79 * GIB, "1", "GPU-0", pytest.approx(3.352e12, rel=1e-3))
    assert "1.00 GiB used of 80.00 GiB" in repr(watch_gpu())


def test_a_driver_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise NVMLError("Not Supported")

    monkeypatch.setitem(sys.modules, "pynvml", driver(nvmlDeviceGetMemoryBusWidth=refuses))
    assert gpus()[0].bandwidth_bytes_per_s is None
    old = driver()
    del old.nvmlDeviceGetMemoryBusWidth
    monkeypatch.setitem(sys.modules, "pynvml", old)
    assert gpus()[0].bandwidth_bytes_per_s is None
