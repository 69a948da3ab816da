"""The rules behind the verdicts, and what every statement must carry."""

from __future__ import annotations

import itertools
import re

import pytest

from labkit import facts
from labkit.errors import LabError

ALL = list(itertools.product((m.id for m in facts.models()), (u.id for u in facts.uses())))
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def test_every_model_has_a_verdict_for_every_use_with_clause_source_and_date() -> None:
    for model, use in ALL:
        verdict = facts.verdict(model, use)
        assert verdict.clause and verdict.source, (model, use)
        assert DATE.search(verdict.read_on), (model, use)
        for shown in (verdict.text(), verdict._repr_html_()):
            assert "Source: " in shown and "Read on 2026-" in shown, (model, use)


def test_no_or_if_always_says_why() -> None:
    for model, use in ALL:
        verdict = facts.verdict(model, use)
        if verdict.verdict != "allowed":
            assert verdict.conditions, (model, use)


def test_medium_confidence_is_said_aloud() -> None:
    verdict = facts.verdict("codestral-22b", "study")
    assert verdict.confidence == "medium"
    assert "read the licence before relying on this" in verdict.text()
    assert "read the licence before relying on this" in verdict._repr_html_()
    assert "before relying" not in facts.verdict("qwen3", "study").text()


def test_a_model_of_medium_confidence_lowers_a_licence_of_high_confidence() -> None:
    assert facts.licence("mit").confidence == "high"
    assert facts.verdict("phi-4", "product").confidence == "medium"


def test_low_confidence_is_left_out() -> None:
    assert {row.confidence for row in facts.models()} == {"high", "medium"}


def test_not_legal_advice() -> None:
    assert "not legal advice" in facts.verdict("qwen3", "study").text()


def test_more_circumstances_never_leave_less_settled() -> None:
    """Whoever states everything gets "allowed if" only where the row's own condition remains."""
    known = {
        "monthly_active_users": 1,
        "monthly_revenue_usd": 1,
        "based_in": "elsewhere",
        "commercial": False,
    }
    for model, use in ALL:
        before, after = facts.verdict(model, use), facts.verdict(model, use, **known)
        if before.verdict in ("allowed", "not allowed", "not verified"):
            assert after.verdict == before.verdict, (model, use)
        if after.verdict == "allowed if":
            assert after.conditions, (model, use)


def test_circumstances_count_one_at_a_time() -> None:
    base = {"monthly_active_users": 1, "based_in": "elsewhere"}
    assert facts.verdict("llama-4", "product", **base).verdict == "allowed"
    assert facts.verdict("llama-4", "product", **base | {"based_in": "EU"}).verdict == "not allowed"
    assert (
        facts.verdict("llama-4", "product", **base | {"monthly_active_users": 1e9}).verdict == "not allowed"
    )
    assert facts.verdict("llama-4", "product", monthly_active_users=1).verdict == "allowed if"
    assert facts.verdict("llama-4", "product", based_in="elsewhere").verdict == "allowed if"


def test_revenue_per_month_and_per_year_give_each_other() -> None:
    assert facts.Circumstances(monthly_revenue_usd=2).revenue_usd("year") == 24
    assert facts.Circumstances(annual_revenue_usd=24).revenue_usd("month") == 2
    assert facts.Circumstances().revenue_usd("month") is None


def test_reasons_name_the_circumstance_that_decided() -> None:
    verdict = facts.verdict("llama-3.1", "product", monthly_active_users=800_000_000)
    assert verdict.reasons == (
        "Not without a separate licence from Meta: your 800 million monthly active users are above the limit "
        "of 700 million.",
    )
    capped = facts.verdict("llama-3.1", "product", monthly_active_users=700_000_001)
    assert "your 700.000001 million" in capped.reasons[0]


def test_the_headlines_are_words_for_people() -> None:
    assert facts.verdict("llama-3.1", "product").heading == "Allowed, on a condition"
    assert facts.verdict("command-r-plus", "product").heading == "Not allowed"


@pytest.mark.parametrize(
    "licence", [row for row in facts.licences() if row.mau_limit], ids=lambda row: row.id
)
def test_above_a_limit_on_users_the_refusal_names_whom_to_ask(licence) -> None:
    for row in facts.models():
        if licence.id in row.licences:
            verdict = facts.verdict(row.id, "product", monthly_active_users=1e9)
            assert verdict.verdict == "not allowed"
            assert any("Not without a separate licence from " in reason for reason in verdict.reasons)


def test_the_display_duty_goes_away_below_the_limits_and_is_named_above() -> None:
    unknown = facts.verdict("kimi-k2", "product")
    small = facts.verdict("kimi-k2", "product", monthly_active_users=10, monthly_revenue_usd=10)
    large = facts.verdict("kimi-k2", "product", monthly_revenue_usd=3e7)
    assert any("user interface" in duty for duty in unknown.duties)
    assert not any("user interface" in duty for duty in small.duties)
    assert any("user interface" in duty for duty in large.duties)
    assert any("must show the model's name" in reason for reason in large.reasons)
    assert {unknown.verdict, small.verdict, large.verdict} == {"allowed"}


def test_two_licences_bind_together() -> None:
    verdict = facts.verdict("deepseek-r1-distill-llama-8b", "product")
    assert verdict.licences == ("mit", "llama-3.1-community")
    assert verdict.verdict == "allowed if"
    assert any(duty.startswith("Llama 3.1 Community License: ") for duty in verdict.duties)
    assert any(duty.startswith("MIT License: ") for duty in verdict.duties)


@pytest.mark.parametrize(
    ("model", "use", "says"),
    [
        ("llama3.1", "product", "llama-3.1"),
        ("llama-3.1", "sell", "facts.uses()"),
        ("", "product", "facts.models()"),
    ],
)
def test_unknown_names_get_a_sentence(model: str, use: str, says: str) -> None:
    with pytest.raises(LabError, match=re.escape(says)):
        facts.verdict(model, use)


@pytest.mark.parametrize(
    "circumstances",
    [
        {"monthly_active_users": -1},
        {"monthly_revenue_usd": float("nan")},
        {"annual_revenue_usd": True},
        {"based_in": "France"},
    ],
)
def test_impossible_circumstances_get_a_sentence(circumstances: dict) -> None:
    with pytest.raises(LabError):
        facts.verdict("llama-3.1", "product", **circumstances)


def test_html_is_escaped() -> None:
    verdict = facts.verdict("llama-3.1", "product")
    assert "&quot;Built with Llama&quot;" in verdict._repr_html_()
    assert "<script" not in verdict._repr_html_()
