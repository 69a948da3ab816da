"""Chapter 19 in a real JupyterLab and a real Chromium, from the first cell to a restarted kernel."""

from __future__ import annotations

import pytest

from tests.browser.harness import Lab, answer_anew, assert_clean, chapter, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTEBOOK = "19_open_vs_closed.ipynb"
DECISION = "Open or closed, hosted or local?"
SOLUTION = """three_and_three = {
"needs_open": {"B": "offline", "D": "pinned", "H": "weights"},
"closed_is_fine": {"A": "quality", "C": "volume", "G": "hardware"},
}"""


@pytest.fixture(scope="module")
def lab(course_server, chromium):
    with chapter(course_server, chromium, NOTEBOOK) as running:
        yield running


def test_it_runs_from_top_to_bottom_without_an_error(lab):
    assert_clean(lab, NOTEBOOK, ("lk.get_model", "lk.bench", "lk.roofline", "licence_explorer", "myths(19)"))


def answer_the_first_question(lab: Lab) -> None:
    """A wrong and then a right answer. What is waited for is in no notebook: it comes from the kernel."""
    quiz = lab.cell('lk.quiz("ch19-licences")')
    assert not quiz.get_by_text("No Llama is under Apache or MIT").is_visible()
    quiz.get_by_label("Llama 3.1 8B").check()
    quiz.get_by_role("button", name="Check 1").click()
    quiz.get_by_text("No Llama is under Apache or MIT").wait_for(timeout=8_000)
    quiz.get_by_label("Qwen3 8B").check()
    quiz.get_by_role("button", name="Check 1").click()
    quiz.get_by_text("1 of 6 right.").wait_for(timeout=8_000)
    lab.shot("chapter19-quiz", quiz)


def test_a_wrong_and_then_a_right_quiz_answer(lab):
    answer_the_first_question(lab)


def test_the_explorer_answers_from_the_kernel(lab):
    cell = lab.cell("lk.licence_explorer()")
    cell.get_by_label("Model", exact=True).select_option(label_with(cell, "Command R+"))
    cell.get_by_text("CC BY-NC 4.0 legal code").first.wait_for(timeout=8_000)
    assert cell.get_by_text("NOT ALLOWED", exact=False).first.is_visible()
    lab.shot("chapter19-explorer-command-r", cell)


def label_with(cell, text: str) -> str:
    """The value of the first option of the model list whose label holds `text`."""
    return cell.locator("option", has_text=text).first.get_attribute("value")


def test_the_decision_is_made_by_keyboard_alone(lab):
    """From the first field on, only keys: a verdict, then one answer changed, and another verdict."""
    keyboard = lab.page.keyboard
    sources = lab.sources()
    cell = lab.cell("lk.decision_exercise(result)")
    form = cell.get_by_role("group", name=DECISION, exact=True)
    form.get_by_text("Not decided yet.").wait_for()
    form.get_by_label("How sensitive is the data?").focus()
    _tab_to_button(lab, "Decide")
    keyboard.press("Enter")
    status = form.locator(".lk-status")
    lab.page.wait_for_function("e => e.textContent !== 'Not decided yet.'", arg=status.element_handle())
    first = status.inner_text()
    lab.shot("chapter19-decision-first", cell)
    form.get_by_label("Is there a network?").focus()
    keyboard.press("End")  # the last answer: a phone or laptop in the field
    lab.page.wait_for_function(
        "([e, before]) => e.innerText !== before", arg=[status.element_handle(), first], timeout=15_000
    )
    assert "open on device" in status.inner_text()
    form.get_by_text("There is no network to call it over", exact=False).first.wait_for()
    lab.shot("chapter19-decision-offline", cell)
    assert lab.sources() == sources  # no key reached the notebook


def _tab_to_button(lab: Lab, name: str) -> None:
    for _ in range(60):
        lab.page.keyboard.press("Tab")
        if lab.page.evaluate("() => document.activeElement.textContent") == name:
            return
    raise AssertionError(f"Tab never reached the button {name!r}")


def test_the_exercise_is_answered_and_survives_a_restart(lab):
    """Typed into the answer cell, checked, and still known to the kernel after the one that checked it."""
    check = lab.cell('lk.check("ch19-three-and-three"')
    check.get_by_text("Not answered.").wait_for()
    answer_anew(lab, "three_and_three = {", SOLUTION)
    check.get_by_text("Correct.").wait_for()
    lab.shot("chapter19-exercise", check)
    before = lab.evaluate_in_kernel("__import__('os').getpid()")
    lab.restart_kernel()
    assert lab.evaluate_in_kernel("__import__('os').getpid()") != before
    progress = lab.evaluate_in_kernel("repr(__import__('labkit').start_page())")
    assert "1 of 2 exercises, 1 of 11 quiz questions" in progress


@pytest.mark.usefixtures("lab")
def test_the_start_page_is_calm_and_shows_the_progress(course_server, chromium):
    lab = Lab.start(course_server, chromium)
    lab.open("00_start.ipynb")
    assert lab.page.locator(".jp-toast, .Toastify__toast, .jp-Dialog").count() == 0
    lab.shot("start-page")
    lab.run_all(seconds=300)
    lab.cell("lk.start_page()").get_by_text("1 of 2 exercises").wait_for()
    lab.shot("start-page-run")
    for marker in ("environment_check", "next_token_chart", "range(8)"):
        lab.shot(f"start-{marker.split('(')[0]}", lab.cell(marker))
    assert lab.errors == []
    assert lab.outside == []
    lab.close()


def test_without_the_click_handler_the_quiz_check_fails(course_server, chromium):
    """The mutant: the same page and the same test, but a press of the button reaches nobody."""
    from playwright.sync_api import TimeoutError as NothingCame

    from labkit.learning import form

    handler = 'node.addEventListener("click", () => this.onClick(node));'
    assert handler in form.script()
    mutant = (
        "import labkit as lk\nfrom labkit.learning import form\nwhole = form.script()\n"
        f"form.script = lambda: whole.replace({handler!r}, '')\n"
    )
    write_notebook(course_server.root / "mutant.ipynb", [mutant, 'lk.quiz("ch19-licences")'])
    lab = Lab.start(course_server, chromium)
    lab.open("mutant.ipynb")
    lab.run_all()
    with pytest.raises(NothingCame, match="No Llama is under Apache"):
        answer_the_first_question(lab)
    lab.close()
