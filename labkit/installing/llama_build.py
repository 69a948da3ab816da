"""Which llama.cpp to install: compiled here for the processor or a GPU, or one of upstream's prebuilt wheels.

pip keeps the wheels that it builds, but does not look at CMAKE_ARGS when it takes one from its cache. So only
the plain build (no arguments of ours or yours) uses that cache; every other build passes it by.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.errors import LabError

#: variant → what CMake is told
CMAKE_ARGUMENTS = {
    "cpu": "",  # on a Mac llama.cpp adds Metal by itself
    "cuda": "-DGGML_CUDA=on",
    "metal": "-DGGML_METAL=on",
    "vulkan": "-DGGML_VULKAN=on",
    "hip": "-DGGML_HIP=on",
    # For images that move between machines: no instructions that only the building machine has.
    "portable": "-DGGML_NATIVE=OFF",
}

PREBUILT_INDEX = "https://abetlen.github.io/llama-cpp-python/whl/"

#: The CUDA versions that upstream builds for, newest first. A driver runs wheels of its own version or older.
_CUDA_WHEELS = ((13, 2), (13, 0), (12, 5), (12, 4), (12, 3), (12, 2), (12, 1), (11, 8))

#: compiler that a GPU variant needs, where else it may be, what to install
_GPU_COMPILERS = {
    "cuda": ("nvcc", ("/usr/local/cuda/bin/nvcc",), "NVIDIA's CUDA toolkit"),
    "vulkan": ("glslc", (), "the Vulkan SDK (Debian, Ubuntu: sudo apt install libvulkan-dev glslc)"),
    "hip": ("hipcc", ("/opt/rocm/bin/hipcc",), "AMD's ROCm with its HIP compiler"),
}


@dataclass(frozen=True)
class LlamaBuild:
    """One way to get llama.cpp."""

    variant: str
    """A key of CMAKE_ARGUMENTS."""
    cmake_arguments: str
    """All that CMake is told, the user's own CMAKE_ARGS included."""
    prebuilt: bool
    """True: upstream's wheel, nothing is compiled here."""

    @property
    def may_use_pip_cache(self) -> bool:
        return self.prebuilt or not self.cmake_arguments

    def to_dict(self) -> dict[str, str | bool]:
        return asdict(self)

    def __str__(self) -> str:
        how = "prebuilt" if self.prebuilt else "compiled here"
        return f"llama.cpp for {self.variant}, {how}"


def choose(gpu: str | None, prebuilt: bool, recorded: dict | None) -> LlamaBuild:
    """The build asked for. With nothing asked, the one that is there (`recorded`) stays, else `cpu`."""
    own = os.environ.get("CMAKE_ARGS", "").strip()
    if gpu is None and not prebuilt and not own and recorded:
        try:
            return LlamaBuild(**recorded)
        except TypeError:
            pass  # written by another version of this file
    variant = (gpu or "cpu").lower()
    if variant not in CMAKE_ARGUMENTS:
        raise LabError(
            f"GPU={gpu} is not known.", f"Choose one of: {', '.join(name for name in CMAKE_ARGUMENTS)}."
        )
    if variant == "metal" and sys.platform != "darwin":
        raise LabError("GPU=metal is for Macs.", "Choose cuda, vulkan, hip or cpu.")
    arguments = "" if prebuilt else f"{CMAKE_ARGUMENTS[variant]} {own}".strip()
    return LlamaBuild(variant, arguments, prebuilt)


def check_gpu_tools(build: LlamaBuild) -> None:
    """LabError when the compiler for this GPU is missing: better now than after minutes of compiling."""
    if build.prebuilt or build.variant not in _GPU_COMPILERS:
        return
    tool, places, install = _GPU_COMPILERS[build.variant]
    if shutil.which(tool) or any(Path(place).exists() for place in places) or os.environ.get("CUDACXX"):
        return
    raise LabError(
        f"GPU={build.variant} needs `{tool}`, which is not installed.",
        f"Install {install}, or take upstream's prebuilt llama.cpp with PREBUILT=yes, or run with GPU=cpu.",
    )


def pip_arguments(build: LlamaBuild, requirements: Path) -> list[str]:
    """What follows `pip install` for this build."""
    lock = requirements / "llama-cpp.lock"
    common = ["--no-deps", "--no-compile", "--force-reinstall"]
    if build.prebuilt:
        version = re.search(r"^llama-cpp-python==\S+", lock.read_text(encoding="utf-8"), re.MULTILINE)[0]
        index = PREBUILT_INDEX + prebuilt_folder(build.variant)
        return [*common, "--only-binary", "llama-cpp-python", "--extra-index-url", index, version]
    cache = [] if build.may_use_pip_cache else ["--no-cache-dir"]
    constraint = ["--build-constraint", str(requirements / "build.lock")]
    return ["--verbose", *common, *cache, "--require-hashes", *constraint, "-r", str(lock)]


def prebuilt_folder(variant: str) -> str:
    """The folder of upstream's index for a variant: `cuda` → `cu124`, by what the driver can run."""
    if variant == "cuda":
        driver = _driver_cuda_version()
        for version in _CUDA_WHEELS:
            if version <= driver:
                return f"cu{version[0]}{version[1]}"
        raise LabError(
            "No NVIDIA driver answers, or it is older than CUDA 11.8.",
            "Update the driver, or run with GPU=cpu.",
        )
    return {"hip": "rocm72", "portable": "cpu"}.get(variant, variant)


def _driver_cuda_version() -> tuple[int, int]:
    """The newest CUDA that the NVIDIA driver runs, (0, 0) without a driver."""
    try:
        answer = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def compile_jobs(requested: int | None) -> int:
    """Files to compile at once: the cores allowed, fewer where memory is short (1.5 GiB a compiler)."""
    if requested:
        return requested
    try:
        from labkit.limits import cores_allowed, memory_allowed_bytes

        return max(1, min(cores_allowed(), int(memory_allowed_bytes() / (1.5 * 2**30))))
    except ImportError:  # psutil, which Windows and macOS need for this, is not installed yet
        return os.cpu_count() or 1
