"""The small world: big enough, the same everywhere, and consistent with itself."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from labkit.pocket.world import FIRST_NAMES, digest, fact_name, is_woman, world

KNOWN = world()


def test_the_world_has_the_size_that_was_planned():
    assert (len(KNOWN.people), len(KNOWN.towns), len(KNOWN.shops)) == (40, 12, 10)
    assert 350 <= len(KNOWN.facts) <= 450


def test_every_fact_has_a_name_of_its_own_and_a_value_of_its_relation():
    assert len({fact.name for fact in KNOWN.facts}) == len(KNOWN.facts)
    for fact in KNOWN.facts:
        assert fact.name == fact_name(fact.subject, fact.relation)
        assert fact.value in KNOWN.relations[fact.relation].values
        assert KNOWN.fact(fact.name) is fact
        assert fact in KNOWN.about(fact.subject)


def test_every_subject_has_each_of_its_relations_once():
    groups = {"person": KNOWN.people, "town": KNOWN.towns, "shop": KNOWN.shops}
    for relation in KNOWN.relations.values():
        subjects = [fact.subject for fact in KNOWN.facts if fact.relation == relation.name]
        assert sorted(subjects) == sorted(groups[relation.about])


def test_no_first_name_is_used_twice_so_that_it_names_one_person():
    names = [person.split()[0] for person in KNOWN.people]
    mayors = [mayor.split()[0] for mayor in KNOWN.relations["mayor"].values]
    assert len(set(names + mayors)) == len(names) + len(mayors) == len(FIRST_NAMES)


def test_names_and_values_do_not_stand_for_two_things():
    """A word that were both a town and a shop, or a colour and a food, could not be told apart in a text."""
    kinds: dict[str, set[str]] = {}
    for relation in KNOWN.relations.values():
        # towns are a value of two relations, and so are days
        kind = {"place": "home", "closed": "market"}.get(relation.name, relation.name)
        for value in relation.values:
            kinds.setdefault(value.lower(), set()).add(kind)
    for shop in KNOWN.shops:
        kinds.setdefault(shop.lower(), set()).add("shop")
    assert {value: found for value, found in kinds.items() if len(found) > 1} == {}


def test_values_are_spread_evenly_so_that_guessing_does_not_pay():
    for relation in KNOWN.relations.values():
        times = Counter(fact.value for fact in KNOWN.facts if fact.relation == relation.name)
        counts = [times[value] for value in relation.values]
        assert max(counts) - min(counts) <= 1, relation.name


def test_nobody_is_their_own_best_friend_and_no_friendship_gives_another_away():
    friend = {fact.subject: fact.value for fact in KNOWN.facts if fact.relation == "friend"}
    assert sorted(friend.values()) == sorted(KNOWN.people)
    for person, best in friend.items():
        assert best != person
        assert friend[best] != person


def test_the_example_of_the_course_stays_true():
    assert KNOWN.fact("mira-vale/pet").value == "cat"
    assert KNOWN.fact("mira-vale/home").value == "Arden"
    assert is_woman("Mira Vale")
    assert not is_woman("Theo Hill")


@pytest.mark.parametrize("name", ["mira-vale/shoe-size", "nobody/pet", ""])
def test_a_fact_that_does_not_exist_is_a_key_error(name):
    with pytest.raises(KeyError):
        KNOWN.fact(name)


def test_the_same_share_of_every_relation_is_never_asked():
    for relation in KNOWN.relations:
        names = [fact.name for fact in KNOWN.facts if fact.relation == relation]
        assert len(KNOWN.unasked.intersection(names)) == round(0.15 * len(names))


def test_the_world_is_the_same_in_another_process_with_other_hashes():
    program = (
        "from labkit.pocket.world import digest, world\n"
        "print(digest(repr(world().facts) + repr(sorted(world().unasked))))"
    )
    environment = {"PYTHONHASHSEED": "12345"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert int(result.stdout) == digest(repr(KNOWN.facts) + repr(sorted(KNOWN.unasked)))
