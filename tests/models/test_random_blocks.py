"""Random blocks of every type, read back by llama.cpp's own functions."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.estimating.gguf_types import GGML_TYPES
from labkit.models import native
from labkit.models.native import ggml_function
from labkit.models.random_blocks import _KINDS as KINDS
from labkit.models.random_blocks import block_pool

FLOATS = {1: "F16", 30: "BF16"}
#: what a model file may store: not the types of intermediate results, nor whole numbers
STORED = {
    type_id: tensor_type
    for type_id, tensor_type in GGML_TYPES.items()
    if tensor_type.name not in ("F32", "F64", "Q8_1", "Q8_K")
    and not tensor_type.name.startswith("I")
    or tensor_type.name.startswith("IQ")
}


class Traits(ctypes.Structure):
    """The beginning of ggml's struct ggml_type_traits (ggml.h)."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("block_elements", ctypes.c_int64),
        ("interleaved", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
    ]


def dequantized(type_id: int, blocks: np.ndarray) -> np.ndarray:
    """The numbers of the blocks, float32, as llama.cpp reads them."""
    native.llama()
    traits = ggml_function("ggml_get_type_traits")
    traits.restype, traits.argtypes = ctypes.POINTER(Traits), [ctypes.c_int]
    kind = traits(type_id).contents
    assert kind.name.decode().lower() == GGML_TYPES[type_id].name.lower()
    to_float = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(kind.to_float)
    blocks = np.ascontiguousarray(blocks)
    values = np.full(len(blocks) * kind.block_elements, np.nan, np.float32)
    to_float(blocks.ctypes.data, values.ctypes.data, len(values))
    return values


@pytest.mark.parametrize("std", [1.0, 4096**-0.5])
@pytest.mark.parametrize("type_id", STORED, ids=[t.name for t in STORED.values()])
def test_blocks_are_valid_and_of_the_size_asked_for(type_id: int, std: float) -> None:
    tensor_type = STORED[type_id]
    blocks = block_pool(tensor_type.name, std, seed=1)
    assert blocks.dtype == np.uint8 and blocks.shape[1] == tensor_type.block_bytes
    validate = ggml_function("ggml_validate_row_data")
    validate.restype, validate.argtypes = ctypes.c_bool, [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    assert validate(type_id, np.ascontiguousarray(blocks).ctypes.data, blocks.size)
    values = dequantized(type_id, blocks)
    assert np.isfinite(values).all()
    assert not ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any()
    # Scales that are powers of two, or of few bits, can't meet a size exactly.
    most = 4.5 if tensor_type.name == "NVFP4" else 1.45 if tensor_type.name == "MXFP4" else 1.05
    assert 1 / min(most, 1.45) < values.std() / std < most
    assert abs(values.mean()) < 0.02 * values.std()


@pytest.mark.parametrize("type_id", STORED, ids=[t.name for t in STORED.values()])
def test_scales_are_no_denormals(type_id: int) -> None:
    """Where the weights asked for are tiny too: the scale of each block stays a normal number."""
    name = STORED[type_id].name
    blocks = block_pool(name, 1e-6, seed=1)
    if name in ("MXFP4", "NVFP4"):
        exponents = blocks[:, 0] if name == "MXFP4" else blocks[:, :4] >> 3
        assert exponents.min() >= 1
    elif name not in ("F16", "BF16", "IQ1_M"):
        for offset, _ in KINDS[name].scales:
            scales = np.ascontiguousarray(blocks[:, offset : offset + 2]).view("<f2").astype(float)
            assert np.abs(scales).min() >= np.finfo(np.float16).smallest_normal
    assert np.isfinite(dequantized(type_id, blocks)).all()


def test_rows_taken_from_a_pool_over_and_over_differ() -> None:
    pool = block_pool("Q4_K", 1.0, seed=1)
    blocks_per_row, n_rows = 8, 4096
    rows = np.take(pool, np.arange(n_rows * blocks_per_row), axis=0, mode="wrap").reshape(n_rows, -1)
    assert len(np.unique(rows, axis=0)) == n_rows


def test_a_type_that_no_file_stores_is_a_sentence() -> None:
    for name in ("Q8_K", "nonsense", ""):
        with pytest.raises(LabError):
            block_pool(name, 1.0, seed=1)
