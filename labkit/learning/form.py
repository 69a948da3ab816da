"""One form for every widget: a description in Python, drawn by `form.js`, answered in Python.

A widget of the course is a *model*: a plain Python object with `view()`, `on_event()` and `text()`
(the `FormModel` protocol). It can be tested without a browser. `show(model)` makes it displayable:

- in JupyterLab an anywidget that draws the view with semantic HTML, works by keyboard and is
  labelled for screen readers;
- where there is no widget manager (nbconvert, GitHub, nbval, a plain terminal) a readable text form.

The page holds only what `view()` returns, so an answer key that stays in the model never reaches
the notebook file or the browser.
"""

from __future__ import annotations

import functools
import html
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from labkit.errors import LabError

FieldKind = Literal["radio", "checkbox", "checkboxes", "select", "number", "range", "text"]

#: What a learner reads where the widget can't run.
STATIC_NOTE = "Run this cell in JupyterLab to fill in the form."


@dataclass(frozen=True)
class Option:
    """One choice of a radio group, a list of checkboxes or a select."""

    value: str  #: what `on_event` receives
    label: str  #: plain text beside the button
    code: str = ""  #: program text, shown in a fixed-width font after the label


@dataclass(frozen=True)
class Field:
    """One question of a form. Names are unique in the whole view, sections included.

    What `on_event` receives for it: radio and select → an option's value, or None; checkboxes → a list
    of values; checkbox → bool; number and range → float, or None when empty; text → str.
    """

    name: str
    label: str  #: plain text; the legend of a group, the label of an input
    kind: FieldKind
    options: list[Option] = field(default_factory=list)
    value: Any = None
    help: str = ""  #: plain text under the input, tied to it by aria-describedby
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    unit: str = ""  #: shown after a number, part of its accessible name
    disabled: bool = False
    error: str = ""  #: what is wrong with the value; also sets aria-invalid
    code: str = ""  #: program text that the question is about


@dataclass(frozen=True)
class Button:
    """`action` is what `on_event` receives. The primary button also answers to Enter in a text field."""

    action: str
    label: str
    primary: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Section:
    """A group of fields with buttons and a result of its own, such as one question of a quiz."""

    name: str  #: unique in the view
    title: str = ""  #: with a title the section is a fieldset, and this its legend
    fields: list[Field] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    result_html: str = ""
    intro_html: str = ""
    folded: bool = False  #: only the title shows until the learner opens it; needs a title
    columns: bool = False  #: fields side by side where there is room


@dataclass(frozen=True)
class View:
    """All that a form shows now, from top to bottom: title, intro, fields, sections, buttons, result, status.

    `intro_html` and `result_html` are HTML made by labkit: escape every text that comes from data
    or from the learner (`html.escape`). All other strings are plain text.
    """

    title: str
    intro_html: str = ""
    fields: list[Field] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    result_html: str = ""
    status: str = ""  #: one plain line at the foot ("3 of 5 right"), announced when it changes
    status_spoken: bool = False  #: True: the status is for screen readers alone; the page says it elsewhere
    live: bool = False  #: True: every change of a field is sent at once as action "change"
    sections: list[Section] = field(default_factory=list)

    def all_fields(self) -> list[Field]:
        """The fields of the view and of its sections."""
        return [*self.fields, *(f for section in self.sections for f in section.fields)]

    def actions(self) -> set[str]:
        """The actions that this view can send."""
        buttons = [*self.buttons, *(b for section in self.sections for b in section.buttons)]
        return {b.action for b in buttons if not b.disabled} | ({"change"} if self.live else set())


@runtime_checkable
class FormModel(Protocol):
    """The state and the rules behind a form, in plain Python."""

    def view(self) -> View:
        """What to show now."""
        ...

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        """A button was pressed (or, in a live view, a field changed): the new view.

        `values` has every field's value, already checked against the field's kind, options and limits.
        The new view says what each field holds: `with_values(view, values)` keeps what was entered.
        A LabError raised here shows as its sentences.
        """
        ...

    def text(self) -> str:
        """The form as readable text."""
        ...


