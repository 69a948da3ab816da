"""The licence explorer: pick a model and a use, read the verdict, the clause, the source and the date.

Taught in chapter 19. The rules are in `labkit.facts.verdicts`; this is a view on `labkit.learning.form`.
"""

from __future__ import annotations

import html
from typing import Any

from labkit import facts
from labkit.learning.form import Button, Field, FormDisplay, Option, View

DEFAULT_MODEL = "llama-3.1"
DEFAULT_USE = "product"

#: Users and revenue are asked for in millions: the limits of licences are.
MILLION = 1e6
_USERS = "Monthly active users of all your organisation's products"
_REVENUE = "Your organisation's revenue"

_NOT_STATED = "not-stated"
_PURPOSES = {
    _NOT_STATED: "Not stated",
    "no": "Not commercial: study, research, a hobby",
    "yes": "Commercial",
}
_WEIGHTS = {
    "open": "weights to download",
    "gated": "weights to download after accepting terms",
    "none": "no weights to download",
}
_INTRO = (
    "<p>Choose a model and what you want to do with it. Fill in users, revenue and country, and “allowed, on "
    f"a condition” becomes yes or no. {html.escape(facts.NOT_LEGAL_ADVICE)}</p>"
)


class LicenceExplorer(FormDisplay):
    """State and rules of the widget, testable without a browser.

    Attributes
    ----------
    model, use : ids from `facts.models()` and `facts.uses()`.
    users_million, revenue_million_usd : monthly active users, and US dollars of revenue a month, both in
        millions; None when not stated.
    place, purpose : where you are based, and whether the purpose is commercial; `"not-stated"` otherwise.
    comparing : True when all uses are shown side by side.
    """

    def __init__(self, model: str = DEFAULT_MODEL, use: str = DEFAULT_USE) -> None:
        self.model = facts.model(model).id
        self.use = facts.use(use).id
        self.users_million: float | None = None
        self.revenue_million_usd: float | None = None
        self.place = _NOT_STATED
        self.purpose = _NOT_STATED
        self.comparing = False

    # ------------------------------------------------------------ the form

    def view(self) -> View:
        use = facts.use(self.use)
        fields = [
            Field("model", "Model", "select", _model_options(), self.model, help=self._about_model()),
            Field(
                "use",
                "What you want to do",
                "select",
                [Option(u.id, u.label) for u in facts.uses()],
                self.use,
                help=use.means,
            ),
            self._millions("users_million", _USERS, "million", 1e4),
            self._millions("revenue_million_usd", _REVENUE, "million US dollars a month", 1e6),
            Field("place", "Where you are based", "select", _place_options(), self.place),
        ]
        if use.commercial == "either":
            options = [Option(value, label) for value, label in _PURPOSES.items()]
            fields.append(Field("purpose", "Your purpose", "select", options, self.purpose))
        label = "Show this use only" if self.comparing else "Compare all uses"
        return View(
            title="Licence explorer",
            intro_html=_INTRO,
            fields=fields,
            buttons=[Button("show", "Show the verdict", primary=True), Button("compare", label)],
            result_html=self._result_html(),
            status=self._status(),
            status_spoken=True,
            live=True,
        )

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        self.model = facts.model(values.get("model") or self.model).id
        self.use = facts.use(values.get("use") or self.use).id
        self.users_million = values.get("users_million", self.users_million)
        self.revenue_million_usd = values.get("revenue_million_usd", self.revenue_million_usd)
        self.place = values.get("place") or self.place
        self.purpose = values.get("purpose") or self.purpose
        if action == "compare":
            self.comparing = not self.comparing
        return self.view()

    def _millions(self, name: str, label: str, unit: str, maximum: float) -> Field:
        """A number in millions; the help writes it out, and the maximum catches one that is no millions."""
        value = getattr(self, name)
        said = f"That is {value * MILLION:,.12g}." if value else "Leave it empty when you do not know."
        return Field(name, label, "number", value=value, minimum=0, maximum=maximum, help=said, unit=unit)

    # ------------------------------------------------------------ the answers

    def verdict(self, use: str | None = None) -> facts.LicenceVerdict:
        """The verdict on the chosen use, or on another one, in the stated circumstances."""
        return facts.verdict(
            self.model,
            use or self.use,
            monthly_active_users=_times_million(self.users_million),
            monthly_revenue_usd=_times_million(self.revenue_million_usd),
            based_in=None if self.place == _NOT_STATED else self.place,
            commercial={"yes": True, "no": False}.get(self.purpose),
        )

    def comparison(self) -> list[tuple[str, facts.LicenceVerdict]]:
        """Every use with its verdict for the chosen model."""
        return [(use.label, self.verdict(use.id)) for use in facts.uses()]

    def _about_model(self) -> str:
        model = facts.model(self.model)
        licences = " and ".join(facts.licence(i).name for i in model.licences)
        released = f", released {model.released}" if model.released else ""
        note = f" {model.note}" if model.note else ""
        return f"{model.developer}{released}. Licence: {licences}; {_WEIGHTS[model.weights]}.{note}"

    def _status(self) -> str:
        """For screen readers, which do not read the result aloud by themselves."""
        return f"{self.verdict().heading}: {facts.model(self.model).name}, {facts.use(self.use).label}."

    # ------------------------------------------------------------ as HTML and as text

    def _result_html(self) -> str:
        title = html.escape(f"{facts.model(self.model).name}: {facts.use(self.use).label}")
        parts = [f'<div class="lk-licence"><p>{title}</p>', self.verdict()._repr_html_(), "</div>"]
        return "".join(parts) + (self._comparison_html() if self.comparing else "")

    def _comparison_html(self) -> str:
        heads = ("Use", "Verdict", "Condition, or first duty", "Clause", "Read on, confidence")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        rows = "".join(_comparison_row(label, verdict) for label, verdict in self.comparison())
        name = html.escape(facts.model(self.model).name)
        sources = html.escape("; ".join(dict.fromkeys(v.source for _, v in self.comparison())))
        return (
            f"<table><caption>All uses of {name}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
            f"</table><p><small>Source: {sources}.</small></p>"
        )

    def text(self) -> str:
        """The verdict and the comparison as plain text."""
        model = facts.model(self.model)
        width = max(len(label) for label, _ in self.comparison())
        lines = [
            "Licence explorer",
            f"Model: {model.name} ({self._about_model()})",
            f"Use: {facts.use(self.use).label}",
            "",
            self.verdict().text(),
            "",
            f"All uses of {model.name}:",
            *(f"  {label.ljust(width)}  {verdict.heading}" for label, verdict in self.comparison()),
            "",
            "Another question in code: labkit.facts.verdict(model, use, monthly_active_users=..., "
            "monthly_revenue_usd=..., based_in=..., commercial=...)",
        ]
        return "\n".join(lines)


