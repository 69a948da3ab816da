"""What this machine is, and what of it this process may use.

`machine()` works on Linux, macOS and Windows. What the system does not tell is None or an empty list.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from labkit import limits, settings
from labkit.measuring.gpu import GPU, gpus
from labkit.measuring.llama_build import LlamaBuild, ggml_version, llama_build
from labkit.measuring.results import Result, Row

__all__ = ["GPU", "LlamaBuild", "Machine", "last_level_cache_bytes", "llama_build", "machine", "versions"]

#: Instruction sets that matter to llama.cpp, as Linux names them; a processor has some hundred others.
_MATTERS = [
    *("sse4_2", "avx", "avx2", "f16c", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vbmi"),
    *("avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2", "sme", "neon", "vsx"),
]

#: Windows: IsProcessorFeaturePresent's numbers (winnt.h) → the names above
_WINDOWS_FEATURES = {38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 43: "asimddp", 46: "sve"}

#: macOS: sysctl's names → the names above
_MACOS_FEATURES = {
    "hw.optional.avx1_0": "avx",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.fma": "fma",
    "hw.optional.f16c": "f16c",
    "hw.optional.avx512f": "avx512f",
    "hw.optional.AdvSIMD": "asimd",
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_SME": "sme",
}


@dataclass(frozen=True, repr=False)
class Machine(Result):
    """A machine, as this process sees it. Taught in chapter 19."""

    cpu: str
    instruction_sets: list[str]
    cores_present: int
    """Logical CPUs of the machine."""
    cores_allowed: int
    """Logical CPUs that affinity and quota let this process use."""
    memory_total_bytes: int
    memory_allowed_bytes: int
    """The RAM, or a control group's smaller limit."""
    memory_available_bytes: int
    """Free within that limit, now."""
    disk_free_bytes: int
    """Where labkit keeps model files."""
    last_level_cache_bytes: int | None
    """The cache next to memory, of all the allowed cores together."""
    gpus: list[GPU]
    os: str
    python: str

    def title(self) -> str:
        return f"This machine: {self.cpu}"

    def rows(self) -> list[Row]:
        rows = [
            Row("Processor", self.cpu),
            Row("Instruction sets that llama.cpp can use", ", ".join(self.instruction_sets) or None),
            Row("Cores allowed to this process", f"{self.cores_allowed} of {self.cores_present}"),
            Row("Last-level cache", self.last_level_cache_bytes, "bytes"),
            Row("Memory of the machine", self.memory_total_bytes, "bytes"),
            Row("Memory allowed to this process", self.memory_allowed_bytes, "bytes"),
            Row("Memory available now", self.memory_available_bytes, "bytes"),
            Row("Disk free", self.disk_free_bytes, "bytes"),
        ]
        for gpu in self.gpus:
            rows.append(Row(f"GPU {gpu.name}", gpu.vram_bytes, "bytes"))
        if not self.gpus:
            rows.append(Row("NVIDIA GPU", "none found"))
        return [*rows, Row("System", self.os), Row("Python", self.python)]


def machine() -> Machine:
    """Describe this machine. Never raises; what can't be found out is None, 0 or an empty list."""
    return Machine(
        cpu=_cpu_name(),
        instruction_sets=_instruction_sets(),
        cores_present=os.cpu_count() or 1,
        cores_allowed=limits.cores_allowed(),
        memory_total_bytes=limits.memory_total_bytes(),
        memory_allowed_bytes=limits.memory_allowed_bytes(),
        memory_available_bytes=limits.memory_available_bytes(),
        disk_free_bytes=_disk_free_bytes(settings.cache_dir()),
        last_level_cache_bytes=last_level_cache_bytes(),
        gpus=gpus(),
        os=_os_name(),
        python=platform.python_version(),
    )


