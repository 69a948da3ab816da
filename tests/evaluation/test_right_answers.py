"""Held-out questions to real models: the counts, and the sentences that follow from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.estimating.proportion import wilson_interval
from labkit.evaluation.prompting import BARE, TEMPLATE
from labkit.evaluation.right_answers import AS_TEXT, RightAnswers, TemplateTest, count_right
from labkit.models.loading import load_model
from labkit.pocket import world_questions


@pytest.fixture(scope="module")
def test_run():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_QUICK", "1")
        return count_right("pocket-base", "pocket-instruct", show_progress=False)


def test_every_model_is_asked_in_each_form_and_a_base_model_in_its_own_too(test_run):
    assert [(c.model, c.form) for c in test_run.counts] == [
        *(("pocket-base", form) for form in (BARE, AS_TEXT, TEMPLATE)),
        *(("pocket-instruct", form) for form in (BARE, TEMPLATE)),
    ]
    assert {c.total for c in test_run.counts} == {25}
    for c in test_run.counts:
        assert c.right <= c.holds <= c.total
        assert (c.low, c.high) == wilson_interval(c.right, c.total)


def test_the_effect_that_the_chapter_teaches_is_there(test_run):
    """The base model knows much and does not stop; the instruct model answers, in its template."""
    base, inside = test_run.of("pocket-base", BARE), test_run.of("pocket-instruct", TEMPLATE)
    assert base.holds > base.right
    assert inside.low > base.high
    assert inside.right > test_run.of("pocket-instruct", BARE).right
    assert test_run.of("pocket-base", AS_TEXT).holds > test_run.of("pocket-base", TEMPLATE).holds
    assert test_run.knowledge() in repr(test_run) and "within 24 tokens" in repr(test_run)


def test_the_counts_are_those_of_single_answers(test_run):
    """Side by side or one by one: a few of the same questions give the same verdicts."""
    cases = world_questions.held_out(15, 16)[:4]
    with load_model("pocket-instruct", context=256, threads=1) as model:
        right = 0
        for case in cases:
            answer = model.generate(case.prompt, max_tokens=case.max_tokens)
            right += case.correct(answer.text) and answer.stop_reason == "end"
    assert 0 <= right <= len(cases) and test_run.of("pocket-instruct", TEMPLATE).right >= right


def test_facts_and_sums_are_counted_apart(test_run):
    for c in test_run.counts:
        assert c.facts_right <= c.facts_asked == 15 and c.right - c.facts_right <= 10
    bare = test_run.of("pocket-instruct", BARE)
    assert f"{bare.facts_right} and {bare.right - bare.facts_right}" in repr(test_run)
    assert "of 15 facts and 10 sums" in repr(test_run)


def test_forms_that_the_caller_has_written(test_run, monkeypatch):
    """The template written by hand gives the template's own counts, and a wrong form fewer."""
    monkeypatch.setenv("LABKIT_QUICK", "1")
    by_hand = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    forms = {"by hand": by_hand, "brackets": "[INST] {} [/INST]"}
    result = count_right("pocket-instruct", forms=forms, show_progress=False)
    assert [c.form for c in result.counts] == list(forms)
    right, own = result.of("pocket-instruct", "by hand"), test_run.of("pocket-instruct", TEMPLATE)
    assert (right.holds, right.right, right.facts_right) == (own.holds, own.right, own.facts_right)
    assert result.of("pocket-instruct", "brackets").right < right.right
    with pytest.raises(LabError, match="'empty' has no place for the question"):
        count_right("pocket-instruct", forms={"empty": "Hello"})
    with pytest.raises(LabError, match="'number' has no place for the question"):
        count_right("pocket-instruct", forms={"number": 5})
    with pytest.raises(LabError, match="`forms` must be a dictionary, not str"):
        count_right("pocket-instruct", forms="Question: {}")


def count(model, form, right, total=100, holds=None):
    return RightAnswers(model, form, holds or right, right, total, *wilson_interval(right, total))


def made(*counts):
    from labkit.measuring.hardware import machine

    return TemplateTest(list(counts), {"quick": False, "max_tokens": 24}, machine(), {})


def test_the_sentences_follow_the_counts():
    text = " ".join(made(count("b", BARE, 0), count("i", BARE, 50), count("i", TEMPLATE, 95)).reading())
    assert text == (
        "Right, and stopped: most often i (in the template). Its interval lies above that of all others: "
        "that is hardly an accident."
    )
    text = " ".join(made(count("b", BARE, 0), count("i", BARE, 90), count("i", TEMPLATE, 95)).reading())
    assert "above that of b (bare): that is hardly an accident" in text
    assert "i (bare): too near to i (in the template)" in text
    assert "too near" in " ".join(made(count("i", BARE, 50), count("i", TEMPLATE, 50)).reading())


@pytest.mark.parametrize(
    ("base", "instruct", "says"),
    [
        (70, 74, "The intervals overlap: these questions show no difference"),
        (40, 74, "do not overlap: fine-tuning did more than teach it to stop"),
        (90, 60, "do not overlap: here b has more of the right answers"),
    ],
)
def test_the_intervals_choose_what_is_said_of_knowledge(base, instruct, says):
    """Stopping does not count there, and a base model is asked in a form that it knows."""
    counts = [count("b", BARE, 1, holds=10), count("b", AS_TEXT, 1, holds=base)]
    result = made(*counts, count("b", TEMPLATE, 0), count("i", TEMPLATE, 55, holds=instruct))
    assert says in result.knowledge() and result.knowledge() in result.reading()
    assert f"b (as “Question: … Answer:”) {base} of 100" in result.knowledge()
    assert f"i (in the template) {instruct} of 100" in result.knowledge()


def test_without_a_base_model_nothing_is_said_of_knowledge():
    result = made(count("i", BARE, 50), count("i", TEMPLATE, 95))
    assert not any("right answer, stopped or not" in line for line in result.reading())
    with pytest.raises(LabError, match="each in a form that it knows"):
        result.knowledge()


def test_only_in_the_template(monkeypatch):
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = count_right("pocket-instruct", bare=False, show_progress=False)
    assert [c.form for c in result.counts] == [TEMPLATE]
    assert "Quick run" in repr(result)


def test_what_was_not_asked_is_a_sentence(test_run):
    with pytest.raises(LabError, match="gpt was not asked bare"):
        test_run.of("gpt", BARE)


def test_no_template_anywhere_is_a_sentence():
    with pytest.raises(LabError, match="None of these models has a chat template"):
        count_right("pocket-base", show_progress=False)


def test_it_survives_a_round_trip(test_run, tmp_path):
    assert TemplateTest.load(test_run.save(tmp_path / "test.json")) == test_run
    assert replace(test_run) == test_run