def licence_explorer(model: str = DEFAULT_MODEL, use: str = DEFAULT_USE) -> LicenceExplorer:
    """May I do this with that model? A widget over the licence tables.

    Parameters
    ----------
    model : the model chosen first, an id from `labkit.facts.models()`.
    use : the use chosen first, an id from `labkit.facts.uses()`.

    Taught in chapter 19.
    """
    return LicenceExplorer(model, use)


def _times_million(number: float | None) -> float | None:
    """Rounded to whole ones: 0.7 * 1e6 is not exactly 700,000."""
    return None if number is None else float(round(number * MILLION))


def _model_options() -> list[Option]:
    """One option per model. The label begins with the name, so that typing it finds it."""
    return [Option(m.id, f"{m.name} · {m.developer}") for m in facts.models()]


def _place_options() -> list[Option]:
    places = {place: name[0].upper() + name[1:] for place, name in facts.PLACES.items()}
    return [Option(_NOT_STATED, "Not stated"), *(Option(value, label) for value, label in places.items())]


def _comparison_row(label: str, verdict: facts.LicenceVerdict) -> str:
    says = " ".join(verdict.conditions) or (verdict.duties[0] if verdict.duties else "No condition.")
    clause = verdict.clause
    if len(verdict.licences) == 1:
        clause = clause.removeprefix(f"{facts.licence(verdict.licences[0]).name}, ")
    cells = (says, clause, f"{verdict.read_on}, {verdict.confidence}")
    head = (
        f'<th scope="row">{html.escape(label)}</th><td><strong>{html.escape(verdict.heading)}</strong></td>'
    )
    return f"<tr>{head}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