def versions() -> dict[str, str]:
    """Versions of what a measurement depends on: labkit, llama-cpp-python, ggml, Python.

    ggml's own version is there only once llama.cpp is loaded in this process; this function does not load it.
    """
    from labkit import __version__

    found = {"labkit": __version__, "python": platform.python_version()}
    try:
        found["llama_cpp_python"] = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        found["llama_cpp_python"] = "not installed"
    if "llama_cpp" in sys.modules:
        found["ggml"] = ggml_version()
    return found


def last_level_cache_bytes(root: Path = Path("/")) -> int | None:
    """Bytes of the cache nearest to memory, summed over its copies that serve allowed cores; None if unknown.

    On Apple silicon the system-level cache is not told; the largest L2 stands in.
    """
    if sys.platform == "darwin":
        names = ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")
        return next((size for size in map(limits._sysctl_int, names) if size), None)
    if sys.platform == "win32":
        return _windows_last_level_cache_bytes()
    copies: dict[tuple[int, str], int] = {}
    for cpu in limits._affinity():
        for index in (root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*"):
            level, kind, size = (limits._read(index / name) for name in ("level", "type", "size"))
            match = re.fullmatch(r"(\d+)([KMG]?)", size)
            if level.isdigit() and kind != "Instruction" and match:
                shared = limits._read(index / "shared_cpu_list") or str(cpu)
                scale = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[match[2]]
                copies[int(level), shared] = int(match[1]) * scale
    if not copies:
        return None
    last = max(level for level, _ in copies)
    return sum(size for (level, _), size in copies.items() if level == last)


def _windows_last_level_cache_bytes() -> int | None:
    """From GetLogicalProcessorInformation: records of 32 bytes on 64-bit Windows (winnt.h)."""
    try:
        function = ctypes.windll.kernel32.GetLogicalProcessorInformation  # type: ignore[attr-defined]
        length = ctypes.c_ulong(0)
        function(None, ctypes.byref(length))
        buffer = ctypes.create_string_buffer(length.value)
        if not function(buffer, ctypes.byref(length)):
            return None
    except (AttributeError, OSError):
        return None
    totals: dict[int, int] = {}
    for start in range(0, length.value, 32):
        record = buffer.raw[start : start + 32]
        is_cache, is_instruction = record[8] == 2, record[24] == 1
        if is_cache and not is_instruction:
            size = int.from_bytes(record[20:24], "little")
            totals[record[16]] = totals.get(record[16], 0) + size
    return totals[max(totals)] if totals else None


def _cpu_name() -> str:
    if sys.platform == "darwin":
        return _sysctl_text("machdep.cpu.brand_string") or platform.machine()
    if sys.platform == "win32":
        import winreg

        path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        except OSError:
            return platform.processor() or platform.machine()
    fields = _cpuinfo()
    for name in ("model name", "Model", "Hardware", "cpu model", "uarch"):
        if fields.get(name):
            return fields[name]
    return f"{platform.machine()} processor"


def _instruction_sets() -> list[str]:
    if sys.platform == "darwin":
        return [short for name, short in _MACOS_FEATURES.items() if limits._sysctl_int(name)]
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        return [short for number, short in _WINDOWS_FEATURES.items() if present(number)]
    fields = _cpuinfo()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return [name for name in _MATTERS if name in flags]


def _cpuinfo() -> dict[str, str]:
    """The first value of each field in /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in limits._read(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _os_name() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]} {platform.machine()}"
    if sys.platform == "linux":
        try:
            name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
        except OSError:
            name = "Linux"
        return f"{name}, kernel {platform.release()}, {platform.machine()}"
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def _sysctl_text(name: str) -> str:
    size = ctypes.c_size_t(0)
    libc = ctypes.CDLL(None)
    if libc.sysctlbyname(name.encode(), None, ctypes.byref(size), None, 0) or not size.value:
        return ""
    buffer = ctypes.create_string_buffer(size.value)
    libc.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, 0)
    return buffer.value.decode(errors="replace").strip()


def _disk_free_bytes(folder: Path) -> int:
    """Free space where `folder` is or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
