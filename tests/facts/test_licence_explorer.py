"""The licence explorer's model, without a browser."""

from __future__ import annotations

import html
import re

import pytest

import labkit as lk
from labkit import facts
from labkit.errors import LabError
from labkit.learning.form import FormModel, show, static_html
from labkit.learning.licence_explorer import LicenceExplorer


def words(text: str) -> str:
    """HTML as plain text."""
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def field(explorer: LicenceExplorer, name: str):
    return {f.name: f for f in explorer.view().fields}[name]


def test_it_is_a_form_model() -> None:
    assert isinstance(LicenceExplorer(), FormModel)
    assert isinstance(lk.licence_explorer(), LicenceExplorer)


def test_it_offers_every_model_and_every_use() -> None:
    explorer = LicenceExplorer()
    assert [o.value for o in field(explorer, "model").options] == [m.id for m in facts.models()]
    assert [o.value for o in field(explorer, "use").options] == [u.id for u in facts.uses()]


def test_models_are_ordered_by_family_and_found_by_typing_the_name() -> None:
    labels = [o.label for o in field(LicenceExplorer(), "model").options]
    llamas = [n for n, label in enumerate(labels) if label.startswith(("Llama ", "LLaMA "))]
    assert llamas == list(range(llamas[0], llamas[0] + len(llamas)))
    families = [m.family for m in facts.models()]
    closed = ["(closed)" in family for family in families]
    assert closed == sorted(closed)


def test_the_verdict_stands_in_words_with_clause_source_and_date() -> None:
    result = words(LicenceExplorer("llama-3.1", "product").view().result_html)
    for part in (
        "Allowed, on a condition",
        "s.2",
        "Source: ",
        "Read on 2026-11-22",
        "Built with Llama",
        "confidence high",
    ):
        assert part in result
    assert "not legal advice" in words(LicenceExplorer().view().intro_html)


def test_choosing_and_telling_changes_the_verdict() -> None:
    form = show(LicenceExplorer("llama-4", "product"))
    assert "Allowed, on a condition" in words(form.view.result_html)
    form.press("change", {"users_million": 0.005})
    assert "Allowed, on a condition" in words(form.view.result_html)
    form.press("change", {"place": "EU"})
    assert "Not allowed" in words(form.view.result_html)
    assert form.view.status.startswith("Not allowed: Llama 4 (Scout, Maverick), ")
    form.press("change", {"place": "UK"})
    assert form.view.status.startswith("Allowed: ")
    form.press("change", {"model": "hunyuan-a13b"})
    assert form.view.status.startswith("Not allowed: ")


def test_the_purpose_is_asked_only_where_it_matters() -> None:
    form = show(LicenceExplorer("command-r-plus", "pass-on"))
    assert "purpose" in {f.name for f in form.view.fields}
    assert form.view.status.startswith("Allowed, on a condition: ")
    form.press("change", {"purpose": "no"})
    assert form.view.status.startswith("Allowed: ")
    form.press("change", {"use": "product"})
    assert "purpose" not in {f.name for f in form.view.fields}
    assert form.view.status.startswith("Not allowed: ")


def test_compare_shows_every_use_and_goes_back() -> None:
    form = show(LicenceExplorer("gemma-3"))
    assert "<table>" not in form.view.result_html
    form.press("compare")
    table = form.view.result_html
    assert table.count('<th scope="row">') == len(facts.uses())
    for use in facts.uses():
        assert use.label in words(table)
    assert "Source: " in words(table.split("</table>")[1])
    form.press("compare")
    assert "<table>" not in form.view.result_html


def test_an_impossible_number_is_refused_in_the_form() -> None:
    form = show(LicenceExplorer())
    for number in (-5, 700_000_000):
        form.press("change", {"users_million": number})
        assert {f.name: f.error for f in form.view.fields}["users_million"]


def test_users_and_revenue_are_asked_for_in_millions() -> None:
    form = show(LicenceExplorer("llama-3.1", "product"))
    fields = {f.name: f for f in form.view.fields}
    assert fields["users_million"].label == "Monthly active users of all your organisation's products"
    assert fields["users_million"].unit == "million"
    assert fields["revenue_million_usd"].unit == "million US dollars a month"
    form.press("change", {"users_million": 700})
    assert form.view.status.startswith("Allowed: ")
    assert {f.name: f.help for f in form.view.fields}["users_million"] == "That is 700,000,000."
    form.press("change", {"users_million": 700.000001})
    assert form.view.status.startswith("Not allowed: ")
    assert "Not without a separate licence from Meta: " in words(form.view.result_html)


def test_the_verdict_stands_on_the_page_once_and_is_announced() -> None:
    view = LicenceExplorer("llama-4", "product").view()
    assert view.status_spoken and view.status.startswith("Allowed, on a condition: ")
    assert words(static_html(view)).count("Allowed, on a condition") == 1


@pytest.mark.parametrize("model", ["llama-3.1", "gpt-4o", "deepseek-r1-distill-llama-8b", "grok-2"])
def test_the_text_form_says_all(model: str) -> None:
    text = LicenceExplorer(model).text()
    assert "Source: " in text and "Read on 2026-11-22" in text and "not legal advice" in text
    for use in facts.uses():
        assert use.label in text
    assert repr(LicenceExplorer(model)) == text


def test_without_a_kernel_it_is_text_and_html() -> None:
    bundle = lk.licence_explorer("qwen2.5-3b")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "Not allowed" in words(bundle["text/html"])


def test_every_model_and_use_can_be_shown() -> None:
    explorer = LicenceExplorer()
    for model in facts.models():
        explorer.model, explorer.comparing = model.id, True
        view = explorer.view()
        assert model.name in words(view.result_html)
        assert "Source: " in words(view.result_html)


def test_an_unknown_model_gets_a_sentence() -> None:
    with pytest.raises(LabError, match=r"llama-3\.1"):
        lk.licence_explorer("llama31")
