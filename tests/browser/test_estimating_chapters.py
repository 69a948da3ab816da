"""Chapters 1, 2, 3 and 6 in a real JupyterLab and a real Chromium: they run, and their forms answer."""

from __future__ import annotations

import pytest

from tests.browser.harness import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: notebook → what to look at with one's own eyes, in build/screenshots
CHAPTERS = {
    "01_what_the_numbers_mean.ipynb": ["lk.size_table", "lk.measure_sizes", "lk.exercise("],
    "02_parameter_count.ipynb": ["lk.layer_picture(tiny)", 'lk.parameter_chart("smollm2', "lk.exercise("],
    "03_dense_vs_moe.ipynb": ["lk.compare_twins", "lk.trio_chart", "lk.routing_chart"],
    "06_kv_cache.ipynb": ["lk.kv_steps(file", "lk.compare_memory", "lk.cache_chart"],
}
COUNT = """def count_parameters(config):
    return 0
"""


@pytest.fixture
def open_chapter(course_server, chromium):
    """A function that opens a notebook and runs it from top to bottom."""
    labs = []

    def run(notebook: str) -> Lab:
        lab = Lab.start(course_server, chromium, height=1400)
        labs.append(lab)
        lab.open(notebook)
        lab.run_all(seconds=600)
        return lab

    yield run
    for lab in labs:
        assert lab.errors == []
        assert lab.outside == []
        lab.close()


@pytest.mark.parametrize("notebook", ["01_what_the_numbers_mean.ipynb", "03_dense_vs_moe.ipynb"])
def test_it_runs_from_top_to_bottom_without_an_error(open_chapter, notebook):
    lab = open_chapter(notebook)
    _assert_clean(lab, notebook)


def _assert_clean(lab: Lab, notebook: str) -> None:
    kinds = lab.output_kinds()
    assert len(kinds) > 15
    assert not any("error" in cell for cell in kinds)
    for number, marker in enumerate(CHAPTERS[notebook]):
        lab.shot(f"chapter{notebook[:2]}-{number}", lab.cell(marker))


def test_a_wrong_function_gets_its_hint_from_the_kernel(open_chapter):
    notebook = "02_parameter_count.ipynb"
    lab = open_chapter(notebook)
    _assert_clean(lab, notebook)
    check = lab.cell('lk.check("ch02-count-parameters"')
    check.get_by_text("Not answered.").wait_for()
    lab.cell("def count_parameters").locator(".cm-content").click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.insert_text(COUNT)
    lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.press("Shift+Enter")
    check.get_by_text("Not yet.").wait_for()
    lab.shot("chapter02-wrong-function", check)


def test_the_explorer_answers_by_keyboard_alone(open_chapter):
    """Another model, then the longest context: each time another verdict. No key reaches the notebook."""
    notebook = "06_kv_cache.ipynb"
    lab = open_chapter(notebook)
    _assert_clean(lab, notebook)
    sources = lab.sources()
    cell = lab.cell("lk.fit_explorer()")
    form = lab.form("Will it run here?")
    status = form.locator(".lk-status")
    first = status.inner_text()
    form.get_by_label("Model", exact=True).focus()
    lab.page.keyboard.type("Gemma 3 12B")
    _wait_for_another_status(lab, status, first)
    second = status.inner_text()
    form.get_by_label("Context", exact=False).first.focus()
    lab.page.keyboard.press("End")
    _wait_for_another_status(lab, status, second)
    lab.shot("chapter06-explorer", cell)
    assert lab.sources() == sources


def _wait_for_another_status(lab: Lab, status, before: str) -> None:
    lab.page.wait_for_function(
        "([e, before]) => e.innerText !== before", arg=[status.element_handle(), before], timeout=15_000
    )
