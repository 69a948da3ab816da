"""The setup on a clone in miniature: real environments, real pip, packages of a few bytes."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.mini_clone import REPOSITORY, MiniClone

DONE = "nothing to do"


def test_a_fresh_clone_becomes_complete(finished_clone: MiniClone) -> None:
    assert finished_clone.python("import alpha, llama_cpp, labkit; print(alpha.version)") == "1.0"


def test_the_second_run_does_nothing(finished_clone: MiniClone) -> None:
    before = finished_clone.python("import alpha; print(alpha.__file__)")
    changed = os.stat(before).st_mtime_ns
    result = finished_clone.set_up()
    assert result.returncode == 0
    assert DONE in result.stdout
    assert os.stat(before).st_mtime_ns == changed


def test_a_removed_package_comes_back(finished_clone: MiniClone) -> None:
    alpha = Path(finished_clone.python("import alpha; print(alpha.__file__)")).parent
    shutil.rmtree(alpha)
    shutil.rmtree(next(alpha.parent.glob("alpha-*.dist-info")))
    result = finished_clone.set_up()
    assert result.returncode == 0, result.stderr
    assert "Packages" in result.stdout
    assert "llama.cpp (cpu) ..." not in result.stdout
    assert finished_clone.python("import alpha; print(alpha.version)") == "1.0"


def test_a_half_written_package_is_not_trusted(finished_clone: MiniClone) -> None:
    """What a kill in the middle of the package step leaves: metadata that looks whole, a file cut short."""
    alpha = Path(finished_clone.python("import alpha; print(alpha.__file__)"))
    alpha.write_text(alpha.read_text()[:100])
    _forget(finished_clone, "packages")
    result = finished_clone.set_up()
    assert result.returncode == 0, result.stderr
    assert "alpha was only half installed" in result.stdout
    assert len(alpha.read_text()) > 100


def test_a_changed_lock_file_repeats_only_its_step(finished_clone: MiniClone) -> None:
    finished_clone.lock("lab.lock", finished_clone.package("alpha", "2.0"))
    result = finished_clone.set_up()
    assert result.returncode == 0, result.stderr
    assert finished_clone.python("import alpha; print(alpha.version)") == "2.0"
    assert "llama.cpp (cpu) ..." not in result.stdout and "labkit ..." not in result.stdout
    finished_clone.lock("lab.lock", finished_clone.wheels / "alpha-1.0-py3-none-any.whl")
    assert finished_clone.set_up().returncode == 0


def test_the_test_environment_also_serves_the_lab(finished_clone: MiniClone) -> None:
    assert finished_clone.set_up("--test").returncode == 0
    assert finished_clone.python("import beta; print(beta.version)") == "1.0"
    assert DONE in finished_clone.set_up().stdout
    assert DONE in finished_clone.set_up("--test").stdout


def test_an_existing_build_is_kept_until_another_is_asked_for(finished_clone: MiniClone) -> None:
    assert "llama.cpp (portable)" in finished_clone.set_up("--gpu", "portable").stdout
    plain = finished_clone.set_up()
    assert DONE in plain.stdout and "for portable" in plain.stdout
    assert "llama.cpp (cpu)" in finished_clone.set_up("--gpu", "cpu").stdout
    assert DONE in finished_clone.set_up("--gpu", "cpu").stdout


def test_a_failed_switch_keeps_the_build_that_is_there(finished_clone: MiniClone) -> None:
    wheel = finished_clone.wheels / "llama_cpp_python-1.0-py3-none-any.whl"
    wheel.rename(wheel.with_suffix(".away"))
    try:
        result = finished_clone.set_up("--gpu", "portable")
        assert result.returncode == 1 and "llama.cpp (portable) failed" in result.stderr
    finally:
        wheel.with_suffix(".away").rename(wheel)
    plain = finished_clone.set_up()
    assert "llama.cpp (" not in plain.stdout and "for cpu" in plain.stdout


def test_an_unknown_build_is_a_sentence(finished_clone: MiniClone) -> None:
    result = finished_clone.set_up("--gpu", "tpu")
    assert result.returncode == 1
    assert "GPU=tpu is not known" in result.stderr and "vulkan" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_hash_stops_the_setup(finished_clone: MiniClone) -> None:
    lock = finished_clone.requirements / "lab.lock"
    good = lock.read_text()
    finished_clone.lock("lab.lock", finished_clone.package("gamma", "1.0"))
    finished_clone.package("gamma", "1.0").write_bytes(b"another file under the same name")
    try:
        result = finished_clone.set_up()
        assert result.returncode == 1
        assert "not the one that the lock file names" in result.stderr
        assert "Traceback" not in result.stderr
    finally:
        lock.write_text(good)
    assert finished_clone.set_up().returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="symbolic links to the interpreter are a POSIX matter")
def test_a_broken_environment_is_made_anew(finished_clone: MiniClone) -> None:
    """The Python that the environment was made with is gone: an upgrade of the system."""
    python = finished_clone.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")
    result = finished_clone.set_up()
    assert result.returncode == 0, result.stderr
    assert "making it anew" in result.stdout
    assert finished_clone.python("import alpha, llama_cpp, labkit; print(alpha.version)") == "1.0"


def test_a_moved_clone_is_set_up_again(tmp_path: Path, finished_clone: MiniClone) -> None:
    """Scripts in an environment hold its path, so a moved one must not be used."""
    moved = tmp_path / "moved"
    shutil.copytree(finished_clone.root, moved, symlinks=True)
    process = subprocess.Popen(
        finished_clone.command(),
        cwd=moved,
        env=finished_clone.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [process.stdout.readline() for _ in range(2)]  # the compiler, then what is wrong
    process.terminate()
    process.communicate(timeout=60)
    assert "making it anew" in lines[1]


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    clone = MiniClone(tmp_path / "clone")
    (clone.root / ".venv").mkdir()
    (clone.root / ".venv" / "thesis.txt").write_text("years of work")
    result = clone.set_up()
    assert result.returncode == 1
    assert "not a Python environment" in result.stderr
    assert (clone.root / ".venv" / "thesis.txt").read_text() == "years of work"


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_setup_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    clone = MiniClone(tmp_path / "clone")
    process = subprocess.Popen(
        clone.command(), cwd=clone.root, env=clone.environment(), stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if "Packages ..." in line:
            break
    process.send_signal(number)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == (130 if number != signal.SIGKILL else -9), rest
    result = clone.set_up()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Python environment" not in result.stdout  # that step was finished, and is kept
    assert clone.python("import alpha, llama_cpp, labkit; print(alpha.version)") == "1.0"
    assert DONE in clone.set_up().stdout


@pytest.mark.skipif(os.name == "nt", reason="uses a POSIX lock")
def test_two_setups_do_not_run_at_once(finished_clone: MiniClone) -> None:
    import fcntl

    lock = os.open(finished_clone.root / "build" / "setup.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = subprocess.Popen(
        finished_clone.command(),
        cwd=finished_clone.root,
        env=finished_clone.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "Waiting" in process.stdout.readline()
    assert process.poll() is None
    os.close(lock)
    assert DONE in process.communicate(timeout=60)[0]


def test_without_a_compiler_nothing_is_downloaded(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows finds its compiler without the PATH")
    clone = MiniClone(tmp_path / "clone")
    environment = {**clone.environment(), "PATH": str(tmp_path)}
    result = subprocess.run(clone.command(), cwd=clone.root, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "no C++ compiler" in result.stderr
    assert not (clone.root / ".venv").exists()


def test_an_image_s_own_environment_can_be_used(tmp_path: Path) -> None:
    """`--into`: what binder/postBuild does."""
    clone = MiniClone(tmp_path / "clone")
    prefix = tmp_path / "image"
    subprocess.run([sys.executable, "-m", "venv", str(prefix)], check=True)
    result = clone.set_up("--into", str(prefix), "--gpu", "portable")
    assert result.returncode == 0, result.stderr
    assert not (clone.root / ".venv").exists()
    assert DONE in clone.set_up("--into", str(prefix)).stdout


@pytest.mark.parametrize("name", ["labkit/bootstrap.py", "labkit/__init__.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_old(name: str) -> None:
    source = (REPOSITORY / name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))


def test_the_setup_imports_the_standard_library_only() -> None:
    """It runs before anything is installed."""
    code = (
        "import sys, pkgutil, importlib, labkit.bootstrap, labkit.installing as package\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(f'labkit.installing.{module.name}')\n"
        "tops = {name.partition('.')[0] for name in sys.modules} - {'labkit', '__main__', '__mp_main__'}\n"
        "print(sorted(n for n in tops if n not in sys.stdlib_module_names and not n.startswith('_')))\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{code}"],
        capture_output=True,
        text=True,
    )
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def _forget(clone: MiniClone, step: str) -> None:
    file = clone.root / ".venv" / "labkit-setup.json"
    values = json.loads(file.read_text())
    del values[step]
    file.write_text(json.dumps(values))
