"""What must hold for any set of answers: every answer counts visibly, or is said not to count."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from labkit.learning.decision_analysis import QUESTIONS, RESOLUTION, decide
from labkit.learning.decision_constraints import CHOICES, NUMBERS, constraints_from
from labkit.learning.decision_rules import judge
from tests.learning.decision_fixtures import KNOWN, UNMEASURED, easy_answers, other_values, random_answers

#: (seed, answers drawn how, measurement or none): twenty sets, the same in every run.
SETS = [
    (seed, draw, known)
    for seed in range(5)
    for draw in (random_answers, easy_answers)
    for known in (UNMEASURED, KNOWN)
]
IDS = [
    f"{draw.__name__}-{seed}-{'measured' if known.measured else 'unmeasured'}" for seed, draw, known in SETS
]


@pytest.mark.parametrize(("seed", "draw", "known"), SETS, ids=IDS)
def test_changing_any_single_answer_changes_a_shown_reason_or_it_is_listed_as_irrelevant(seed, draw, known):
    rng = random.Random(seed)
    constraints = constraints_from(draw(rng))
    decision = decide(constraints, known)
    for name in QUESTIONS:
        others = other_values(constraints, name, rng)
        last = others[-1] if others else None
        for value in others:
            changed = replace(constraints, **{name: value})
            if name in decision.irrelevant:
                # The promise "whatever you answer": nothing that matters moves.
                assert judge(changed, known).outcome() == decision.judgement.outcome(), (name, value)
                continue
            if name in CHOICES or value == last:
                assert decide(changed, known).shown() != decision.shown(), (name, value)


@pytest.mark.parametrize(("seed", "draw", "known"), SETS, ids=IDS)
def test_what_would_change_the_answer_really_does(seed, draw, known):
    constraints = constraints_from(draw(random.Random(seed)))
    decision = decide(constraints, known)
    for change in decision.changes:
        found = judge(replace(constraints, **{change.input: change.value}), known)
        assert found.leaders == change.leaders != decision.judgement.leaders
        if change.input in NUMBERS and change.value and getattr(constraints, change.input):
            # The nearest one: on the way there, the same alternatives lead.
            here = getattr(constraints, change.input)
            for step in (0.25, 0.5, 0.75, 0.95):
                between = here * (change.value / here) ** step
                if abs(between / change.value - 1) > 2 * RESOLUTION:
                    found = judge(replace(constraints, **{change.input: between}), known)
                    assert found.leaders == decision.judgement.leaders, (change, between)
    named = {change.input for change in decision.changes}
    for name in set(CHOICES) - named:
        for value in CHOICES[name].options:
            assert judge(replace(constraints, **{name: value}), known).leaders == decision.judgement.leaders


@pytest.mark.parametrize("seed", range(40))
def test_any_answers_give_a_verdict_that_hangs_together(seed):
    known = KNOWN if seed % 2 else UNMEASURED
    found = judge(constraints_from(random_answers(random.Random(seed))), known)
    out = {e.alternative for e in found.exclusions}
    assert out.isdisjoint(found.totals) and len(out) + len(found.totals) == 5
    assert set(found.leaders) <= set(found.totals)
    assert bool(found.leaders) == bool(found.totals)
    assert list(found.totals.values()) == sorted(found.totals.values(), reverse=True)
    assert all(0 <= total <= 100 for total in found.totals.values())


def test_an_irrelevant_answer_stays_irrelevant_when_it_changes():
    rng = random.Random(7)
    constraints = constraints_from(easy_answers(rng))
    decision = decide(constraints, KNOWN)
    for name in decision.irrelevant:
        for value in other_values(constraints, name, rng)[:2]:
            assert name in decide(replace(constraints, **{name: value}), KNOWN).irrelevant, (name, value)
