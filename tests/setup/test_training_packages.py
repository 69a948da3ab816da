"""PyTorch in the setup: which build is taken, and what stays as it is. Real pip, packages of a few bytes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.installing import training_packages
from labkit.installing.training_packages import TorchBuild
from tests.setup.mini_clone import MiniClone

DONE = "nothing to do"
STEP = "PyTorch ..."
LOCK = Path(__file__).resolve().parents[2] / "requirements" / "train.lock"


@pytest.fixture
def clone(finished_clone: MiniClone) -> Iterator[MiniClone]:
    """A clone that is set up for the lab, as after `make lab`. What a test adds is taken away again."""
    lock, sources = finished_clone.requirements / "train.lock", list(finished_clone.sources)
    text = lock.read_text()
    yield finished_clone
    lock.write_text(text)
    finished_clone.sources[:] = sources
    pip(finished_clone, "uninstall", "--yes", "torch", "nvidia_all", "gguf")


def pip(clone: MiniClone, *arguments: str) -> None:
    python = clone.python("import sys; print(sys.executable)")
    subprocess.run(
        [python, "-m", "pip", *arguments], env=clone.environment(), capture_output=True, check=True
    )


def installed(clone: MiniClone) -> list[str]:
    code = (
        "from importlib.metadata import distributions as d; print(*(f'{i.name} {i.version},' for i in d()))"
    )
    names = ("torch", "nvidia", "gguf")
    return sorted(name.strip() for name in clone.python(code).split(",") if name.strip().startswith(names))


def other_source(clone: MiniClone, folder: Path, version: str, **options: str) -> None:
    """Point pip to a second source as well, which has this build of PyTorch."""
    clone.torch(version, folder, **options)
    clone.sources.append(folder)


def test_only_those_who_ask_for_it_get_pytorch(clone: MiniClone) -> None:
    assert installed(clone) == [] and DONE in clone.set_up().stdout
    result = clone.set_up("--train")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[4/6] PyTorch: done" in result.stdout
    assert installed(clone) == ["gguf 1.0", "nvidia_all 1.0", "torch 2.0"]
    assert DONE in clone.set_up("--train").stdout and DONE in clone.set_up().stdout


def test_the_tests_get_it_too(clone: MiniClone) -> None:
    assert clone.set_up("--test").returncode == 0
    assert "torch 2.0" in installed(clone)
    assert DONE in clone.set_up("--test").stdout and DONE in clone.set_up("--train").stdout


def test_a_build_for_the_processor_comes_without_nvidia_s_libraries(clone: MiniClone, tmp_path: Path) -> None:
    other_source(clone, tmp_path, "2.0+cpu")
    result = clone.set_up("--train")
    assert result.returncode == 0, result.stdout + result.stderr
    assert installed(clone) == ["gguf 1.0", "torch 2.0+cpu"]
    assert DONE in clone.set_up("--train").stdout


def test_a_file_that_is_not_the_locked_one_is_refused(clone: MiniClone) -> None:
    wheel = clone.wheels / "torch-2.0-py3-none-any.whl"
    good = wheel.read_bytes()
    try:
        clone.torch("2.0", code="raise SystemExit('not what was locked')")
        result = clone.set_up("--train")
        assert result.returncode == 1
        assert "not the one that the lock file names" in result.stderr and "Traceback" not in result.stderr
    finally:
        wheel.write_bytes(good)
    assert clone.set_up("--train").returncode == 0 and "torch 2.0" in installed(clone)


def test_a_pytorch_of_one_s_own_stays(clone: MiniClone, tmp_path: Path) -> None:
    clone.torch("1.9+cu1", tmp_path)
    pip(clone, "install", "--no-deps", "--find-links", str(tmp_path), "torch==1.9+cu1")
    result = clone.set_up("--train")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "PyTorch 1.9+cu1 is there already, and stays" in result.stdout
    assert installed(clone) == ["gguf 1.0", "torch 1.9+cu1"]
    assert DONE in clone.set_up("--train").stdout


def test_a_new_lock_replaces_the_pytorch_that_the_old_one_brought(clone: MiniClone) -> None:
    assert clone.set_up("--train").returncode == 0
    packages = [clone.wheels / f"{name}-1.0-py3-none-any.whl" for name in ("nvidia_all", "gguf")]
    clone.lock("train.lock", clone.torch("2.1"), *packages)
    assert DONE in clone.set_up().stdout  # the lab has no part in it
    result = clone.set_up("--train")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "torch 2.1" in installed(clone) and "stays" not in result.stdout


def test_a_removed_pytorch_comes_back(clone: MiniClone) -> None:
    assert clone.set_up("--train").returncode == 0
    file = clone.root / ".venv" / "labkit-setup.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "packages": None}))
    assert "Packages ..." in clone.set_up().stdout
    pip(clone, "uninstall", "--yes", "torch", "nvidia_all")
    assert DONE in clone.set_up().stdout  # nothing that the lab needs is gone
    assert STEP in clone.set_up("--train").stdout
    assert {"nvidia_all 1.0", "torch 2.0"} <= set(installed(clone))


def test_where_there_is_no_pytorch_only_training_fails(clone: MiniClone) -> None:
    wheel = clone.wheels / "torch-2.0-py3-none-any.whl"
    wheel.rename(wheel.with_suffix(".away"))
    try:
        result = clone.set_up("--train")
        assert result.returncode == 1 and "pip found no torch" in result.stderr
        result = clone.set_up("--test")
        assert result.returncode == 0, result.stderr
        assert "no PyTorch for this computer" in result.stdout
        assert installed(clone) == ["gguf 1.0"]
        assert DONE in clone.set_up("--test").stdout
    finally:
        wheel.with_suffix(".away").rename(wheel)


def test_a_build_that_needs_what_the_lock_does_not_name(clone: MiniClone, tmp_path: Path) -> None:
    """A build for a card, from a source of one's own."""
    from tests.setup.mini_clone import make_wheel

    make_wheel(tmp_path, "torch", "2.0+cu1", {"torch/__init__.py": ""}, ("other-cuda==1.0",))
    make_wheel(tmp_path, "other_cuda", "1.0", {"other_cuda.py": ""})
    clone.sources.append(tmp_path)
    result = clone.set_up("--train")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "the lock file does not name" in result.stderr and "pip install" in result.stderr


def test_a_pytorch_that_does_not_run_is_said(clone: MiniClone, tmp_path: Path) -> None:
    other_source(clone, tmp_path, "2.0+cpu", code="raise ImportError('libsomething is missing')")
    result = clone.set_up("--train")
    assert result.returncode == 1
    assert "does not run" in result.stderr and "libsomething is missing" in result.stderr


def test_only_pytorch_s_own_line_gives_way_to_a_local_build(tmp_path: Path) -> None:
    text = training_packages.constraints(LOCK, TorchBuild("2.13.0+cpu", "ab" * 32, False))
    locked = LOCK.read_text(encoding="utf-8")
    assert f"\ntorch==2.13.0+cpu \\\n    --hash=sha256:{'ab' * 32}\n" in text
    entries = [line for line in locked.splitlines() if "==" in line]
    assert [line for line in text.splitlines() if "==" in line] == [
        line.replace("2.13.0", "2.13.0+cpu") if line.startswith("torch==") else line for line in entries
    ]
    for build in (None, TorchBuild("2.13.0", "ab" * 32, True)):
        assert training_packages.constraints(LOCK, build) == locked
