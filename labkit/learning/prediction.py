"""Predictions: commit to a number or a choice before you measure, see both side by side after."""

from __future__ import annotations

import difflib
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.form import Button, Field, FormDisplay, Option, View, with_values
from labkit.learning.progress import Event, events, record_event, take_notice
from labkit.learning.quantities import describe, read_number

#: Within this share, a prediction counts as the same as the measurement.
_CLOSE = 0.10


class Prediction(FormDisplay):
    """One question to answer before measuring. Nothing here is graded.

    Attributes
    ----------
    name : by which the prediction is kept: "ch19-speed".
    unit : of a number; empty for a choice.
    options : the choices; empty for a number.
    """

    def __init__(self, name: str, question: str, unit: str, options: Sequence[str]) -> None:
        self.name = name
        self.question = question
        self.unit = unit
        self.options = tuple(options)
        self._entered: Any = None
        self._problem = ""
        self._notice = ""

    @property
    def value(self) -> float | str | None:
        """What was predicted last, or None."""
        kept = events("prediction", self.name)
        return kept[-1].data.get("value") if kept else None

    def answer(self, value: float | str) -> Prediction:
        """Commit to `value` (a number, or one of the options or its letter) without a widget."""
        value = self._read(value)
        after = bool(events("measured", self.name))
        if value != self.value:
            data = {"value": value, "unit": self.unit, "after_measurement": after}
            record_event("prediction", self.name, data=data)
        self._notice = take_notice() or self._notice
        return self

    def _read(self, value: object) -> float | str:
        if not self.options:
            return read_number(value, "Your prediction", self.unit)
        text = value.strip() if isinstance(value, str) else describe(value)
        letters = {chr(ord("a") + i): option for i, option in enumerate(self.options)}
        chosen = letters.get(text.lower(), text)
        if chosen not in self.options:
            near = difflib.get_close_matches(text, self.options, 1) or [", ".join(self.options)]
            raise LabError("That is none of the options.", f"Choose: {near[0]}.")
        return chosen

    # ------------------------------------------------------------ the form

    def view(self) -> View:
        kept = self.value
        shown = self._entered if self._entered is not None else kept
        if self.options:
            field = Field("guess", self.question, "radio", [Option(o, o) for o in self.options])
        else:
            field = Field("guess", self.question, "number", unit=self.unit)
        label = "Commit" if kept is None else "Change my prediction"
        view = View(
            title="Your prediction",
            fields=[field],
            buttons=[Button("commit", label, primary=True)],
            result_html=self._result_html(kept),
        )
        return with_values(view, {"guess": shown}, {"guess": self._problem})

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        self._entered = values.get("guess")
        self._problem = ""
        if self._entered is None:
            self._problem = "Choose one first." if self.options else "Type a number first."
        else:
            self.answer(self._entered)
        return self.view()

    def _result_html(self, kept: float | str | None) -> str:
        if kept is None:
            return ""
        late = _late(events("prediction", self.name))
        text = f"You predicted: {_show(kept, self.unit)}. {late} {self._notice}".strip()
        return f'<p class="lk-verdict">{html.escape(text)}</p>'

    def text(self) -> str:
        lines = ["Your prediction", self.question]
        lines += [f"   {chr(ord('a') + i)}) {option}" for i, option in enumerate(self.options)]
        kept = self.value
        lines.append("No prediction yet." if kept is None else f"You predicted: {_show(kept, self.unit)}.")
        example = '"a"' if self.options else "40"
        lines.append(f'Without the form, commit like this: lk.predict("{self.name}", …).answer({example})')
        return "\n".join(lines)


@dataclass(frozen=True)
class Comparison:
    """A prediction beside what was measured."""

    name: str
    predicted: float | str | None
    measured: float | str
    unit: str
    counted: bool = False  #: the value was counted or computed, not measured
    late: str = ""  #: a sentence when the prediction was made or changed after the measurement

    @property
    def sentences(self) -> list[str]:
        """The comparison in words."""
        if self.predicted is None:
            lines = ["You made no prediction."]
        elif isinstance(self.predicted, str) or isinstance(self.measured, str):
            same = self.predicted == self.measured
            lines = ["That is what you predicted." if same else "You predicted something else."]
        else:
            what = "count" if self.counted else "measurement"
            lines = [ratio_in_words(self.measured, self.predicted, what)]
        return [*lines, self.late] if self.late else lines

    def _rows(self) -> list[tuple[str, str]]:
        # A choice is not measured: it has a right answer.
        found = "Counted" if self.counted else "Measured"
        second = "Answer" if isinstance(self.measured, str) else found
        predicted = "none" if self.predicted is None else _show(self.predicted, self.unit)
        return [("Predicted", predicted), (second, _show(self.measured, self.unit))]

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{head}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for head, value in self._rows()
        )
        words = html.escape(" ".join(self.sentences))
        return f"<div><table>{rows}</table><p>{words}</p></div>"

    def __repr__(self) -> str:
        return "\n".join([*(f"{head + ':':<10} {value}" for head, value in self._rows()), *self.sentences])


def predict(name: str, question: str, *, unit: str = "", options: Sequence[str] | None = None) -> Prediction:
    """Ask for a prediction: a number in `unit`, or one of `options`.

    Run without a prediction, the chapter goes on; `compare_prediction` then says that there is none.
    """
    return Prediction(name, question, unit, options or ())


def compare_prediction(
    name: str, measured: float | str, *, unit: str = "", counted: bool = False
) -> Comparison:
    """Show the prediction `name` beside `measured`, a number in the prediction's unit or the right option.

    `counted`: the number was counted or computed, and is named so.
    From now on a change of the prediction is marked as one made after the measurement.
    """
    kept = events("prediction", name)
    last = kept[-1].data if kept else {}
    value = measured if isinstance(measured, str) else _number(measured)
    comparison = Comparison(
        name=name,
        predicted=last.get("value"),
        measured=value,
        unit=unit or str(last.get("unit", "")),
        counted=counted,
        late=_late(kept),
    )
    record_event("measured", name, data={"value": value})
    return comparison


def _number(measured: object) -> float:
    # NumPy's numbers count as well.
    try:
        number = float(measured)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        what = f"The measured value is {describe(measured)}, not a number."
        raise LabError(what, "Run the measurement again, and hand over one number, such as its median.")
    return number


def _late(kept: list[Event]) -> str:
    if not kept or not kept[-1].data.get("after_measurement"):
        return ""
    return f"You {'changed' if len(kept) > 1 else 'made'} this prediction after you had measured."


def _show(value: float | str, unit: str) -> str:
    if isinstance(value, str):
        return value
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def ratio_in_words(measured: float, predicted: float, what: str = "measurement") -> str:
    """`ratio_in_words(42, 20)` → "The measurement is 2.1 times your prediction."."""
    if predicted == measured:
        return "You predicted exactly that."
    if predicted <= 0 or measured <= 0:
        return f"The {what} and your prediction differ by {_show(abs(measured - predicted), '')}."
    ratio = measured / predicted
    if abs(ratio - 1) <= _CLOSE:
        return "You were within 10 % of it."
    if ratio > 1:
        return f"The {what} is {_show(ratio, '')} times your prediction."
    return f"Your prediction is {_show(1 / ratio, '')} times the {what}."


#: `predict.show(name, measured)` and `predict.compare(name, measured)` are `compare_prediction`.
predict.show = compare_prediction  # type: ignore[attr-defined]
predict.compare = compare_prediction  # type: ignore[attr-defined]
