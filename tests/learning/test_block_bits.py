"""Chapter 4's block: by hand, as the chapter does it, and the same as both references, bit by bit."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import numpy as np
import pytest

from labkit.errors import LabError
from labkit.learning.block_bits import compare_bits, pack, rounding_table, unpack_codes
from labkit.learning.block_chart import rounding_chart
from labkit.learning.quant_errors import quant_errors
from labkit.models.ggml_blocks import quantize_rows

SOURCE = Path(__file__).parents[2] / "course/source/04_quantization.py"
RANDOM = np.random.default_rng(4)
BLOCKS = (0.1 * RANDOM.standard_normal((500, 32))).astype(np.float32)


def cell(name: str) -> str:
    """The source of a code cell of the chapter, without its prints."""
    text = SOURCE.read_text(encoding="utf-8")
    source = re.search(rf'^# %% name="{name}"\n(.*?)(?=^# %%)', text, re.DOTALL | re.MULTILINE)[1]
    return "\n".join(line for line in source.splitlines() if "print" not in line)


def by_hand(block: np.ndarray) -> dict[str, tuple]:
    """What the cells of the chapter make of a block: name → (scale, codes, what comes back)."""
    names = {"np": np, "block": block}
    for part in ("q8", "q8-back", "q4", "q4-back"):
        lines = [line for line in cell(part).splitlines() if not line.startswith("lk.")]
        exec("\n".join(lines), names)
    return {
        "Q8_0": (names["scale"], names["codes"], names["back"]),
        "Q4_0": (names["scale4"], names["codes4"], names["back4"]),
    }


def test_the_chapters_own_code_makes_the_blocks_of_both_references():
    for block in BLOCKS:
        for quant, (scale, codes, back) in by_hand(block).items():
            packed = pack(quant, scale, codes.tolist())
            theirs = gguf.quants.quantize(block[None], gguf.GGMLQuantizationType[quant])
            assert packed == theirs.tobytes() == quantize_rows(block[None], quant).tobytes()
            read = gguf.quants.dequantize(theirs, gguf.GGMLQuantizationType[quant])[0]
            np.testing.assert_allclose(back, read, rtol=1e-6)


def test_every_bit_is_the_same_and_the_page_says_so():
    (scale, codes, _), (scale4, codes4, _) = by_hand(BLOCKS[0]).values()
    for quant, n, found in (
        ("Q8_0", 272, compare_bits(BLOCKS[0], "Q8_0", scale, codes)),
        ("Q4_0", 144, compare_bits(BLOCKS[0], "Q4_0", scale4, codes4)),
    ):
        assert found.n_bits == found.n_same == n
        assert f"{n} of {n} bits are the same" in repr(found), quant
        assert "<table>" in found._repr_html_()
    page = repr(compare_bits(BLOCKS[0], "Q8_0", scale, codes))
    first = int(codes[codes < 0][0])
    assert f"−{-first} is {first + 256}." in page
    page = repr(compare_bits(BLOCKS[0], "Q4_0", scale4, codes4))
    digits = page.split("yours: ")[2][:2]
    assert digits == f"{codes4[16]:x}{codes4[0]:x}"
    assert f"{digits} holds {codes4[0]} (the right digit)" in page


def test_a_wrong_code_is_named_with_the_bits_that_differ():
    scale, codes, _ = by_hand(BLOCKS[0])["Q4_0"]
    codes = codes.copy()
    right, codes[20] = codes[20], (codes[20] + 1) % 16
    found = compare_bits(BLOCKS[0], "Q4_0", scale, codes)
    assert found.n_same == 144 - (int(right) ^ int(codes[20])).bit_count()
    assert f"The first is number 21: yours is {codes[20]}, llama.cpp's {right}." in found.sentences()[1]
    other = compare_bits(BLOCKS[0], "Q4_0", 2 * scale, codes)
    assert "The scale is another one." in other.sentences()


def test_a_weight_in_the_middle_of_two_codes_is_explained():
    block = np.linspace(-100, 100, 32).astype(np.float32).round()
    block[0], block[5] = 127, 2.5  # a scale of exactly 1
    codes = np.round(block).astype(int)
    assert codes[5] == 2  # NumPy rounds a half to the even number, llama.cpp away from zero
    found = compare_bits(block, "Q8_0", 1, codes)
    assert found.n_same < 272 and "right between two whole numbers" in found.sentences()[1]


@pytest.mark.parametrize("quant", ["Q8_0", "Q4_0"])
def test_codes_come_back_from_the_packed_bytes(quant):
    low, high = {"Q8_0": (-127, 127), "Q4_0": (0, 15)}[quant]
    codes = RANDOM.integers(low, high + 1, 32).tolist()
    assert unpack_codes(quant, pack(quant, -0.5, codes)) == codes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quant": "Q5_0"}, "Choose Q8_0 or Q4_0"),
        ({"block": BLOCKS[0, :31]}, "has 31 weights"),
        ({"block": "a block"}, "This is text"),
        ({"block": [np.nan] * 32}, "infinite or NaN"),
        ({"codes": list(range(31))}, "There are 31 codes"),
        ({"codes": [16] * 32}, "Code 1 is 16. A code of Q4_0 is a whole number from 0 to 15"),
        ({"codes": [-1.0] * 32}, "Code 1 is -1"),
        ({"codes": [0.5] * 32}, "Code 1 is 0.5"),
        ({"codes": None}, "infinite or NaN"),
        ({"scale": 1e6}, "can't be stored in 16 bits"),
    ],
)
def test_what_is_no_block_is_a_sentence(changes, words):
    right = {"block": BLOCKS[0], "quant": "Q4_0", "scale": 0.1, "codes": [8] * 32}
    with pytest.raises(LabError, match=re.escape(words)):
        compare_bits(**(right | changes))


def test_the_table_shows_the_first_weights_and_sums_up_all():
    scale, codes, back = by_hand(BLOCKS[0])["Q8_0"]
    table = rounding_table(BLOCKS[0], codes, back)
    assert len(table.rows) == 8 and table.rows[0][1] == f"{BLOCKS[0, 0]:.5f}"
    assert table.rows[2][2] == str(codes[2])
    assert f"the largest {np.abs(back - BLOCKS[0]).max():.5f}" in table.notes[0]
    assert f"a typical error is {np.sqrt(np.mean((back - BLOCKS[0]) ** 2)):.5f}" in table.notes[0]
    zero = rounding_table([0.1, 0.2], [8, 0], [-0.0, 0.2])
    assert zero.rows[0][3] == "0.00000"
    with pytest.raises(LabError, match="32, 31 and 32"):
        rounding_table(BLOCKS[0], codes[1:], back)


def test_the_chart_says_how_the_errors_compare():
    found = by_hand(BLOCKS[0])
    back = {quant: values[2] for quant, values in found.items()}
    error = {quant: np.sqrt(np.mean((values - BLOCKS[0]) ** 2)) for quant, values in back.items()}
    chart = rounding_chart(BLOCKS[0], back)
    assert chart.png.startswith(b"\x89PNG")
    assert f"Q4_0 errs {error['Q4_0'] / error['Q8_0']:.0f} times as much as Q8_0" in chart.alt
    assert f"Q4_0 typically by {error['Q4_0']:.2g}" in chart.alt
    assert "a little off" in rounding_chart(BLOCKS[0], {"Q4_0": back["Q4_0"]}).alt
    for odd in ({}, {"Q4_0": [1, 2]}):
        with pytest.raises(LabError, match="each as long as the block"):
            rounding_chart(BLOCKS[0], odd)


# ---------------------------------------------------------------- a whole matrix


def test_each_bit_fewer_about_doubles_the_error():
    errors = quant_errors(BLOCKS[:496].reshape(-1, 256))
    assert [e.quant for e in errors.errors] == ["Q8_0", "Q6_K", "Q5_0", "Q4_0", "Q3_K", "Q2_K"]
    assert errors["Q4_0"].bits_per_weight == 4.5 and errors["Q8_0"].bits_per_weight == 8.5
    assert 14 < errors["Q4_0"].error / errors["Q8_0"].error < 18
    assert 1.8 < errors["Q4_0"].error / errors["Q5_0"].error < 2.2
    assert errors["Q8_0"].unchanged < 0.1
    assert f"{100 * errors['Q4_0'].error:.2f} %" in repr(errors)


def test_a_type_that_does_not_fit_the_rows_is_left_out_and_named():
    errors = quant_errors(BLOCKS)
    assert errors.left_out == ("Q6_K", "Q3_K", "Q2_K")
    assert "do not fit the blocks of Q6_K, Q3_K, Q2_K" in repr(errors)
    with pytest.raises(LabError, match="These were: Q8_0, Q5_0, Q4_0"):
        errors["Q6_K"]
    assert quant_errors(np.zeros(32)).errors[0].error == 0
    for odd in (np.zeros((4, 31)), np.zeros((0, 32)), np.float32(1)):
        with pytest.raises(LabError, match="fit no block"):
            quant_errors(odd)
    with pytest.raises(LabError, match="not quantized to 'Q9'"):
        quant_errors(BLOCKS, ["Q9"])
