"""What must hold for any set of answers: every answer counts visibly, or is said not to count."""

from __future__ import annotations

import html
import random
import re
from dataclasses import replace

import pytest

from labkit.learning.decision import facts
from labkit.learning.decision_analysis import QUESTIONS, RESOLUTION, decide
from labkit.learning.decision_constraints import CHOICES, NUMBERS, constraints_from, label_of
from labkit.learning.decision_rules import judge
from labkit.learning.decision_text import decision_html
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
def test_every_reason_is_on_the_page_and_those_that_decide_are_not_folded(seed, draw, known):
    decision = decide(constraints_from(draw(random.Random(seed))), known)
    page = html.unescape(decision_html(decision, facts(), known, ["No plot."]))
    in_the_open = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    for sentence in decision.shown():
        assert sentence in page
    for reason in decision.reasons:
        assert (reason.text in in_the_open) == reason.decisive
        assert reason.text in page
    for name in decision.irrelevant:
        assert label_of(name) in in_the_open.split("Makes no difference here")[1]


@pytest.mark.parametrize(("seed", "draw", "known"), SETS, ids=IDS)
def test_the_answers_that_decide_are_those_that_exclude_or_turn_the_verdict(seed, draw, known):
    constraints = constraints_from(draw(random.Random(seed)))
    decision = decide(constraints, known)
    found = decision.judgement
    decisive = {reason.input for reason in decision.reasons if reason.decisive}
    assert {name for e in found.exclusions for name in e.inputs} <= decisive | set(decision.irrelevant)
    for name in CHOICES:
        others = [judge(replace(constraints, **{name: v}), known) for v in CHOICES[name].options]
        turned = [o for o in others if o.leaders != found.leaders and not set(o.leaders) & set(found.leaders)]
        excludes = any(name in e.inputs for e in found.exclusions)
        if name not in decision.irrelevant:
            assert (name in decisive) == bool(turned or excludes), name


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
