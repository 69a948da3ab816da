"""Forms in a real JupyterLab: by mouse, by keyboard alone, with a kernel that is gone, in both themes.

Every answer that is waited for holds the number of the kernel's process, so it came from the kernel.
"""

from __future__ import annotations

import json

import pytest

from tests.browser.harness import Lab, lab_environment, lab_server, write_notebook

pytestmark = pytest.mark.browser

QUIZ = """
import os, tempfile
os.environ["LABKIT_HOME"] = tempfile.mkdtemp(dir=".")
import labkit as lk
PID = os.getpid()
lk.quiz([
    {"id": "colour", "type": "multiple_choice", "question": "What colour is a clear sky at noon?",
     "answers": [
        {"answer": "Green", "correct": False, "feedback": f"Grass is green. Kernel {PID}."},
        {"answer": "Blue", "correct": True, "feedback": f"Short waves scatter most. Kernel {PID}."},
        {"answer": "Red", "correct": False, "feedback": f"In the evening. Kernel {PID}."}]},
    {"id": "even", "question": "Which of these numbers are even?", "type": "many_choice", "answers": [
        {"answer": "2", "correct": True, "feedback": "2 is 2 times 1."},
        {"answer": "3", "correct": False, "feedback": "3 leaves a rest."},
        {"answer": "4", "correct": True, "feedback": "4 is 2 times 2."}]},
    {"id": "third", "type": "numeric", "precision": 2, "question": "How much is one divided by three?",
     "answers": [
        {"type": "value", "value": 0.333, "correct": True, "feedback": f"A third. Kernel {PID}."},
        {"type": "default", "feedback": f"Try a calculator. Kernel {PID}."}]},
])
"""

FORM = """
from labkit.learning.form import Button, Field, FormDisplay, Option, View, static_text, with_values

class Trip(FormDisplay):
    def __init__(self):
        self.values, self.events, self.text_before = {}, 0, ""

    def view(self):
        told = ", ".join(f"{k}={v}" for k, v in self.values.items())
        ways = [Option(o, o.title()) for o in ("train", "bike", "boat")]
        places = [Option(o, o.title()) for o in ("bern", "basel", "chur")]
        fields = [
            Field("way", "How do you travel?", "radio", ways),
            Field("place", "Where to?", "select", places),
            Field("days", "How long?", "number", value=2, minimum=1, maximum=30, step=1, unit="days",
                  help="Nights count as days."),
            Field("pace", "How fast?", "range", value=3, minimum=0, maximum=10, step=1, unit="km/h"),
            Field("note", "A note", "text", value=""),
        ]
        if self.values.get("way") == "boat":
            fields.insert(1, Field("jacket", "Life jacket on board", "checkbox", value=False))
        result = f'<p class="lk-verdict">Kernel {PID}: {told}</p>' if self.values else ""
        view = View("Plan a trip", "<p>Every change is told at once.</p>", fields, result_html=result,
                    status=f"{self.events} changes", live=True,
                    buttons=[Button("go", "Go", primary=True), Button("break", "Break")])
        return with_values(view, self.values)

    def on_event(self, action, values):
        if action == "break":
            raise ValueError(f"on purpose in kernel {PID}")
        self.events += 1
        self.values = values
        return self.view()

    def text(self):
        return static_text(self.view())

trip = Trip()
trip
"""

OTHER_CELLS = ["untouched_one = 1", "untouched_two = 2"]
CELLS = [QUIZ, FORM, *OTHER_CELLS]

