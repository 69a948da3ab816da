"""Published models: the count of parameters that labkit computes is the published one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.config import blueprint_from_config

from .test_tables import copy, replace_cell

__all__ = ["copy"]

ROWS = facts.architectures()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_computed_count_is_the_published_one(row: facts.ArchitectureRow) -> None:
    assert row.parameters is not None and row.parameters_source
    computed = blueprint_from_config(row.config(), row.name).parameters
    unit = row.parameters_rounded_to or 1
    assert round(computed / unit) * unit == row.parameters


def test_most_counts_are_exact() -> None:
    rounded = {row.id for row in ROWS if row.parameters_rounded_to}
    assert len(rounded) <= 5
    assert {"deepseek-v3", "deepseek-r1"} <= rounded


def test_there_are_many_models_of_many_families() -> None:
    families = Counter(row.family for row in ROWS)
    assert len(ROWS) >= 45 and len(families) >= 12, families
    assert len({row.model_type for row in ROWS}) >= 15
    assert len({row.id for row in ROWS}) == len({row.name for row in ROWS}) == len(ROWS)


def test_a_wrong_digit_anywhere_shows() -> None:
    """Each size in a row matters to its count: no column is there for show."""
    row = facts.find_architecture("qwen3-30b-a3b")
    for key in (
        "num_hidden_layers",
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "vocab_size",
        "num_experts",
        "moe_intermediate_size",
    ):
        config = row.config()
        config[key] *= 2
        assert blueprint_from_config(config).parameters != row.parameters, key


def test_a_config_has_what_the_row_says() -> None:
    config = facts.find_architecture("gemma-3-1b").config()
    assert (config["model_type"], config["head_dim"], config["sliding_window"]) == ("gemma3_text", 256, 512)
    assert config["tie_word_embeddings"] is True and config["sliding_window_pattern"] == 6
    config = facts.find_architecture("deepseek-v2-lite").config()
    assert "head_dim" not in config and config["kv_lora_rank"] == 512 and config["q_lora_rank"] is None
    assert facts.find_architecture("LLAMA-2-7B").config()["sliding_window"] is None


def test_a_mapping_may_be_changed_without_harm() -> None:
    facts.find_architecture("mixtral-8x7b").config()["num_local_experts"] = 1
    assert facts.find_architecture("mixtral-8x7b").config()["num_local_experts"] == 8


def test_an_unknown_model_gets_near_names() -> None:
    with pytest.raises(LabError, match="qwen3-8b"):
        facts.find_architecture("qwen3-8")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("other_keys", "{rope}", "JSON is not readable"),
        ("other_keys", "[1]", "not an object"),
        ("hidden_size", "4k", "not a whole number"),
        ("tie_word_embeddings", "maybe", "yes or no"),
        ("licence", "free", "no licence 'free'"),
    ],
)
def test_a_broken_row_is_named(copy: Path, column: str, value: str, says: str) -> None:
    replace_cell(copy / "architectures.csv", 1, column, value)
    with pytest.raises(LabError, match=says) as caught:
        facts.architectures()
    assert "architectures.csv" in str(caught.value) and ROWS[0].id in str(caught.value)
