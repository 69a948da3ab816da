"""`get_model`, `local_model`, and what labkit remembers about files."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.models import embedded, random_model, trust
from labkit.models.catalogue import catalogue, find_model
from labkit.models.download import get_model, local_model


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)


def test_no_network_gives_the_embedded_model_loudly(
    no_network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model = get_model()
    assert model.random_weights and model.source == "embedded"
    assert "RANDOM" in model.label and "RANDOM" in repr(model) and "RANDOM" in model._repr_html_()
    assert len(model.attempts) == 2
    told = capsys.readouterr().err
    assert "could not be fetched" in told and "RANDOM weights" in told
    assert model.to_dict()["random_weights"] is True


def test_unknown_name_is_no_reason_for_the_embedded_model(no_network: None) -> None:
    with pytest.raises(LabError, match="no model called 'smollm2-135m'") as caught:
        get_model("smollm2-135m")
    assert "smollm2-135m-instruct-q4_1" in caught.value.cure


def test_embedded_file_is_small_and_made_by_its_module() -> None:
    path = embedded.embedded_model()
    assert path.stat().st_size < 2_000_000
    assert random_model.check(path) == ""


def test_embedded_file_that_differs_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "random-llama.gguf"
    data = bytearray(embedded.embedded_model().read_bytes())
    data[-1] ^= 1
    copy.write_bytes(bytes(data))
    assert "a fresh build has" in random_model.check(copy)


def test_local_model_recognises_known_files(tmp_path: Path, small_model: object) -> None:
    assert local_model(small_model.path).entry.name == "smollm2-135m-instruct-q4_1"
    copy = tmp_path / "mine.gguf"
    shutil.copyfile(embedded.embedded_model(), copy)
    mine = local_model(str(copy))
    assert mine.source == "local" and mine.random_weights and mine.path == copy


def test_local_model_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="There is no file"):
        local_model(tmp_path / "nothing.gguf")
    with pytest.raises(LabError, match="is a folder"):
        local_model(tmp_path)
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!DOCTYPE html><html>")
    with pytest.raises(LabError, match="web page"):
        local_model(page)


def test_hash_is_remembered_and_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one" * 1000)
    os.utime(path, (time.time() - 60, time.time() - 60))
    first = trust.file_sha256(path)
    reads: list[int] = []
    path.write_bytes(b"two" * 1000)
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert trust.file_sha256(path, on_bytes=reads.append) != first
    assert reads


def test_stamp_is_used_only_when_the_file_had_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    reads: list[int] = []
    trust.file_sha256(path)
    trust.file_sha256(path, on_bytes=reads.append)
    assert reads, "a file written this very moment must be read again"
    reads.clear()
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(trust.time, "time_ns", lambda: later)
    trust.file_sha256(path)
    trust.file_sha256(path, on_bytes=reads.append)
    assert not reads


def test_damaged_stamps_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    good = trust.file_sha256(path)
    for text in ("", "{}", "[]", "null", '{"identity": 1}', "\0"):
        trust._stamp_path(path).write_text(text)
        assert trust.file_sha256(path) == good


def test_catalogue_is_complete() -> None:
    entries = catalogue()
    assert len({entry.name for entry in entries}) == len(entries) >= 10
    for entry in entries:
        assert entry.bytes > 0 and entry.source and entry.read_on and entry.licence
        assert entry.name == entry.name.lower() and entry.repo.count("/") == 1
        assert len(entry.revision) in (0, 40)
    assert "<table" in entries._repr_html_()
    assert find_model("  SmolLM2-135M-Instruct-Q4_1 ").parameters == 134_515_008


def test_a_name_that_only_the_estimate_knows_leads_to_its_twin() -> None:
    with pytest.raises(LabError, match="no model called 'llama-3.1-8b'") as caught:
        find_model("llama-3.1-8b")
    assert "llama-3.1-8b-instruct-q4_k_m" in caught.value.cure
    assert "labkit bench --twin llama-3.1-8b" in caught.value.cure
    for name in ("", ".", "nobody"):
        with pytest.raises(LabError) as caught:
            find_model(name)
        assert "Did you mean" not in caught.value.cure and "twin" not in caught.value.cure


def test_broken_catalogue_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_DATASETS", str(tmp_path))
    with pytest.raises(LabError, match="catalogue of models is missing"):
        catalogue()
    (tmp_path / "catalogue.csv").write_text("name,title\na,b\n")
    with pytest.raises(LabError, match="Line 2"):
        catalogue()
