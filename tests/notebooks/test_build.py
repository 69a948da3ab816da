"""The builder: sources to notebooks."""

from __future__ import annotations

import subprocess
import sys

import nbformat

from tests.notebooks.test_chapters import ROOT, SOURCES, builder


def test_building_twice_gives_the_same_bytes():
    for source in SOURCES:
        assert builder.to_text(builder.build(source)) == builder.to_text(builder.build(source))


def test_ids_follow_names_so_that_an_inserted_cell_moves_no_other(tmp_path):
    source = SOURCES[-1]
    changed = tmp_path / source.name
    marker = "\n# %% [markdown] name="
    changed.write_text(source.read_text().replace(marker, "\n# %% name='new'\n1\n" + marker, 1))
    before = {cell.metadata.get("name"): cell.id for cell in builder.build(source).cells}
    after = {cell.metadata.get("name"): cell.id for cell in builder.build(changed).cells}
    assert before.items() <= after.items()


def test_every_cell_is_named_and_names_are_unique():
    for source in SOURCES:
        names = [cell.metadata.get("name") for cell in builder.build(source).cells]
        assert None not in names
        keys = [(cell.metadata["name"], cell.cell_type) for cell in builder.build(source).cells]
        assert len(keys) == len(set(keys))


def test_check_fails_on_a_stale_notebook(tmp_path):
    """`--check` compares with the file on disk: a copy of the course with one edited notebook is refused."""
    import shutil

    shutil.copytree(ROOT / "course", tmp_path / "course")
    (tmp_path / "datasets").mkdir()
    shutil.copy(ROOT / "datasets/chapters.csv", tmp_path / "datasets")
    command = [sys.executable, str(tmp_path / "course/build.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
    target = tmp_path / "course/00_start.ipynb"
    notebook = nbformat.read(target, as_version=4)
    notebook.cells[0].source += " "
    nbformat.write(notebook, target)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "00_start.ipynb" in done.stdout


def test_stub_and_solution_are_split():
    source = "x = 1\n# BEGIN STUB\n# answer = None\n#\n# END STUB\nanswer = 3"
    assert builder.split_stub(source) == ("x = 1\nanswer = None", "x = 1\nanswer = 3")
