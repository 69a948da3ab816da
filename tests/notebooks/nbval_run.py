"""Run a notebook under `pytest --nbval-lax`, as a learner's grader does, and say which cells failed."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import nbformat


@dataclass
class NbvalRun:
    """`failures`: name (or id) of a failed cell → what pytest said of it. `cells`: how many ran."""

    exit_code: int
    cells: int
    failures: dict[str, str] = field(default_factory=dict)
    output: str = ""


def replace_answer(notebook: nbformat.NotebookNode, name: str, source: str) -> None:
    """Put a learner's code into the answer cell of an exercise."""
    cell = next(c for c in notebook.cells if c.metadata.get("name") == name and c.cell_type == "code")
    cell.source = source


def run_nbval(notebook: nbformat.NotebookNode, folder: Path, *, strict: bool) -> NbvalRun:
    """Write `notebook` into `folder` and run it in the current environment, with quick labs."""
    path = folder / "chapter.ipynb"
    nbformat.write(notebook, path)
    report = folder / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=300",
    ]
    command += ["-p", "no:cacheprovider", "-q", "-o", "addopts=", f"--junitxml={report}", str(path)]
    environment = os.environ | {"LABKIT_QUICK": "1", "LABKIT_STRICT": "1" if strict else "0"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = NbvalRun(done.returncode, 0, {}, done.stdout + done.stderr)
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        run.cells += 1
        number = int(case.get("name", "").split("Cell ")[-1])
        failure = case.find("failure")
        if failure is not None:
            cell = code_cells[number]
            run.failures[cell.metadata.get("name", cell.id)] = failure.text or ""
    return run
