"""How open the models are: a class follows from the components, and each is where the table says it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import labkit as lk
from labkit.pocket.openness import components, mof_class, requirements, verdict
from labkit.settings import repository_root


def test_the_classes_follow_from_the_components() -> None:
    parts = components()
    best = mof_class(parts)
    assert best == 2
    for requirement in requirements():
        if requirement.standard == "MOF":
            asked = {"mof-3": 3, "mof-2": 2, "mof-1": 1}[requirement.id]
            assert requirement.met == (best <= asked)


def test_all_of_a_class_is_needed_and_what_is_optional_is_not() -> None:
    parts = components()
    complete = [replace(p, included=True, licence="CC0-1.0" if p.content != "code" else "MIT") for p in parts]
    assert mof_class(complete) == 1
    for n, part in enumerate(complete):
        without = complete[:n] + [replace(part, included=False)] + complete[n + 1 :]
        expected = {3: None, 2: 3, 1: 2}[part.mof_class] if part.mof_required else 1
        assert mof_class(without) == expected, part.id


@pytest.mark.parametrize(
    ("content", "licence", "is_open"),
    [
        ("code", "Apache-2.0", True),
        ("code", "CC-BY-4.0", False),
        ("data", "Apache-2.0", False),
        ("data code", "Apache-2.0", True),
        ("document", "CC-BY-4.0", True),
        ("document", "CC-BY-NC-4.0", False),
        ("code", "MIT, proprietary", False),
    ],
)
def test_a_licence_must_fit_what_it_covers(content: str, licence: str, is_open: bool) -> None:
    part = replace(components()[0], content=content, licence=licence)
    assert part.is_open == is_open
    assert not replace(part, included=False).is_open


def test_the_framework_has_seventeen_components() -> None:
    parts = components()
    assert len({part.id for part in parts}) == len(parts) == 17
    assert [sum(p.mof_class == n and p.mof_required for p in parts) for n in (3, 2, 1)] == [6, 4, 4]
    assert all(part.licence and part.where for part in parts if part.included)
    assert not any(part.licence or part.where for part in parts if not part.included)


def test_the_places_exist() -> None:
    root = repository_root()
    assert root
    for part in components():
        for place in re.findall(r"(?:labkit|datasets|requirements)/[\w./*-]*", part.where):
            assert list(root.glob(place.rstrip(".,;:"))), (part.id, place)


def test_the_definition_is_met_element_by_element() -> None:
    """Each element of the definition that is said to be met has components, and all of them are open."""
    elements = {"osaid-data": "data information", "osaid-code": "code", "osaid-parameters": "parameters"}
    met = {requirement.id: requirement.met for requirement in requirements()}
    for key, element in elements.items():
        parts = [part for part in components() if part.osaid == element]
        assert parts and met[key] == all(part.is_open for part in parts if part.mof_required)


def test_the_table_says_what_is_missing() -> None:
    shown = repr(lk.openness())
    assert verdict() in shown and "class II, Open Tooling" in shown
    assert "research paper" in shown and "neither is a certificate" in shown
    assert shown.count("As of 2026") == 2
    for part in components():
        assert part.component in shown
