"""Build the learner's notebooks in `course/` from the plain-text chapters in `course/source/`.

    python course/build.py            write every notebook
    python course/build.py --check    write nothing; exit 1 when a notebook is not current

A chapter's source is jupytext's py:percent format with a short YAML head. The solution of an
exercise is the source; the stub that a learner meets stands beside it as comments:

    # %% tags=["answer"] name="ch19-three-and-three"
    # BEGIN STUB
    # answer = None
    # END STUB
    answer = {"the": "solution"}

The learner's notebook gets the stub, the solved reference notebook (used by the tests) the rest.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml

COURSE = Path(__file__).resolve().parent
SOURCES = COURSE / "source"
CHAPTERS_CSV = COURSE.parent / "datasets" / "chapters.csv"

#: What a notebook says of its kernel. Nothing of the machine that built it.
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def chapters() -> list[dict[str, str]]:
    """The rows of `datasets/chapters.csv`, in order."""
    with CHAPTERS_CSV.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def split_head(text: str) -> tuple[dict, str]:
    """Take the YAML head (comment lines between two `# ---`) off a source."""
    lines = text.splitlines()
    if not lines or lines[0] != "# ---":
        raise ValueError("a chapter's source starts with a `# ---` head")
    end = lines.index("# ---", 1)
    head = yaml.safe_load("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end]))
    return head, "\n".join(lines[end + 1 :]).lstrip("\n") + "\n"


def split_stub(source: str) -> tuple[str, str]:
    """The stub and the solution of an answer cell."""
    if "# BEGIN STUB" not in source:
        return source, source
    before, rest = source.split("# BEGIN STUB\n", 1)
    stub, solution = rest.split("# END STUB\n", 1)
    uncommented = "\n".join(line.removeprefix("#").removeprefix(" ") for line in stub.splitlines())
    return before + uncommented.rstrip(), before + solution.rstrip()


def notebook_name(number: int) -> str:
    """`19` → `19_open_vs_closed.ipynb`."""
    if number == 0:
        return "00_start.ipynb"
    row = next(row for row in chapters() if int(row["number"]) == number)
    return f"{number:02d}_{row['slug']}.ipynb"


def neighbours(number: int) -> str:
    """The line of links at a chapter's foot: previous, start page, next (those that are written)."""
    written = sorted(int(path.name[:2]) for path in SOURCES.glob("[0-9][0-9]_*.py"))
    titles = {int(row["number"]): row["title"] for row in chapters()}
    before = [n for n in written if 0 < n < number]
    after = [n for n in written if n > number]
    links = []
    if before:
        links.append(f"← [{before[-1]} {titles[before[-1]]}]({notebook_name(before[-1])})")
    links.append("[All chapters](00_start.ipynb)")
    if after:
        links.append(f"[{after[0]} {titles[after[0]]}]({notebook_name(after[0])}) →")
    return " · ".join(links)


def written_chapters() -> str:
    """A sentence with links to the chapters that can be opened."""
    links = [
        f"[{row['number']} {row['title']}]({notebook_name(int(row['number']))})"
        for row in chapters()
        if (SOURCES / notebook_name(int(row["number"]))).with_suffix(".py").exists()
    ]
    rest = len(chapters()) - len(links)
    return f"Ready to open: {', '.join(links)}." + (f" {rest} more are being written." if rest else "")


def head_cell(head: dict) -> str:
    """Title, minutes, objectives and the key insight, in the same form in every chapter."""
    if "title" in head:
        title, time = head["title"], f"**{head['minutes']} minutes**"
    else:
        row = next(row for row in chapters() if int(row["number"]) == head["chapter"])
        title = f"{row['number']}. {row['title']}"
        time = f"**{row['minutes']} minutes** to read and run. The quiz and the exercises take as long again."
    objectives = "\n".join(f"- {line}" for line in head["objectives"])
    return (
        f"# {title}\n\n{time}\n\n{head['objectives_title']}\n\n{objectives}\n\n"
        f"> **In one line.** {head['insight'].strip()}"
    )


def set_ids(notebook: nbformat.NotebookNode, slug: str) -> None:
    """Ids that do not change from build to build: a hash of chapter and name, or position."""
    for position, cell in enumerate(notebook.cells):
        key = cell.metadata.get("name") or str(position)
        cell["id"] = hashlib.sha256(f"{slug}/{key}/{cell.cell_type}".encode()).hexdigest()[:12]


def build(source: Path, *, solved: bool = False) -> nbformat.NotebookNode:
    """One notebook from one source. With `solved`, the answer cells hold the solutions."""
    head, body = split_head(source.read_text(encoding="utf-8"))
    head.setdefault("objectives_title", "After this chapter you can:")
    notebook = jupytext.reads(body, fmt="py:percent")
    for cell in notebook.cells:
        metadata = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
        if "answer" in metadata.get("tags", []):
            cell.source = split_stub(cell.source)[1 if solved else 0]
        cell.source = cell.source.replace("{{written}}", written_chapters())
        cell.metadata = nbformat.from_dict(metadata)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(head_cell(head), metadata={"name": "head"}))
    if head["chapter"]:
        foot = neighbours(head["chapter"])
        notebook.cells.append(nbformat.v4.new_markdown_cell(foot, metadata={"name": "foot"}))
    set_ids(notebook, source.stem)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def to_text(notebook: nbformat.NotebookNode) -> str:
    return nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False).rstrip("\n") + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a notebook is not current")
    options = parser.parse_args(arguments)
    stale = []
    for source in sorted(SOURCES.glob("[0-9][0-9]_*.py")):
        target = COURSE / f"{source.stem}.ipynb"
        text = to_text(build(source))
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale.append(target.name)
        if not options.check:
            target.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote course/{target.name}")
    if options.check and stale:
        print("not current: " + ", ".join(stale) + "\nRun `make notebooks`, and commit the result.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
