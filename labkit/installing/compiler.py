"""Is there a C++ compiler that works? llama.cpp is compiled on this computer, for this processor."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.errors import LabError

_PROGRAM = "#include <filesystem>\n#include <vector>\nint main() { std::vector<int> v{0}; return v[0]; }\n"


def find_compiler() -> str:
    """The first line of the compiler's `--version`. LabError with what to install when there is none."""
    if sys.platform == "win32":
        return _find_windows_compiler()
    if sys.platform == "darwin" and subprocess.run(["xcode-select", "-p"], capture_output=True).returncode:
        # Without this check macOS would open a window and make the caller wait.
        raise _no_compiler()
    chosen = os.environ.get("CXX", "").split()
    for command in [chosen] if chosen else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(command[0]) and (problem := _try(command)) is None:
            version = subprocess.run(
                [*command, "--version"], capture_output=True, text=True, errors="replace"
            )
            return (version.stdout.splitlines() or [command[0]])[0].strip()
        if chosen:
            raise LabError(
                f"CXX is set to {' '.join(chosen)}, which can't compile C++17.", "Unset CXX, or correct it."
            )
        if shutil.which(command[0]) and problem:
            raise LabError(f"The C++ compiler `{command[0]}` does not work: {problem}", _no_compiler().cure)
    raise _no_compiler()


def _try(command: list[str]) -> str | None:
    """Compile a few lines of C++17. None when it works, else the compiler's first complaint."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "try.cpp"
        source.write_text(_PROGRAM)
        arguments = [*command, "-std=c++17", str(source), "-o", str(Path(folder) / "try")]
        try:
            result = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    if result.returncode == 0:
        return None
    complaints = [line for line in result.stderr.splitlines() if "error" in line.lower()]
    return (complaints or result.stderr.splitlines() or ["it gave no reason"])[0].strip()


def _find_windows_compiler() -> str:
    if shutil.which("cl"):
        return "Microsoft C++ (cl)"
    programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
    vswhere = Path(programs) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    if vswhere.exists():
        query = ["-latest", "-products", "*", "-property", "displayName"]
        tools = ["-requires", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"]
        if platform.machine().lower() in ("arm64", "aarch64"):
            tools = ["-requires", "Microsoft.VisualStudio.Component.VC.Tools.ARM64"]
        found = subprocess.run([str(vswhere), *query, *tools], capture_output=True, text=True)
        if found.stdout.strip():
            return found.stdout.strip().splitlines()[0]
    for name in ("g++", "clang++"):
        if shutil.which(name):
            return name
    raise _no_compiler()


def _no_compiler() -> LabError:
    return LabError(
        "There is no C++ compiler. llama.cpp, which runs the models, is compiled on this computer.",
        f"{install_hint()}\nThen run the same command again.",
    )


def install_hint() -> str:
    """What to type to get a compiler, on this system."""
    if sys.platform == "darwin":
        return "Install Apple's command line tools: xcode-select --install"
    if sys.platform == "win32":
        return (
            "Install 'Build Tools for Visual Studio' with the workload 'Desktop development with C++':\n"
            "    winget install Microsoft.VisualStudio.2022.BuildTools\n"
            "or take a prebuilt llama.cpp: add --prebuilt to the command"
        )
    for tool, command in (
        ("apt-get", "sudo apt install build-essential"),
        ("dnf", "sudo dnf install gcc-c++ make"),
        ("pacman", "sudo pacman -S base-devel"),
        ("zypper", "sudo zypper install gcc-c++ make"),
        ("apk", "sudo apk add build-base linux-headers"),
    ):
        if shutil.which(tool):
            return f"Install one: {command}"
    return "Install g++ or clang++ with your system's package manager."
