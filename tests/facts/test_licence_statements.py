"""What experts expect: statements typed from the licence texts, not from the tables or the code.

Each line: model, use, circumstances → verdict, and a word that the conditions or duties must have.
"""

from __future__ import annotations

from typing import Any

import pytest

from labkit import facts


def you(
    users: float | None = None,
    monthly: float | None = None,
    yearly: float | None = None,
    place: str | None = None,
    commercial: bool | None = None,
) -> dict[str, Any]:
    """Circumstances in few words: users a month, revenue in US dollars a month or a year, seat, purpose."""
    return {
        "monthly_active_users": users,
        "monthly_revenue_usd": monthly,
        "annual_revenue_usd": yearly,
        "based_in": place,
        "commercial": commercial,
    }


# fmt: off
STATEMENTS = [
    # Llama 2: s.1.a, s.1.b.v, s.2
    ("llama-2", "product", you(users=1e6), "allowed", "Acceptable Use Policy"),
    ("llama-2", "pass-on", you(users=1e6), "allowed", "copy of the agreement"),
    ("llama-2", "train-on-outputs", you(), "not allowed", "any other large language model"),
    # Llama 3: the same ban, "Built with Meta Llama 3", names begin with "Llama 3"
    ("llama-3", "train-on-outputs", you(commercial=False), "not allowed", "any other large language model"),
    ("llama-3", "product", you(users=5e8), "allowed", "Built with Meta Llama 3"),
    ("llama-3", "publish-tuned", you(users=1), "allowed", "name with \"Llama 3\""),
    # Llama 3.1: the ban is gone, names begin with "Llama"
    ("llama-3.1", "train-on-outputs", you(users=1), "allowed", "begin its name with \"Llama\""),
    ("llama-3.1", "product", you(users=7.00000001e8), "not allowed", "ask Meta"),
    ("llama-3.1", "product", you(users=7e8), "allowed", "Built with Llama"),
    ("llama-3.1", "study", you(users=2e9), "not allowed", "ask Meta"),
    ("llama-3.1", "product", you(), "allowed if", "23 July 2024"),
    ("llama-3.1", "product", you(users=1e6, place="EU"), "allowed", "Built with Llama"),
    # The European exclusion: multimodal models of 3.2 and 4 only
    ("llama-3.2-vision", "product", you(users=1e3, place="EU"), "not allowed", "multimodal"),
    ("llama-3.2-vision", "product", you(users=1e3, place="UK"), "allowed", "Built with Llama"),
    ("llama-3.2-text", "product", you(users=1e3, place="EU"), "allowed", "Built with Llama"),
    ("llama-3.3", "company-tool", you(users=1e3, place="EU"), "allowed", ""),
    ("llama-4", "study", you(users=0, place="EU"), "not allowed", "someone else built"),
    ("llama-4", "offline", you(users=0, place="elsewhere"), "allowed", ""),
    ("llama-1", "product", you(), "not allowed", "non-commercial research"),
    # Apache 2.0 and MIT
    ("mistral-7b", "product", you(users=5e9, monthly=1e10), "allowed", ""),
    ("qwen3", "host-api", you(), "allowed", ""),
    ("gpt-oss", "publish-tuned", you(), "allowed", "which files you changed"),
    ("smollm2", "pass-on", you(), "allowed", "copy of the licence"),
    ("tinyllama", "train-on-outputs", you(), "allowed", ""),
    ("deepseek-r1", "train-on-outputs", you(), "allowed", ""),
    ("phi-4", "product", you(), "allowed", ""),
    ("gemma-4", "product", you(), "allowed", ""),
    # R1 distilled into Llama: MIT and the Llama 3.1 licence
    ("deepseek-r1-distill-llama-8b", "product", you(users=8e8), "not allowed", "ask Meta"),
    ("deepseek-r1-distill-llama-8b", "publish-tuned", you(users=1), "allowed", "name with \"Llama\""),
    ("deepseek-r1-distill-qwen", "product", you(users=8e8), "allowed", ""),
    # Gemma Terms: no threshold, pass the restrictions on, hosting is distribution
    ("gemma-3", "product", you(users=5e9), "allowed", "Prohibited Use Policy"),
    ("gemma-3", "host-api", you(), "allowed", "Hosting counts as distribution"),
    ("gemma-2", "train-on-outputs", you(), "allowed", "Model Derivative"),
    # CC BY-NC: sharing is fine, business is not
    ("command-r-plus", "pass-on", you(commercial=False), "allowed", "Name the creator"),
    ("command-r-plus", "pass-on", you(commercial=True), "not allowed", "NonCommercial"),
    ("command-r-plus", "product", you(), "not allowed", "separate agreement"),
    ("mpt-chat", "publish-tuned", you(commercial=False), "allowed", "same licence"),
    # Mistral's other licences
    ("mistral-large-2", "company-tool", you(), "not allowed", "Daily work"),
    ("mistral-large-2", "study", you(), "allowed", "research"),
    ("mistral-large-2", "pass-on", you(commercial=True), "not allowed", "not even free of charge"),
    ("mistral-large-2", "train-on-outputs", you(commercial=True), "not allowed", "Research Purposes"),
    ("codestral-22b", "product", you(), "not allowed", "commercial activity"),
    ("devstral-2", "product", you(monthly=1.9e7), "allowed", ""),
    ("devstral-2", "study", you(monthly=2.1e7), "not allowed", "no rights"),
    ("devstral-2", "product", you(yearly=2.5e8), "not allowed", "no rights"),
    ("devstral-small", "product", you(monthly=1e9), "allowed", ""),
    # Qwen by size
    ("qwen2.5", "product", you(users=5e8), "allowed", ""),
    ("qwen2.5-3b", "product", you(), "not allowed", "research and evaluation"),
    ("qwen2.5-72b", "product", you(users=1.1e8), "not allowed", "Alibaba Cloud"),
    ("qwen2.5-72b", "train-on-outputs", you(users=10), "allowed", "Built with Qwen"),
    ("qwen2.5-72b", "publish-tuned", you(users=2e8, commercial=False), "allowed", "Notice"),
    ("qwen-1", "train-on-outputs", you(), "not allowed", "any other large language model"),
    # DeepSeek by checkpoint, BLOOM
    ("deepseek-v3", "product", you(), "allowed", "military use"),
    ("deepseek-v3", "host-api", you(), "allowed", "Hosting counts as distribution"),
    ("deepseek-v3-0324", "host-api", you(), "allowed", ""),
    ("bloom", "product", you(), "allowed", "medical advice"),
    # Hunyuan: territory, users, outputs
    ("hunyuan-large", "product", you(users=1, place="UK"), "allowed", "s.3.a"),
    ("hunyuan-large", "study", you(users=1, place="EU"), "not allowed", "European Union"),
    ("hunyuan-a13b", "product", you(users=1, place="KR"), "not allowed", "South Korea"),
    ("hunyuan-a13b", "train-on-outputs", you(place="elsewhere"), "not allowed", "improve any other AI model"),
    # EXAONE
    ("exaone-3.5", "product", you(), "not allowed", "Commercial use"),
    ("exaone-3.5", "train-on-outputs", you(commercial=False), "not allowed", "belong to LG"),
    ("exaone-4.0", "publish-tuned", you(commercial=False), "allowed", "EXAONE"),
    # Kimi and MiniMax: a display duty is no ban, an agreement is
    ("kimi-k2", "product", you(users=1.5e8), "allowed", "Kimi K2"),
    ("kimi-k2", "product", you(users=1e6, monthly=1e6), "allowed", ""),
    ("kimi-k3", "host-api", you(yearly=2.5e7), "not allowed", "Moonshot AI"),
    ("kimi-k3", "host-api", you(yearly=1.5e7), "allowed", ""),
    ("kimi-k3", "company-tool", you(yearly=1e9), "allowed", "Internal use is exempt"),
    ("minimax-m2", "product", you(yearly=3.1e7), "allowed", "MiniMax M2"),
    ("minimax-m2.7", "host-api", you(), "not allowed", "authorisation"),
    # DBRX, NVIDIA, Falcon
    ("dbrx", "train-on-outputs", you(), "not allowed", "any other large language model"),
    ("dbrx", "product", you(users=8e8), "not allowed", "ask Databricks"),
    ("nemotron-nano-9b-v2", "fine-tune", you(), "allowed", "guardrail"),
    ("falcon-180b", "host-api", you(), "not allowed", "hosting"),
    ("falcon-7b-40b", "host-api", you(), "allowed", ""),
    # Closed services
    ("gpt-4o", "product", you(), "allowed", "You own the outputs"),
    ("claude", "pass-on", you(), "not allowed", "weights are not published"),
    ("gpt-5", "train-on-outputs", you(), "allowed if", "does not compete"),
    ("gemini", "offline", you(), "allowed if", "Google Distributed Cloud"),
    ("claude", "offline", you(), "not allowed", "weights are not published"),
]
# fmt: on


