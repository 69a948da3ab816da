"""The two exercises of chapter 4: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import random

import gguf
import numpy as np
import pytest

from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises.ch04_block import MISTAKES, draw_cases, f16, quantize
from labkit.learning.rounding import TOO_ROUND
from labkit.measuring.quant_record import EXAMPLE
from labkit.models.ggml_blocks import dequantize_blocks, quantize_rows

BLOCK = "ch04-quantize-block"


def by_numpy(weights, bits):
    """As a learner would write it."""
    block = np.array(weights)
    half = 2 ** (bits - 1)
    scale = block[np.abs(block).argmax()] / -half
    steps = block / scale if scale else block
    return np.float16(scale), np.floor(steps + half + 0.5).clip(0, 2 * half - 1).astype(int)


def drawn(n=40):
    return [case.arguments for seed in range(n) for case in draw_cases(random.Random(seed))]


# ---------------------------------------------------------------- the reference


@pytest.mark.parametrize(("bits", "quant"), [(4, "Q4_0"), (5, "Q5_0")])
def test_the_reference_is_that_of_llama_cpp_and_of_the_gguf_library(bits, quant):
    kind = gguf.GGMLQuantizationType[quant]
    blocks = np.array([weights for weights, b in drawn() if b == bits], np.float32)
    assert len(blocks) >= 80
    for block in blocks:
        scale, codes = quantize(block.tolist(), bits)
        ours = quantize_rows(block[None], quant)
        np.testing.assert_array_equal(ours, gguf.quants.quantize(block[None], kind))
        assert np.frombuffer(ours[0].tobytes()[:2], "<f2")[0] == scale
        back = np.array([scale * (code - 2 ** (bits - 1)) for code in codes], np.float32)
        np.testing.assert_array_equal(dequantize_blocks(ours, quant)[0], back)


def test_numbers_of_16_bits_are_numpys():
    for value in np.random.default_rng(1).standard_normal(200) * 10.0 ** np.arange(-10, 10).repeat(10):
        assert f16(value) == float(np.float16(value))
    assert f16(1e6) == np.inf


def test_no_code_hangs_on_the_order_of_the_arithmetic():
    """Nor on whether the scale was rounded before the weights were divided by it."""
    for weights, bits in drawn():
        scale, codes = quantize(weights, bits)
        half = 2 ** (bits - 1)
        block = np.array(weights, np.float32)
        for divisor in (scale, np.float32(scale), 1 / np.float32(1 / scale) if scale else 0):
            if divisor:
                steps = np.round(block / divisor) + half
                assert steps.clip(0, 2 * half - 1).astype(int).tolist() == list(codes)


def test_each_check_draws_every_kind_and_never_the_same_twice():
    cases = draw_cases(random.Random(1))
    assert [case.arguments[1] for case in cases] == [4, 4, 4, 4, 4, 5, 5, 3]
    assert draw_cases(random.Random(1)) == cases != draw_cases(random.Random(2))
    for weights, bits in drawn(20):
        assert len(weights) == 32 and all(w == float(np.float32(w)) for w in weights)
        assert all(0 <= code < 2**bits for code in quantize(weights, bits)[1])
    signs = {quantize(case.arguments[0], case.arguments[1])[0] > 0 for case in cases[:2]}
    assert signs == {True, False}
    assert (
        sum(max(quantize(*case.arguments, ("not-clipped",))[1]) == 2**b for case in cases for b in (3, 4, 5))
        >= 3
    )
    assert sum(not any(case.arguments[0]) for case in cases) == 1


# ---------------------------------------------------------------- the function of a learner


def test_a_right_function_is_right_in_every_form():
    def in_python(weights, bits):
        scale, codes = quantize(weights, bits)
        return scale, list(codes)

    def in_numpys_float32(weights, bits):
        block, half = np.array(weights, np.float32), 2 ** (bits - 1)
        scale = block[np.argmax(abs(block))] / np.float32(-half)
        inverse = np.float32(1) / scale if scale else np.float32(0)
        codes = np.clip(np.trunc(block * inverse + np.float32(half + 0.5)), 0, 2 * half - 1)
        return [float(np.float16(scale)), codes]

    for function in (by_numpy, in_python, in_numpys_float32):
        verdict = check(BLOCK, function)
        assert verdict.correct and verdict.points == 6, verdict
    assert "Exact on 8 blocks" in verdict.hint and "Q5_0" in verdict.hint


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_recognised_on_any_draw(name):
    for _ in range(3):
        verdict = check(BLOCK, lambda weights, bits: quantize(weights, bits, (name,)))
        assert (verdict.verdict, verdict.mistake) == ("not yet", name)
        assert MISTAKES[name] in verdict.hint and verdict.hint.startswith("Wrong on a block with ")


def learner(code):
    """A function from the lines that a learner might write."""
    lines = "\n    ".join(code.strip().splitlines())
    names = {"np": np}
    exec(f"def quantize_block(weights, bits):\n    w = np.array(weights)\n    {lines}", names)
    return names["quantize_block"]


@pytest.mark.parametrize(
    ("code", "mistake"),
    [
        # Q8_0's rule, with signs
        (
            """top = 2 ** (bits - 1) - 1
