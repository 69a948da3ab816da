"""Parts of a page that every chapter uses: the start page, tables of facts, myths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit import settings
from labkit.errors import LabError
from labkit.tables import Table

if TYPE_CHECKING:
    from labkit.learning.progress import ChapterProgress


@dataclass(frozen=True)
class _FactsView:
    """How a table of `datasets/` is shown: a caption, and column → head.

    `cell` gives the text of a column in a row; `together` names a column whose equal rows share one line of
    sources.
    """

    caption: str
    columns: dict[str, str]
    cell: Callable[[str, dict[str, str]], str] = lambda column, row: row[column]
    together: str = ""
    text_width: int = 110


def _architecture_cell(column: str, row: dict[str, str]) -> str:
    if column == "head_dim":
        return row[column] or "latent"
    if column in ("hidden_size", "intermediate_size", "vocab_size") and row[column].isdecimal():
        return f"{int(row[column]):,}"
    if column == "parameters":
        return f"{int(row[column]):,}" if not row["parameters_rounded_to"] else f"about {int(row[column]):,}"
    return row[column]


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
        {"publisher": "by", "statement": "estimate", "object": "of what", "window": "period"},
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
        {"command": "command", "step": "step", "what_it_does": "what it does", "instead_of": "instead of"},
    ),
    "definitions": _FactsView("Terms and definitions", {"term": "term", "definition": "what it means"}),
    "eu_ai_act": _FactsView(
        "What the EU AI Act says of free and open-source models",
        {"topic": "about", "rule": "rule", "article": "where"},
    ),
    "tokenizer_kinds": _FactsView(
        "Methods and libraries",
        {
            "model": "model",
            "method": "method",
            "starts_from": "starts from",
            "library": "library",
            "vocabulary": "vocabulary",
        },
    ),
    "prices": _FactsView(
        "What hosted models cost, in US dollars per million tokens",
        {
            "model": "model",
            "provider": "provider",
            "input_usd_per_million": "input",
            "cached_input_usd_per_million": "cached input",
            "output_usd_per_million": "output",
            "note": "note",
        },
    ),
    "card_fields": _FactsView(
        "A card, field by field: Llama 3.1 8B Instruct in Q4_K_M",
        {"field": "field", "example": "here", "tells": "what it tells you"},
    ),
    "quantization_speeds": _FactsView(
        "Llama 3.1 8B: published speeds, in tokens/s",
        {
            "quant": "stored as",
            "bits_per_weight": "bits per weight",
            "weights_gib": "size, GiB",
            "generation_tokens_per_s": "generation",
            "prompt_tokens_per_s": "prompt processing",
        },
        lambda column, row: f"{float(row[column]):.2f}" if column == "bits_per_weight" else row[column],
    ),
    "quantization_methods": _FactsView(
        "Ways to lose less at the same number of bits",
        {
            "name": "name",
            "stores": "what it does",
            "needs_text": "needs sample text?",
            "where": "where you meet it",
        },
    ),
    "family_extras": _FactsView(
        "What the families add",
        {
            "model_type": "model_type",
            "extra": "what its layers have besides",
            "tied_when_missing": "tied, where the line is missing?",
        },
    ),
    "quantization_names": _FactsView(
        "More names that you will meet",
        {
            "names": "name",
            "file_format": "in files of",
            "what": "what it is",
            "bits_per_weight": "bits per weight",
        },
    ),
    "name_endings": _FactsView(
        "Endings of model names",
        {"ending": "ending", "kind": "base or instruct?", "meaning": "what it says", "examples": "examples"},
    ),
    "training_methods": _FactsView(
        "Methods that combine",
        {
            "method": "method",
            "needs": "what it needs",
            "learns": "what it does",
            "example": "for example",
        },
    ),
    "architectures": _FactsView(
        "The shapes of published models",
        {
            "name": "model",
            "hidden_size": "width",
            "num_hidden_layers": "layers",
            "num_attention_heads": "query heads",
            "num_key_value_heads": "KV heads",
            "head_dim": "head size",
            "intermediate_size": "inner width",
            "vocab_size": "vocabulary",
            "parameters": "parameters",
        },
        _architecture_cell,
        "family",
        text_width=130,
    ),
}


#: What a source's mark means.
_SECOND_HAND = "(second hand)"
_SECOND_HAND_MEANS = f"{_SECOND_HAND}: we read a report or a copy of the source, not the source itself."


def facts_table(name: str, *, core: bool = True) -> Table:
    """A table of `datasets/`; the source and the date of each row are folded below it.

    `core`: of a table with such a column, the rows for a chapter's main part; otherwise the others.
    """
    from labkit import facts

    if name not in _FACTS_VIEWS:
        shown = ", ".join(_FACTS_VIEWS)
        raise LabError(f"There is no table {name!r} to show.", f"These can be shown: {shown}.")
    rows = [row for row in facts.table(name) if row.get("core", "yes") == ("yes" if core else "no")]
    return _table_of_facts(_FACTS_VIEWS[name], rows)


def myths(chapter: int, *, core: bool = True) -> Table:
    """Claims that are widely repeated and wrong or too simple, with what is true.

    `core`: those that change a decision; otherwise the rest of the chapter's list.
    """
    from labkit import facts

    rows = [
        row
        for row in facts.table("myths")
        if int(row["chapter"]) == chapter and (row["decides"] == "yes") == core
    ]
    rows.sort(key=lambda row: int(row["order"]))
    view = _FactsView("What is often said, and what is true", {"claim": "the claim", "truth": "what is true"})
    return _table_of_facts(view, rows)


def _table_of_facts(view: _FactsView, rows: list[dict[str, str]]) -> Table:
    sources = _sources_together(rows, view.together) if view.together else _sources(view, rows)
    if any(_SECOND_HAND in line for line in sources):
        sources.append(_SECOND_HAND_MEANS)
    return Table(
        view.caption,
        list(view.columns.values()),
        [[view.cell(column, row) for column in view.columns] for row in rows],
        folded_title="Sources and dates",
        folded=sources,
        text_width=view.text_width,
        code=True,
    )


def _sources(view: _FactsView, rows: list[dict[str, str]]) -> list[str]:
    """One line for each row."""
    first = next(iter(view.columns))
    return [f"{row[first].rstrip('.')}: {_source(row)}. As of {_as_of(row)}." for row in rows]


def _sources_together(rows: list[dict[str, str]], column: str) -> list[str]:
    """One line for all rows that have the same text in `column`: their sources, each once."""
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        parts = _source(row).split("; ")
        groups.setdefault((row[column], _as_of(row)), {}).update(dict.fromkeys(parts))
    return [f"{name}: {'; '.join(parts)}. As of {as_of}." for (name, as_of), parts in groups.items()]


def _source(row: dict[str, str]) -> str:
    doubt = "" if row.get("confidence", "high") == "high" else f" {_SECOND_HAND}"
    return (row.get("source") or row.get("publisher") or "") + doubt


def _as_of(row: dict[str, str]) -> str:
    return row.get("as_of") or row.get("published") or row["read_on"]


def start_page() -> Table:
    """The chapters with their minutes and the learner's progress."""
    from labkit import facts
    from labkit.learning.progress import chapter_progress

    done = {chapter.chapter: chapter for chapter in chapter_progress()}
    rows, links, later = [], {}, []
    for chapter in facts.table("chapters"):
        number = int(chapter["number"])
        title = f"{number}. {chapter['title']}"
        if file := _notebook(number, chapter["slug"]):
            links[title] = file
            state = done[number].state if number in done else "not started"
            solved = _solved(done[number]) if number in done else ""
            rows.append([title, chapter["minutes"], state, solved])
        else:
            later.append(f"{title} ({chapter['minutes']} minutes)")
    return Table(
        "The chapters",
        ["chapter", "minutes", "your progress", "solved"],
        rows,
        ["Your progress is kept on this machine only. Run this cell again to bring the table up to date."],
        links,
        f"{len(later)} more chapters are in preparation",
        later,
    )


def _solved(chapter: ChapterProgress) -> str:
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
    """What `labkit doctor` finds: is this machine ready for the course? What is in order is folded."""
    from labkit.measuring.doctor import check_up

    words = {"warn": "! note", "fail": "✗ problem"}
    findings = check_up()
    rows = [[words[f.status], f.name, f.text, f.cure] for f in findings if f.status != "ok"]
    failed = sum(f.status == "fail" for f in findings)
    caption = "This machine is ready" if not failed else f"{failed} to mend before you go on"
    fine = [f"{f.name}: {f.text}" for f in findings if f.status == "ok"]
    columns = ["", "what", "found", "what to do"]
    return Table(caption, columns, rows, folded_title=f"{len(fine)} checks in order", folded=fine)
