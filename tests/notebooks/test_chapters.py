"""Each chapter as a learner meets it: blank, solved, and with wrong answers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.nbval_run import replace_answer, run_nbval

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "course/source").glob("[0-9][0-9]_*.py"))
WITH_EXERCISES = [source for source in SOURCES if 'tags=["check"]' in source.read_text(encoding="utf-8")]

#: what a learner might really write, chosen to be wrong, and a piece of the hint that must come back
WRONG_ANSWERS = {
    "19_open_vs_closed": {
        "ch19-three-and-three": (
            "three_and_three = {'needs_open': {'E': 'privacy', 'B': 'offline', 'D': 'pinned'}, "
            "'closed_is_fine': {'A': 'quality', 'C': 'volume', 'G': 'hardware'}}",
            "privacy alone",
        ),
        "ch19-hours-and-cost": (
            "hours_and_cost = {'record': 'tg 40,41,42 tok/s; pp 300,301,302 tok/s; peak 190 MiB; "
            "smollm2-135m-instruct-q4_1 b179c9523d0e; 2026-11-22', "
            "'hours_for_a_million_tokens': 0.92, 'electricity_cost': 0.018}",
            "prompt processing",
        ),
    }
}


def _builder():
    spec = importlib.util.spec_from_file_location("course_build", ROOT / "course/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = _builder()


def _names(notebook: nbformat.NotebookNode, tag: str) -> list[str]:
    return [cell.metadata["name"] for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


#: These run every cell of a chapter, the download of the model included.
runs_a_chapter = pytest.mark.usefixtures("model_cache")


def by_source(function):
    return pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)(function)


@by_source
def test_the_committed_notebook_is_what_its_source_builds(source):
    committed = (ROOT / "course" / f"{source.stem}.ipynb").read_text(encoding="utf-8")
    assert committed == builder.to_text(builder.build(source))


@by_source
def test_a_learners_notebook_holds_no_output_and_no_solution(source):
    notebook = builder.build(source)
    text = builder.to_text(notebook)
    assert "STUB" not in text
    assert "widgets" not in notebook.metadata
    assert not any(cell.get("outputs") for cell in notebook.cells)
    solved = builder.build(source, solved=True)
    for blank_cell, solved_cell in zip(notebook.cells, solved.cells, strict=True):
        assert blank_cell.id == solved_cell.id
        is_answer = "answer" in blank_cell.metadata.get("tags", [])
        assert (blank_cell.source != solved_cell.source) == is_answer, blank_cell.source


@by_source
def test_every_answer_is_checked_and_every_link_leads_somewhere(source):
    notebook = builder.build(source)
    checked = re.findall(r'lk\.check\("([^"]+)"', builder.to_text(notebook).replace('\\"', '"'))
    assert _names(notebook, "answer") == checked
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)#]+\.ipynb)\)", cell.source):
            assert (ROOT / "course" / target).exists(), target


@by_source
def test_no_cell_is_too_long_to_be_read_at_a_glance(source):
    for cell in builder.build(source).cells:
        assert len(cell.source.splitlines()) <= (15 if cell.cell_type == "code" else 25), cell.source


@by_source
@pytest.mark.slow
@runs_a_chapter
def test_blank_runs_from_top_to_bottom(source, tmp_path):
    run = run_nbval(builder.build(source), tmp_path, strict=False)
    assert run.exit_code == 0, run.output[-3000:]
    assert run.cells == sum(cell.cell_type == "code" for cell in builder.build(source).cells)


@by_source
@pytest.mark.slow
def test_blank_runs_with_no_network_at_all(source, tmp_path, monkeypatch):
    """No hub, no mirror, empty caches: the committed model with random weights stands in."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    run = run_nbval(builder.build(source), tmp_path, strict=False)
    assert run.exit_code == 0, run.output[-3000:]


@pytest.mark.parametrize("source", WITH_EXERCISES, ids=lambda path: path.stem)
@pytest.mark.slow
@runs_a_chapter
def test_blank_is_red_at_its_checks_alone_in_strict_mode(source, tmp_path):
    notebook = builder.build(source)
    checks = _names(notebook, "check")
    run = run_nbval(notebook, tmp_path, strict=True)
    assert sorted(run.failures) == sorted(checks), run.output[-3000:]


@by_source
@pytest.mark.slow
@runs_a_chapter
def test_solved_is_green_in_strict_mode(source, tmp_path):
    run = run_nbval(builder.build(source, solved=True), tmp_path, strict=True)
    assert run.failures == {}, json.dumps(run.failures, indent=1)[:3000]
    assert run.exit_code == 0


@pytest.mark.slow
@runs_a_chapter
@pytest.mark.parametrize("stem", WRONG_ANSWERS)
def test_wrong_answers_are_refused_with_their_hint(stem, tmp_path):
    notebook = builder.build(ROOT / "course/source" / f"{stem}.py")
    for name, (source, _) in WRONG_ANSWERS[stem].items():
        replace_answer(notebook, name, source)
    run = run_nbval(notebook, tmp_path, strict=True)
    assert sorted(run.failures) == sorted(_names(notebook, "check"))
    for said, (_, hint) in zip(run.failures.values(), WRONG_ANSWERS[stem].values(), strict=True):
        assert hint in said
