"""Reading what pip and the compilers print: progress while they work, a sentence when they fail."""

from __future__ import annotations

import re

from labkit.errors import LabError
from labkit.installing.console import spell_seconds

#: `[57/193] /usr/bin/c++ ...` (ninja) and `[ 29%] Building CXX object ...` (make)
_NINJA = re.compile(r"^\s*\[(\d+)/(\d+)\] ")
_MAKE = re.compile(r"^\s*\[\s*(\d+)%\] ")
_COLLECTING = re.compile(r"^Collecting ([A-Za-z0-9._-]+)")
#: what pip prints while it downloads, with `--progress-bar raw`
_DOWNLOADED = re.compile(r"^Progress (\d+) of (\d+)$")


class Progress:
    """Turns pip's lines into one short text. `now()` may be asked between two lines as well."""

    def __init__(self) -> None:
        self.packages = 0
        self.step, self.steps = 0, 0
        self._phase = "working"
        self._downloaded = ""
        self._build_started: float | None = None

    def read(self, line: str, seconds: float) -> None:
        """Take in one line, printed `seconds` after the start."""
        if match := _NINJA.match(line):
            self.step, self.steps = int(match[1]), int(match[2])
        elif match := _MAKE.match(line):
            self.step, self.steps = int(match[1]), 100
        elif match := _COLLECTING.match(line):
            self.packages += 1
            self._phase = f"fetching, package {self.packages} ({match[1]})"
            self._downloaded = ""
        elif match := _DOWNLOADED.match(line):
            self._downloaded = f", {int(match[1]) / 1e6:.0f} of {int(match[2]) / 1e6:.0f} MB"
        elif line.startswith("Installing collected packages"):
            self.step = self.steps = 0
            self._phase, self._downloaded = "installing", ""
        elif "Running command Building wheel" in line:
            self._phase = "preparing to compile"
        elif "Building project with" in line:
            self._phase = "compiling"
        elif "Created wheel for" in line:
            self.step = self.steps = 0
            self._phase = "storing the result"
        if self.steps and self._build_started is None:
            self._build_started = seconds

    def now(self, seconds: float) -> str:
        """What to show `seconds` after the start."""
        elapsed = spell_seconds(seconds)
        if not self.steps:
            return f"{self._phase}{self._downloaded}, {elapsed}"
        unit = "%" if self.steps == 100 else f" of {self.steps} files"
        text = f"compiling, {self.step}{unit}, {elapsed}"
        building = seconds - (self._build_started or 0.0)
        if building > 30 and self.step >= 0.1 * self.steps:
            minutes_left = building * (self.steps - self.step) / self.step / 60
            text += f", about {max(1, round(minutes_left))} min left"
        return text


_DISK = (
    "No space left on device",
    "Errno 28",
    "Disk quota exceeded",
    "There is not enough space on the disk",
)
_NETWORK = (
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "NameResolutionError",
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Network is unreachable",
    "Connection refused",
    "No route to host",
    "getaddrinfo failed",
    "Connection broken",
    "IncompleteRead",
)
_CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "SSLError", "SSLCertVerificationError")
_PROXY = ("ProxyError", "407 Proxy Authentication Required", "Tunnel connection failed")
_COMPILER = (
    "No CMAKE_CXX_COMPILER could be found",
    "No CMAKE_C_COMPILER could be found",
    "CMAKE_CXX_COMPILER not set",
)
_MEMORY = (
    "Killed signal terminated program",
    "virtual memory exhausted",
    "cc1plus: out of memory",
    "std::bad_alloc",
)
_CUDA = ("CUDA Toolkit not found", "Could not find nvcc", "No CMAKE_CUDA_COMPILER could be found")
_VULKAN = ("Could NOT find Vulkan", "missing: Vulkan_")
_HIP = (
    'Could not find a package configuration file provided by "hip"',
    "find_package(hip",
    "hipConfig.cmake",
)

_OUTSIDE_THE_LOCK = (
    "In --require-hashes mode, all requirements must have their versions pinned",
    "Hashes are required in --require-hashes mode, but they are missing",
)

_CAUSES: list[tuple[tuple[str, ...], str, str]] = [
    (
        ("DO NOT MATCH THE HASHES",),
        "A downloaded file is not the one that the lock file names.",
        "Run the same command again. If it happens each time, something between you and the package index "
        "changes files: ask whoever runs your network or package mirror.",
    ),
    (
        _OUTSIDE_THE_LOCK,
        "It needs a package that the lock file does not name.",
        "Install that package yourself with the environment's own pip (`.venv/bin/pip install torch`), then "
        "run the same command again: what is there already stays.",
    ),
    (_DISK, "The disk is full.", "Free about 3 GB, then run the same command again."),
    (
        _PROXY,
        "The proxy refused the connection.",
        "Check `HTTPS_PROXY` and `pip config list`, then run it again.",
    ),
    (
        _CERTIFICATE,
        "The package index answered with a certificate that this computer does not trust.",
        "Behind a company proxy, point pip to its certificate: `pip config set global.cert FILE`.",
    ),
    (
        _NETWORK,
        "The package index can't be reached.",
        "Check the network connection (and `pip config list`, if you use a mirror), then run the same "
        "command again: finished steps are kept.",
    ),
    (_MEMORY, "The compiler ran out of memory.", "Compile one file at a time: `make setup JOBS=1`."),
    (
        _CUDA,
        "The CUDA toolkit was not found.",
        "Install NVIDIA's CUDA toolkit so that `nvcc --version` answers, or run with `GPU=cpu`.",
    ),
    (
        _VULKAN,
        "The Vulkan SDK was not found.",
        "Install the Vulkan headers, loader and `glslc` (Debian, Ubuntu: `sudo apt install libvulkan-dev "
        "glslc`), or run with `GPU=cpu`.",
    ),
    (_HIP, "AMD's ROCm was not found.", "Install ROCm with its HIP compiler, or run with `GPU=cpu`."),
    (
        _COMPILER,
        "CMake found no C++ compiler.",
        "Run `labkit.bootstrap` again after installing one; see the README.",
    ),
    (
        ("Permission denied", "Errno 13"),
        "A file or folder may not be written.",
        "Check who owns the clone and `.venv`.",
    ),
]


def failure(step: str, output: str, log: str) -> LabError:
    """The sentence for a failed step, from the `output` that it printed. The file `log` holds all of it."""
    for signs, what, cure in _CAUSES:
        if any(sign in output for sign in signs):
            return LabError(f"{step} failed. {what}", f"{cure}\nThe whole output is in {log}")
    if match := re.search(r"No matching distribution found for (\S+)", output):
        return LabError(
            f"{step} failed. pip found no {match[1]} for this computer.",
            "With PREBUILT=yes: upstream has none, so run without it. Otherwise check the network and, "
            f"if you use a mirror of the package index, `pip config list`.\nThe whole output is in {log}",
        )
    last = [line.strip() for line in output.splitlines() if re.search(r"\berror\b", line, re.IGNORECASE)]
    reason = f" It says: {last[-1][:300]}" if last else ""
    return LabError(
        f"{step} failed.{reason}",
        f"The whole output is in {log}\nRun the same command again to try once more.",
    )
