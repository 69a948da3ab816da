"""The page of chapter 5 says what the table says."""

from __future__ import annotations

import pytest

from labkit.learning.quality_chart import quality_chart
from labkit.measuring.hardware import machine
from labkit.measuring.quality import Agreement, Comparison
from labkit.measuring.quality_table import QualityLine, QualityTable
from labkit.measuring.results import Spread, Uncertain
from labkit.measuring.writing_speed import WritingSpeed, WritingSpeeds


def line(quant, size, bits, ratio, kl, same):
    comparison = Comparison(
        baseline="pocket-base",
        baseline_perplexity=Uncertain(4.5, 0.1),
        perplexity_difference=Uncertain(4.5 * (ratio - 1), 0.01),
        perplexity_ratio=Uncertain(ratio, 0.002),
        kl_divergence=Uncertain(kl, kl / 20),
        kl_median=kl / 2,
        kl_99=5 * kl,
        kl_maximum=10 * kl,
        same_top=Agreement(same, 0.005, same - 0.01, min(1.0, same + 0.01)),
        p_diff_rms=Uncertain(0.01, 0.001),
    )
    return QualityLine(quant, size, bits, Uncertain(4.5 * ratio, 0.1), comparison)


@pytest.fixture
def table():
    lines = [
        QualityLine("F16", 6_000_000, 16.0, Uncertain(4.5, 0.1), None),
        line("Q8_0", 3_200_000, 8.5, 1.0002, 0.0002, 0.995),
        line("Q2_K", 1_500_000, 3.9, 1.21, 0.15, 0.81),
    ]
    return QualityTable(lines, {"title": "a text", "n_scored": 4000}, {}, {"label": "m"}, machine(), {})


@pytest.fixture
def speeds():
    runs = [
        WritingSpeed("Q8_0", 8.5, 10**8, Spread.of([20.0])),
        WritingSpeed("Q2_K", 3.0, 10**7, Spread.of([50.0])),
    ]
    return WritingSpeeds(runs, "CPU", {"quick": False}, machine(), {})


def test_title_and_text_hold_the_figures(table, speeds):
    text = repr(quality_chart(table, speeds))
    assert "Q2_K takes 25 % of the bytes of F16" in text
    assert "another first choice in 19 % of the places" in text
    assert "Q8_0 8.50 bits, 3.1 MiB, perplexity +0.02 %" in text and "50 tokens/s" in text
    assert "F16, the model that all are compared with: 5.7 MiB" in text


def test_without_speeds_there_are_four_panels(table, speeds):
    four, five = quality_chart(table), quality_chart(table, speeds)
    assert four.width < five.width and "tokens/s" not in repr(four) and "larger model" not in four.caption


def test_a_speed_that_was_not_measured_is_left_out(table, speeds):
    chart = quality_chart(table, WritingSpeeds(speeds.runs[:1], "CPU", {}, machine(), {}))
    assert repr(chart).count("tokens/s") == 1


def test_no_divergence_at_all_can_be_drawn(table):
    """On a logarithmic axis 0 has no place."""
    table.lines[1] = line("Q8_0", 3_200_000, 8.5, 1.0, 0.0, 1.0)
    assert "KL divergence 0 nats" in repr(quality_chart(table))
