"""Weights as numbers and as blocks: as the gguf library has them, bit by bit; bad input is a sentence."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from labkit.errors import LabError
from labkit.models import weights as weights_module
from labkit.models.ggml_blocks import QUANTIZABLE, block_type, dequantize_blocks, quantize_rows
from labkit.models.gguf import read_gguf_header
from labkit.models.weights import read_weights

#: those that the gguf library can make too
IN_PYTHON = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
RANDOM = np.random.default_rng(20261122)


def matrices() -> dict[str, np.ndarray]:
    """Rows of 256 weights of every sort, float32."""
    normal = RANDOM.standard_normal((500, 256)).astype(np.float32)
    return {
        "normal": normal,
        # Steps of F16 and whole numbers hit the middle between two codes, where rounding rules differ.
        "as f16": (0.05 * normal).astype(np.float16).astype(np.float32),
        "whole numbers": RANDOM.integers(-127, 128, (500, 256)).astype(np.float32),
        "one large weight": np.where(RANDOM.random((500, 256)) < 0.01, 100 * normal, normal),
        "tiny": (1e-7 * normal).astype(np.float32),
        "zeros": np.zeros((4, 256), np.float32),
    }


@pytest.mark.parametrize("name", matrices())
def test_blocks_are_those_of_the_gguf_library_bit_by_bit(name):
    rows = matrices()[name]
    for quant in IN_PYTHON:
        theirs = gguf.quants.quantize(rows, gguf.GGMLQuantizationType[quant])
        np.testing.assert_array_equal(quantize_rows(rows, quant).reshape(theirs.shape), theirs, quant)


@pytest.mark.parametrize("quant", QUANTIZABLE)
def test_what_comes_back_is_what_the_gguf_library_reads(quant):
    rows = matrices()["normal"]
    blocks = quantize_rows(rows, quant)
    kind = block_type(quant)
    assert blocks.shape == (rows.size // kind.block_elements, kind.block_bytes)
    back = dequantize_blocks(blocks, quant)
    theirs = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[quant])
    np.testing.assert_allclose(back.ravel(), theirs.ravel(), rtol=1e-6, atol=1e-7)
    error = np.sqrt(np.mean((back.ravel() - rows.ravel()) ** 2))
    bits = 8 * kind.block_bytes / kind.block_elements
    assert 0.2 < error / 2.0 ** (1.2 - bits) < 2


@pytest.mark.parametrize("type_name", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q6_K"])
def test_a_tensor_of_any_type_is_read_as_numbers(tmp_path, type_name):
    values = RANDOM.standard_normal((6, 256)).astype(np.float32)
    path = tmp_path / "model.gguf"
    stored = _write(path, values, type_name)
    read = read_weights(path, "blk.0.ffn_up.weight")
    assert read.dtype == np.float32 and read.shape == (6, 256)
    np.testing.assert_allclose(read, stored, rtol=1e-6, atol=1e-7)
    assert np.abs(read - values).max() < 0.3
    np.testing.assert_array_equal(read_weights(str(path), "blk.0.ffn_up.weight", rows=2), read[:2])
    assert read_weights(path, "blk.0.ffn_up.weight", rows=99).shape == (6, 256)


def _write(path: Path, values: np.ndarray, type_name: str) -> np.ndarray:
    """A GGUF file with a list before the matrix; returns the values that the gguf library reads back."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("output_norm.weight", np.arange(5, dtype=np.float32))
    kind = gguf.GGMLQuantizationType[type_name]
    if type_name in (*IN_PYTHON, "BF16"):
        data = gguf.quants.quantize(values, kind)
    elif type_name == "Q6_K":
        data = quantize_rows(values, type_name).reshape(6, -1)
    else:
        data = values.astype({"F32": np.float32, "F16": np.float16}[type_name])
    writer.add_tensor("blk.0.ffn_up.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf.quants.dequantize(data, kind)


def test_lists_and_experts_are_rows(tmp_path):
    path = tmp_path / "model.gguf"
    _write(path, np.ones((6, 256), np.float32), "F16")
    np.testing.assert_array_equal(read_weights(path, "output_norm.weight"), [[0, 1, 2, 3, 4]])
    writer = gguf.GGUFWriter(tmp_path / "moe.gguf", "llama")
    experts = RANDOM.standard_normal((4, 3, 32)).astype(np.float32)
    writer.add_tensor("blk.0.ffn_up_exps.weight", experts)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    read = read_weights(tmp_path / "moe.gguf", "blk.0.ffn_up_exps.weight")
    np.testing.assert_array_equal(read, experts.reshape(12, 32))


def test_every_tensor_of_the_small_model_is_as_the_gguf_library_reads_it(small_model):
    by_name = {tensor.name: tensor for tensor in gguf.GGUFReader(small_model.path).tensors}
    for info in read_gguf_header(small_model.path).tensors[:12]:
        theirs = gguf.quants.dequantize(by_name[info.name].data, by_name[info.name].tensor_type)
        np.testing.assert_allclose(
            read_weights(small_model, info.name, rows=64).ravel(),
            np.atleast_2d(theirs)[:64].ravel(),
            rtol=1e-6,
            atol=1e-7,
        )


# ---------------------------------------------------------------- what is wrong is a sentence


@pytest.mark.parametrize(
    ("rows", "quant", "words"),
    [
        (np.zeros(31, np.float32), "Q8_0", "a row of these has 31"),
        (np.zeros((2, 128), np.float32), "Q4_K", "holds 256 weights"),
        (np.zeros((0, 32), np.float32), "Q8_0", "no weights to quantize"),
        (np.float32(1), "Q8_0", "a row of these has 1"),
        (np.full(32, np.nan, np.float32), "Q8_0", "infinite or not a number"),
        (np.full(32, 1e39), "Q4_0", "infinite or not a number"),
        ("thirty-two weights", "Q4_0", "no weights"),
        (np.zeros(32), "IQ1_S", "not quantized to 'IQ1_S'"),
        (np.zeros(32), "Q8_K", "not quantized to 'Q8_K'"),
        (np.zeros(32), None, "not quantized to None"),
    ],
)
def test_what_can_not_be_quantized_is_a_sentence(rows, quant, words):
    with pytest.raises(LabError, match=words):
        quantize_rows(rows, quant)


@pytest.mark.parametrize(
    ("blocks", "type_name"),
    [(np.zeros((2, 33), np.uint8), "Q8_0"), (np.zeros(34, np.uint8), "Q8_0"), (np.zeros((2, 34)), "Q99")],
)
def test_what_is_no_block_is_a_sentence(blocks, type_name):
    with pytest.raises(LabError, match="no blocks"):
        dequantize_blocks(blocks, type_name)


def test_a_tensor_that_is_not_there_names_the_nearest(random_model):
    with pytest.raises(LabError, match=r"Did you mean blk.0.ffn_up.weight"):
        read_weights(random_model, "blk.0.ffn_upp.weight")
    with pytest.raises(LabError, match="has no tensor ''"):
        read_weights(random_model, "")


def test_what_is_no_model_and_no_number_of_rows_is_a_sentence(tmp_path, random_model):
    with pytest.raises(LabError, match="can.?not be read|can't be read"):
        read_weights(tmp_path / "none.gguf", "blk.0.ffn_up.weight")
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(LabError, match="not GGUF"):
        read_weights(tmp_path / "text.gguf", "blk.0.ffn_up.weight")
    for odd in (0, -1, True, 2.5, "3"):
        with pytest.raises(LabError, match="whole number"):
            read_weights(random_model, "blk.0.ffn_up.weight", rows=odd)


def test_a_matrix_that_is_too_large_says_how_much_may_be_asked_for(random_model, monkeypatch):
    whole = read_weights(random_model, "blk.0.ffn_up.weight")
    monkeypatch.setattr(weights_module, "_MOST_BYTES", whole.nbytes // 2)
    with pytest.raises(LabError, match=rf"(?s){whole.shape[0]} rows .* rows={whole.shape[0] // 2}"):
        read_weights(random_model, "blk.0.ffn_up.weight")
    half = read_weights(random_model, "blk.0.ffn_up.weight", rows=whole.shape[0] // 2)
    np.testing.assert_array_equal(half, whole[: len(half)])