scale = abs(w).max() / top if w.any() else 1.0
return np.float16(scale if w.any() else 0), np.round(w / scale).astype(int)""",
            "not-shifted",
        ),
        # the same, shifted
        (
            """half = 2 ** (bits - 1)
scale = abs(w).max() / (half - 1)
return np.float16(scale), np.round(w / scale + half).astype(int) if scale else [half] * 32""",
            "absolute-maximum",
        ),
        # max() of the weights
        (
            """half = 2 ** (bits - 1)
scale = w.max() / -half
steps = w / scale if scale else w
return np.float16(scale), np.floor(steps + half + 0.5).clip(0, 2 * half - 1)""",
            "maximum-not-largest",
        ),
        # int() in place of rounding
        (
            """half = 2 ** (bits - 1)
scale = w[abs(w).argmax()] / -half
return np.float16(scale), [min(int(x / scale + half), 2 * half - 1) if scale else half for x in w]""",
            "not-rounded",
        ),
        # written for 4 bits, and neither clipped nor stored in 16 bits
        (
            """scale = w[abs(w).argmax()] / -8
return scale, np.floor(w / scale + 8.5).astype(int) if scale else [8] * 32""",
            "f16-forgotten",
        ),
        # from the smallest to the largest
        (
            """scale = (w.max() - w.min()) / (2**bits - 1)
