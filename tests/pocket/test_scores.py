"""Scores: greedy replies judged by their cases, counted by kind, and recorded per model file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.models.loading import Model, load_model
from labkit.models.model_file import ModelFile
from labkit.pocket import scores
from labkit.pocket.document import Case
from labkit.settings import datasets_dir


@pytest.fixture(scope="module")
def noise(random_model: ModelFile) -> Iterator[Model]:
    with load_model(random_model, context=1024, threads=1) as model:
        yield model


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the record; labkit writes there."""
    folder = tmp_path / "datasets"
    (folder / "pocket").mkdir(parents=True)
    shutil.copytree(datasets_dir() / "random", folder / "random")
    for path in datasets_dir().glob("*.csv"):
        shutil.copy(path, folder)
    monkeypatch.setenv("LABKIT_DATASETS", str(folder))
    return folder


def case(model: Model, prompt: str, *, kind: str, right: bool = True, chat: bool = True) -> Case:
    """A case that this model gets right, or wrong: its judge knows what the model writes on its own."""
    wanted = model.generate(prompt, max_tokens=6, chat=chat).text
    return Case(prompt, lambda text: (text == wanted) == right, wanted, kind, chat, max_tokens=6)


def test_replies_are_judged_and_counted_by_kind(noise: Model) -> None:
    cases = [
        case(noise, "one", kind="b"),
        case(noise, "two", kind="a", right=False),
        case(noise, "three", kind="b"),
        case(noise, "four", kind="a", chat=False),
    ]
    answered = scores.replies(noise, cases)
    assert [reply.right for reply in answered] == [True, False, True, True]
    assert [reply.text for reply in answered] == [c.answer for c in cases]
    counted = scores.count(answered)
    assert [(s.kind, s.right, s.total) for s in counted] == [("b", 2, 2), ("a", 1, 2)]
    assert all(s.low <= s.share <= s.high and s.low < s.high for s in counted)
    assert "1 of 2, 50.0%" in str(counted[1])


def test_a_model_without_template_is_asked_through_another_ones(
    noise: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = case(noise, "one", kind="a")
    metadata = {**noise.header.metadata, "tokenizer.chat_template": None}
    with load_model(noise.file, context=256, threads=1) as bare:
        monkeypatch.setattr(bare, "header", replace(noise.header, metadata=metadata))
        with pytest.raises(LabError, match="no chat template"):
            scores.replies(bare, [asked])
        assert scores.replies(bare, [asked], template_of=noise)[0].right


def test_a_base_model_is_asked_as_in_its_documents(noise: Model) -> None:
    chat = Case("2 + 2?", lambda text: text == "4", "4", "sum", max_tokens=4)
    plain = case(noise, "def f", kind="code", chat=False)
    asked, same = scores.as_documents([chat, plain])
    assert same is plain
    assert (asked.prompt, asked.chat, asked.kind) == ("Question: 2 + 2?\nAnswer:", False, "sum")
    assert asked.correct(" 4\nQuestion: 3 + 3?\nAnswer: 6") and not asked.correct(" 4\nAnd more")
    assert [reply.case for reply in scores.replies(noise, [asked])] == [asked]


def test_score_takes_a_path(noise: Model) -> None:
    found = scores.score(noise.file.path, [case(noise, "one", kind="a")])
    assert [(s.kind, s.right, s.total) for s in found] == [("a", 1, 1)]


def test_the_held_out_cases_are_many_and_always_the_same() -> None:
    cases = scores.held_out_cases()
    assert [(c.kind, c.prompt) for c in cases] == [(c.kind, c.prompt) for c in scores.held_out_cases()]
    assert len({(c.kind, c.prompt) for c in cases}) == len(cases) == sum(scores.CASES.values())
    assert sum(c.kind.startswith("world") for c in cases) == 200
    assert sum(c.kind == "sum-two-digits" for c in cases) >= 100
    assert all(c.correct(c.answer) for c in cases)
    assert not any(c.correct("") for c in cases)


def test_a_record_replaces_the_models_older_one(copy: Path, noise: Model) -> None:
    path = noise.file.path
    first = scores.Score("a", 1, 2, 0.1, 0.9)
    scores.write_records(scores.record(path, [first, scores.Score("b", 0, 2, 0, 0.6)], "x"))
    other = copy / "other.gguf"
    shutil.copy(path, other)
    scores.write_records(scores.record(other, [first], "x"))
    scores.write_records(scores.record(path, [scores.Score("a", 2, 2, 0.3, 1)], "y"))
    rows = scores.read_records()
    assert [(r.model, r.kind, r.right, r.template) for r in rows] == [
        ("other", "a", 1, "x"),
        (path.stem, "a", 2, "y"),
    ]
    assert rows[0].sha256 == noise.file.sha256 and rows[0].engine.startswith("llama-cpp-python")


def test_without_a_record_there_is_none(copy: Path) -> None:
    assert scores.read_records() == []


def test_the_command_names_a_missing_file(copy: Path) -> None:
    command = [sys.executable, "-m", "labkit.pocket.scores", str(copy / "nowhere.gguf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no file" in done.stderr and "Traceback" not in done.stderr
    assert not scores.records_path().exists()
