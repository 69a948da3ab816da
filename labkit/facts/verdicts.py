"""May I do this with that model? Rules over `licences.csv` and `licence_terms.csv`. Taught in chapter 19.

A row of `licence_terms.csv` gives the answer for one licence and one use. Where the answer is "allowed if",
its gates say on what it depends:

- `mau` monthly active users, `revenue` revenue, `territory` seat or home, `purpose` non-commercial purpose
- `maas` revenue, for a business that sells access to models
- `mau~`, `revenue~` as above, but only for commercial purposes
- `other` something that no circumstance settles: the row's own condition

A gate that is met goes away, one that fails makes the answer "not allowed", one that stays open leaves the
"allowed if" with its rule in words. This is a reading aid, not legal advice.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.errors import LabError
from labkit.facts import records as r

NOT_LEGAL_ADVICE = "A reading aid, not legal advice: read the licence before you rely on it."
MEDIUM = "Confidence is medium: read the licence before relying on this."

#: Where an organisation has its seat, or a person lives.
Place = Literal["EU", "UK", "KR", "elsewhere"]
PLACES: dict[str, str] = {
    "EU": "the European Union",
    "UK": "the United Kingdom",
    "KR": "South Korea",
    "elsewhere": "somewhere else",
}

#: The answers as a headline for people.
HEADINGS: dict[r.Answer, str] = {
    "allowed": "Allowed",
    "allowed if": "Allowed, on a condition",
    "not allowed": "Not allowed",
    "not verified": "Not verified",
}

#: From the freest to the strictest; a model under two licences gets the stricter answer.
_STRICTNESS: list[r.Answer] = ["allowed", "allowed if", "not verified", "not allowed"]


@dataclass(frozen=True)
class Circumstances:
    """What is known about you; None means not stated.

    Attributes
    ----------
    monthly_active_users : of all products of your organisation and its affiliates. (Llama counts them once,
        in the month before the model's release.)
    monthly_revenue_usd, annual_revenue_usd : worldwide, of the whole group. One gives the other by twelve.
    based_in : "EU", "UK", "KR" or "elsewhere".
    commercial : True for a commercial purpose. Some uses are commercial by themselves.
    """

    monthly_active_users: float | None = None
    monthly_revenue_usd: float | None = None
    annual_revenue_usd: float | None = None
    based_in: Place | None = None
    commercial: bool | None = None

    def __post_init__(self) -> None:
        for name in ("monthly_active_users", "monthly_revenue_usd", "annual_revenue_usd"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not value >= 0):
                raise LabError(f"{name} is {value!r}.", "Give a number of zero or more, or leave it out.")
        if self.based_in is not None and self.based_in not in PLACES:
            raise LabError(
                f"based_in is {self.based_in!r}.", f"Give one of {', '.join(PLACES)}, or leave it out."
            )

    def revenue_usd(self, period: str | None) -> float | None:
        """Revenue per month or per year, computed from the other where only that is known."""
        month, year = self.monthly_revenue_usd, self.annual_revenue_usd
        if period == "month":
            return month if month is not None else None if year is None else year / 12
        return year if year is not None else None if month is None else month * 12


@dataclass(frozen=True)
class LicenceVerdict:
    """The answer, and all that it rests on.

    Attributes
    ----------
    verdict : "allowed", "allowed if", "not allowed" or "not verified".
    conditions : what the answer hangs on, or why it is no.
    duties : what you must do when you do it.
    reasons : which of your circumstances decided something.
    clause : licence and clause, such as `"Llama 3.1 Community License, s.2"`.
    source, source_url, read_on, confidence : what was read, when, and how far to trust it. A model under two
        licences has both, apart by `; `.
    model, use, licences : the ids that the question was about.
    """

    verdict: r.Answer
    conditions: tuple[str, ...]
    duties: tuple[str, ...]
    reasons: tuple[str, ...]
    clause: str
    source: str
    source_url: str
    read_on: str
    confidence: r.Confidence
    use: str
    licences: tuple[str, ...]
    model: str = ""

    @property
    def caution(self) -> str:
        """What to say about the confidence; empty when it is high."""
        return MEDIUM if self.confidence == "medium" else ""

    @property
    def heading(self) -> str:
        """`'Allowed, on a condition'`, `'Not allowed'`: the verdict as a headline."""
        return HEADINGS[self.verdict]

    def provenance(self) -> str:
        """One line: licence and clause, source, date, confidence."""
        return f"{self.clause}. Source: {self.source}. Read on {self.read_on}, confidence {self.confidence}."

    def text(self) -> str:
        """The verdict as plain text."""
        lines = [f"{self.heading.upper()}{':' if self.conditions else ''}"]
        lines += [f"  {sentence}" for sentence in self.conditions]
        if self.duties:
            lines += ["You must:", *(f"  - {duty}" for duty in self.duties)]
        lines += list(self.reasons)
        lines += [line for line in (self.provenance(), self.caution, NOT_LEGAL_ADVICE) if line]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """The verdict as HTML; every text from the tables is escaped."""
        parts = [f"<p><strong>{html.escape(self.heading)}</strong></p>"]
        parts += [f"<p>{html.escape(sentence)}</p>" for sentence in self.conditions]
        if self.duties:
            items = "".join(f"<li>{html.escape(duty)}</li>" for duty in self.duties)
            parts.append(f"<p>You must:</p><ul>{items}</ul>")
        parts += [f"<p>{html.escape(reason)}</p>" for reason in self.reasons]
        link = ""
        if self.source_url.startswith("https://"):
            address = html.escape(self.source_url.split("; ")[0], quote=True)
            # JupyterLab would take a widget's keys for its own shortcuts without this attribute.
            shield = 'data-lm-suppress-shortcuts="true"'
            link = f' <a href="{address}" target="_blank" rel="noopener" {shield}>The document</a>.'
        parts.append(f"<p><small>{html.escape(self.provenance())}{link}</small></p>")
        parts += [f"<p><strong>{html.escape(self.caution)}</strong></p>"] if self.caution else []
        return "".join(parts)


def verdict(
    model: str,
    use: str,
    *,
    monthly_active_users: float | None = None,
    monthly_revenue_usd: float | None = None,
    annual_revenue_usd: float | None = None,
    based_in: Place | None = None,
    commercial: bool | None = None,
) -> LicenceVerdict:
    """May you use this model in this way?

    Parameters
    ----------
    model : an id from `models()`, such as `"llama-3.1"`.
    use : an id from `uses()`, such as `"product"`.
    monthly_active_users, monthly_revenue_usd, annual_revenue_usd, based_in, commercial :
        your circumstances (see `Circumstances`); leave out what you do not know.

    Raises LabError for an unknown model or use, or an impossible circumstance.
    """
    circumstances = Circumstances(
        monthly_active_users, monthly_revenue_usd, annual_revenue_usd, based_in, commercial
    )
    chosen = r.model(model)
    answers = [
        licence_verdict(licence_id, use, circumstances, multimodal=chosen.multimodal)
        for licence_id in chosen.licences
    ]
    return _both(answers, chosen.id, chosen.confidence)


def licence_verdict(
    licence_id: str,
    use: str,
    circumstances: Circumstances | None = None,
    *,
    multimodal: bool | None = None,
) -> LicenceVerdict:
    """What one licence answers. `multimodal` None counts as multimodal, to be on the safe side."""
    licence = r.licence(licence_id)
    intended = r.use(use)
    row = r.term(licence.id, intended.id)
    known = circumstances or Circumstances()
    gates = _Gates(licence, intended, known, multimodal is not False)
    results = [gates.check(gate) for gate in row.gates.split()]
    answer, conditions = _resolve(row, results)
    duties = list(row.duties)
    reasons = [result.reason for result in _decisive(results) if result.reason]
    if licence.display_rule and intended.id in ("product", "host-api"):
        display = gates.display_duty()
        duties = [display.rule, *duties] if display.state != "met" else duties
        reasons += [display.reason] if display.reason else []
    return LicenceVerdict(
        verdict=answer,
        conditions=conditions,
        duties=() if answer in ("not allowed", "not verified") else tuple(duties),
        reasons=tuple(reasons),
        clause=f"{licence.name}, {row.clause}",
        source=row.source,
        source_url=licence.source_url,
        read_on=row.read_on,
        confidence=row.confidence,
        use=intended.id,
        licences=(licence.id,),
    )


@dataclass(frozen=True)
class _Checked:
    """One gate: met, open (not known) or failed; its rule in words; what was known that decided it."""

    state: Literal["met", "open", "failed"]
    rule: str
    reason: str = ""


@dataclass(frozen=True)
class _Gates:
    licence: r.Licence
    use: r.Use
    known: Circumstances
    multimodal: bool

    @property
    def commercial(self) -> bool | None:
        return {"yes": True, "no": False, "either": self.known.commercial}[self.use.commercial]

    def check(self, gate: str) -> _Checked:
        checks = {
            "mau": self._users,
            "revenue": self._revenue,
            "maas": self._model_as_a_service,
            "territory": self._territory,
            "purpose": self._purpose,
            "other": lambda: _Checked("open", ""),
        }
        name = gate.rstrip("~")
        if name not in checks:
            raise r.problem(
                "licence_terms", f"there is no gate {gate!r}.", row=self.licence.id, column="gates"
            )
        if gate.endswith("~") and self.commercial is False:
            return _Checked(
                "met", "", "Your purpose is not commercial, so the limit on businesses does not bind."
            )
        result = checks[name]()
        if gate.endswith("~") and result.state == "failed" and self.commercial is None:
            return _Checked("open", result.rule, result.reason)
        return result

    def _users(self) -> _Checked:
        users, limit = self.known.monthly_active_users, self.licence.mau_limit
        return _threshold(users, limit, self.licence.mau_rule, "monthly active users")

    def _revenue(self) -> _Checked:
        period = self.licence.revenue_period
        revenue = self.known.revenue_usd(period)
        unit = f"US dollars of revenue a {'month' if period == 'month' else 'year'}"
        return _threshold(revenue, self.licence.revenue_limit_usd, self.licence.revenue_rule, unit)

    def _model_as_a_service(self) -> _Checked:
        """Above the limit the answer hangs on whether the business sells access to models."""
        if self.commercial is False:
            return _Checked(
                "met", "", "Your purpose is not commercial, so the limit on businesses does not bind."
            )
        result = self._revenue()
        return _Checked("open", result.rule, result.reason) if result.state == "failed" else result

    def _territory(self) -> _Checked:
        rule, place = self.licence.territory_rule, self.known.based_in
        text_only = self.licence.territory_scope == "multimodal models" and not self.multimodal
        if text_only or not self.licence.excluded_places:
            return _Checked("met", "")
        if place is None:
            return _Checked("open", rule)
        if place in self.licence.excluded_places:
            return _Checked("failed", rule, f"You are based in {PLACES[place]}.")
        return _Checked("met", rule, f"You are based in {PLACES[place]}, which is not excluded.")

    def _purpose(self) -> _Checked:
        rule = self.licence.purpose_rule
        if self.commercial is None:
            return _Checked("open", rule)
        if self.commercial:
            return _Checked("failed", rule, "Your purpose is commercial.")
        return _Checked("met", rule, "Your purpose is not commercial.")

    def display_duty(self) -> _Checked:
        """Must the product show the model's name? Met means: no."""
        rule = self.licence.display_rule
        active, limit = self.known.monthly_active_users, self.licence.display_mau_limit
        users = _threshold(active, limit, rule, "monthly active users")
        period = self.licence.display_revenue_period
        revenue = _threshold(
            self.known.revenue_usd(period),
            self.licence.display_revenue_limit_usd,
            rule,
            "US dollars of revenue",
        )
        for checked in (users, revenue):
            if checked.state == "failed":
                return _Checked("failed", rule, f"{checked.reason} So you must show the model's name.")
        both_known = users.state == "met" and revenue.state == "met"
        small = "Your product is below the limits above which it must show the model's name."
        return _Checked("met", rule, small) if both_known else _Checked("open", rule)


#: A rule says whom to ask above its limit: "Above that you must ask Meta for a licence first".
_ASK = re.compile(r"\bask ([A-Z][\w.]*(?: [A-Z][\w.]*)*) for an? [\w ]*licence")


def _threshold(value: float | None, limit: float | None, rule: str, unit: str) -> _Checked:
    """At the limit a licence still applies: the documents say "more than"."""
    if limit is None:
        return _Checked("met", rule)
    if value is None:
        return _Checked("open", rule)
    if value > limit:
        above = f"our {count(value)} {unit} are above the limit of {count(limit)}."
        asked = _ASK.search(rule)
        refusal = f"Not without a separate licence from {asked[1]}: y" if asked else "Y"
        return _Checked("failed", rule, refusal + above)
    return _Checked("met", rule, f"Your {count(value)} {unit} are not above the limit of {count(limit)}.")


def count(number: float) -> str:
    """A count for a person, exact where it decides: `700e6` → '700 million', `5000` → '5,000'."""
    return f"{number / 1e6:,.12g} million" if number >= 1e6 else f"{number:,.12g}"


def _decisive(results: Sequence[_Checked]) -> Sequence[_Checked]:
    """When a gate failed, the others no longer matter."""
    return [result for result in results if result.state == "failed"] or results


def _resolve(row: r.Term, results: Sequence[_Checked]) -> tuple[r.Answer, tuple[str, ...]]:
    """The answer after the gates, and the sentences it hangs on."""
    own = (row.condition,) if row.condition else ()
    if row.verdict != "allowed if" or not results:
        return row.verdict, own
    failed = tuple(result.rule for result in results if result.state == "failed")
    if failed:
        return "not allowed", failed
    unsettled = tuple(result.rule for result in results if result.state == "open")
    return ("allowed if" if unsettled else "allowed"), own + tuple(rule for rule in unsettled if rule)


def _both(answers: Sequence[LicenceVerdict], model: str, model_confidence: r.Confidence) -> LicenceVerdict:
    """One verdict out of the verdicts of all licences of a model: the strictest answer, all duties."""
    strictest = max(answers, key=lambda a: _STRICTNESS.index(a.verdict))
    deciding = [a for a in answers if a.verdict == strictest.verdict or a.verdict == "allowed if"]
    several = len(answers) > 1

    def join(values: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(v for v in values if v))

    def named(answer: LicenceVerdict, sentence: str) -> str:
        return f"{r.licence(answer.licences[0]).name}: {sentence}" if several else sentence

    refused = strictest.verdict in ("not allowed", "not verified")
    confidences = [a.confidence for a in answers] + [model_confidence]
    return LicenceVerdict(
        verdict=strictest.verdict,
        conditions=tuple(
            named(a, s) for a in (deciding if not refused else [strictest]) for s in a.conditions
        ),
        duties=() if refused else tuple(named(a, s) for a in answers for s in a.duties),
        reasons=tuple(dict.fromkeys(s for a in answers for s in a.reasons)),
        clause=join([a.clause for a in answers]),
        source=join([a.source for a in answers]),
        source_url=join([a.source_url for a in answers]),
        read_on=join([a.read_on for a in answers]),
        confidence="medium" if "medium" in confidences else "high",
        use=answers[0].use,
        licences=tuple(i for a in answers for i in a.licences),
        model=model,
    )
