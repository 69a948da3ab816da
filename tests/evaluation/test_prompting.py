"""Prompts in two forms to real models, and the recorded run for machines without them."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.evaluation.prompting import (
    BARE,
    TEMPLATE,
    PromptTrial,
    Tried,
    _shown,
    recording_path,
    try_prompts,
)
from labkit.models.chat_template import chat_prompt
from labkit.models.download import fetch
from labkit.models.loading import load_model

PROMPTS = ["Who are you?", "What is 2 + 3?"]


@pytest.fixture(scope="module")
def trial():
    return try_prompts(PROMPTS, "pocket-base", "pocket-instruct", max_tokens=8, show_progress=False)


def test_each_prompt_goes_to_each_model_in_both_forms(trial):
    asked = [(t.prompt, t.model, t.form) for t in trial.tried]
    assert asked == [
        (prompt, model, form)
        for prompt in PROMPTS
        for model in ("pocket-base", "pocket-instruct")
        for form in (BARE, TEMPLATE)
    ]


def test_the_texts_are_those_of_the_models(trial):
    """The base model, which has no template, gets the same string as the instruct model."""
    found = {(t.prompt, t.model, t.form): (t.text, t.ended) for t in trial.tried}
    in_template = chat_prompt(fetch("pocket-instruct"), PROMPTS[0])
    for name in ("pocket-base", "pocket-instruct"):
        with load_model(name, context=256) as model:
            bare = model.generate(PROMPTS[0], max_tokens=8, chat=False)
            inside = model.generate(in_template, max_tokens=8, chat=False, special=True)
        assert found[PROMPTS[0], name, BARE] == (bare.text, bare.stop_reason == "end")
        assert found[PROMPTS[0], name, TEMPLATE] == (inside.text, inside.stop_reason == "end")


def test_a_prompt_stands_once_above_its_answers(trial):
    table = trial.table()
    assert [row[:2] for row in table.rows] == [
        ["Who are you?", "pocket-base"],
        ["", "pocket-instruct"],
        ["What is 2 + 3?", "pocket-base"],
        ["", "pocket-instruct"],
    ]
    texts = [_shown(each) for each in trial.tried]
    assert [cell for row in table.rows for cell in row[2:]] == texts
    assert "RECORDED" not in repr(trial) and "cut off" in repr(trial)


@pytest.mark.parametrize(
    ("text", "ended", "shown"),
    [
        ("A cat.", True, "A cat."),
        ("A cat", False, "A cat …"),
        ("one\ntwo", True, "one ↵ two"),
        ("def f():\n    return 1", True, "def f(): ↵ \u00a0\u00a0\u00a0\u00a0return 1"),
        ("several " * 20, False, ("several " * 15).strip() + " …"),
        ("", True, "(nothing)"),
        ("\n\n", False, "(empty lines) …"),
        ("x" * 500, True, "x" * 120 + " …"),
    ],
)
def test_an_answer_takes_one_line(text, ended, shown):
    assert _shown(Tried("?", "m", BARE, text, ended)) == shown


def test_without_the_model_a_recorded_run_is_shown_and_says_so(random_model):
    kept = PromptTrial.load(recording_path())
    prompts = list(dict.fromkeys(t.prompt for t in kept.tried))
    trial = try_prompts(prompts, random_model)
    assert trial.recorded and trial.tried == kept.tried
    assert "model" not in trial.table().columns
    assert "RECORDED, not run now" in repr(trial) and kept.date[:10] in repr(trial)
    assert kept.machine.cpu in trial._repr_html_()


def test_the_recording_is_of_the_course_model_and_shows_what_the_chapter_says():
    kept = PromptTrial.load(recording_path())
    assert {t.model for t in kept.tried} == {"smollm2-135m-instruct-q4_1"} and not kept.recorded
    bare = [t for t in kept.tried if t.form == BARE]
    assert bare and all(t.ended and not t.text.strip() for t in bare)
    assert all(t.text.strip() for t in kept.tried if t.form == TEMPLATE)


def test_the_chapter_asks_what_was_recorded():
    chapter = recording_path().parents[2] / "course/source/16_instruct_vs_base.py"
    source = chapter.read_text(encoding="utf-8")
    for prompt in {t.prompt for t in PromptTrial.load(recording_path()).tried}:
        assert f'"{prompt}"' in source


def test_other_prompts_get_no_recorded_answer(random_model):
    trial = try_prompts(["Something else"], random_model, max_tokens=4, show_progress=False)
    assert not trial.recorded and "RANDOM weights" in repr(trial)


def test_base_models_alone_are_a_sentence():
    with pytest.raises(LabError, match="None of these models has a chat template"):
        try_prompts(["Hello"], "pocket-base", show_progress=False)


@pytest.mark.parametrize(
    ("prompts", "models"), [([], ["pocket-base"]), ("Hello", ["pocket-base"]), (["Hi"], [])]
)
def test_nothing_to_try_is_a_sentence(prompts, models):
    with pytest.raises(LabError, match="nothing to try"):
        try_prompts(prompts, *models)


def test_it_survives_a_round_trip(trial, tmp_path):
    assert PromptTrial.load(trial.save(tmp_path / "trial.json")) == trial