def test_there_are_enough_statements() -> None:
    assert len(STATEMENTS) >= 40
    assert {use for _, use, *_ in STATEMENTS} == {use.id for use in facts.uses()}


@pytest.mark.parametrize(
    ("model", "use", "circumstances", "expected", "words"),
    STATEMENTS,
    ids=[f"{s[0]}-{s[1]}-{n}" for n, s in enumerate(STATEMENTS)],
)
def test_statement(model: str, use: str, circumstances: dict[str, Any], expected: str, words: str) -> None:
    verdict = facts.verdict(model, use, **circumstances)
    assert verdict.verdict == expected, verdict.text()
    said = " ".join([*verdict.conditions, *verdict.duties])
    assert words in said, verdict.text()


def test_thresholds_of_the_documents() -> None:
    limits = {
        "llama-2-community": 700_000_000,
        "llama-3-community": 700_000_000,
        "llama-3.1-community": 700_000_000,
        "llama-3.2-community": 700_000_000,
        "llama-3.3-community": 700_000_000,
        "llama-4-community": 700_000_000,
        "databricks-open-model": 700_000_000,
        "tongyi-qianwen": 100_000_000,
        "qwen-license-2024": 100_000_000,
        "hunyuan-large": 100_000_000,
        "hunyuan-a13b": 100_000_000,
    }
    assert {row.id: row.mau_limit for row in facts.licences() if row.mau_limit} == limits
    revenue = {
        "mistral-modified-mit": (20_000_000, "month"),
        "kimi-k3": (20_000_000, "12 months"),
        "glm-5.3": (10_000_000_000, "12 months"),
        "minimax-community": (20_000_000, "year"),
        "stability-community": (1_000_000, "year"),
    }
    rows = [row for row in facts.licences() if row.revenue_limit_usd]
    assert {row.id: (row.revenue_limit_usd, row.revenue_period) for row in rows} == revenue


def test_only_apache_and_mit_are_osi_approved() -> None:
    assert {row.id for row in facts.licences() if row.osi_approved} == {"apache-2.0", "mit"}


def test_stability_licence_ends_above_a_million_dollars_a_year() -> None:
    small = facts.Circumstances(annual_revenue_usd=900_000)
    large = facts.Circumstances(annual_revenue_usd=1_100_000)
    assert facts.licence_verdict("stability-community", "product", small).verdict == "allowed"
    assert facts.licence_verdict("stability-community", "product", large).verdict == "not allowed"


def test_cc_by_nc_allows_sharing_for_non_commercial_purposes() -> None:
    research = facts.Circumstances(commercial=False)
    for use in ("pass-on", "publish-tuned"):
        verdict = facts.licence_verdict("cc-by-nc-4.0", use, research)
        assert verdict.verdict == "allowed"
        assert "s.2(a)(1)" in verdict.clause
