"""The model card: every figure in it comes from a file, and the files belong to the models that are here."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from frictionless import Package

from labkit.errors import LabError
from labkit.pocket import card, inventory, scores
from labkit.settings import datasets_dir

POCKET = datasets_dir() / "pocket"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the models with their tables, which a test may damage."""
    folder = tmp_path / "datasets"
    shutil.copytree(POCKET, folder / "pocket")
    monkeypatch.setenv("LABKIT_DATASETS", str(folder))
    return folder / "pocket"


def test_the_card_is_current() -> None:
    assert card.problems() == []


def test_the_tables_are_a_valid_package() -> None:
    report = Package(str(POCKET / "datapackage.json")).validate()
    assert report.valid, report.to_summary()


def test_every_table_is_described_column_by_column() -> None:
    package = json.loads((POCKET / "datapackage.json").read_text(encoding="utf-8"))
    described = {resource["path"]: resource for resource in package["resources"]}
    assert set(described) == {path.name for path in POCKET.glob("*.csv")}
    for name, resource in described.items():
        header = (POCKET / name).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert [field["name"] for field in resource["schema"]["fields"]] == header, name
        assert resource["description"] and all(f["description"] for f in resource["schema"]["fields"]), name


def test_a_wrong_figure_is_found(copy: Path) -> None:
    path = copy / "README.md"
    text = path.read_text(encoding="utf-8")
    share = next(re.finditer(r"\d+% of \d+ \(", text))[0]
    path.write_text(text.replace(share, "99.9% of 7 (", 1), encoding="utf-8")
    assert any("README.md" in problem for problem in card.problems())


def test_another_model_is_found(copy: Path) -> None:
    path = copy / "pocket-instruct.gguf"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    found = " ".join(card.problems())
    assert "README.md" in found and "training.json" in found and "scores.csv" in found


def test_changed_questions_are_found(copy: Path) -> None:
    path = copy / "held-out.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("?", "!", 1), encoding="utf-8")
    assert any("held-out.jsonl" in problem for problem in card.problems())


@pytest.mark.parametrize("name", sorted(card.BLOCKS))
def test_a_card_without_a_block_gets_a_sentence(name: str) -> None:
    text = (POCKET / "README.md").read_text(encoding="utf-8")
    with pytest.raises(LabError, match="blocks"):
        card.filled(text.replace(f"<!-- figures: {name} -->", ""))


def test_without_a_record_of_the_training_there_is_a_sentence(copy: Path) -> None:
    (copy / "training.json").unlink()
    with pytest.raises(LabError, match="make pocket"):
        card.problems()


def test_every_kind_of_question_is_explained_and_scored() -> None:
    kinds = {case.kind for case in scores.held_out_cases()}
    assert kinds == set(card.ASKED)
    asked = ((card.INSTRUCT, card.INSTRUCT), (card.BASE, card.INSTRUCT), (card.BASE, scores.DOCUMENT))
    records = scores.read_records()
    for how in asked:
        assert {r.kind for r in records if (r.model, r.template) == how} == kinds
    letters = [r.kind for r in records if r.model == card.CHOICE]
    assert set(letters) == {kind for kind in kinds if kind.startswith("choice-")}
    assert len(records) == len(asked) * len(kinds) + len(letters)


def test_the_data_add_up_to_what_the_models_read() -> None:
    for stream, reader in inventory.READERS.items():
        rows = [row for row in inventory.kinds() if row.stream == stream]
        tokens = sum(row.tokens for row in rows)
        assert tokens == pytest.approx(card.training()[reader]["tokens"], rel=0.001)
        assert len({row.kind for row in rows}) == len(rows)


# ---------------------------------------------------------------- what was promised


def measured(name: str) -> dict[str, scores.Score]:
    """Scores of the promised capabilities, measured here and now."""
    promised = ("world-unasked", "world-reworded", "sum-two-digits", "recall-150")
    cases = [case for case in scores.held_out_cases() if case.kind in promised]
    path, template = POCKET / f"{name}.gguf", POCKET / f"{card.INSTRUCT}.gguf"
    return {s.kind: s for s in scores.score(path, cases, template_of=template)}


def test_pocket_instruct_keeps_its_promises_and_its_base_does_worse() -> None:
    instruct, base = measured(card.INSTRUCT), measured(card.BASE)
    world = [instruct["world-unasked"], instruct["world-reworded"]]
    assert sum(s.total for s in world) == 200 and sum(s.right for s in world) >= 180
    assert instruct["sum-two-digits"].share >= 0.9 and instruct["recall-150"].share >= 0.9
    for kind, score in instruct.items():
        assert base[kind].high < score.low, kind
        (recorded,) = (r for r in scores.read_records() if (r.model, r.kind) == (card.INSTRUCT, kind))
        assert abs(recorded.right - score.right) <= 2  # rounding differs between processors
