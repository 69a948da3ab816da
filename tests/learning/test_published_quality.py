"""Published figures of quantized models, as a table."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.learning.published_quality import published_quality

ROWS = facts.table("quantization_quality")


def test_the_seven_that_the_chapter_compares():
    table = published_quality()
    assert [row[0] for row in table.rows] == ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]
    q4 = dict(zip(table.columns, table.rows[4], strict=True))
    assert q4["perplexity"] == "6.4071" and q4["in percent"] == "2.82 %"
    assert q4["same first choice"] == "91.9 %" and q4["GiB"] == "4.58"
    assert table.rows[0][2:] == ["6.2316", "", "", "", ""]
    assert "tools/perplexity/README.md" in repr(table) and "2026-11-22" in repr(table)


def test_everything_has_the_importance_matrix_too():
    table = published_quality(everything=True)
    assert "importance matrix" in table.columns and len(table.rows) == 16
    assert {row[1] for row in table.rows} == {"yes", "no"}


def test_a_model_without_sizes_has_no_column_for_them():
    table = published_quality("llama-2-7b")
    assert "GiB" not in table.columns and all(len(row) == len(table.columns) for row in table.rows)


def test_the_figures_agree_with_each_other():
    """Perplexity minus what was added is the same original for all rows of a model."""
    for model in {row["model"] for row in ROWS}:
        originals = [
            float(row["perplexity"]) - float(row["perplexity_added"]) for row in ROWS if row["model"] == model
        ]
        assert max(originals) - min(originals) < 2e-5


def test_the_order_is_that_of_the_loss():
    plain = [row for row in ROWS if row["model"] == "llama-3-8b" and row["imatrix"] == "no"]
    by_quant = {row["quantization"]: float(row["kl"]) for row in plain}
    order = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]
    assert [by_quant[name] for name in order] == sorted(by_quant[name] for name in order)


def test_an_unknown_model_is_a_sentence():
    with pytest.raises(LabError, match=r"(?s)no published figures for 'gpt-4'.*llama-2-7b or llama-3-8b"):
        published_quality("gpt-4")
