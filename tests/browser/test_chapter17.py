"""Chapter 17 in a real JupyterLab and a real Chromium: it runs, and its widget answers to keys alone."""

from __future__ import annotations

import pytest

from tests.browser.harness import assert_clean, chapter

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTEBOOK = "17_tokenizers.ipynb"
LOOK_AT = (
    "lk.watch_merges(n",
    "training.grow",
    "lk.merge_chart(training)",
    "lk.language_chart",
    "lk.trailing_space",
)


@pytest.fixture(scope="module")
def lab(course_server, chromium):
    with chapter(course_server, chromium, NOTEBOOK) as running:
        yield running


def test_it_runs_from_top_to_bottom_without_an_error(lab):
    assert_clean(lab, NOTEBOOK, LOOK_AT)


def test_the_explorer_cuts_a_typed_text_and_no_key_reaches_the_notebook(lab):
    sources = lab.sources()
    cell = lab.cell("lk.token_explorer(")
    form = lab.form("How is a text cut?")
    form.get_by_label("Or your own text", exact=True).focus()
    lab.page.keyboard.type("abba xylophone")
    # What is waited for is in no notebook: it comes from the kernel.
    form.locator(".lk-result").get_by_text("abba xylophone").wait_for(timeout=15_000)
    boxes = form.get_by_role("list", name="SmolLM2: ").first
    assert "".join(boxes.get_by_role("listitem").all_inner_texts()) == "abba␣xylophone"
    form.get_by_label("Text", exact=True).focus()
    lab.page.keyboard.type("Hindi")
    form.locator(".lk-result").get_by_text("पुस्तकालय").wait_for(timeout=15_000)
    lab.shot("chapter17-explorer", cell)
    assert lab.sources() == sources
