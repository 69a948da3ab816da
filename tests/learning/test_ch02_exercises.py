"""The two exercises of chapter 2: right answers, each known mistake with its own hint, and the pictures."""

from __future__ import annotations

import random

import pytest

from labkit import facts
from labkit.estimating.config import blueprint_from_config
from labkit.learning.exercise import check
from labkit.learning.exercises import ch02_count, ch02_shares
from labkit.learning.exercises.ch02_count import MISTAKES, SMOLLM2, count, draw_cases
from labkit.learning.model_config import MEANINGS, model_config
from labkit.learning.parameter_chart import layer_picture, parameter_chart
from labkit.learning.parameter_table import parameter_table
from tests.learning.verdicts import assert_told

COUNT = "ch02-count-parameters"
TINY = {
    "model_type": "llama",
    "vocab_size": 10,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 12,
    "tie_word_embeddings": True,
}


def drawn(n=40):
    return [case.arguments[0] for seed in range(n) for case in draw_cases(random.Random(seed))]


def count_verdict(function):
    return check(COUNT, function)


# ---------------------------------------------------------------- the reference


def test_the_reference_agrees_with_the_blueprint_of_every_drawn_config():
    for config in drawn():
        assert count(config) == blueprint_from_config(config).parameters, config


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2"])
def test_the_reference_gives_the_published_counts(model_type):
    rows = [row for row in facts.architectures() if row.model_type == model_type and row.parameters]
    assert len(rows) >= 5
    for row in rows:
        if row.parameters_rounded_to is None:
            assert count(model_config(row.id)) == row.parameters, row.id


def test_the_small_model_of_the_exercise_is_the_file(small_model):
    shown = model_config(small_model.path)
    assert {key: shown[key] for key in SMOLLM2} == SMOLLM2
    assert count(SMOLLM2) == 134_515_008
    assert count(SMOLLM2) == blueprint_from_config(SMOLLM2).parameters


def test_each_check_draws_every_kind_and_never_the_same_twice():
    cases = draw_cases(random.Random(1))
    configs = [case.arguments[0] for case in cases[1:]]
    assert {c["model_type"] for c in configs} == {"llama", "mistral", "qwen2"}
    for model_type in ("llama", "qwen2"):
        assert {c["tie_word_embeddings"] for c in configs if c["model_type"] == model_type} == {True, False}
    own = [c for c in configs if "head_dim" in c]
    assert len(own) == 2 and all(c["head_dim"] * c["num_attention_heads"] != c["hidden_size"] for c in own)
    assert any(c["num_key_value_heads"] == c["num_attention_heads"] for c in configs)
    assert sum(c["num_key_value_heads"] < c["num_attention_heads"] for c in configs) >= 5
    assert draw_cases(random.Random(1)) == cases != draw_cases(random.Random(2))


# ---------------------------------------------------------------- the function of a learner


def test_a_right_function_is_right_whatever_its_number_is_made_of():
    import numpy

    for made in (lambda c: count(c), lambda c: numpy.int64(count(c)), lambda c: float(count(c))):
        verdict = count_verdict(made)
        assert verdict.correct and verdict.points == 6
    assert "Exact on 8 models" in verdict.hint
    assert count(TINY) == 584 and count(TINY | {"head_dim": 4, "tie_word_embeddings": False}) == 856


def test_a_function_that_spoils_its_input_is_judged_on_what_it_returns():
    def spoil(config):
        total = count(config)
        config.clear()
        return total

    assert count_verdict(spoil).correct
    assert SMOLLM2["hidden_size"] == 576


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_recognised_on_any_draw(name):
    for _ in range(5):
        verdict = count_verdict(lambda config: count(config, (name,)))
        assert_told(verdict, name, MISTAKES[name])
        assert verdict.hint.startswith("Wrong on ")


@pytest.mark.parametrize(
    "made",
    [
        ("kv-as-query", "norms-forgotten"),
        ("output-when-tied", "ffn-two-matrices", "biases-forgotten"),
        ("output-when-tied", "kv-as-query", "head-size-assumed", "biases-forgotten"),
    ],
)
def test_several_mistakes_at_once_are_told_apart(made):
    verdict = count_verdict(lambda config: count(config, made))
    assert verdict.mistake in made
    assert f"one of {len(made)} things that are off" in verdict.hint


