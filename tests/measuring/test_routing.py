"""The experts that a router picks, read from a running model; and the arithmetic on them."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.learning.routing_chart import routing_chart
from labkit.measuring.routing import Routing, watch_experts
from labkit.models.twin import twin

TINY = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 512,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "intermediate_size": 64,
    "num_local_experts": 6,
    "num_experts_per_tok": 2,
}


@pytest.fixture
def routing():
    return Routing("test", 4, [[[0, 1], [0, 1]], [[0, 1], [2, 3]], [[1, 0], [3, 2]]], True)


def test_what_was_used_at_least_once_is_counted_over_layers(routing):
    assert (routing.n_layers, routing.n_used, routing.n_blocks) == (2, 2, 8)
    assert [routing.used_after(n) for n in (1, 2, 3)] == [4, 6, 6]
    assert routing.changes == 0.25  # one of four picks changed; their order does not count


def test_the_even_share_is_that_of_independent_picks(routing):
    assert routing.even_share_after(1) == 0.5
    assert routing.even_share_after(2) == 0.75


def test_the_table_ends_with_all_tokens_and_says_that_weights_are_random(routing):
    assert [row.quantity for row in routing.rows()] == ["After 1 token", "After 3 tokens"]
    assert "random weights" in repr(routing)
    real = Routing("test", 4, routing.chosen, False)
    assert "random weights" not in repr(real)


def test_the_picture_says_what_it_shows(routing):
    assert "2 of 4 experts" in routing_chart(routing).html()
    assert "at least one of the 2 picked experts changed in 25% of the cases" in repr(routing)
    deep = Routing("test", 4, [[[0, 1]] * 11, [[2, 3]] * 11], True)
    assert "Shown are 3 of 11 layers" in routing_chart(deep).html()
    same = Routing("test", 4, [[[0, 1]], [[0, 1]], [[1, 0]]], True)
    assert "hardly changes" in routing_chart(same).html()


def test_a_real_router_is_watched():
    result = watch_experts(twin(TINY, "Q8_0", show_progress=False), tokens=12, show_progress=False)
    assert (len(result.chosen), result.n_layers, result.n_used, result.n_experts) == (12, 3, 2, 6)
    for by_layer in result.chosen:
        for experts in by_layer:
            assert len(set(experts)) == 2 and all(0 <= expert < 6 for expert in experts)
    assert result.used_after(1) == 6 and result.used_after(12) > 6
    assert result.random_weights


def test_a_dense_model_has_no_router(random_model):
    with pytest.raises(LabError, match="dense model"):
        watch_experts(random_model, show_progress=False)


@pytest.mark.parametrize("tokens", [0, 1, True, 2.0, 10**6])
def test_an_impossible_number_of_tokens_is_a_sentence(random_model, tokens):
    with pytest.raises(LabError, match="whole number"):
        watch_experts(random_model, tokens=tokens)
