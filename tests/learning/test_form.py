"""The form without a browser: values in, view out, text where there is no widget manager."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from labkit.errors import LabError
from labkit.learning.form import (
    Button,
    Field,
    Form,
    FormDisplay,
    FormModel,
    Option,
    Section,
    View,
    script,
    show,
    static_html,
    static_text,
    stylesheet,
    with_values,
)

OPTIONS = [Option("a", "Alpha"), Option("b", "Beta <b>")]


class Everything(FormDisplay):
    """One field of each kind; remembers what it was sent."""

    def __init__(self):
        self.values = {}
        self.actions = []

    def view(self):
        view = View(
            title="Every <kind>",
            intro_html="<p>Fill in.</p>",
            fields=[
                Field("one", "One", "radio", OPTIONS),
                Field("some", "Some", "checkboxes", OPTIONS, []),
                Field("place", "Place", "select", OPTIONS),
                Field("power", "Power", "number", value=65, minimum=1, maximum=1000, unit="W"),
                Field("hours", "Hours", "range", value=3, minimum=0, maximum=10, step=1),
                Field("yes", "Yes", "checkbox", value=False),
            ],
            sections=[
                Section("s", "A section", [Field("name", "Name", "text", value="")], [Button("go2", "Go")])
            ],
            buttons=[Button("go", "Go", primary=True), Button("off", "Off", disabled=True)],
            status=f"{len(self.actions)} sent",
        )
        return with_values(view, self.values)

    def on_event(self, action, values):
        if values["name"] == "boom":
            raise RuntimeError("inside <script>")
        if values["name"] == "sentence":
            raise LabError("That can't be.", "Do <this>.")
        self.actions.append(action)
        self.values = values
        return self.view()

    def text(self):
        return static_text(self.view())


def test_a_press_hands_over_checked_values_of_every_field():
    model = Everything()
    form = show(model)
    form.press("go", {"one": "b", "some": ["b", "a"], "power": "70.5", "yes": 1, "unknown": 3})
    assert model.actions == ["go"]
    assert model.values == {
        "one": "b",
        "some": ["a", "b"],
        "place": None,
        "power": 70.5,
        "hours": 3.0,
        "yes": True,
        "name": "",
    }
    assert {f.name: f.value for f in form.view.all_fields()} == model.values


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"one": "z"}, "one", "Choose from the list"),
        ({"some": ["a", "q"]}, "some", "Choose from the list"),
        ({"place": ["a"]}, "place", "Choose from the list"),
        ({"power": 0}, "power", "smallest value is 1 W"),
        ({"power": 1e9}, "power", "largest value is 1000 W"),
        ({"power": "not a number"}, "power", "Type a number"),
        ({"power": float("nan")}, "power", "Type a number"),
        ({"power": {}}, "power", "Type a number"),
    ],
)
def test_a_value_that_does_not_fit_is_named_at_its_field_and_never_reaches_the_model(values, name, words):
    model = Everything()
    form = show(model)
    view = form.press("go", values)
    assert model.actions == []
    errors = {f.name: f.error for f in view.all_fields() if f.error}
    assert list(errors) == [name]
    assert words in errors[name]
    view = form.press("go", {name: None})
    assert not any(f.error for f in view.all_fields())
    assert model.actions == ["go"]


def test_a_handler_that_fails_shows_a_sentence_and_keeps_what_was_entered():
    form = show(Everything())
    view = form.press("go", {"name": "boom", "power": 33})
    assert "RuntimeError: inside &lt;script&gt;" in view.result_html
    assert "Run the cell again" in view.result_html
    assert {f.name: f.value for f in view.all_fields()}["power"] == 33
    view = form.press("go", {"name": "sentence"})
    assert "That can&#x27;t be.<br>Do &lt;this&gt;." in view.result_html
    view = form.press("go", {"name": "fine"})
    assert view.result_html == ""


def test_an_action_that_is_not_on_the_form_is_refused():
    model = Everything()
    form = show(model)
    for action in ("off", "change", "rm -rf", ""):
        assert "has changed" in form.press(action).result_html
    assert model.actions == []
    assert "change" in View("t", live=True).actions()


def test_a_view_is_json():
    text = json.dumps(asdict(Everything().view()))
    assert json.loads(text)["fields"][3]["unit"] == "W"


def test_the_static_form_is_escaped_and_complete():
    page = static_html(Everything().view())
    assert "Every &lt;kind&gt;" in page
    assert "Beta &lt;b&gt;" in page and "<b>" not in page
    assert "Power: 65 W" in page
    assert "<input" not in page and "<script" not in page
    assert "Run this cell" in page
    text = static_text(Everything().view())
    assert "b: Beta <b>" in text and "- Power: 65 W" in text


def test_a_plain_python_process_gets_text_and_loads_no_widgets():
    code = (
        "import sys\n"
        "from tests.learning.test_form import Everything\n"
        "bundle = Everything()._repr_mimebundle_()\n"
        "assert set(bundle) == {'text/plain', 'text/html'}, bundle\n"
        "assert not {'anywidget', 'ipywidgets', 'matplotlib', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_model_is_the_display():
    model = Everything()
    assert isinstance(model, FormModel)
    assert isinstance(model.form, Form)
    assert model.form is model.form
    assert repr(model) == model.text()


def test_every_focusable_element_keeps_its_keys_and_nothing_is_fetched():
    source = script()
    assert "data-lm-suppress-shortcuts" in source
    for text in (source, stylesheet()):
        assert "http:" not in text and "https:" not in text and "@import" not in text and "url(" not in text