def test_a_hint_gives_no_number_away():
    for name in MISTAKES:
        hint = count_verdict(lambda config, name=name: count(config, (name,))).hint
        assert f"{count(SMOLLM2):,}" not in hint and str(count(SMOLLM2)) not in hint


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda c: count(c) + 7 * c["num_hidden_layers"], "the same in each layer"),
        (lambda c: count(c) + 3 * c["hidden_size"], "outside the layers"),
        (lambda c: count(c) + 1, "Compare your lines"),
        (lambda c: count(c) + 5 * c["num_hidden_layers"] * ("head_dim" in c), "where head_dim is stated"),
        (lambda c: count(c) + 5 * c["num_hidden_layers"] * (c["model_type"] == "qwen2"), "wrong for qwen2"),
        (lambda c: 134_515_008, "Wrong on a llama model"),
        (lambda c: 0, "far too low"),
        (lambda c: -count(c), "far too low"),
        (lambda c: 10**70, "far too high"),
    ],
)
def test_other_mistakes_get_told_where_to_look(wrong, words):
    assert_told(count_verdict(wrong), "elsewhere", words)


@pytest.mark.parametrize(
    ("odd", "mistake", "words"),
    [
        (lambda c: f"{count(c):,}", "form", "returned text, not a number"),
        (lambda c: True, "form", "True or False"),
        (lambda c: float("nan"), "form", "NaN"),
        (lambda c: float("inf"), "form", "infinity"),
        (lambda c: [count(c)], "form", "a list"),
        (lambda c: None if count(c) else 0, "returns-nothing", "return"),
        (lambda c: print(count(c)), "prints", "not `print`"),
        (lambda c: c["head_dim"] * count(c), "raises", "KeyError: 'head_dim'"),
        (lambda c: c["head_dim"] * count(c), "raises", "read it with `.get`"),
        (lambda: 1, "raises", "positional"),
        (134_515_008, "form", "without parentheses"),
        (print, "form", "not a function that you wrote"),
    ],
)
def test_what_is_no_number_gets_a_sentence(odd, mistake, words):
    assert_told(count_verdict(odd), mistake, words, points=0)


def test_the_stub_is_not_answered():
    def count_parameters(config): ...

    assert count_verdict(count_parameters).verdict == "not answered"


# ---------------------------------------------------------------- shares

SHARES = "ch02-where-they-live"
RIGHT = (62.5786, 70.1988, 16.7140)


def shares(*values):
    return check(SHARES, dict(zip(ch02_shares._KEYS, values, strict=True)))


def test_the_configs_on_the_card_are_those_of_the_table():
    for constants, name in ((ch02_shares.GEMMA, "gemma-3-270m"), (ch02_shares.LLAMA, "llama-3.1-8b")):
        row = facts.find_architecture(name)
        assert constants == {key: getattr(row, key) for key in constants}


def test_the_shares_are_those_of_the_blueprints():
    gemma, llama = (blueprint_from_config(model_config(name)) for name in ("gemma-3-270m", "llama-3.1-8b"))
    parts = llama.parameters_by_part()
    expected = (
        100 * gemma.parameters_by_part()["embedding"] / gemma.parameters,
        100 * parts["ffn"] / llama.parameters,
        100 * parts["attention"] / llama.parameters,
    )
    assert expected == pytest.approx(RIGHT, abs=1e-3)
    assert shares(*expected).correct


@pytest.mark.parametrize("values", [(62.6, 70.2, 16.7), (63, 70, 17), ("62.58 %", "70.2", 16.714)])
def test_roundings_are_right(values):
    assert shares(*values).correct


@pytest.mark.parametrize(
    ("place", "value", "mistake"),
    [
        (0, 0.626, "fraction"),
        (0, 125, "counted-twice"),
        (0, 77.0, "counted-twice"),
        (0, 60, "gemma-embedding-percent-rounded"),
        (0, 33, "gemma-embedding-percent"),
        (1, 0.702, "ffn-fraction"),
        (1, 46.8, "ffn-matrices"),
        (1, 93.6, "ffn-matrices"),
        (1, 2.19, "ffn-one-layer"),
        (1, 70.1988 / 4096, "ffn-width-forgotten"),
        (1, 55, "llama-feed-forward-percent"),
        (2, 26.7, "kv-as-query"),
        (2, 10.0, "o-forgotten"),
        (2, 0.522, "attention-one-layer"),
        (2, 16.714 / 4096, "attention-width-forgotten"),
        (2, 100 * 4 * 32 * 32 * 128 / 8_030_261_248, "attention-width-forgotten"),
        (2, 12, "llama-attention-percent"),
        (2, None, "form"),
        (2, "much", "form"),
    ],
)
def test_each_slip_has_its_own_hint_and_the_others_count(place, value, mistake):
    values = list(RIGHT)
    values[place] = value
    assert_told(shares(*values), mistake, points=0 if mistake == "form" else 2)


