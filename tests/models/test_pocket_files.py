"""Pocket models whose files were changed, cut or lost: each time a sentence, and how to get them back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.models.download import fetch, get_model
from labkit.models.embedded import pocket_dir
from labkit.models.source import open_source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables, with pocket-base, which a test may damage."""
    original = pocket_dir()
    copy = tmp_path / "datasets"
    shutil.copytree(original.parent, copy, ignore=shutil.ignore_patterns("*.gguf"))
    shutil.copy(original / "pocket-base.gguf", copy / "pocket")
    monkeypatch.setenv("LABKIT_DATASETS", str(copy))
    assert pocket_dir() == copy / "pocket"
    return copy / "pocket"


def test_a_whole_file_is_verified(folder: Path) -> None:
    assert get_model("pocket-base").path == folder / "pocket-base.gguf"


@pytest.mark.parametrize("ask", [fetch, get_model])
def test_a_cut_file_is_refused(folder: Path, ask) -> None:
    path = folder / "pocket-base.gguf"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(LabError, match="not the file that came with the course") as caught:
        ask("pocket-base")
    assert "git checkout datasets/pocket" in caught.value.cure


@pytest.mark.parametrize("ask", [fetch, get_model, open_source])
def test_a_lost_file_is_no_unknown_name(folder: Path, ask) -> None:
    (folder / "pocket-base.gguf").unlink()
    with pytest.raises(LabError, match="The file of pocket-base is missing") as caught:
        ask("pocket-base")
    assert "git checkout datasets/pocket" in caught.value.cure


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pocket-base": 3}', '{"pocket-base": {}}', "\x00"])
def test_a_damaged_record_says_so(folder: Path, content: str) -> None:
    (folder / "training.json").write_text(content, encoding="utf-8")
    with pytest.raises(LabError, match="record of the pocket models is damaged") as caught:
        get_model("pocket-base")
    assert "git checkout datasets/pocket" in caught.value.cure