#: Without its click handler the page looks the same and does nothing.
MUTANT = """
from labkit.learning import form
whole = form.script()
handler = 'node.addEventListener("click", () => this.onClick(node));'
assert handler in whole
form.script = lambda: whole.replace(handler, "")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    state = tmp_path_factory.mktemp("lab")
    root = state / "course"
    root.mkdir()
    with lab_server(root, state, env=lab_environment(state)) as running:
        yield running


@pytest.fixture
def start(server, chromium, request):
    """Open a notebook of these cells and run it; at the end nothing may have left the machine."""
    labs = []

    def open_and_run(cells) -> Lab:
        name = f"{request.node.name.split('[')[0]}-{len(labs)}.ipynb"
        write_notebook(server.root / name, cells)
        lab = Lab.start(server, chromium)
        labs.append(lab)
        lab.open(name)
        lab.run_all()
        return lab

    yield open_and_run
    for lab in labs:
        assert lab.errors == []
        assert lab.outside == []
        lab.close()


def kernel_pid(lab: Lab) -> str:
    """The number of the kernel's process, from the server's side of the browser."""
    return lab.evaluate_in_kernel("str(PID)")


def click_wrong_then_right(lab: Lab) -> None:
    """The check that the mutant must fail."""
    pid = kernel_pid(lab)
    quiz = lab.form("Quiz: 3 questions")
    quiz.get_by_text("0 of 3 right.").wait_for()
    quiz.get_by_label("Green").check()
    quiz.get_by_role("button", name="Check 1").click()
    quiz.get_by_text(f"Grass is green. Kernel {pid}.").wait_for(timeout=8_000)
    assert quiz.get_by_text("Not yet.").is_visible()
    quiz.get_by_label("Blue").check()
    quiz.get_by_role("button", name="Check 1").click()
    quiz.get_by_text(f"Short waves scatter most. Kernel {pid}.").wait_for()
    assert quiz.get_by_text("Correct.").is_visible()
    quiz.get_by_text("1 of 3 right.").wait_for()


def test_a_wrong_and_then_a_right_answer_are_clicked(start):
    lab = start(CELLS)
    click_wrong_then_right(lab)
    quiz = lab.form("Quiz: 3 questions")
    quiz.get_by_label("2", exact=True).check()
    quiz.get_by_label("3", exact=True).check()
    quiz.get_by_role("button", name="Check 2").click()
    quiz.get_by_text("Not this one: 3. 3 leaves a rest.").wait_for()
    assert quiz.get_by_text("One right option is missing.").is_visible()
    lab.shot("form-quiz", quiz)


def test_the_same_check_fails_without_the_click_handler(start):
    from playwright.sync_api import TimeoutError as NothingCame

    lab = start([MUTANT, *CELLS])
    with pytest.raises(NothingCame, match="Grass is green"):
        click_wrong_then_right(lab)


def test_a_screen_reader_hears_questions_options_units_and_results(start):
    lab = start(CELLS)
    quiz = lab.form("Quiz: 3 questions")
    question = quiz.get_by_role("group", name="1. What colour is a clear sky at noon?")
    assert question.get_by_role("radio").count() == 3
    assert question.get_by_role("radio", name="Blue").count() == 1
    assert quiz.get_by_role("group", name="2. Which of").get_by_role("checkbox").count() == 3
    trip = lab.form("Plan a trip")
    assert trip.get_by_role("combobox", name="Where to?").count() == 1
    days = trip.get_by_role("spinbutton", name="How long? days")
    assert days.count() == 1
    described = days.evaluate("(e) => e.getAttribute('aria-describedby').split(' ')")
    assert lab.page.locator(f"#{described[0]}").text_content() == "Nights count as days."
    assert trip.get_by_role("slider", name="How fast? km/h").get_attribute("aria-valuetext") == "3 km/h"
    # A form with a status line announces that line alone; its result may be a page long.
    assert trip.locator("[aria-live=polite][role=status]").evaluate_all(
        "all => all.map(e => e.className)"
    ) == ["lk-status"]
    assert trip.locator(".lk-result").get_attribute("aria-live") == "off"
    unprotected = lab.page.eval_on_selector_all(
        ".labkit-form :is(input, select, button, a[href], summary)",
        "(all) => all.filter((e) => e.dataset.lmSuppressShortcuts !== 'true').map((e) => e.outerHTML)",
    )
    assert unprotected == []
    ids = lab.page.eval_on_selector_all(".labkit-form [id]", "(all) => all.map((e) => e.id)")
    assert len(ids) == len(set(ids))


def tab_to(lab: Lab, target: str, most: int = 60) -> None:
    """Press Tab until the element that this selector describes has the focus."""
    for _ in range(most):
        if lab.page.evaluate("(s) => document.activeElement.matches(s)", target):
            return
        lab.page.keyboard.press("Tab")
    raise AssertionError(f"{target} was not reached by Tab; at {focused(lab)}")


def focused(lab: Lab) -> str:
    return lab.page.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")


def test_everything_works_by_keyboard_alone_and_no_key_reaches_the_notebook(start):
    lab = start(CELLS)
    pid, before = kernel_pid(lab), lab.sources()
    press = lab.page.keyboard.press
    lab.command("notebook:move-cursor-up")
    lab.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    press("Escape")
    active = lab.active_cell()
    tab_to(lab, ".labkit-form input[type=radio]")
    press("Space")
    press("ArrowDown")  # from Green to Blue
    for key in ("x", "b", "a", "d", "d", "z", "c", "v", "m", "y", "Home", "End", "ArrowLeft", "ArrowRight"):
        press(key)
    assert lab.sources() == before
    lab.shot("form-focus-radio", lab.form("Quiz: 3 questions"))
    tab_to(lab, ".labkit-form button.lk-primary")
    press("Enter")
    quiz = lab.form("Quiz: 3 questions")
    quiz.get_by_text(f"Short waves scatter most. Kernel {pid}.").wait_for()
    assert "Check 1" in focused(lab)  # the answer has not moved the focus
    press("Tab")
    press("Space")  # 2
    press("Tab")
    press("Tab")
    press("Space")  # 4
    press("Tab")
    press("Space")
    quiz.get_by_text("2 of 3 right.").wait_for()
    press("Tab")
    lab.page.keyboard.type("1/3")
    press("Enter")
    quiz.get_by_text(f"A third. Kernel {pid}.").wait_for()
    quiz.get_by_text("3 of 3 right.").wait_for()

    tab_to(lab, ".labkit-form select")
    press("ArrowDown")
    trip = lab.form("Plan a trip")
    trip.get_by_text(f"Kernel {pid}: way=None, place=bern").wait_for()
    press("Tab")
    press("ArrowUp")
    trip.get_by_text("days=3.0").wait_for()
    press("Tab")
    press("ArrowRight")
    trip.get_by_text("pace=4.0").wait_for()
    for key in ("x", "b", "ArrowDown", "ArrowUp", "Shift+Tab"):
        press(key)
    assert lab.sources() == before
    assert lab.active_cell() in (active, active + 1)  # Tab may take the notebook's mark along, no key may
    lab.shot("form-keyboard")


def test_the_caret_stays_where_it_is_while_the_kernel_answers(start):
    lab = start(CELLS)
    trip = lab.form("Plan a trip")
    note = trip.get_by_label("A note")
    note.click()
    lab.page.keyboard.type("snowbells", delay=60)
    trip.get_by_text("note=snowbells").wait_for()
    for _ in range(5):
        lab.page.keyboard.press("ArrowLeft")
    lab.page.keyboard.type(
        "y ", delay=350
    )  # slower than the delay of a live form: an answer after each letter
    trip.get_by_text("note=snowy bells").wait_for()
    assert note.input_value() == "snowy bells"
    assert note.evaluate("(e) => [document.activeElement === e, e.selectionStart]") == [True, 6]
    # A field that appears above leaves focus and choice alone.
    trip.get_by_label("Bike").check()
    lab.page.keyboard.press("ArrowDown")
    trip.get_by_label("Life jacket on board").wait_for()
    assert 'value="boat"' in focused(lab)
    assert trip.get_by_label("Boat").is_checked()


def test_wrong_values_and_broken_handlers_are_told_in_the_form(start):
    lab = start(CELLS)
    pid = kernel_pid(lab)
    trip = lab.form("Plan a trip")
    days = trip.get_by_label("How long?")
    days.fill("500")
    trip.get_by_text("The largest value is 30 days.").wait_for()
    assert days.get_attribute("aria-invalid") == "true"
    days.press("End")
    days.press("e")  # "500e" is no number, and a browser hides such text from scripts
    trip.get_by_text("Type a number, such as 0.5.").wait_for()
    lab.shot("form-error", trip)
    days.fill("5")
    trip.get_by_text("days=5.0").wait_for()
    assert days.get_attribute("aria-invalid") is None
    trip.get_by_role("button", name="Break").click()
    trip.get_by_text(f"ValueError: on purpose in kernel {pid}").wait_for()
    trip.get_by_role("button", name="Go").click()
    trip.get_by_text("days=5.0").wait_for()


def test_a_kernel_that_is_gone_is_told(start):
    lab = start(CELLS)
    quiz = lab.form("Quiz: 3 questions")
    quiz.get_by_label("Blue").check()
    lab.restart_kernel()
    visible = lab.page.get_by_text("What colour is a clear sky at noon?").first
    visible.wait_for()
    quiz.get_by_role("button", name="Check 1").click()
    quiz.get_by_text("The kernel did not answer.").wait_for()
    lab.shot("form-kernel-gone", quiz)
    lab.run_all()
    click_wrong_then_right(lab)


def test_the_saved_notebook_holds_questions_and_no_answers(start, server, chromium):
    lab = start(CELLS)
    lab.save()
    (path,) = server.root.glob("test_the_saved*.ipynb")
    saved = path.read_text(encoding="utf-8")
    assert "What colour is a clear sky at noon?" in saved
    assert "widgets" not in json.loads(saved)["metadata"]
    outputs = json.dumps([cell.get("outputs", []) for cell in json.loads(saved)["cells"]])
    assert "scatter" not in outputs and "Grass" not in outputs
    # Reopened, with its kernel gone, it says what to do.
    for session in server.api("sessions"):
        server.api(f"sessions/{session['id']}", method="DELETE")
    again = Lab.start(server, chromium)
    again.open(path.name)
    again.page.get_by_text("model not found").first.wait_for()
    told = again.page.locator(".jp-OutputArea-output.jupyter-widgets").first.evaluate(
        "(e) => [getComputedStyle(e).fontSize, getComputedStyle(e, '::after').content]"
    )
    assert told == ["0px", '"This form has no kernel. Run this cell to use it."']
    again.shot("form-reopened")
    again.close()


CONTRAST = """
(root) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255];
  };
  const ground = (node) => {
    const chain = [];
    for (let n = node; n; n = n.parentElement) chain.unshift(rgba(getComputedStyle(n).backgroundColor));
    return chain.reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = (c) => c.map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const bad = [];
  for (const node of root.querySelectorAll('*')) {
    if (![...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!node.getClientRects().length) continue;
    const below = ground(node), text = over(rgba(getComputedStyle(node).color), below);
    const [a, b] = [light(below), light(text)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const name = `${node.tagName}.${node.className} ${node.textContent.slice(0, 30)}`;
    if (ratio < 4.5) bad.push(`${name}: ${ratio.toFixed(2)}`);
  }
  return bad;
}
"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_has_contrast_in_both_themes(start, theme):
    lab = start(CELLS)
    lab.page.evaluate("(t) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", theme)
    lab.page.wait_for_function(f"() => document.body.dataset.jpThemeName === '{theme}'")
    click_wrong_then_right(lab)
    quiz, trip = lab.form("Quiz: 3 questions"), lab.form("Plan a trip")
    quiz.get_by_role("button", name="Check 3").click()
    quiz.get_by_text("Type a number first.").wait_for()
    trip.get_by_label("How long?").fill("500")
    trip.get_by_text("The largest value").wait_for()
    for form in (quiz, trip):
        form.hover(position={"x": 2, "y": 2})
        assert form.evaluate(CONTRAST) == []
    name = theme.split()[-1].lower()
    lab.shot(f"form-{name}-quiz", quiz)
    lab.shot(f"form-{name}-trip", trip)