def show(model: FormModel) -> Form:
    """Make a model displayable: as a widget, and as text where there is no widget manager."""
    return Form(model)


class Form:
    """A displayable form. `press()` does what a click does, so a test needs no browser."""

    def __init__(self, model: FormModel) -> None:
        self.model = model
        self.view = model.view()
        self._widget: Any = None

    def press(self, action: str, values: dict[str, Any] | None = None) -> View:
        """Handle one event as the browser sends it, and return what is shown next.

        `values` may name some fields only; the others keep their present value. Never raises:
        whatever goes wrong becomes a sentence in the form.
        """
        clean, errors = read_values(self.view, values or {})
        self.view = with_values(self.view, clean, errors)
        try:
            if action not in self.view.actions():
                raise LabError("This form has changed since you pressed the button.", "Run the cell again.")
            if not errors:
                self.view = self.model.on_event(action, clean)
        except LabError as error:
            self._show_problem(str(error))
        except Exception as error:  # a learner gets a sentence, whatever a handler does
            self._show_problem(
                f"Something went wrong inside this form ({type(error).__name__}: {error}).\n"
                "Run the cell again; if it happens again, please report it."
            )
        return self.view

    def _show_problem(self, sentences: str) -> None:
        lines = "<br>".join(html.escape(line) for line in sentences.splitlines())
        self.view = replace(self.view, result_html=f'<p class="lk-verdict lk-notyet">{lines}</p>')

    def text(self) -> str:
        """The form as plain text."""
        return self.model.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": self.text(), "text/html": static_html(self.view)}
        if _in_kernel():
            if self._widget is None:
                self._widget = _widget_class()(self)
            bundle["application/vnd.jupyter.widget-view+json"] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._widget.model_id,
            }
        return bundle


class FormDisplay:
    """Mix this into a `FormModel` and the model itself is displayable (`show(self)`, kept for its life)."""

    @property
    def form(self) -> Form:
        if "_form" not in self.__dict__:
            self._form = show(self)  # type: ignore[arg-type]
        return self._form

    def __repr__(self) -> str:
        return self.form.text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # The model may have changed through its text form since it was last shown.
        self.form.view = self.form.model.view()
        if self.form._widget is not None:
            self.form._widget.view = asdict(self.form.view)
        return self.form._repr_mimebundle_()