# ---------------------------------------------------------------- what the chapter shows


def test_the_toy_model_has_584_parameters_as_the_chapter_says():
    table = parameter_table(TINY)
    assert table.rows[-1] == ["in all", "", "", "584"]
    assert table.caption == "The parameters of this configuration"  # not of "llama", its family
    assert ["K", "8 × 4", "1", "32"] in table.rows
    assert ["embedding", "10 × 8", "1", "80"] in table.rows
    assert count(TINY) == 584


def test_the_two_shapes_of_the_lab_have_the_same_count():
    other = SMOLLM2 | {"num_key_value_heads": 9, "intermediate_size": 1280}
    assert count(other) == count(SMOLLM2)


def test_experts_are_shown_with_rows_and_columns_in_the_order_of_all_others():
    rows = {row[0]: row[1] for row in parameter_table("mixtral-8x7b").rows}
    assert rows["ffn_gate_exps.weight"] == "8 × 4,096 × 14,336"
    assert rows["ffn_gate_inp.weight"] == "4,096 × 8"


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v2-lite", "qwen3-0.6b", "llama-3.1-8b"])
def test_the_table_adds_up_for_any_architecture(name):
    table = parameter_table(name)
    *rows, total = [int(row[-1].replace(",", "")) for row in table.rows]
    assert sum(rows) == total == blueprint_from_config(model_config(name)).parameters


def test_a_config_shows_the_lines_that_count_and_stays_a_dictionary():
    config = model_config("smollm2-135m")
    assert isinstance(config, dict) and config["tie_word_embeddings"] is True
    assert [row[0] for row in config.table().rows] == list(MEANINGS)
    assert "true" in repr(config) and "49,152" in config._repr_html_()


def test_the_chart_says_its_numbers_in_words():
    chart = parameter_chart("gemma-3-270m", TINY, names=["small", "toy"])
    assert "small, 268,098,176 parameters: embedding 62.6%" in chart.alt
    assert "toy, 584 parameters" in chart.alt
    assert chart.png.startswith(b"\x89PNG")
    assert "M for million" in chart.caption
    assert parameter_chart("mixtral-8x7b").alt.count("experts 96.6%") == 1


def test_the_picture_of_a_layer_names_its_matrices():
    picture = layer_picture(TINY)
    for words in ("Q 8 × 8 = 64", "K 8 × 4 = 32", "down 12 × 8 = 96"):
        assert words in picture.alt
    assert layer_picture("llama-3.1-8b").alt.count("=") == 7 + 1
    wide = layer_picture(TINY | {"head_dim": 4})
    assert "Q 8 × 16 = 128" in wide.alt and "O 16 × 8 = 128" in wide.alt
    assert wide.width == picture.width > 700


def test_every_extra_of_a_family_is_what_its_blueprint_has():
    """The table says what to add; the sum must be the blueprint's."""
    for model_type, extra in {
        "qwen2": lambda q, kv, d, h: q + 2 * kv,
        "qwen3": lambda q, kv, d, h: 2 * h,
        "phi3": lambda q, kv, d, h: 0,
        "gemma": lambda q, kv, d, h: 0,
        "gemma2": lambda q, kv, d, h: 2 * d,
        "gemma3_text": lambda q, kv, d, h: 2 * d + 2 * h,
    }.items():
        assert any(row["model_type"] == model_type for row in facts.table("family_extras"))
        row = next(r for r in facts.architectures() if r.model_type == model_type)
        config = row.config()
        head = row.head_dim
        q, kv = row.num_attention_heads * head, row.num_key_value_heads * head
        plain = count({**config, "model_type": "llama"})
        expected = plain + row.num_hidden_layers * extra(q, kv, row.hidden_size, head)
        assert expected == blueprint_from_config(config).parameters, model_type


def test_where_the_line_is_missing_the_table_knows_whether_embeddings_are_tied():
    for row in facts.table("family_extras"):
        for model_type in row["model_type"].split(", "):
            config = {**TINY, "model_type": model_type, "hidden_size": 64, "head_dim": 16}
            del config["tie_word_embeddings"]
            if model_type == "phi3":
                del config["head_dim"]
            tied = blueprint_from_config(config).tied_embeddings
            assert tied == (row["tied_when_missing"] == "yes"), model_type


def test_the_reference_cannot_make_two_mistakes_that_exclude_each_other():
    for group in ch02_count._EXCLUSIVE:
        assert set(group) <= set(MISTAKES)
