"""The rules against an expert's table, and the traps that the chapter teaches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.learning.decision import facts
from labkit.learning.decision_conditions import _CASES, _WHY_FACTS, WHY
from labkit.learning.decision_constraints import ALTERNATIVES, CHOICES, NUMBERS, Constraints, constraints_from
from labkit.learning.decision_costs import Knowledge, measured_from
from labkit.learning.decision_points import TIE_MARGIN
from labkit.learning.decision_rules import RULES, judge
from tests.learning.decision_experts import EXPERT_ROWS, LETTERS, RELAXED
from tests.learning.decision_fixtures import KNOWN, MEASURED, UNMEASURED


def excluded(answers: dict, known: Knowledge = UNMEASURED) -> set[str]:
    return {e.alternative for e in judge(constraints_from({**RELAXED, **answers}), known).exclusions}


@pytest.mark.parametrize(("situation", "answers", "letters"), EXPERT_ROWS, ids=[r[0] for r in EXPERT_ROWS])
def test_the_expert_rules_out_the_same(situation, answers, letters):
    answers = dict(answers)
    known = KNOWN if answers.pop("measured", False) else UNMEASURED
    assert excluded(answers, known) == {LETTERS[letter] for letter in letters}, situation


def test_the_table_has_forty_situations_and_uses_every_rule():
    assert len(EXPERT_ROWS) >= 40
    used = {
        e.rule
        for _, answers, _ in EXPERT_ROWS
        for e in judge(
            constraints_from({**RELAXED, **{k: v for k, v in answers.items() if k != "measured"}}),
            KNOWN if "measured" in answers else UNMEASURED,
        ).exclusions
    }
    assert used == {rule.id for rule in RULES} | {"over-budget", "over-capacity"}


# ---------------------------------------------------------------- the traps


@pytest.mark.parametrize("data", ["public", "internal", "personal", "secret"])
def test_privacy_alone_does_not_force_open_weights(data):
    assert "closed_private" not in excluded({"data": data})


def test_an_open_model_on_a_shared_host_is_as_little_private_as_a_closed_one():
    assert {"closed_api", "open_hosted"} <= excluded({"data": "secret"})


def test_an_air_gapped_building_leaves_a_closed_model_but_the_field_does_not():
    assert "closed_private" not in excluded({"connectivity": "never_site"})
    assert {"closed_api", "closed_private"} <= excluded({"connectivity": "never_field"})


def test_local_is_not_automatically_compliant():
    for hardware in ("laptop", "server"):
        found = judge(
            constraints_from({**RELAXED, "data": "personal", "jurisdiction": "eu", "hardware": hardware})
        )
        assert found.leaders and set(found.leaders) <= {"open_own", "open_device"}
        assert "local-is-not-compliant-eu" in {condition.id for condition in found.conditions}


def test_nothing_is_free_after_the_download():
    answers = {"budget_per_month": 0, "hardware": "laptop"}
    found = judge(constraints_from({**RELAXED, **answers}), KNOWN)
    assert found.leaders == ()
    told = next(e.text for e in found.exclusions if e.alternative == "open_device")
    assert "free after the download" in told


def test_a_local_cost_is_never_invented():
    found = judge(constraints_from(RELAXED), UNMEASURED)
    assert found.costs["open_device"].per_month is None
    assert "measurement cell" in found.costs["open_device"].note
    # A laptop's speed says nothing about a server.
    assert judge(constraints_from(RELAXED), KNOWN).costs["open_own"].per_month is None
    on_gpu = replace(KNOWN, measured=replace(MEASURED, on_gpu=True))
    assert judge(constraints_from(RELAXED), on_gpu).costs["open_own"].per_month is not None


@pytest.mark.parametrize("users", ["over_100m", "over_700m"])
def test_users_are_a_condition_on_the_licence_not_an_exclusion(users):
    answers = {"redistribute": "yes", "monthly_users": users, "hardware": "server"}
    assert excluded(answers) == excluded({**answers, "monthly_users": "under_100m"})
    ids = {c.id for c in judge(constraints_from({**RELAXED, **answers})).conditions}
    assert f"users-{users.removeprefix('over_')}" in ids


def test_hosted_fine_tuning_exists_and_its_end_is_dated():
    found = judge(
        constraints_from({**RELAXED, "tuning": "hosted", "quality": "frontier", "hardware": "none"})
    )
    assert "closed_api" in found.totals
    told = {c.id: c.facts for c in found.conditions}
    if "closed_api" in found.leaders:
        assert "openai-fine-tuning" in told["hosted-tuning"]
    assert "2027-01-06" in facts()["openai-fine-tuning"].statement


def test_results_within_the_margin_are_a_tie():
    found = judge(Constraints())
    best = max(found.totals.values())
    assert found.leaders == ("closed_api", "open_hosted")
    assert all(best - found.totals[name] <= TIE_MARGIN + 1e-9 for name in found.leaders)


def test_a_slow_machine_loses_points_where_someone_waits():
    slow = replace(
        KNOWN, measured=replace(MEASURED, tg_tokens_per_s=replace(MEASURED.tg_tokens_per_s, low=2, high=3))
    )
    c = constraints_from({**RELAXED, "latency": "interactive"})
    assert judge(c, slow).totals["open_device"] < judge(c, KNOWN).totals["open_device"]


# ---------------------------------------------------------------- every fact has its date


def test_every_cited_fact_exists_with_source_and_dates():
    cited = {i for rule in RULES for i in rule.facts} | {i for case in _CASES for i in case.facts}
    cited |= {i for ids in _WHY_FACTS.values() for i in ids}
    known = facts()
    assert cited <= set(known)
    for fact in known.values():
        assert fact.source and fact.statement.endswith(".")
        assert fact.as_of[:2] == "20" and fact.read_on == "2026-11-22"
        assert fact.confidence in ("high", "medium")


def test_every_answer_has_its_sentence():
    for name, question in CHOICES.items():
        assert set(WHY[name]) == set(question.options), name
    for name in NUMBERS:
        assert WHY[name][""], name
    assert {(n, v) for n, v in _WHY_FACTS} <= {(n, v) for n, q in CHOICES.items() for v in q.options}


def test_points_and_importance_are_in_their_limits():
    for _, answers, _ in EXPERT_ROWS:
        answers = {k: v for k, v in answers.items() if k != "measured"}
        for line in judge(constraints_from({**RELAXED, **answers}), UNMEASURED).criteria:
            assert 0 <= line.importance <= 5
            assert set(line.points) == set(ALTERNATIVES)
            assert all(0 <= points <= 4 for points in line.points.values())


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "answers",
    [
        {"data": "quite secret"},
        {"colour": "blue"},
        {"budget_per_month": -1},
        {"tokens_in_per_day": "many"},
        {"tokens_in_per_day": float("nan")},
        {"tokens_in_per_day": None},
        {"tokens_in_per_day": 0, "tokens_out_per_day": 0},
        {"watts_idle": 500},
        {"hours_on_per_day": 25},
    ],
    ids=str,
)
def test_an_answer_that_does_not_exist_is_a_sentence(answers):
    with pytest.raises(LabError) as caught:
        constraints_from(answers)
    assert caught.value.what and caught.value.cure


@pytest.mark.parametrize(
    "thing", [42, "41 tokens/s", {}, {"pp_tokens_per_s": 0, "tg_tokens_per_s": 1}], ids=str
)
def test_what_is_not_a_measurement_is_a_sentence(thing):
    with pytest.raises(LabError, match="not a measurement"):
        measured_from(thing)


def test_a_measurement_is_read_as_its_slowest_and_fastest_run():
    spread = {"mean": 2.0, "median": 2.0, "std": 1.0, "values": [1.0, 2.0, 3.0]}
    found = measured_from(
        {
            "pp_tokens_per_s": spread,
            "tg_tokens_per_s": {"median": 5.0},
            "ttft_s": 0.5,
            "memory": {"gpu_bytes": None},
            "model": {"name": "m", "random_weights": True},
            "date": "2026-11-22T08:00:00+00:00",
        }
    )
    assert (found.pp_tokens_per_s.low, found.pp_tokens_per_s.high) == (1.0, 3.0)
    assert (found.tg_tokens_per_s.low, found.ttft_s, found.on_gpu) == (5.0, 0.5, False)
    assert found.label() == "m, random weights, measured 2026-11-22"
