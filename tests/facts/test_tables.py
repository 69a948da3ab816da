"""The tables: a valid data package, read strictly, with errors that name file, row and column."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.settings import datasets_dir

DATASETS = datasets_dir()
PACKAGE = DATASETS / "datapackage.json"
#: Tables whose rows are ours to define, not facts that someone stated.
WITHOUT_SOURCE = {"licence_uses", "chapters"}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables that a test may damage; labkit reads it."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    for path in [*DATASETS.glob("*.csv"), PACKAGE]:
        shutil.copy(path, folder)
    monkeypatch.setenv("LABKIT_DATASETS", str(folder))
    return folder


def replace_cell(path: Path, row: int, column: str, value: str) -> None:
    """`row` counts data rows from 1."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[row - 1][column] = value
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def frictionless_errors(folder: Path) -> list[tuple[str, str, int | None, str | None]]:
    """(table, error type, row, column) of everything that frictionless finds."""
    from frictionless import Package

    report = Package(str(folder / "datapackage.json")).validate()
    return [
        (task.name, error.type, getattr(error, "row_number", None), getattr(error, "field_name", None))
        for task in report.tasks
        for error in task.errors
    ]


# ---------------------------------------------------------------- the package


def test_the_package_is_valid() -> None:
    assert frictionless_errors(DATASETS) == []


def test_every_table_is_described_column_by_column() -> None:
    resources = {r["name"]: r for r in json.loads(PACKAGE.read_text(encoding="utf-8"))["resources"]}
    assert set(resources) == {path.stem for path in DATASETS.glob("*.csv")}
    for name, resource in resources.items():
        with (DATASETS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        assert [f["name"] for f in resource["schema"]["fields"]] == header, name
        assert resource["description"] and all(f["description"] for f in resource["schema"]["fields"]), name


def test_every_row_of_facts_has_source_and_date() -> None:
    for path in DATASETS.glob("*.csv"):
        if path.stem in WITHOUT_SOURCE:
            continue
        for row in facts.table(path.stem):
            assert row["source"] and row["read_on"], (path.stem, row)


PLANTED: list[tuple[str, int, str, str, str]] = [
    ("licences", 3, "mau_limit", "700 million", "type-error"),
    ("licences", 1, "rung", "open", "constraint-error"),
    ("licences", 2, "confidence", "low", "constraint-error"),
    ("licence_terms", 5, "verdict", "maybe", "constraint-error"),
    ("licence_terms", 7, "licence", "apache", "foreign-key"),
    ("models", 9, "licence", "qwen", "foreign-key"),
    ("models", 4, "released", "last year", "constraint-error"),
    ("models", 2, "id", "", "constraint-error"),
    ("prices", 1, "input_usd_per_million", "-1", "constraint-error"),
    ("prices", 2, "source", "", "constraint-error"),
    ("catalogue", 1, "licence", "free", "foreign-key"),
    ("catalogue", 1, "sha256", "abc", "constraint-error"),
    ("capability_gap", 1, "published", "2026-13-01", "type-error"),
    ("openness_ladder", 2, "rung", "closed", "unique-error"),
]


def test_planted_errors_are_found(copy: Path) -> None:
    for name, row, column, value, _ in PLANTED:
        replace_cell(copy / f"{name}.csv", row, column, value)
    found = frictionless_errors(copy)
    for name, row, _, _, kind in PLANTED:
        assert (name, kind, row + 1) in {error[:3] for error in found}, (name, row, kind, found)


# ---------------------------------------------------------------- reading at run time


READ_ERRORS: list[tuple[str, int, str, str, Callable[[], object], str]] = [
    ("licences", 3, "mau_limit", "700 million", facts.licences, "not a whole number"),
    ("licences", 1, "osi_approved", "Y", facts.licences, "yes or no"),
    ("licence_terms", 5, "verdict", "maybe", facts.terms, "is not one of"),
    ("prices", 2, "output_usd_per_million", "ten", facts.prices, "not a number"),
    ("prices", 2, "output_usd_per_million", "inf", facts.prices, "not a number"),
    ("models", 4, "weights", "yes", facts.models, "is not one of"),
]


@pytest.mark.parametrize(("name", "row", "column", "value", "read", "says"), READ_ERRORS)
def test_a_broken_cell_is_named(
    copy: Path, name: str, row: int, column: str, value: str, read: Callable[[], object], says: str
) -> None:
    first = facts.table(name)[row - 1]
    replace_cell(copy / f"{name}.csv", row, column, value)
    with pytest.raises(LabError) as caught:
        read()
    message = str(caught.value)
    assert f"datasets/{name}.csv, line {row + 1}" in message
    assert f"({next(iter(first.values()))})" in message
    assert f"column {column}" in message
    assert says in message
    assert "git checkout" in message


def test_an_unknown_licence_is_named(copy: Path) -> None:
    replace_cell(copy / "models.csv", 1, "licence", "free-for-all")
    with pytest.raises(LabError, match="free-for-all"):
        facts.models()


def test_an_unknown_gate_is_named(copy: Path) -> None:
    rows = facts.table("licence_terms")
    place = next(
        n for n, r in enumerate(rows, 1) if (r["licence"], r["use"]) == ("llama-2-community", "product")
    )
    replace_cell(copy / "licence_terms.csv", place, "gates", "weather")
    with pytest.raises(LabError, match="weather"):
        facts.verdict("llama-2", "product")


def test_a_missing_row_is_named(copy: Path) -> None:
    path = copy / "licence_terms.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("mit,product,")), encoding="utf-8")
    with pytest.raises(LabError, match="mit and product"):
        facts.verdict("deepseek-r1", "product")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(path.read_bytes() + b"one,two\n"), "2 cells where the header has"),
        (lambda path: path.write_bytes("id,name\nx,\u00fc\n".encode("utf-16")), "not UTF-8"),
        (lambda path: path.write_bytes(b'id,"name\n'), "not readable as CSV"),
        (lambda path: path.write_bytes(b"id,id\n1,2\n"), "two have the same one"),
        (lambda path: path.write_bytes(b"id,provider\na,b\n"), "the column model is missing"),
    ],
)
def test_a_damaged_file_gets_a_sentence(copy: Path, damage: Callable[[Path], object], says: str) -> None:
    damage(copy / "prices.csv")
    with pytest.raises(LabError, match=says):
        facts.prices()


