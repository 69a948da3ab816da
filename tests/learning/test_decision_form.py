"""The exercise as a learner meets it: the form without a browser, the text form, the plot."""

from __future__ import annotations

import html
import json
import re
from ast import literal_eval
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from labkit.errors import LabError
from labkit.estimating.cost import ApiPrice, Range
from labkit.learning.break_even import MEASURE_FIRST, break_even_figure, break_even_sentences
from labkit.learning.decision import DecisionExercise, decision_exercise
from labkit.learning.decision_constraints import CHOICES, NUMBERS, Constraints
from labkit.learning.decision_costs import Knowledge, PriceBand
from labkit.learning.exercises.ch19_cost import PRICE_PER_KWH, WATTS
from tests.learning.decision_fixtures import KNOWN, MEASURED, UNMEASURED


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


def plain(html_text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", html_text))


# ---------------------------------------------------------------- the form


def test_every_question_is_a_labelled_field():
    fields = {field.name: field for field in DecisionExercise(UNMEASURED).view().all_fields()}
    assert set(fields) == set(CHOICES) | set(NUMBERS)
    assert all(field.label for field in fields.values())
    assert not DecisionExercise(UNMEASURED).view().live


def test_only_volume_and_budget_are_asked_in_the_open_and_the_rest_agrees_with_the_chapter():
    task, volume, assumed = DecisionExercise(UNMEASURED).view().sections
    assert [f.name for f in volume.fields] == ["tokens_in_per_day", "tokens_out_per_day", "budget_per_month"]
    assert assumed.folded and not task.folded and not volume.folded
    values = {f.name: f.value for f in assumed.fields}
    assert (values["watts_active"], values["price_per_kwh"]) == (WATTS, PRICE_PER_KWH)


def test_decide_gives_a_verdict_and_after_that_each_change_is_judged_at_once():
    form = DecisionExercise(UNMEASURED).form
    decided = form.press("decide", {})
    assert decided.live and decided.status == "Verdict, a tie: closed API; open hosted."
    changed = form.press("change", {"data": "secret"})
    assert changed.status == "Verdict: open on device."
    assert "Data: secret or specially regulated" in plain(changed.result_html)
    assert form.press("change", {"connectivity": "never_field", "quality": "frontier"}).status == (
        "Verdict: nothing meets all your answers."
    )
    fresh = form.press("reset", {})
    assert fresh.result_html == "" and not fresh.live
    assert {f.name: f.value for f in fresh.all_fields()}["data"] == "public"


def test_an_empty_answer_is_asked_for_at_its_field_and_what_was_entered_stays():
    form = DecisionExercise(UNMEASURED).form
    view = form.press("decide", {"quality": None, "tokens_in_per_day": None, "data": "personal"})
    fields = {field.name: field for field in view.all_fields()}
    assert fields["quality"].error and fields["tokens_in_per_day"].error
    assert fields["data"].value == "personal" and not fields["budget_per_month"].error


def test_numbers_that_do_not_fit_together_are_a_sentence():
    view = DecisionExercise(UNMEASURED).form.press("decide", {"watts_idle": 90, "watts_active": 50})
    assert "more power while it waits" in plain(view.result_html)


def test_the_answers_come_back_after_a_restart_of_the_kernel():
    DecisionExercise(UNMEASURED).form.press("decide", {"data": "secret", "budget_per_month": 12.5})
    again = DecisionExercise(UNMEASURED)
    assert again.constraints == replace(Constraints(), data="secret", budget_per_month=12.5)
    assert again.decision is None


# ---------------------------------------------------------------- without a form


def test_the_text_form_says_what_to_do_and_then_what_was_decided():
    exercise = DecisionExercise(UNMEASURED)
    assert "Not decided yet" in exercise.text() and ".decide(" in exercise.text()
    text = exercise.decide(data="personal", jurisdiction="eu", quality="strong").text()
    for heading in ("WHAT IS EXCLUDED", "THE ANSWERS THAT DECIDE", "WHAT WOULD CHANGE THE VERDICT", "COST"):
        assert heading in text
    assert "You answered: Data: personal data; Jurisdiction: the EU; Quality: a strong model." in text
    assert repr(exercise) == exercise.text()


def test_an_answer_that_does_not_exist_names_those_that_do():
    with pytest.raises(LabError, match="public, internal, personal, secret"):
        DecisionExercise(UNMEASURED).decide(data="very secret")


def test_the_answer_is_a_literal_that_survives_json_and_python():
    exercise = DecisionExercise(KNOWN)
    with pytest.raises(LabError, match="not decided"):
        exercise.answer()
    answer = exercise.decide(data="secret", budget_per_month=100).answer()
    assert json.loads(json.dumps(answer)) == answer == literal_eval(repr(answer))
    assert answer["verdict"]["leaders"] == ["open_device"]
    assert answer["verdict"]["excluded"]["closed_api"] == ["secret-on-shared-service"]
    assert answer["measured"]["tg_tokens_per_s"] == [39, 41]


def test_what_is_not_a_measurement_is_refused_with_a_cure():
    with pytest.raises(LabError, match=r"bench\(\)"):
        decision_exercise("41 tokens/s")


def test_the_real_price_list_and_facts_are_used():
    exercise = decision_exercise().decide(budget_per_month=20)
    text = exercise.text()
    assert re.search(r"Prices of \d+ closed models.* as of 20\d\d-", text.replace("\n  ", " "))
    assert exercise.decision.judgement.costs["closed_api"].per_month.low > 0


# ---------------------------------------------------------------- what the page holds


def parts(page: str) -> tuple[str, str]:
    """What stands in the open, and what is folded away."""
    folded = "".join(re.findall(r"<details>.*?</details>", page, re.DOTALL))
    return plain(re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)), plain(folded)


