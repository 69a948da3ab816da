"""Generation speeds at many quantizations: really measured, and sentences that follow the figures."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.measuring.hardware import machine
from labkit.measuring.results import Spread
from labkit.measuring.writing_speed import QUANTS, WritingSpeed, WritingSpeeds, writing_speeds
from labkit.units import MIB


def speeds(quick=False, **values):
    """`speeds(Q8_0=[...], Q2_K=[...])`: from most bytes to fewest."""
    runs = [
        WritingSpeed(quant, 8.5 / (i + 1), round(256 * MIB / (i + 1)), Spread.of(rounds))
        for i, (quant, rounds) in enumerate(values.items())
    ]
    settings = {"rounds": 6, "generate": 24, "quick": quick}
    return WritingSpeeds(runs, "CPU", settings, machine(), {})


SLOW, MIDDLE, FAST = [20, 21, 22, 23, 24, 25], [40, 41, 42, 43, 44, 45], [60, 61, 62, 63, 64, 65]


def test_fewer_bytes_and_faster_is_told_with_its_interval():
    result = speeds(Q8_0=SLOW, Q4_K_M=MIDDLE, Q2_K=FAST)
    text = " ".join(result.reading())
    assert "Q2_K wrote 2.78 times as many tokens per second as Q8_0 (95 % interval" in text
    assert "Q8_0 has 3.00 times as many bytes to read for each token" in text
    assert "not always faster" not in text
    rows = result.table().rows
    assert rows[0][-1] == "" and rows[1][-1].startswith("1.89 (")
    assert "the middle one of the rounds' own ratios" in text


def test_slower_with_fewer_bytes_is_told_as_it_is():
    text = " ".join(speeds(Q8_0=FAST, Q2_K=SLOW).reading())
    assert "Here Q2_K was slower than Q8_0" in text and "unpacking" in text
    text = " ".join(speeds(Q8_0=SLOW, Q4_K_M=FAST, Q2_K=MIDDLE).reading())
    assert "not always faster: Q2_K than Q4_K_M wrote fewer tokens" in text


def test_no_difference_is_not_called_one():
    text = " ".join(speeds(Q8_0=SLOW, Q2_K=list(reversed(SLOW))).reading())
    assert "Q2_K had 1.0" in text and "slower" not in text


def test_a_quick_run_says_so():
    result = speeds(quick=True, Q8_0=[20], Q2_K=[60])
    assert "too few rounds" in " ".join(result.reading())
    assert "too few rounds for an interval" in result.reading()[0]


def test_one_can_be_looked_up():
    result = speeds(Q8_0=SLOW, Q2_K=FAST)
    assert result.of("Q2_K").tokens_per_s.median == 62.5 and result.of("Q6_K") is None


@pytest.mark.slow
def test_a_real_run(monkeypatch):
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = writing_speeds(["Q2_K", "Q8_0"], gpu_layers=0, show_progress=False)
    assert [run.quant for run in result.runs] == ["Q8_0", "Q2_K"] and result.runs_on == "CPU"
    assert all(run.tokens_per_s.median > 0 for run in result.runs)
    assert result.runs[0].weights_bytes > 2.5 * result.runs[1].weights_bytes
    assert "252 M parameters, random weights" in repr(result)


def test_the_twin_is_larger_than_most_caches_at_every_quantization():
    from labkit.measuring.quant_speed import quant_blueprints

    for blueprint in quant_blueprints(QUANTS).values():
        assert 80 * MIB < blueprint.tensor_bytes < 300 * MIB


def test_an_unknown_quantization_is_a_sentence():
    with pytest.raises(LabError, match="no quantization"):
        writing_speeds(["Q8_0", "Q9_X"], show_progress=False)
