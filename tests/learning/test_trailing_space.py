"""One space at the end of a prompt: the effect that chapter 17 shows, live."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit.estimating.proportion import wilson_interval
from labkit.learning.trailing_space import GENERAL, TrailingSpace, trailing_space, world_prompts
from labkit.models.tokenizer import tokenizer


@pytest.fixture(scope="module")
def spaces() -> TrailingSpace:
    with lk.load_model("pocket-base", context=512) as model:
        return trailing_space(model)


def test_the_space_costs_answers_beyond_the_noise(spaces: TrailingSpace) -> None:
    n = len(spaces.rows)
    worst_without = wilson_interval(spaces.right_without, n)[0]
    best_with = wilson_interval(spaces.right_with, n)[1]
    assert spaces.right_without > 0.7 * n
    assert best_with < worst_without


def test_the_page_says_what_was_counted(spaces: TrailingSpace) -> None:
    page, n = repr(spaces), len(spaces.rows)
    assert f"{spaces.right_without} of {n} right" in page and "95 % interval" in page
    assert f"the first 4 of {n} prompts" in page
    assert f"{spaces.digits_with} of {n} went on with a digit" in page


def test_a_space_at_the_end_and_one_before_a_number_are_tokens_of_their_own() -> None:
    pieces = tokenizer("pocket-base").pieces("Anna has 10 cats and a ")
    assert b"".join(pieces) == b"Anna has 10 cats and a "
    assert pieces[-1] == b" " and pieces[pieces.index(b"1") - 1] == b" " and b" cats" in pieces


def test_prompts_end_before_the_answer_and_are_the_same_each_time() -> None:
    prompts = world_prompts()
    assert prompts == world_prompts() and len(set(prompts)) == len(prompts) >= 20
    assert all(prompt == prompt.rstrip() and wanted not in prompt for prompt, wanted in prompts)
    assert all(prompt == prompt.strip() for prompt, _ in GENERAL)


def test_a_right_reply_begins_with_the_answer() -> None:
    rows = (("A", "cat", " Cat. And", "21 cats"), ("B", "dog", "a dog", " dogs"))
    found = TrailingSpace("some model", rows)
    assert (found.right_without, found.right_with, found.digits_with) == (1, 1, 1)


def test_noise_is_called_noise(random_model) -> None:
    with lk.load_model(random_model, context=256) as model:
        found = trailing_space(model, GENERAL[:4])
    assert "random weights" in repr(found) and found.right_with == 0
