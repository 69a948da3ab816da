"""What NVIDIA's management library (NVML) says about the graphics cards, if there are any.

NVML comes with the driver; `pynvml` from the package nvidia-ml-py speaks to it. Everything here works, and
says so in a sentence, on a machine without a card. Cards of other makers have no such library: what llama.cpp
itself sees of them is in `labkit.measuring.hardware.llama_build()`.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.measuring.results import Result, Row, now_utc
from labkit.units import format_bytes


@dataclass(frozen=True)
class GPU:
    """One NVIDIA card."""

    name: str
    vram_bytes: int
    vram_free_bytes: int
    driver: str
    uuid: str
    bandwidth_bytes_per_s: float | None = None
    """Of its memory, rated, not measured: bus width × clock × 2. None where the driver does not say."""


@dataclass(frozen=True)
class GPUProcess:
    """A process that uses a card."""

    gpu_uuid: str
    pid: int
    used_bytes: int | None
    """None where the driver does not say: in some containers, and on Windows."""


@dataclass(frozen=True, repr=False)
class GPUWatch(Result):
    """The cards and what uses their memory, at one moment. Taught in chapters 6 and 19."""

    gpus: list[GPU]
    processes: list[GPUProcess]
    reason: str = ""
    """Why the list of cards is empty."""
    date: str = field(default_factory=now_utc)

    def title(self) -> str:
        return "GPU memory, as NVML reports it"

    def rows(self) -> list[Row]:
        rows = []
        for number, gpu in enumerate(self.gpus):
            used = gpu.vram_bytes - gpu.vram_free_bytes
            text = f"{format_bytes(used)} used of {format_bytes(gpu.vram_bytes)}, driver {gpu.driver}"
            rows.append(Row(f"GPU {number}: {gpu.name}", text))
            for process in self.processes:
                if process.gpu_uuid == gpu.uuid:
                    rows.append(Row(f"GPU {number}, process {process.pid}", process.used_bytes, "bytes"))
        return rows

    def __repr__(self) -> str:
        return super().__repr__() if self.gpus else self.reason

    def _repr_html_(self) -> str:
        return super()._repr_html_() if self.gpus else f"<p>{html.escape(self.reason)}</p>"


def watch_gpu() -> GPUWatch:
    """The NVIDIA cards of this machine, their memory, and which processes use it. Never raises."""
    with _nvml() as nvml:
        if isinstance(nvml, str):
            return GPUWatch([], [], reason=nvml)
        gpus, processes = [], []
        for handle in _handles(nvml):
            gpu = _describe(nvml, handle)
            gpus.append(gpu)
            used = _process_memory(nvml, handle)
            processes += [GPUProcess(gpu.uuid, pid, size) for pid, size in sorted(used.items())]
        reason = "" if gpus else "The NVIDIA driver is installed, but it shows no card to this process."
        return GPUWatch(gpus, processes, reason=reason)


def gpus() -> list[GPU]:
    """The NVIDIA cards; an empty list where there is no card or no driver."""
    return watch_gpu().gpus


class ProcessGPUMemory:
    """GPU memory of one process, asked several times over a run; the largest answer counts.

    Where the driver does not say what each process uses (containers without the host's process numbers), it
    is the growth of the whole card's use since this object was made: right when nothing else runs there.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self._used_in_all()
        self.largest_bytes: int | None = None

    def sample(self) -> None:
        """Ask now."""
        size = self._own()
        if size is None:
            now = self._used_in_all()
            if now is None or self._before is None:
                return
            size = max(0, now - self._before)
        self.largest_bytes = max(self.largest_bytes or 0, size)

    def _own(self) -> int | None:
        with _nvml() as nvml:
            if isinstance(nvml, str):
                return None
            sizes = [_process_memory(nvml, handle).get(self._pid) for handle in _handles(nvml)]
            known = [size for size in sizes if size is not None]
            return sum(known) if known else None

    def _used_in_all(self) -> int | None:
        with _nvml() as nvml:
            if isinstance(nvml, str):
                return None
            return sum(g.vram_bytes - g.vram_free_bytes for g in (_describe(nvml, h) for h in _handles(nvml)))


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """The module `pynvml`, ready to use; or a sentence that says why there is none."""
    try:
        import pynvml
    except ImportError:
        yield "nvidia-ml-py is not installed, so labkit can't ask for NVIDIA cards."
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield (
            f"No NVIDIA GPU was found on this machine ({_text(error).rstrip('.')}). "
            "Everything in this course also runs on the processor."
        )
        return
    try:
        yield pynvml
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _handles(nvml: Any) -> list[Any]:
    handles = []
    with contextlib.suppress(nvml.NVMLError):
        for index in range(nvml.nvmlDeviceGetCount()):
            with contextlib.suppress(nvml.NVMLError):
                handles.append(nvml.nvmlDeviceGetHandleByIndex(index))
    return handles


def _describe(nvml: Any, handle: Any) -> GPU:
    def ask(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except nvml.NVMLError:
            return None

    memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    return GPU(
        name=_text(ask(nvml.nvmlDeviceGetName, handle) or "unknown GPU"),
        vram_bytes=int(memory.total) if memory else 0,
        vram_free_bytes=int(memory.free) if memory else 0,
        driver=_text(ask(nvml.nvmlSystemGetDriverVersion) or ""),
        uuid=_text(ask(nvml.nvmlDeviceGetUUID, handle) or ""),
        bandwidth_bytes_per_s=_rated_bandwidth(nvml, ask, handle),
    )


def _rated_bandwidth(nvml: Any, ask: Callable[..., Any], handle: Any) -> float | None:
    """Bytes/s: an H100's 5,120 bits at 2,619 MHz are 3.35e12."""
    if not hasattr(nvml, "nvmlDeviceGetMemoryBusWidth"):
        return None
    width_bits = ask(nvml.nvmlDeviceGetMemoryBusWidth, handle)
    clock_mhz = ask(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_MEM)
    return width_bits / 8 * clock_mhz * 1e6 * 2 if width_bits and clock_mhz else None


def _process_memory(nvml: Any, handle: Any) -> dict[int, int | None]:
    """Process number → bytes on this card. A process may both compute and draw: it counts once."""
    found: dict[int, int | None] = {}
    for function in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        with contextlib.suppress(nvml.NVMLError):
            for process in function(handle):
                size = process.usedGpuMemory
                if size is not None or process.pid not in found:
                    found[process.pid] = size
    return found


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
