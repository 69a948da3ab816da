"""How open the pocket models are, component by component. Taught in chapter 19.

Two yardsticks: the Open Source AI Definition 1.0 of the Open Source Initiative, and the classes of the Model
Openness Framework. The tables are in `datasets/pocket/`; what follows from them is our own reading, and no
certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.facts.files import records
from labkit.tables import Table

#: what the framework's tool takes as open, by kind of content; of its lists, the licences that occur here
OPEN_LICENCES = {
    "code": {"Apache-2.0", "MIT", "BSD-3-Clause"},
    "data": {"CC0-1.0"},
    "document": {"CC0-1.0", "CC-BY-4.0"},
}
CLASS_NAMES = {3: "class III, Open Model", 2: "class II, Open Tooling", 1: "class I, Open Science"}
_FREEDOMS = ("osaid-use", "osaid-study", "osaid-modify", "osaid-share")
Confidence = Literal["high", "medium"]


@dataclass(frozen=True)
class Component:
    """A part of a model's release, as the Model Openness Framework cuts it up.

    Attributes
    ----------
    id, component : the framework's name for it.
    mof_class : 3, 2 or 1: the class that first asks for it.
    mof_required : whether that class must have it.
    content : what its licence may be one of, by kind: code, data, document.
    osaid : the element of the Open Source AI Definition that it belongs to; may be empty.
    included : whether it is in this repository.
    where, licence, note : where it is; its SPDX licence; remarks.
    source, read_on, confidence : what the requirement was read in, when, and how far to trust the row.
    """

    id: str
    component: str
    mof_class: int
    mof_required: bool
    content: str
    osaid: str
    included: bool
    where: str
    licence: str
    note: str
    source: str
    read_on: str
    confidence: Confidence

    @property
    def is_open(self) -> bool:
        """Whether it is here, under a licence that fits its kind."""
        fitting = set().union(*(OPEN_LICENCES[kind] for kind in self.content.split()))
        return self.included and all(licence in fitting for licence in self.licence.split(", "))


@dataclass(frozen=True)
class Requirement:
    """What a yardstick asks for, and whether the pocket models meet it.

    The Open Source AI Definition is quoted; the framework's classes are told in our words.
    """

    id: str
    standard: Literal["OSAID 1.0", "MOF"]
    name: str
    requirement: str
    met: bool
    how: str
    source: str
    source_url: str
    read_on: str
    confidence: Confidence

    @property
    def wording(self) -> str:
        """The requirement, in quotation marks where it is quoted."""
        return f"“{self.requirement}”" if self.standard == "OSAID 1.0" else self.requirement


def components() -> tuple[Component, ...]:
    """The rows of `datasets/pocket/components.csv`."""
    return records("pocket/components", Component)


def requirements() -> tuple[Requirement, ...]:
    """The rows of `datasets/pocket/requirements.csv`."""
    return records("pocket/requirements", Requirement)


def mof_class(parts: Sequence[Component]) -> int | None:
    """The best class that the components reach: 1, 2 or 3; None for none.

    The classes are cumulative: each needs every required component of its own and of the classes below it.
    Source: `ModelEvaluator.php` in lfai/model_openness_tool at 00e560e. (Its shortcut, by which parameters
    under an open source licence alone pass class III on condition, is not used here.)
    """
    for number in (1, 2, 3):
        if all(part.is_open for part in parts if part.mof_required and part.mof_class >= number):
            return number
    return None


def openness() -> Table:
    """What "open source AI" asks of a model, and where the pocket models have it. Taught in chapter 19.

    The components, with their licences, sources and dates, are folded below the table.
    """
    asked = requirements()
    freedoms = [r for r in asked if r.id in _FREEDOMS]
    rows = [
        [f"{r.standard}: {r.name}", r.wording, ("yes. " if r.met else "no. ") + r.how]
        for r in asked
        if r not in freedoms
    ]
    allowed = ", ".join(r.name.lower() for r in freedoms if r.met)
    return Table(
        "How open are the pocket models?",
        ["asked by", "what is asked for", "is it here?"],
        rows,
        [
            verdict(),
            f"The licences allow everybody to {allowed} them. Our own reading: neither is a certificate.",
        ],
        folded_title=f"All {len(components())} components, where they are, sources and dates",
        folded=[
            *map(_line, components()),
            *dict.fromkeys(f"{r.standard}: {r.source}. As of {r.read_on}." for r in asked),
        ],
        text_width=130,
    )


def _line(part: Component) -> str:
    asked_by = f"class {'I' * part.mof_class}{'' if part.mof_required else ', optional'}"
    place = f"{part.where} ({part.licence})." if part.included else "not here."
    return f"{part.component} ({asked_by}): {place} {part.note}".rstrip()


def verdict() -> str:
    """What follows from the tables, in two sentences."""
    osaid = all(r.met for r in requirements() if r.standard == "OSAID 1.0")
    best = mof_class(components())
    missing = [
        part.component.lower()
        for part in components()
        if part.mof_required and best and part.mof_class == best - 1 and not part.is_open
    ]
    first = f"They {'meet' if osaid else 'do not meet'} the Open Source AI Definition 1.0."
    second = (
        f"In the Model Openness Framework they reach {CLASS_NAMES[best]}" if best else "They reach no class"
    )
    return f"{first} {second}{'; missing for the next: ' + ', '.join(missing) if missing else ''}."
