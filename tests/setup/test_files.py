"""Makefile, lock files, Binder and CI: what they promise, read from them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """`name version marker` → its hashes, for each entry of a lock file."""
    entries: dict[str, frozenset[str]] = {}
    text = (REQUIREMENTS / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        head, *hashes = line.split("--hash=sha256:")
        entries[" ".join(head.split())] = frozenset(part.strip() for part in hashes)
    return entries


def make_prints(*arguments: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    result = subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# --- lock files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", sorted(path.name for path in REQUIREMENTS.glob("*.lock")))
def test_every_entry_has_a_version_and_hashes_and_no_address(lock: str) -> None:
    assert "://" not in (REQUIREMENTS / lock).read_text(encoding="utf-8")
    for head, hashes in pins(lock).items():
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]*( ; .+)?$", head), head
        assert hashes and all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes), head


def test_the_test_environment_holds_the_lab_s_in_the_same_versions() -> None:
    """So that one `.venv` serves both, and tests run what learners run."""
    test = pins("test.lock")
    for head, hashes in pins("lab.lock").items():
        assert test.get(head) == hashes, head


def test_training_packages_agree_with_the_others_and_stay_out_of_them() -> None:
    """One `.venv` serves all, and whoever only runs the lab does not download PyTorch."""
    # markers may differ: what needs a package is not the same
    test = {head.split(" ")[0]: hashes for head, hashes in pins("test.lock").items()}
    names = {pin.split("==")[0] for pin in test}
    assert not names & {"torch", "triton"} and not [name for name in names if name.startswith("nvidia-cu")]
    shared = [head for head in pins("train.lock") if head.split("==")[0] in names]
    assert len(shared) > 5
    for head in shared:
        assert test.get(head.split(" ")[0]) == pins("train.lock")[head], head


def test_the_lock_covers_what_the_project_needs() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for lock, lines in (
        ("lab.lock", project["dependencies"] + extras["server"] + extras["build"]),
        ("test.lock", extras["test"]),
        ("train.lock", extras["train"]),
        ("llama-cpp.lock", [line for line in project["dependencies"] if line.startswith("llama-cpp-python")]),
    ):
        locked: dict[str, list[str]] = {}
        for head in pins(lock):
            name, version = head.split(" ")[0].split("==")
            locked.setdefault(name, []).append(version)
        for line in lines:
            wanted = Requirement(line)
            name = canonicalize_name(wanted.name)
            if name == "llama-cpp-python" and lock != "llama-cpp.lock":
                assert name not in locked  # a step of its own
                continue
            assert locked[name] and all(wanted.specifier.contains(version) for version in locked[name]), line


def test_what_the_setup_installs_for_training_is_the_train_extra() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (REQUIREMENTS / "train.in").read_text(encoding="utf-8").splitlines()
    names = {Requirement(line).name for line in lines if not line.startswith("#")}
    assert names == {Requirement(line).name for line in project["optional-dependencies"]["train"]}


def test_the_compiled_package_has_one_source_and_its_build_tools_are_locked() -> None:
    ((head, hashes),) = pins("llama-cpp.lock").items()
    assert head.startswith("llama-cpp-python==") and len(hashes) == 1
    assert {head.split("==")[0] for head in pins("build.lock")} >= {"scikit-build-core", "cmake", "ninja"}


# --- Makefile ---------------------------------------------------------------------------------------------


@needs_make
def test_make_lab() -> None:
    setup, lab = make_prints("lab", BROWSER="", GPU="", PREBUILT="").splitlines()
    assert "-m labkit.bootstrap" in setup and "--test" not in setup
    assert lab.split()[0].endswith("labkit") and lab.split()[1:] == ["lab"]


@needs_make
def test_make_pocket_and_no_other_target_of_learners_asks_for_pytorch() -> None:
    setup, train = make_prints("pocket", GPU="", PREBUILT="").splitlines()
    assert "-m labkit.bootstrap" in setup and setup.endswith("--train")
    assert train.endswith("-m labkit.pocket")
    assert "--train" not in make_prints("lab") + make_prints("setup")


@needs_make
def test_make_lab_without_a_browser() -> None:
    assert make_prints("lab", "BROWSER=no").splitlines()[1].endswith("lab --no-browser")


@needs_make
def test_a_browser_or_gpu_of_the_user_s_own_environment_is_no_wish() -> None:
    text = make_prints("lab", BROWSER="firefox", GPU="0")
    assert "--no-browser" not in text and "--gpu" not in text


@needs_make
def test_make_with_a_gpu() -> None:
    assert "--gpu cuda" in make_prints("setup", "GPU=cuda")
    assert "--gpu cuda" in make_prints("setup", GPU="cuda")
    assert "--gpu tpu" in make_prints("setup", "GPU=tpu")  # the setup says what is wrong with it
    assert "--prebuilt" in make_prints("setup", "PREBUILT=yes")


@needs_make
def test_make_test_checks_everything() -> None:
    text = make_prints("test")
    for part in (
        "--test",
        "course/build.py --check",
        "ruff check",
        "ruff format --check",
        "codespell",
        "pytest",
    ):
        assert part in text


# --- Binder and CI ----------------------------------------------------------------------------------------


def test_binder_s_requirements_are_current() -> None:
    result = subprocess.run(
        [sys.executable, "binder/make_requirements.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


@needs_bash
@pytest.mark.parametrize("script", [".ci/run", "binder/postBuild", "binder/start"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], cwd=ROOT).returncode == 0


def test_binder_compiles_for_machines_it_has_not_seen() -> None:
    assert "--gpu portable" in (ROOT / "binder" / "postBuild").read_text()


@needs_bash
@pytest.mark.skipif(os.name == "nt", reason="Binder runs Linux")
def test_binder_s_start_caps_the_threads_and_runs_the_command() -> None:
    python = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("OMP_NUM_THREADS", None)
    result = subprocess.run(
        ["binder/start", "printenv", "OMP_NUM_THREADS"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    from labkit.limits import cores_allowed

    assert int(result.stdout) == cores_allowed()


def test_jupyterlab_finds_its_calm_settings_and_the_forms_extension() -> None:
    """The setup of this very environment put them where JupyterLab looks."""
    share = Path(sys.prefix) / "share" / "jupyter"
    settings = json.loads((share / "lab" / "settings" / "overrides.json").read_text())
    notification = settings["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}
    installed = share / "labextensions" / "labkit-forms"
    for path in ("package.json", "static/remoteEntry.js"):
        ours = ROOT / "labkit" / "labextension" / "labkit-forms" / path
        assert (installed / path).read_bytes() == ours.read_bytes()


def test_a_skip_fails_on_ci(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['tests.plugin_no_skips']\n")
    (tmp_path / "test_it.py").write_text("import pytest\ndef test_it():\n    pytest.skip('no Chromium')\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    for value, status in (("1", 1), ("", 0)):
        environment = {
            **os.environ,
            "LABKIT_CI": value,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(ROOT),
        }
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == status, result.stdout
        assert "no Chromium" in result.stdout or not value
