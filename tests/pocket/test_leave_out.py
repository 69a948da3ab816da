"""With and without some facts: which ones, how the models are asked, and what is shown without the models."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import labkit as lk
from labkit.errors import LabError
from labkit.models.loading import Model, load_model
from labkit.models.model_file import ModelFile
from labkit.models.side_by_side import log_probabilities
from labkit.pocket import corpus, leave_out
from labkit.pocket.world import world
from labkit.pocket.world_questions import answer, training_questions
from labkit.settings import datasets_dir


@pytest.fixture(scope="module")
def noise(random_model: ModelFile) -> Iterator[Model]:
    with load_model(random_model, context=256, threads=1) as model:
        yield model


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_model: ModelFile) -> Path:
    """A folder of tables in which the model with random weights stands for both trained ones."""
    folder = tmp_path / "datasets"
    (folder / "pocket").mkdir(parents=True)
    shutil.copytree(datasets_dir() / "random", folder / "random")
    for path in datasets_dir().glob("*.csv"):
        shutil.copy(path, folder)
    for name in (leave_out.WITH, leave_out.WITHOUT):
        shutil.copy(random_model.path, folder / "pocket" / f"{name}.gguf")
    monkeypatch.setenv("LABKIT_DATASETS", str(folder))
    return folder / "pocket"


def test_a_handful_of_facts_about_different_subjects_is_left_out() -> None:
    names = leave_out.left_out()
    facts = [world().fact(name) for name in names]
    assert 4 <= len(facts) <= 12
    assert len({fact.subject for fact in facts}) == len(facts)
    assert len({fact.relation for fact in facts}) == len(facts)
    assert all(training_questions(fact) for fact in facts)


def test_no_text_states_what_is_left_out() -> None:
    names = leave_out.left_out()
    told = {name for item in islice(corpus.documents(), 20_000) for name in item.facts}
    silent = {name for item in islice(corpus.documents(leave_out=names), 20_000) for name in item.facts}
    asked = {name for item in islice(corpus.conversations(leave_out=names), 5000) for name in item.facts}
    assert names <= told and not names & silent and not names & asked
    assert len(silent) > 300


def test_the_answer_is_the_most_probable_value(noise: Model) -> None:
    fact = world().fact(min(leave_out.left_out()))
    values = world().relations[fact.relation].values
    found = leave_out.ask(noise, fact)
    assert found.value in values
    assert found.probability >= found.right_probability > 0
    assert 1 / len(values) <= found.probability <= 1
    if found.value == fact.value:
        assert found.probability == found.right_probability


def test_a_model_without_template_continues_a_question(noise: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    fact = world().fact(min(leave_out.left_out()))
    prompt = noise.prompt_tokens(f"Question: {training_questions(fact)[0]}\nAnswer:")
    (right,) = log_probabilities(noise, prompt, [noise.tokenize(f" {answer(fact)}")])

    seen: list[list[int]] = []

    def spy(model: Model, tokens: list[int], continuations: list[list[int]]) -> list[float]:
        seen.append(tokens)
        return log_probabilities(model, tokens, continuations)

    monkeypatch.setattr(leave_out, "log_probabilities", spy)
    monkeypatch.setattr(type(noise.header), "has_chat_template", False)
    leave_out.ask(noise, fact)
    assert seen == [prompt] and right < 0


def test_live_answers_and_the_record_agree(copy: Path) -> None:
    live = lk.with_and_without()
    assert live.live and "Computed just now" in repr(live)
    assert {row.fact for row in live.rows if row.left_out} == leave_out.left_out()
    assert sum(row.left_out for row in live.rows) * 2 == len(live.rows)
    assert all(row.taught == row.other for row in live.rows)  # the same file twice
    assert live.right(left_out=True)[0] == live.right(left_out=True)[1]
    command = [sys.executable, "-m", "labkit.pocket.leave_out"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    (copy / f"{leave_out.WITHOUT}.gguf").unlink()
    recorded = lk.with_and_without()
    assert not recorded.live and recorded.rows == live.rows
    assert f"Recorded on {live.rows[0].date}" in repr(recorded)
    assert recorded._repr_html_().count("<tr>") == len(live.rows) + 1


def test_with_neither_models_nor_record_there_is_a_sentence(copy: Path) -> None:
    (copy / f"{leave_out.WITH}.gguf").unlink()
    with pytest.raises(LabError, match="recorded answers"):
        lk.with_and_without()
    done = subprocess.run(
        [sys.executable, "-m", "labkit.pocket.leave_out"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_right_answers_are_counted_apart() -> None:
    row = leave_out.Compared(
        "x/pet", True, "Which?", "cat", 10, "cat", 0.9, 0.9, "dog", 0.5, 0.1, "a" * 64, "b" * 64, "2026-11-22"
    )
    kept = leave_out.replace(row, left_out=False, without_value="cat")
    shown = leave_out.WithAndWithout((row, row, kept), live=False)
    assert shown.right(left_out=True) == (2, 0, 2) and shown.right(left_out=False) == (1, 1, 1)
    assert "2 of 2 told, 0 of 2 not told" in repr(shown) and "texts: 1 and 1 of 1." in repr(shown)
    assert "by chance it would be 10%" in repr(shown)
    assert "cat (90%)" in repr(shown) and "dog (50%; cat 10%)" in repr(shown)