return np.float16(scale), np.round((w - w.min()) / scale) if scale else [0] * 32""",
            "minimum-to-maximum",
        ),
    ],
)
def test_real_functions_get_their_hint(code, mistake):
    verdict = check(BLOCK, learner(code))
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake), verdict


def test_several_mistakes_at_once_are_counted():
    made = ("not-rounded", "sign-of-the-scale", "f16-forgotten")
    verdict = check(BLOCK, lambda weights, bits: quantize(weights, bits, made))
    assert verdict.mistake in made and "one of 3 things that are off" in verdict.hint


@pytest.mark.parametrize(
    ("code", "mistake", "words"),
    [
        ("return by_zero(w, bits)", "raises", "NameError"),
        (
            "scale = w[abs(w).argmax()] / -(2 ** (bits - 1))\nreturn np.float16(scale), w / scale",
            "form",
            "whole",
        ),
        (
            "h = 2 ** (bits - 1)\ns = w[abs(w).argmax()] / -h\n"
            "return np.float16(s), np.floor(w / s + h + 0.5).clip(0, 2 * h - 1)",
            "form",
            "do not divide by it",
        ),
        (
            "h = 2 ** (bits - 1)\ns = w[abs(w).argmax()] / -h\n"
            "return np.float16(s), np.floor(w / s + h + 0.5).clip(0, 2 * h - 1).astype(int)",
            "form",
            "do not divide by it",
        ),
        ("return w", "form", "not two things"),
        ("return [8] * 32, 0.1", "form", "the codes first"),
        ("return 0.1, 8", "form", "list of numbers as the codes"),
        ("return 0.1, [8] * 16", "form", "Do not pack two codes"),
        ("return 0.1, [8] * 31", "form", "31 codes"),
        ("return '0.1', [8] * 32", "form", "text as the scale"),
        ("return 0.1, ['8'] * 32", "form", "list of numbers as the codes"),
        ("return float('nan'), [8] * 32", "form", "infinite or NaN"),
        ("return 0.1, [8.5] * 32", "form", "8.5 as a code"),
        ("return None", "returns-nothing", "return"),
        ("print(w)", "prints", "not `print`"),
        ("return 0.1, [8] * 32", "elsewhere", "times the right one"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_can_not_be_judged_gets_a_sentence(code, mistake, words):
    verdict = check(BLOCK, learner(code))
    assert (verdict.verdict, verdict.mistake, verdict.points) == ("not yet", mistake, 0), verdict
    assert words in verdict.hint


def test_wrong_on_nothing_but_zeros_is_told_apart():
    def codes_of_zero(weights, bits):
        return quantize(weights, bits) if any(weights) else (0.0, [0] * 32)

    verdict = check(BLOCK, codes_of_zero)
    assert verdict.mistake == "zero-block" and "the one of 0" in verdict.hint


def test_codes_that_are_off_otherwise_are_told_by_how_much():
    def one_off(weights, bits):
        scale, codes = quantize(weights, bits)
        return scale, [codes[0] ^ 1, *codes[1:]]

    verdict = check(BLOCK, one_off)
    assert verdict.mistake == "elsewhere" and "off by 1" in verdict.hint and "1 of 32 codes" in verdict.hint


def test_the_stub_is_not_answered():
    def quantize_block(weights, bits): ...

    assert check(BLOCK, quantize_block).verdict == "not answered"


# ---------------------------------------------------------------- the learner's own record

WRITE, READ, GB = 113.8 / 42.5, 268.3 / 146.8, 136.2 * 2**20 * 113.8 / 1e9


def speed(write=WRITE, read=READ, gb=GB, record=EXAMPLE):
    answer = {"record": record, "generation_ratio": write, "prompt_ratio": read, "gb_per_second": gb}
    return check("ch04-your-speed", answer)


@pytest.mark.parametrize(
    ("write", "read", "gb"),
    [(WRITE, READ, GB), (2.68, 1.83, 16.3), ("2.68", "1.8 x", "16.3 GB/s"), (2.7, 1.8, 16)],
)
def test_figures_from_the_record_are_right(write, read, gb):
    verdict = speed(write, read, gb)
    assert verdict.correct and verdict.points == 4, verdict
    assert "With 3.5 times fewer bytes your machine wrote 2.7 times as fast" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"write": 1 / WRITE}, "generation-ratio-upside-down", "other way round"),
        ({"write": READ}, "generation-ratio-of-the-other-speed", "tg stands behind"),
        ({"write": 113.8 / 61.1}, "generation-ratio-with-q8", "Q8_0"),
        ({"write": 61.1 / 42.5}, "generation-ratio-with-q8", "Q8_0"),
        ({"write": 100 * WRITE}, "generation-ratio-percent", "in percent"),
        ({"write": 480.1 / 136.2}, "generation-ratio-from-sizes", "the sizes"),
        ({"write": 1.1 * WRITE}, "generation-ratio-of-rounds", "round's own ratio"),
        ({"write": 9}, "generation-ratio", "generation (tg) with Q4_0"),
        ({"write": 3}, "generation-ratio-rounded", TOO_ROUND),
        ({"read": 1 / READ}, "prompt-ratio-upside-down", "other way round"),
        ({"read": WRITE}, "prompt-ratio-of-the-other-speed", "pp behind"),
        ({"read": 7}, "prompt-ratio", "prompt processing (pp) with Q4_0"),
        ({"gb": 136.2 * 113.8 / 1000}, "mib-as-mb", "1,048,576"),
        ({"gb": 136.2 * 113.8 / 1024}, "gib-not-gb", "GiB"),
        ({"gb": 136.2 * 113.8}, "in-mb", "a thousand MB"),
        ({"gb": 136.2 * 2**20 * 268.3 / 1e9}, "prompt-speed", "prompt processing"),
        ({"gb": 480.1 * 2**20 * 42.5 / 1e9}, "of-f16", "about Q4_0"),
        ({"gb": 8 * GB}, "bits-not-bytes", "8 bits"),
        ({"gb": 136.2 / 113.8}, "divided-not-multiplied", "You divided"),
        ({"gb": 3}, "gb-per-second", "in bytes, times the tokens"),
        ({"gb": None}, "form", "still empty"),
        ({"gb": "16,3"}, "form", "decimal comma"),
    ],
)
def test_each_slip_with_the_record_has_its_own_hint(changes, mistake, words):
    verdict = speed(**changes)
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake), verdict
    assert words in verdict.hint
    assert verdict.points == (0 if mistake == "form" else 2)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("about three times", "four or more parts"),
        (3, "Put quotes around"),
        (EXAMPLE.replace("2026-11-22", "2099-01-01"), "in the future"),
        (EXAMPLE.replace("113.8 tg", "0.0 tg"), "generation speed of 0 tokens/s (Q4_0) can't be"),
        (EXAMPLE.replace("136.2 MiB", "1.0 MiB"), "size of 1.000 MiB (Q4_0) can't be"),
        (EXAMPLE.replace("255.1", "100.0"), "must fall from part to part"),
        (EXAMPLE.replace("61.1 tg 200.9", "42.5 tg 146.8"), "exactly the same speeds"),
        (EXAMPLE.replace("113.8 tg", "113.8 tok/s"), "can't be read"),
        (EXAMPLE.replace("6 rounds", "0 rounds"), "0 rounds"),
        (EXAMPLE.replace("6 rounds", "many"), "must be the rounds"),
        (EXAMPLE.replace("F16 ", "BF16 "), "goes from BF16 to Q4_0"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    verdict = speed(record=record)
    assert (verdict.verdict, verdict.mistake) == ("not yet", "form")
    assert words in verdict.hint, verdict


def test_a_machine_that_shows_no_gain_is_told_so():
    record = EXAMPLE.replace("113.8 tg 268.3", "40.0 tg 140.0")
    verdict = speed(40 / 42.5, 140 / 146.8, 136.2 * 2**20 * 40 / 1e9, record)
    assert verdict.correct and "your machine wrote no faster" in verdict.hint


def test_a_blank_and_the_points():
    blank = all_exercises()["ch04-your-speed"].blank
    assert check("ch04-your-speed", blank).verdict == "not answered"
    assert [(e.name, e.points) for e in all_exercises().values() if e.name.startswith("ch04")] == [
        ("ch04-quantize-block", 6),
        ("ch04-your-speed", 4),
    ]