def test_what_decides_stands_in_the_open_and_the_rest_is_folded():
    exercise = DecisionExercise(KNOWN).decide(data="secret")
    page = exercise.view().result_html
    shown, folded = parts(page)
    headings = (
        *("open on device", "What is excluded", "The answers that decide", "It holds on these conditions"),
        *("What would change the verdict", "Makes no difference here", "Break-even"),
    )
    places = [shown.index(heading) for heading in headings]
    assert places == sorted(places)
    rest = (
        "More single changes",
        "Other answers that counted",
        "Cost, in detail",
        "How firm",
        "The comparison",
    )
    places = [folded.index(heading) for heading in (*rest, "The facts behind it")]
    assert places == sorted(places)
    assert page.index("<img") < page.index("<details>")
    text = exercise.text()
    assert len(text) < 0.8 * len(shown + folded)
    places = [text.index(heading.upper()) for heading in (*headings[1:], *rest)]
    assert places == sorted(places)


def test_an_answer_decides_when_it_excludes_or_when_another_one_puts_somebody_else_in_front():
    decision = DecisionExercise(UNMEASURED).decide(data="secret").decision
    decisive = {reason.input for reason in decision.reasons if reason.decisive}
    assert decisive == {"data", "quality", "hardware"}
    assert len(decision.main_changes()) <= 3
    assert all(change.turns for change in decision.main_changes())


def test_nothing_calls_the_importance_of_a_criterion_a_weight():
    for answers in ({}, {"data": "secret"}, {"budget_per_month": 20}):
        page = DecisionExercise(KNOWN).decide(**answers).view().result_html
        compared = plain(page[page.index("How firm it is") : page.index("The facts behind it")]).lower()
        assert "importance" in compared and "weigh" not in compared


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (
            {"data": "secret"},
            "“closed API” and “open hosted”, but “closed private” remains possible. Privacy by",
        ),
        ({"data": "secret", "hardware": "none"}, ""),  # nothing else remains
        ({"data": "secret", "connectivity": "never_field"}, ""),  # the network ruled them out as well
        ({}, ""),
    ],
    ids=str,
)
def test_where_privacy_alone_ruled_hosted_models_out_it_does_not_force_open_weights(answers, told):
    exercise = DecisionExercise(UNMEASURED).decide(**answers)
    assert told in exercise.decision.caution() and bool(told) == bool(exercise.decision.caution())
    if told:
        assert "not the same as being needed" in exercise.text()
        assert told in plain(exercise.view().result_html)


class _Balance(HTMLParser):
    """Collects the tags, and fails on one that is not closed."""

    void = {"img", "br", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_text_is_escaped_and_the_html_is_whole():
    nasty = '<img src=x onerror=alert(1)>&"'
    known = Knowledge(
        replace(MEASURED, model=nasty, date=nasty),
        PriceBand(ApiPrice(Range(1, 2), Range(1, 2)), (nasty,), nasty, (nasty,)),
        None,
    )
    page = DecisionExercise(known).form.press("decide", {"hardware": "laptop"}).result_html
    assert "<img src=x" not in page
    parser = _Balance()
    parser.feed(page)
    assert not parser.open
    assert "script" not in parser.seen


@pytest.mark.parametrize(
    "answers",
    [{"lifetime": "years_pinned"}, {"data": "personal", "jurisdiction": "eu", "tuning": "hosted"}],
    ids=str,
)
def test_every_cited_fact_stands_below_with_its_date_and_source(answers):
    exercise = DecisionExercise(UNMEASURED).decide(**answers)
    page = plain(exercise.view().result_html)
    for said in (page, exercise.text().replace("\n  ", " ")):
        cited = set(re.findall(r"fact (\d+), as of (20[\d-]+)", said))
        listed = set(re.findall(r"Fact (\d+), as of (20[\d-]+):.*?Source: .+?\. Read on 20[\d-]+,", said))
        assert cited == listed and cited


# ---------------------------------------------------------------- the plot


def test_without_a_measurement_there_is_no_plot_but_an_instruction():
    assert break_even_figure(Constraints(), UNMEASURED) is None
    assert break_even_sentences(Constraints(), UNMEASURED) == [MEASURE_FIRST]
    page = DecisionExercise(UNMEASURED).form.press("decide", {}).result_html
    assert "Run the measurement cell" in plain(page) and "<img" not in page


def test_the_plot_states_its_message_in_words():
    figure = break_even_figure(Constraints(hardware_price=100), KNOWN)
    assert figure.png.startswith(b"\x89PNG")
    assert "Your machine against “closed API”: Cheaper from" in figure.alt
    assert "0.3 per kWh; 65 W busy" in figure.caption and "2026-10-01" in figure.caption
    assert "test-model" in figure.caption
    page = DecisionExercise(KNOWN).form.press("decide", {}).result_html
    assert page.count("<img") == 1 and 'alt="Cost per month' in page


def test_a_machine_that_is_too_slow_is_said_to_be():
    told = " ".join(break_even_sentences(Constraints(hardware_price=1_000_000), KNOWN))
    assert "Never cheaper: it produces at most about" in told


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(hardware_price=0, watts_idle=0),
        Constraints(tokens_in_per_day=0),
        Constraints(tokens_out_per_day=0, tokens_in_per_day=1),
        Constraints(tokens_in_per_day=1e12, tokens_out_per_day=1e12),
        Constraints(price_per_kwh=0, hardware_price=0),
    ],
    ids=["nothing to buy", "only writing", "one token", "far too many", "costs nothing"],
)
def test_the_plot_stands_at_the_edges(constraints):
    assert break_even_figure(constraints, KNOWN).png
    assert break_even_figure(constraints, replace(KNOWN, open_prices=None)).png
