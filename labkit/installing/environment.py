"""The folder `.venv`: make it, recognise a broken one, remove what is not worth repairing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError
from labkit.installing.run import child_environment

_QUESTION = (
    "import sys, sysconfig, importlib.util as u; assert u.find_spec('pip');"
    "print('%d.%d' % sys.version_info[:2]); print(sys.prefix); print(sysconfig.get_path('purelib'))"
)


@dataclass(frozen=True)
class PythonEnvironment:
    """A Python environment that works."""

    prefix: Path
    python: Path
    version: str
    """Major and minor, such as '3.11': what installed packages depend on."""
    site_packages: Path

    def pip_works(self) -> bool:
        """Whether pip starts: a folder called `pip` may be the half of an interrupted installation."""
        command = [str(self.python), "-m", "pip", "--version"]
        return subprocess.run(command, capture_output=True, env=child_environment()).returncode == 0

    def distributions(self) -> set[str]:
        """Names of the metadata folders of what is installed: package and version."""
        return {path.name for path in self.site_packages.glob("*.dist-info") if (path / "RECORD").exists()}


def python_in(prefix: Path) -> Path:
    """Where an environment has its interpreter."""
    if os.name != "nt":
        return prefix / "bin" / "python"
    inside = prefix / "Scripts" / "python.exe"
    return inside if inside.exists() else prefix / "python.exe"


def inspect(prefix: Path) -> PythonEnvironment | None:
    """The environment in `prefix`, or None when there is none that works there."""
    python = python_in(prefix)
    try:
        answer = subprocess.run(
            [str(python), "-c", _QUESTION],
            capture_output=True,
            text=True,
            env=child_environment(),
            timeout=120,
        )
        lines = answer.stdout.splitlines()
        if answer.returncode or len(lines) != 3 or not os.path.samefile(lines[1], prefix):
            return None
    except (OSError, subprocess.SubprocessError):
        return None
    return PythonEnvironment(prefix, python, lines[0], Path(lines[2]))


def remove(prefix: Path) -> None:
    """Delete an environment. Anything that does not look like one is left alone, with a LabError."""
    if not os.path.lexists(prefix):
        return
    looks_like_one = (prefix / "pyvenv.cfg").exists() or not any(
        prefix.iterdir() if prefix.is_dir() else [prefix]
    )
    if prefix.is_symlink() or not looks_like_one:
        raise LabError(
            f"{prefix} exists, and is not a Python environment.", "Move it away, then run this again."
        )
    try:
        shutil.rmtree(prefix)
    except OSError as error:
        raise LabError(
            f"The old environment in {prefix} can't be removed: {error.strerror}.",
            "Close JupyterLab and every terminal that uses it, then run this again.",
        ) from error


def create(prefix: Path) -> PythonEnvironment:
    """A fresh environment with pip in it."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    result = subprocess.run(
        [base, "-m", "venv", str(prefix)],
        capture_output=True,
        text=True,
        errors="replace",
        env=child_environment(),
    )
    made = inspect(prefix) if result.returncode == 0 else None
    if made:
        return made
    output = result.stdout + result.stderr
    if "No space left" in output or "Errno 28" in output:
        raise LabError("The disk is full.", "Free about 3 GB, then run the same command again.")
    if "ensurepip" in output or "No module named venv" in output:
        minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise LabError(
            "This Python can't make environments: its venv module is not installed.",
            f"Debian, Ubuntu: sudo apt install python{minor}-venv\nThen run the same command again.",
        )
    reason = (output.strip().splitlines() or ["no reason given"])[-1]
    raise LabError(f"The Python environment could not be made: {reason}", "Run the same command again.")
