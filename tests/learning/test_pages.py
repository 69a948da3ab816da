"""Start page, tables of facts, myths, the chart of next tokens: what every chapter shows."""

from __future__ import annotations

import re

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.learning import pages
from labkit.learning.progress import record_event
from labkit.learning.token_chart import TokenChart, next_token_chart, visible
from labkit.models.loading import NextToken


@pytest.mark.parametrize("name", pages._FACTS_VIEWS)
def test_every_row_of_every_table_has_its_source_and_its_date(name):
    tables = [pages.facts_table(name), pages.facts_table(name, core=False)]
    rows = [row for table in tables for row in table.rows]
    assert len(rows) == len(facts.table(name)) and tables[0].rows
    folded = [line for table in tables for line in table.folded]
    sources = [line for line in folded if not line.startswith("(second hand)")]
    together = pages._FACTS_VIEWS[name].together
    owners = {row[together] for row in facts.table(name)} if together else rows
    assert len(sources) == len(owners)
    for line in sources:
        assert re.search(r": .{8,}\. As of 20\d\d(-\d\d)?(-\d\d)?\.", line), line


def test_the_table_of_architectures_is_narrow_and_its_sources_stand_family_by_family():
    table = pages.facts_table("architectures")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Llama 3.1 8B"] == ["4,096", "32", "32", "8", "128", "14,336", "128,256", "8,030,261,248"]
    deepseek = rows["DeepSeek V3 (671B)"]
    assert (deepseek[4], deepseek[7]) == ("latent", "about 671,000,000,000")
    qwen = [line for line in table.folded if line.startswith("Qwen: ")]
    assert len(qwen) == 1 and qwen[0].count("LitGPT") == 1 and len(qwen[0]) < 400
    shown = str(table).split("Sources and dates")[0]
    assert len(shown.splitlines()) < len(table.rows) + 8 and max(map(len, shown.splitlines())) <= 130


def test_a_table_that_does_not_exist_is_a_sentence():
    with pytest.raises(LabError, match="no table 'nonsense'"):
        pages.facts_table("nonsense")


def test_five_myths_decide_and_the_rest_come_later():
    core, rest = pages.myths(19), pages.myths(19, core=False)
    assert len(core.rows) == 5
    assert len(core.rows) + len(rest.rows) == sum(row["chapter"] == "19" for row in facts.table("myths"))
    assert not {row[0] for row in core.rows} & {row[0] for row in rest.rows}


def test_the_start_page_links_what_is_written_and_shows_progress():
    before = pages.start_page()
    assert before.links["19. Open vs Closed Weights"] == "19_open_vs_closed.ipynb"
    assert before.rows[-1][2] == "not started"
    assert len(before.rows) + len(before.folded) == 20
    record_event("exercise", "ch19-three-and-three", verdict="correct", points=6)
    after = pages.start_page()
    assert after.rows[-1][2] == "started"
    assert "1 of 2 exercises" in after.rows[-1][3]


def test_the_environment_check_shows_what_needs_care_and_folds_the_rest():
    table = pages.environment_check()
    assert all(row[0] in ("! note", "✗ problem") for row in table.rows)
    assert any(line.startswith("llama.cpp: ") for line in table.folded)


def test_probabilities_of_the_chart_add_up(random_model):
    from labkit.models.loading import load_model

    with load_model(random_model) as model:
        chart = next_token_chart(model, "Once upon a time")
        every = model.next_token("Once upon a time", top=model.n_vocab)
    assert chart.random_weights and "mean nothing" in repr(chart)
    assert sum(token.probability for token in every) == pytest.approx(1, abs=1e-4)
    assert chart.rest == pytest.approx(sum(t.probability for t in every[10:]), abs=1e-4)


def test_the_chart_is_escaped_and_shows_spaces():
    chart = TokenChart("<b>", [NextToken(" <i>", 0.5, 1), NextToken("\n", 0.25, 2)], random_weights=False)
    html = chart._repr_html_()
    assert "<i>" not in html and "“<b>”" not in html
    assert "␣&lt;i&gt;" in html and "↵" in html
    assert chart.rest == pytest.approx(0.25)
    assert visible("") == "(empty)"
