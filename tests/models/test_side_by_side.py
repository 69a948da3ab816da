"""Many prompts at once give what one prompt after another gives."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.models.loading import Model, load_model
from labkit.models.side_by_side import answer_all, log_probabilities

TEXTS = [f"{'la ' * (n % 7)}text number {n}" for n in range(40)]


@pytest.fixture(scope="module")
def noise(random_model: object) -> Iterator[Model]:
    with load_model(random_model, context=512, threads=1) as model:
        yield model


def test_answers_are_those_of_one_prompt_after_another(noise: Model) -> None:
    """More prompts than go at once, of several lengths, with several limits; in the order asked."""
    limits = [1 + n % 5 for n in range(len(TEXTS))]
    prompts = [noise.prompt_tokens(text) for text in TEXTS]
    done: list[int] = []
    answers = answer_all(noise, prompts, limits, on_done=done.append)
    alone = [
        noise.generate(text, max_tokens=n, chat=False).text for text, n in zip(TEXTS, limits, strict=True)
    ]
    assert answers == alone
    assert len(set(alone)) > 5
    assert done == sorted(done) and done[-1] == len(TEXTS)


def test_a_trained_model_answers_as_it_does_alone(small_model: object) -> None:
    questions = ["What is the capital of France?", "Say hello.", "Name a river in Germany, please."]
    with load_model(small_model, context=512, threads=1) as model:
        alone = [model.generate(question, max_tokens=12) for question in questions]
        prompts = [model.prompt_tokens(answer.prompt, special=True) for answer in alone]
        assert answer_all(model, prompts, [12] * 3) == [answer.text for answer in alone]
        assert alone[1].stop_reason == "end" or alone[0].tokens == 12


def test_long_prompts_beside_short_ones(noise: Model) -> None:
    texts = ["a" * 400, "b", "c" * 300]
    answers = answer_all(noise, [noise.prompt_tokens(text) for text in texts], [4, 4, 4])
    assert answers == [noise.generate(text, max_tokens=4, chat=False).text for text in texts]


def test_probabilities_are_those_of_the_tokens_one_by_one(noise: Model) -> None:
    prompt = noise.prompt_tokens("The word is")
    continuations = [noise.tokenize(text) for text in (" cat", " a dog", "x", " cat and more")] * 10
    found = log_probabilities(noise, prompt, continuations)
    assert found[:4] == pytest.approx([_one_by_one(noise, prompt, c) for c in continuations[:4]], rel=1e-3)
    assert found == pytest.approx(found[:4] * 10, rel=1e-3)


def test_all_next_tokens_share_one(noise: Model) -> None:
    prompt = noise.prompt_tokens("Hello")
    shares = log_probabilities(noise, prompt, [[token] for token in range(noise.n_vocab)])
    assert math.fsum(math.exp(share) for share in shares) == pytest.approx(1, abs=1e-3)


def _one_by_one(model: Model, prompt: list[int], continuation: list[int]) -> float:
    total, read = 0.0, list(prompt)
    for token in continuation:
        scores = model.logits_after(read).astype(np.float64)
        total += scores[token] - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        read.append(token)
    return total


def test_what_does_not_fit_gets_a_sentence(noise: Model) -> None:
    with pytest.raises(LabError, match="do not fit"):
        answer_all(noise, [[5] * 500], [100])
    with pytest.raises(LabError, match="do not fit"):
        log_probabilities(noise, [5] * 500, [[5] * 100])


def test_nothing_to_read_or_write_gets_a_sentence(noise: Model) -> None:
    for prompts, limits in (([[]], [3]), ([[5]], [0])):
        with pytest.raises(LabError, match="no tokens"):
            answer_all(noise, prompts, limits)
    for prompt, continuations in (([], [[5]]), ([5], [[5], []])):
        with pytest.raises(LabError, match="no tokens"):
            log_probabilities(noise, prompt, continuations)
    assert answer_all(noise, [], []) == [] and log_probabilities(noise, [5], []) == []


def test_a_closed_model_gets_a_sentence(random_model: object) -> None:
    model = load_model(random_model, context=256, threads=1)
    prompt = model.prompt_tokens("Hello")
    model.close()
    with pytest.raises(LabError, match="closed"):
        answer_all(model, [prompt], [2])


def test_the_models_own_context_is_left_alone(noise: Model) -> None:
    before = noise.next_token("Once upon a time", top=3)
    answer_all(noise, [noise.prompt_tokens("Something else")], [4])
    assert noise.next_token("Once upon a time", top=3) == before
