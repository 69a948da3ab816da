"""The rows of the tables as typed, frozen records."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal, TypeVar

from labkit.errors import LabError
from labkit.facts.files import problem, records

Rung = Literal["closed", "non-commercial", "community", "osi-approved", "fully-open"]
Confidence = Literal["high", "medium"]
Answer = Literal["allowed", "allowed if", "not allowed", "not verified"]
UseId = Literal[
    "study",
    "company-tool",
    "product",
    "host-api",
    "fine-tune",
    "publish-tuned",
    "pass-on",
    "train-on-outputs",
    "offline",
]

Row = TypeVar("Row")


@dataclass(frozen=True)
class Licence:
    """One licence document. Taught in chapter 19.

    Attributes
    ----------
    id : what other tables call it, such as `"llama-3.1-community"`.
    name : the document's name.
    spdx : its SPDX identifier; empty when it has none.
    rung : where it stands on the ladder of openness.
    osi_approved : True when the Open Source Initiative has approved it.
    document_date : date of the document, as exact as known (ISO 8601).
    summary : one sentence for a learner.
    mau_limit, mau_rule : monthly active users above which permission is needed, and the rule in words.
    revenue_limit_usd, revenue_period, revenue_rule : the same for revenue, in US dollars per period.
    territory_excluded : places where the licence gives no rights, apart by `;` (EU, UK, KR).
    territory_scope : "all models" or "multimodal models".
    territory_rule : the exclusion in words.
    purpose_rule : the purposes that a non-commercial licence allows; empty for the others.
    display_mau_limit, display_revenue_limit_usd, display_revenue_period, display_rule :
        above these a product must show the model's name (a duty, not a ban).
    use_policy : the name of a use policy that belongs to the licence.
    source, source_url : what was read, and where the document is.
    read_on, confidence : when it was read, and how far to trust the row.
    """

    id: str
    name: str
    spdx: str
    rung: Rung
    osi_approved: bool
    document_date: str
    summary: str
    mau_limit: int | None
    mau_rule: str
    revenue_limit_usd: float | None
    revenue_period: Literal["month", "12 months", "year"] | None
    revenue_rule: str
    territory_excluded: str
    territory_scope: Literal["all models", "multimodal models"] | None
    territory_rule: str
    purpose_rule: str
    display_mau_limit: int | None
    display_revenue_limit_usd: float | None
    display_revenue_period: Literal["month", "12 months", "year"] | None
    display_rule: str
    use_policy: str
    source: str
    source_url: str
    read_on: str
    confidence: Confidence

    @property
    def excluded_places(self) -> tuple[str, ...]:
        """`("EU", "UK", "KR")`, or nothing."""
        return tuple(place for place in self.territory_excluded.split(";") if place)


@dataclass(frozen=True)
class Use:
    """Something that a person may want to do with a model."""

    id: UseId
    label: str
    means: str
    commercial: Literal["yes", "no", "either"]


@dataclass(frozen=True)
class Term:
    """What one licence says about one use.

    `gates` names the circumstances on which an "allowed if" depends: mau, revenue, maas, territory, purpose;
    `mau~` and `revenue~` count only for commercial purposes (see `labkit.facts.verdicts`).
    """

    licence: str
    use: UseId
    verdict: Answer
    condition: str
    duties: tuple[str, ...]
    clause: str
    gates: str
    source: str
    read_on: str
    confidence: Confidence


@dataclass(frozen=True)
class ModelVersion:
    """A released model and the licence of its weights (licences are set per checkpoint, and change).

    Attributes
    ----------
    id, family, name, developer : such as `"llama-3.1"`, Llama, "Llama 3.1 (8B, 70B, 405B)", Meta.
    released : ISO date, as exact as known; may be empty.
    weights : "open", "gated" (free after accepting terms) or "none".
    rung : the model's rung on the ladder of openness.
    licence, second_licence : ids in licences.csv; where two apply, both bind.
    multimodal : True, False, or None when not recorded (it matters to Llama's European exclusion).
    training_data_open, training_code_open : yes, partial, no, or None when not checked.
    osaid, osaid_note : the Open Source AI Definition: our reading, or OSI's where the note says so.
    note, source, read_on, confidence : remarks, what was read, when, and how far to trust the row.
    """

    id: str
    family: str
    name: str
    developer: str
    released: str
    weights: Literal["open", "gated", "none"]
    rung: Rung
    licence: str
    second_licence: str
    multimodal: bool | None
    training_data_open: Literal["yes", "partial", "no"] | None
    training_code_open: Literal["yes", "partial", "no"] | None
    osaid: Literal["yes", "no", "not assessed"]
    osaid_note: str
    note: str
    source: str
    read_on: str
    confidence: Confidence

    @property
    def licences(self) -> tuple[str, ...]:
        """The ids of the licences that apply: one, or two."""
        return tuple(i for i in (self.licence, self.second_licence) if i)


@dataclass(frozen=True)
class Price:
    """What a provider asks for a model, in US dollars per million tokens, on the day `as_of`.

    `cached_input_usd_per_million` is None where no price for repeated input was found.
    """

    id: str
    provider: str
    model: str
    weights: Literal["closed", "open", "not checked"]
    input_usd_per_million: float
    cached_input_usd_per_million: float | None
    output_usd_per_million: float
    note: str
    source: str
    source_url: str
    as_of: str
    read_on: str
    confidence: Confidence


def licences() -> tuple[Licence, ...]:
    """All licence documents."""
    return records("licences", Licence)


def licence(id: str) -> Licence:
    """The licence with this id. Raises LabError with the nearest ids when there is none."""
    return find_record("licence", id, {row.id: row for row in licences()}, "`labkit.facts.licences()`")


def uses() -> tuple[Use, ...]:
    """The intended uses, in the order in which the course shows them."""
    return records("licence_uses", Use)


def use(id: str) -> Use:
    """The use with this id."""
    return find_record("use", id, {row.id: row for row in uses()}, "`labkit.facts.uses()`")


def models() -> tuple[ModelVersion, ...]:
    """All model versions, ordered by family. Raises LabError when a row names an unknown licence."""
    rows = records("models", ModelVersion)
    known = {row.id for row in licences()}
    for row in rows:
        for licence_id in row.licences:
            if licence_id not in known:
                raise problem("models", f"licences.csv has no licence {licence_id!r}.", row=row.id)
    return rows


def model(id: str) -> ModelVersion:
    """The model version with this id."""
    return find_record("model", id, {row.id: row for row in models()}, "`labkit.facts.models()`")


def terms() -> tuple[Term, ...]:
    """What every licence says about every use. Raises LabError when a row names an unknown licence."""
    rows = records("licence_terms", Term)
    known = {row.id for row in licences()}
    for row in rows:
        if row.licence not in known:
            raise problem("licence_terms", f"licences.csv has no licence {row.licence!r}.", row=row.licence)
    return rows


def term(licence_id: str, use_id: str) -> Term:
    """What one licence says about one use."""
    for row in terms():
        if (row.licence, row.use) == (licence_id, use_id):
            return row
    raise problem("licence_terms", f"there is no row for {licence_id} and {use_id}.")


def prices() -> tuple[Price, ...]:
    """Dated prices of hosted models. Edit `datasets/prices.csv` to add your own."""
    return records("prices", Price)


def find_record(what: str, id: str, known: dict[str, Row], where: str) -> Row:
    """The row called `id`, in any case. Raises LabError with near ids, and `where` all can be listed."""
    wanted = str(id).strip().lower()
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.4)
    near += [name for name in known if wanted and wanted in name and name not in near]
    cure = f"Did you mean {' or '.join(repr(n) for n in near[:3])}? " if near else ""
    raise LabError(f"There is no {what} called {id!r}.", f"{cure}{where} lists them all.")