def read_values(view: View, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What came from the page, made fit for a model: (value of every field, name → what is wrong)."""
    clean: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for item in view.all_fields():
        raw = values.get(item.name, item.value)
        try:
            clean[item.name] = _read_value(item, raw)
        except ValueError as error:
            clean[item.name] = raw
            errors[item.name] = str(error)
    return clean, errors


def _read_value(item: Field, raw: Any) -> Any:
    allowed = {option.value for option in item.options}
    if item.kind == "checkbox":
        return bool(raw)
    if item.kind == "checkboxes":
        chosen = [str(v) for v in raw] if isinstance(raw, (list, tuple, set)) else []
        if not allowed.issuperset(chosen):
            raise ValueError("Choose from the list.")
        return [option.value for option in item.options if option.value in chosen]
    if item.kind in ("radio", "select"):
        if raw in (None, ""):
            return None
        if not isinstance(raw, str) or raw not in allowed:
            raise ValueError("Choose from the list.")
        return raw
    if item.kind in ("number", "range"):
        return _read_number(item, raw)
    return "" if raw is None else str(raw)


def _read_number(item: Field, raw: Any) -> float | None:
    if raw is None or raw == "":
        return None
    unit = f" {item.unit}" if item.unit else ""
    try:
        number = float(raw)
    except (TypeError, ValueError):
        raise ValueError("Type a number, such as 0.5.") from None
    if not math.isfinite(number):
        raise ValueError("Type a number, such as 0.5.")
    if item.minimum is not None and number < item.minimum:
        raise ValueError(f"The smallest value is {item.minimum:g}{unit}.")
    if item.maximum is not None and number > item.maximum:
        raise ValueError(f"The largest value is {item.maximum:g}{unit}.")
    return number


def with_values(view: View, values: dict[str, Any], errors: dict[str, str] | None = None) -> View:
    """The same view with these values in its fields, and a sentence at each field named in `errors`."""

    def fill(items: list[Field]) -> list[Field]:
        marks = errors or {}
        return [replace(f, value=values.get(f.name, f.value), error=marks.get(f.name, "")) for f in items]

    sections = [replace(section, fields=fill(section.fields)) for section in view.sections]
    return replace(view, fields=fill(view.fields), sections=sections)


# ---------------------------------------------------------------- the form without a widget manager


def static_html(view: View, note: str = STATIC_NOTE) -> str:
    """The view as static HTML: what GitHub, nbconvert and a reopened notebook show."""
    parts = [f"<p><strong>{html.escape(view.title)}</strong></p>", view.intro_html]
    parts += [_static_field(f) for f in view.fields]
    for section in view.sections:
        if section.title:
            parts.append(f"<p><strong>{html.escape(section.title)}</strong></p>")
        parts += [section.intro_html, *(_static_field(f) for f in section.fields), section.result_html]
    shown_status = "" if view.status_spoken else view.status
    parts += [view.result_html, f"<p>{html.escape(shown_status)}</p>" if shown_status else ""]
    parts.append(f"<p><em>{html.escape(note)}</em></p>")
    return "<div>" + "".join(parts) + "</div>"


def _static_field(item: Field) -> str:
    code = f"<pre>{html.escape(item.code)}</pre>" if item.code else ""
    if not item.options:
        value = "" if item.value in (None, "") else f": {_show_value(item)}"
        return f"<p>{html.escape(item.label + value)}</p>{code}"
    rows = "".join(
        f"<li>{html.escape(o.label)}{f'<pre>{html.escape(o.code)}</pre>' if o.code else ''}</li>"
        for o in item.options
    )
    return f"<p>{html.escape(item.label)}</p>{code}<ul>{rows}</ul>"


def _show_value(item: Field) -> str:
    if isinstance(item.value, bool):
        return "yes" if item.value else "no"
    if isinstance(item.value, (int, float)):
        return f"{item.value:g} {item.unit}".rstrip()
    return str(item.value)


def static_text(view: View) -> str:
    """The view as plain text: a start for a model's `text()`."""
    lines = [view.title]
    for item in view.all_fields():
        lines.append(f"- {item.label}" + ("" if item.value in (None, "", []) else f": {_show_value(item)}"))
        lines += [f"    {option.value}: {option.label}" for option in item.options]
    if view.status:
        lines.append(view.status)
    return "\n".join(lines)


# ---------------------------------------------------------------- the widget


def script() -> str:
    """The ES module that draws a view."""
    return Path(__file__).with_name("form.js").read_text(encoding="utf-8")


def stylesheet() -> str:
    """The form's CSS: Jupyter's own theme variables, so that it follows light and dark."""
    return Path(__file__).with_name("form.css").read_text(encoding="utf-8")


def _in_kernel() -> bool:
    """Is there a Jupyter kernel to talk to? In a plain Python process a widget has no other end."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


@functools.cache
def _widget_class() -> type:
    # Imported here: `import labkit` and the command line need no widgets.
    import anywidget
    import traitlets

    class FormWidget(anywidget.AnyWidget):
        """The browser's half: events come in as messages, `view` goes out.

        Each view names the event that it answers: without an answer within seconds, the page tells
        the learner that the kernel is gone.
        """

        view = traitlets.Dict().tag(sync=True)

        def __init__(self, form: Form) -> None:
            self._esm = script()
            self._css = stylesheet()
            self._form = form
            super().__init__(view=asdict(form.view))
            self.on_msg(self._receive)

        def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
            if not isinstance(content, dict) or content.get("kind") != "event":
                return
            values = content.get("values")
            view = self._form.press(str(content.get("action")), values if isinstance(values, dict) else {})
            answers = {"form": content.get("form"), "number": content.get("number")}
            self.view = {**asdict(view), "answers": answers}

    return FormWidget
