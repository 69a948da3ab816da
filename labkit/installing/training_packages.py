"""PyTorch, and what else the `train` extra needs: which build pip would take here, and what it is told.

PyPI's PyTorch for Linux brings NVIDIA's libraries with it. Whoever has no such card points pip to another
source, whose builds have a local version (`2.13.0+cpu`) and files that the lock file does not name. Such a
build is checked against the hash that its source states, everything else against the lock file.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError
from labkit.installing.environment import PythonEnvironment
from labkit.installing.run import child_environment
from labkit.installing.steps import digest

#: Space that the installed packages take: with NVIDIA's libraries, and without.
_NEEDED_BYTES = {True: 5 * 10**9, False: 10**9}

#: `pip(title, arguments)`: runs pip in the environment, with progress; a failure raises LabError.
Pip = Callable[[str, list[str]], None]


@dataclass(frozen=True)
class TorchBuild:
    """The build of PyTorch that pip takes on this computer."""

    version: str
    """As pip writes it, such as '2.13.0' or '2.13.0+cpu'."""
    sha256: str | None
    """The hash that its source states."""
    brings_cuda: bool
    """Whether NVIDIA's libraries come with it."""


def key(requirements: Path) -> str:
    return digest(requirements / "train.lock", requirements / "train.in")


def are_missing(environment: PythonEnvironment, kept: dict | None, requirements: Path) -> bool:
    """Whether `install` has something to do. `kept` is what it returned when it last finished."""
    if not kept or kept["key"] != key(requirements):
        return True
    there = set(kept["distributions"]) <= environment.distributions()
    return not there or (_installed_torch(environment) is not None) != kept["has_torch"]


def install(
    environment: PythonEnvironment,
    requirements: Path,
    kept: dict | None,
    pip: Pip,
    *,
    title: str,
    torch_is_a_must: bool,
) -> dict:
    """Install the packages. Returns what to keep for `are_missing` and for the next `install`.

    A PyTorch that this setup did not install stays as it is: somebody chose it for their card. Where there is
    none for this computer, a LabError says so, or with `torch_is_a_must=False` the rest is installed alone.
    """
    ours, present = (kept or {}).get("torch"), _installed_torch(environment)
    names, build, lock = _names(requirements), None, requirements / "train.lock"
    if present and present != ours:
        print(f"    PyTorch {present} is there already, and stays")
        names.remove("torch")
    elif (build := find_build(environment.python, lock, pip, title, torch_is_a_must)) is None:
        print("    there is no PyTorch for this computer: what trains a model is left out")
        names.remove("torch")
    else:
        _check_space(environment.prefix, build)
    before = environment.distributions()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text(constraints(lock, build), encoding="utf-8")
        options = ["--no-compile", "--progress-bar", "raw", "--require-hashes", "--constraint", str(file)]
        pip(title, ["install", *options, *names])
    torch = _installed_torch(environment)
    if torch and (problem := _failure(environment.python)):
        raise LabError(
            f"PyTorch {torch} is installed but does not run: {problem}",
            f"Remove it ({environment.python} -m pip uninstall torch), then run the same command again.",
        )
    added = environment.distributions() - before
    old = set((kept or {}).get("distributions", [])) & before
    return {
        "key": key(requirements),
        "torch": torch if build else None,
        "has_torch": torch is not None,
        "distributions": sorted(name for name in added | old if not name.startswith("torch-")),
    }


def find_build(python: Path, lock: Path, pip: Pip, title: str, is_a_must: bool) -> TorchBuild | None:
    """Ask pip which build of the locked version it would take. None: there is none for this computer."""
    version = re.search(r"^torch==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--dry-run", "--no-deps", "--ignore-installed", "--report", str(report)]
        try:
            pip(f"{title}: which build", ["install", *options, f"torch=={version}"])
        except LabError as error:
            if is_a_must or "pip found no torch" not in error.what:
                raise
            return None
        (found,) = json.loads(report.read_text(encoding="utf-8"))["install"]
    needs = found["metadata"].get("requires_dist", [])
    return TorchBuild(
        version=found["metadata"]["version"],
        sha256=found["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256"),
        brings_cuda=sys.platform == "linux" and any(line.startswith(("nvidia-", "cuda-")) for line in needs),
    )


def constraints(lock: Path, build: TorchBuild | None) -> str:
    """The text of the lock file; a build with a local version stands in the place of the locked one."""
    text = lock.read_text(encoding="utf-8")
    if build is None or "+" not in build.version or not build.sha256:
        return text
    entry = f"torch=={build.version} \\\n    --hash=sha256:{build.sha256}\n"
    return re.sub(r"^torch==.*\n(    --hash.*\n)*", lambda _: entry, text, count=1, flags=re.MULTILINE)


def _names(requirements: Path) -> list[str]:
    """What to install, by name. Versions and hashes come from the constraints."""
    return re.findall(r"^[a-z0-9-]+", (requirements / "train.in").read_text(encoding="utf-8"), re.MULTILINE)


def _installed_torch(environment: PythonEnvironment) -> str | None:
    """The version of the PyTorch in the environment."""
    names = (name for name in environment.distributions() if name.startswith("torch-"))
    return next((name.removeprefix("torch-").removesuffix(".dist-info") for name in names), None)


def _check_space(prefix: Path, build: TorchBuild) -> None:
    free, needed = shutil.disk_usage(prefix).free, _NEEDED_BYTES[build.brings_cuda]
    if free < needed:
        libraries = " and the NVIDIA libraries that it brings" if build.brings_cuda else ""
        raise LabError(
            f"The disk has {free / 1e9:.1f} GB free; PyTorch{libraries} takes {needed / 1e9:.0f} GB.",
            "Free some space, or point pip to a build for the processor alone (see the README), "
            "then run the same command again.",
        )


def _failure(python: Path) -> str | None:
    """Load PyTorch in a child process and let it compute a little. None when it works."""
    command = [str(python), "-c", "import torch; torch.ones(2) @ torch.ones(2)"]
    result = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=child_environment()
    )
    if result.returncode == 0:
        return None
    return (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
