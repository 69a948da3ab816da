"""Chapter 4's measurement: one model in several formats, and sentences that follow the figures."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.errors import LabError
from labkit.learning.quant_chart import quant_speed_chart
from labkit.measuring import quant_speed as module
from labkit.measuring.hardware import machine
from labkit.measuring.quant_record import EXAMPLE, QuantRecord
from labkit.measuring.quant_speed import QuantComparison, QuantRun, compare_quant_speeds, quant_blueprints
from labkit.measuring.results import Spread
from labkit.units import MIB


def test_the_twins_are_far_larger_than_most_caches_and_small_enough_for_binder():
    blueprints = quant_blueprints(["Q4_0", "F16", "q8_0", "F16"])
    assert list(blueprints) == ["F16", "Q8_0", "Q4_0"]
    sizes = [blueprint.tensor_bytes / MIB for blueprint in blueprints.values()]
    assert 4 * 32 < sizes[2] < sizes[1] < sizes[0] < 500
    assert len({blueprint.parameters for blueprint in blueprints.values()}) == 1


def a_run(quant, mib, tg, pp, runs_on="CPU"):
    bits = {"F16": 16.0, "Q8_0": 8.5, "Q4_0": 4.54}[quant]
    return QuantRun(
        quant=quant,
        bits_per_weight=bits,
        weights_bytes=round(mib * MIB),
        bytes_per_token=round(mib * MIB),
        memory_bytes=round((mib + 14) * MIB),
        pp_tokens_per_s=Spread.of(pp),
        tg_tokens_per_s=Spread.of(tg),
        runs_on=runs_on,
    )


SLOW, MIDDLE, FAST = [40, 41, 42, 43, 44, 45], [60, 61, 62, 63, 64, 65], [110, 111, 112, 113, 114, 115]
SCATTERED = [20, 90, 30, 100, 25, 95]


def comparison(tg=(SLOW, MIDDLE, FAST), pp=(SLOW, MIDDLE, FAST), **changes):
    changes = {"runs_on": "CPU", "quick": False, "cache": 32 * MIB} | changes
    names, sizes = ("F16", "Q8_0", "Q4_0"), (480.1, 255.1, 136.2)
    return QuantComparison(
        runs=[a_run(n, s, t, p, changes["runs_on"]) for n, s, t, p in zip(names, sizes, tg, pp, strict=True)],
        parameters=251_692_032,
        settings={"rounds": 6, "prompt": 32, "prompt_runs": 2, "generate": 32, "quick": changes["quick"]},
        machine=dataclasses.replace(machine(), last_level_cache_bytes=changes["cache"]),
        versions={},
    )


def test_the_rule_is_said_where_the_figures_show_it():
    result = comparison()
    generation, column, prompt = module.reading(result)
    assert "with Q4_0 the model wrote 2.65 times as many tokens per second as with F16" in generation
    assert "95 % interval 2.56 to 2.75" in generation
    assert "3.52 times smaller: the gain is less. Likely reasons" in generation
    assert "the last column would be the same" in column
    assert "here Q4_0 had 2.65 times the speed" in prompt and "small whole numbers" in prompt
    assert result.smaller == pytest.approx(480.1 / 136.2, rel=1e-6)
    text = repr(result)
    assert "weights read per second of generation: 21.4 GB" in text
    assert "F16: generation: 42.5 tokens/s, by round from 40.0 to 45.0" in text and "±" not in text
    assert "One model, stored in 3 ways" in text
    assert (
        "Writing: 2.65 times as fast with Q4_0; reading a prompt: 2.65 times" in quant_speed_chart(result).alt
    )


@pytest.mark.parametrize(
    ("tg_last", "words"),
    [
        ([3.5 * v for v in SLOW], "about the same"),
        ([4.5 * v for v in SLOW], "the gain is more"),
        ([2 * v for v in SLOW], "the gain is less"),
        ([3.0 * SLOW[0], *(3.3 * v for v in SLOW[1:])], "the gain comes near to it"),
        ([110, 111, 112, 113, 114, 250], "can't tell whether the gain is smaller"),
    ],
)
def test_gain_and_saving_are_compared_by_the_interval(tg_last, words):
    assert words in module.reading(comparison(tg=(SLOW, MIDDLE, tg_last)))[0]


def test_both_ways_to_divide_are_told_where_they_differ():
    result = comparison(tg=(SLOW, MIDDLE, [110, 115, 110, 115, 130, 100]))
    assert result.writes_faster.times() == "2.71 times"
    told = result.table().folded[0]
    assert "medians of the ratios within each round" in told
    assert "give 2.65 times for generation and 2.65 times for the prompt" in told
    assert module.two_ways(comparison()) == []


def test_the_last_column_is_what_the_exercise_computes():
    result = comparison(tg=(SLOW, MIDDLE, SCATTERED))
    run = dataclasses.replace(result.last, bytes_per_token=round(0.98 * result.last.weights_bytes))
    assert run.read_bytes_per_s == run.weights_bytes * run.tg_tokens_per_s.median
    first = dataclasses.replace(result.first, bytes_per_token=round(0.98 * result.first.weights_bytes))
    notes = dataclasses.replace(result, runs=[first, run]).notes()
    assert any("Of one table, 2.0 % of the weights, a token reads one row only" in note for note in notes)
    assert not any("one row only" in note for note in result.notes())


def test_the_opposite_is_said_with_its_reason():
    text = " ".join(module.reading(comparison(tg=(FAST, MIDDLE, SLOW))))
    assert "here Q4_0 was slower than F16" in text and "The rule says the opposite" in text
    assert "Close other programs" in text and "times smaller" not in text
    on_gpu = " ".join(module.reading(comparison(tg=(FAST, MIDDLE, SLOW), runs_on="CUDA0")))
    assert "keep" in on_gpu and "graphics card waiting" in on_gpu and "Close other programs" not in on_gpu


def test_a_prompt_may_go_either_way():
    slower = module.reading(comparison(pp=(FAST, MIDDLE, SLOW)))[-1]
    assert "Prompt: here Q4_0 was slower: it had 0.378 times" in slower and "must be unpacked" in slower
    on_gpu = module.reading(comparison(runs_on="CUDA0"))[-1]
    assert "2.65 times the speed" in on_gpu and "On a processor" not in on_gpu
    same = " ".join(module.reading(comparison(pp=(SLOW, SLOW, SCATTERED))))
    assert "the two can't be told apart here. Q4_0 had" in same


def test_arithmetic_is_named_where_reading_explains_less_than_half_of_a_prompt():
    mostly = module.reading(comparison(pp=(FAST, FAST, FAST)))[2]
    assert "a prompt would go 32 times as fast as generation. With F16 it went 2.65 times as fast" in mostly
    assert "(112 against 42.5 tokens/s): so arithmetic takes most of the time" in mostly
    quick = [20 * value for value in SLOW]
    for result in (comparison(pp=(quick, quick, quick)), comparison(tg=(SLOW, MIDDLE, SCATTERED))):
        assert "So arithmetic can set the pace." in " ".join(module.reading(result))


def test_noise_and_a_quick_run_are_called_that():
    noisy = comparison(tg=(SLOW, MIDDLE, SCATTERED))
    assert "can't be told apart" in module.reading(noisy)[0]
    assert "Writing: can't be told apart" in quant_speed_chart(noisy).alt
    wide = comparison(tg=(SLOW, MIDDLE, [110, 111, 112, 113, 114, 250]))
    low, high = wide.writes_faster.low, wide.writes_faster.high
    assert f"Writing: {low:.2f} to {high:.2f} times as fast with Q4_0" in quant_speed_chart(wide).alt
    assert "The figures are unsteady" in module.reading(wide)[-1]
    assert not any("unsteady" in line for line in module.reading(comparison()))
    quick = comparison(tg=([40, 41], [60, 61], [110, 111]), pp=([1, 2], [3, 4], [5, 6]), quick=True)
    text = " ".join(module.reading(quick))
    assert "quick run" in text and "too few rounds" in text
    assert "Speeds of a quick run" in quant_speed_chart(quick).alt


def test_a_cache_that_may_hold_the_smallest_file_is_named():
    assert "less than 4 times as large" in module.reading(comparison(cache=64 * MIB))[-1]
    assert not any("may stay in the cache" in line for line in module.reading(comparison()))


def test_the_record_reads_back_and_the_result_is_saved_and_loaded(tmp_path):
    result = comparison()
    record = QuantRecord.parse(result.record())
    assert str(record) == result.record() and record.problems() == []
    assert record.last == ("Q4_0", 112.5, 112.5, 136.2)
    assert QuantComparison.load(result.save(tmp_path / "quants.json")) == result
    assert str(QuantRecord.parse(EXAMPLE)) == EXAMPLE.replace("42.5 ", "42.50 ").replace("61.1 ", "61.10 ")


@pytest.mark.parametrize("rounds", [0, -1, True, 2.5, 1000])
def test_an_impossible_number_of_rounds_is_a_sentence(rounds):
    with pytest.raises(LabError, match="whole number"):
        compare_quant_speeds(rounds=rounds)


@pytest.mark.parametrize("quants", [[], ["F16"], ["F16", "f16"], "F16"])
def test_one_quantization_is_no_comparison(quants):
    with pytest.raises(LabError, match="two quantizations or more"):
        compare_quant_speeds(quants)


def test_an_unknown_quantization_is_a_sentence():
    with pytest.raises(LabError, match="Q4_9"):
        compare_quant_speeds(["F16", "Q4_9"])


@pytest.mark.slow
def test_measured_here_for_real(monkeypatch):
    """A small model: sizes and memory are exact on any machine; speeds are only checked to be there."""
    small = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 8, "vocab_size": 512}
    monkeypatch.setattr(module, "CONFIG", module.CONFIG | small)
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = compare_quant_speeds(gpu_layers=0, show_progress=False)
    assert [run.quant for run in result.runs] == ["F16", "Q8_0", "Q4_0"]
    assert result.first.weights_bytes > result.runs[1].weights_bytes > result.last.weights_bytes
    for run in result.runs:
        assert len(run.tg_tokens_per_s.values) == len(run.pp_tokens_per_s.values) == 2
        assert min(*run.tg_tokens_per_s.values, *run.pp_tokens_per_s.values) > 0
        assert run.weights_bytes < run.memory_bytes < run.weights_bytes + 64 * MIB
    assert "quick run" in repr(result)


@pytest.mark.slow
def test_a_twin_that_another_notebook_removed_is_written_again(monkeypatch):
    small = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2, "vocab_size": 256}
    monkeypatch.setattr(module, "CONFIG", module.CONFIG | small)
    monkeypatch.setattr(module, "_GENERATE", 4)
    real = module.run_child

    def remove_after(name, job):
        answer = real(name, job)
        module.quant_twin("Q4_0", show_progress=False).path.unlink()
        return answer

    monkeypatch.setattr(module, "run_child", remove_after)
    result = compare_quant_speeds(["F16", "Q4_0"], rounds=2, gpu_layers=0, show_progress=False)
    assert len(result.last.tg_tokens_per_s.values) == 2
