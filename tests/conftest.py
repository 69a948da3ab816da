"""What all tests share: a home of their own for each test, and the small model, fetched once.

No test reads or writes the user's own caches, progress or tokens, and none reaches the real hub except
through `small_model`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin_no_skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401

# huggingface_hub reads these once, when it is imported: a fresh home, so that no token leaks into a test.
_HUB_HOME = tempfile.mkdtemp(prefix="labkit-tests-hub-")
_READ_BY_LABKIT = ("HF_HOME", "HF_ENDPOINT", "HF_HUB_CACHE", "LABKIT_CACHE")
_NEVER_SET = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE")
_USER_SETTINGS = {name: os.environ.get(name) for name in _READ_BY_LABKIT}
for _name in _NEVER_SET:
    os.environ.pop(_name, None)
os.environ["HF_HOME"] = _HUB_HOME
os.environ["HF_TOKEN_PATH"] = os.path.join(_HUB_HOME, "token")

#: nothing listens there
NO_HUB = "http://127.0.0.1:9"


def pytest_sessionfinish() -> None:
    shutil.rmtree(_HUB_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def isolated_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of its own for each test; the hub cannot be reached unless the test says where it is."""
    home = tmp_path / "labkit-home"
    for name, folder in (("LABKIT_HOME", "data"), ("LABKIT_CACHE", "cache"), ("HF_HOME", "hub")):
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("HF_ENDPOINT", NO_HUB)
    for name in ("LABKIT_DATASETS", "LABKIT_STRICT"):
        monkeypatch.delenv(name, raising=False)
    _forget_unreachable_hubs()
    yield home
    _forget_unreachable_hubs()


def _forget_unreachable_hubs() -> None:
    hub = sys.modules.get("labkit.models.hub")
    if hub:
        hub._unreachable_since.clear()


@pytest.fixture(scope="session")
def small_model(request: pytest.FixtureRequest) -> Iterator[object]:
    """SmolLM2-135M-Instruct Q4_1 as a ModelFile, kept between runs in pytest's own cache folder.

    It comes from the user's cache when `make lab` has put it there, else from the hub or the mirror. The test
    is skipped when none can be reached.
    """
    from labkit.errors import LabError
    from labkit.models import hub, mirror
    from labkit.models.catalogue import DEFAULT_MODEL, find_model
    from labkit.models.download import fetch

    shared = request.config.cache.mkdir("labkit-models")
    entry = find_model(DEFAULT_MODEL)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _USER_SETTINGS.items():
            patch.setenv(name, value) if value else patch.delenv(name, raising=False)
        found = mirror.find_in_cache(entry) or hub.find_in_cache(entry)
        patch.setenv("LABKIT_CACHE", str(shared))
        patch.setenv("HF_HOME", str(shared / "hub"))
        patch.delenv("HF_HUB_CACHE", raising=False)
        target = mirror.mirror_path(entry)
        if found and not target.exists():
            with contextlib.suppress(OSError):
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(f"{target.name}.{os.getpid()}")
                shutil.copyfile(found[0], temporary)
                os.replace(temporary, target)
        try:
            model = fetch(entry)
        except LabError as error:
            pytest.skip(f"the small model cannot be fetched: {error}")
    _forget_unreachable_hubs()
    yield model


@pytest.fixture
def model_cache(small_model: object, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Path:
    """labkit's cache with the small model in it, for what runs in processes of its own."""
    cache = pytestconfig.cache.mkdir("labkit-models")
    monkeypatch.setenv("LABKIT_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def random_model() -> object:
    """The embedded model with random weights as a ModelFile: loads in milliseconds."""
    from labkit.models import embedded
    from labkit.models.model_file import ModelFile

    path = embedded.embedded_model()
    return ModelFile(embedded.NAME, path, embedded.SHA256, path.stat().st_size, "embedded", True)
