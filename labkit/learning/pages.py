"""Parts of a page that every chapter uses: the start page, tables of facts, myths."""

from __future__ import annotations

from dataclasses import dataclass

from labkit import settings
from labkit.errors import LabError
from labkit.tables import Table


@dataclass(frozen=True)
class _FactsView:
    """How a table of `datasets/` is shown: a caption, and column → head."""

    caption: str
    columns: dict[str, str]


_FACTS_VIEWS = {
    "openness_ladder": _FactsView(
        "The ladder of openness",
        {
            "name": "rung",
            "what_you_get": "what you get",
            "what_you_may_do": "what you may do",
            "examples": "examples",
        },
    ),
    "capability_gap": _FactsView(
        "How far open weights trail closed models: dated estimates",
        {"statement": "estimate", "object": "of what", "window": "period", "publisher": "by"},
    ),
    "closed_exceptions": _FactsView(
        "Rules of thumb that have exceptions",
        {"rule": "what is often said", "exception": "what is true", "limit": "the limit of it"},
    ),
    "fine_tuning_closed": _FactsView(
        "Which closed models can be fine-tuned", {"vendor": "vendor", "statement": "state of affairs"}
    ),
    "commands": _FactsView(
        "The three steps as shell commands",
        {"step": "step", "command": "command", "what_it_does": "what it does", "instead_of": "instead of"},
    ),
    "definitions": _FactsView("Terms and definitions", {"term": "term", "definition": "what it means"}),
    "eu_ai_act": _FactsView(
        "What the EU AI Act says of free and open-source models",
        {"topic": "about", "rule": "rule", "article": "where"},
    ),
    "prices": _FactsView(
        "What hosted models cost, in US dollars per million tokens",
        {
            "model": "model",
            "provider": "provider",
            "input_usd_per_million": "input",
            "cached_input_usd_per_million": "cached input",
            "output_usd_per_million": "output",
        },
    ),
}


def facts_table(name: str) -> Table:
    """A table of `datasets/` with the source and the date of each row."""
    from labkit import facts

    if name not in _FACTS_VIEWS:
        raise LabError(
            f"There is no table {name!r} to show.", f"These can be shown: {', '.join(_FACTS_VIEWS)}."
        )
    view = _FACTS_VIEWS[name]
    rows = facts.table(name)
    cells = [[*(row[column] for column in view.columns), _source(row), _as_of(row)] for row in rows]
    return Table(view.caption, [*view.columns.values(), "source", "as of"], cells)


def myths(chapter: int, *, core: bool = True) -> Table:
    """Claims that are widely repeated and wrong, with what is true.

    `core`: those that change a decision; otherwise the rest of the chapter's list.
    """
    from labkit import facts

    rows = [
        row
        for row in facts.table("myths")
        if int(row["chapter"]) == chapter and (row["decides"] == "yes") == core
    ]
    rows.sort(key=lambda row: int(row["order"]))
    cells = [[row["claim"], row["truth"], _source(row), _as_of(row)] for row in rows]
    return Table("Myths", ["the claim", "what is true", "source", "as of"], cells)


def _source(row: dict[str, str]) -> str:
    doubt = "" if row.get("confidence", "high") == "high" else " (read second hand)"
    return (row.get("source") or row.get("publisher") or "") + doubt


def _as_of(row: dict[str, str]) -> str:
    return row.get("as_of") or row.get("published") or row["read_on"]


def start_page() -> Table:
    """All chapters with their minutes and the learner's progress."""
    from labkit import facts
    from labkit.learning.progress import chapter_progress

    done = {chapter.chapter: chapter for chapter in chapter_progress()}
    rows, links = [], {}
    for chapter in facts.table("chapters"):
        number = int(chapter["number"])
        title = f"{number}. {chapter['title']}"
        if file := _notebook(number, chapter["slug"]):
            links[title] = file
            state = done[number].state if number in done else "not started"
        else:
            state = "in preparation"
        solved = _solved(done[number]) if number in done and title in links else ""
        rows.append([title, chapter["minutes"], state, solved])
    notes = ["Your progress is kept on this machine only. Run this cell again to bring the table up to date."]
    return Table("The chapters", ["chapter", "minutes", "your progress", "solved"], rows, notes, links)


def _solved(chapter) -> str:
    return (
        f"{chapter.exercises_solved} of {chapter.exercises_total} exercises, "
        f"{chapter.questions_right} of {chapter.questions_total} quiz questions"
    )


def _notebook(number: int, slug: str) -> str | None:
    """The file name of a chapter that exists beside this clone, else None."""
    root = settings.repository_root()
    name = f"{number:02d}_{slug}.ipynb"
    return name if root and (root / "course" / name).exists() else None


def environment_check() -> Table:
    """What `labkit doctor` finds, as a table: is this machine ready for the course?"""
    from labkit.measuring.doctor import check_up

    words = {"ok": "✓ OK", "warn": "! note", "fail": "✗ problem"}
    findings = check_up()
    rows = [[words[f.status], f.name, f.text, "" if f.status == "ok" else f.cure] for f in findings]
    failed = sum(f.status == "fail" for f in findings)
    caption = "This machine is ready" if not failed else f"{failed} to mend before you go on"
    return Table(caption, ["", "what", "found", "what to do"], rows)