def test_a_missing_table_gets_near_names(copy: Path) -> None:
    with pytest.raises(LabError, match="prices"):
        facts.table("price")


def test_a_missing_folder_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_DATASETS", str(tmp_path / "nowhere"))
    with pytest.raises(LabError, match="LABKIT_DATASETS"):
        facts.licences()


def test_an_edited_table_is_read_again(copy: Path) -> None:
    before = facts.prices()[0]
    replace_cell(copy / "prices.csv", 1, "input_usd_per_million", "123.5")
    assert before.input_usd_per_million != 123.5
    assert facts.prices()[0].input_usd_per_million == 123.5


def test_a_spreadsheets_byte_order_mark_is_no_problem(copy: Path) -> None:
    path = copy / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert facts.prices()[0].id


def test_records_are_typed() -> None:
    llama = facts.licence("llama-3.1-community")
    assert llama.mau_limit == 700_000_000 and llama.osi_approved is False
    assert facts.licence("apache-2.0").mau_limit is None
    assert facts.licence("hunyuan-a13b").excluded_places == ("EU", "UK", "KR")
    assert facts.model("llama-3.2-vision").multimodal is True
    assert facts.model("gemma-3").multimodal is None
    assert len(facts.term("apache-2.0", "publish-tuned").duties) >= 3
    assert facts.prices()[0].output_usd_per_million > 0


def test_every_licence_answers_every_use_once() -> None:
    pairs = [(row.licence, row.use) for row in facts.terms()]
    assert len(pairs) == len(set(pairs)) == len(facts.licences()) * len(facts.uses())


def test_prices_cover_closed_and_open_models() -> None:
    assert {"closed", "open"} <= {row.weights for row in facts.prices()}
    for row in facts.prices():
        assert (
            row.cached_input_usd_per_million is None
            or row.cached_input_usd_per_million <= row.input_usd_per_million
        )


def test_the_frame_has_numbers_where_the_table_has() -> None:
    frame = facts.frame("prices")
    assert frame["input_usd_per_million"].dtype.kind == "f"
    assert len(frame) == len(facts.prices())


def test_importing_facts_is_light() -> None:
    code = "import sys, labkit.facts; print([m for m in ('pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_quizzes_explain_every_wrong_option() -> None:
    for path in sorted((DATASETS / "quizzes").glob("ch*.json")):
        questions = json.loads(path.read_text(encoding="utf-8"))
        assert 4 <= len(questions) <= 8, path.name
        for question in questions:
            assert any(answer.get("correct") for answer in question["answers"]), question["id"]
            for answer in question["answers"]:
                assert len(answer["feedback"]) > 15, (question["id"], answer)
