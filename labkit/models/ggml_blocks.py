"""Weights into blocks and back, by llama.cpp's own functions: the reference for chapter 4.

`llama-quantize` calls the same function, `ggml_quantize_chunk`, for every tensor that it writes. It is in the
library that comes with llama-cpp-python, so a comparison with it needs nothing more to be installed.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.estimating.gguf_types import GGML_TYPES, TensorType
from labkit.models import native

if TYPE_CHECKING:
    import numpy as np

#: What a model's weights can be quantized to from the weights alone. The other types ask for an importance
#: matrix (llama.cpp ends the process without one), or hold something else than weights.
QUANTIZABLE = (
    *("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"),
    *("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"),
)
_TYPES = {kind.name: (number, kind) for number, kind in GGML_TYPES.items()}


class _Traits(ctypes.Structure):
    """struct ggml_type_traits, as far as it is read here (ggml.h)."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("block_elements", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
    )


def block_type(name: object) -> TensorType:
    """The block of a type in `QUANTIZABLE`, such as "Q8_0": its name, elements and bytes.

    Raises LabError for any other.
    """
    found = name.upper() if isinstance(name, str) else ""
    if found not in QUANTIZABLE:
        raise LabError(
            f"Weights are not quantized to {name!r:.40} here.", f"Choose one of {', '.join(QUANTIZABLE)}."
        )
    return _TYPES[found][1]


def quantize_rows(weights: np.ndarray, type_name: str) -> np.ndarray:
    """The blocks that llama.cpp makes of `weights`.

    Parameters
    ----------
    weights : float32, (..., row length): the row length is a multiple of the type's block.
    type_name : one of `QUANTIZABLE`.

    Returns uint8, (number of blocks, bytes of a block). Raises LabError when the weights do not fit the type.
    Taught in chapter 4.
    """
    import numpy as np

    kind = block_type(type_name)
    values = np.ascontiguousarray(_numbers(weights), dtype=np.float32)
    row = values.shape[-1]
    if not values.size:
        raise LabError("There are no weights to quantize.", f"Give rows of {kind.block_elements} weights.")
    if row % kind.block_elements:
        raise LabError(
            f"A block of {kind.name} holds {kind.block_elements} weights, and a row of these has {row:,}.",
            f"Give rows of {kind.block_elements} weights, or a multiple of it.",
        )
    if not np.isfinite(values).all():
        raise LabError("Some of these weights are infinite or not a number.", "Give ordinary numbers.")
    blocks = np.zeros((values.size // kind.block_elements, kind.block_bytes), np.uint8)
    quantize = _function("ggml_quantize_chunk")
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [
        ctypes.c_int,
        *[ctypes.c_void_p] * 2,
        *[ctypes.c_int64] * 3,
        ctypes.c_void_p,
    ]
    quantize(_TYPES[kind.name][0], values.ctypes.data, blocks.ctypes.data, 0, values.size // row, row, None)
    return blocks


def dequantize_blocks(blocks: np.ndarray, type_name: str) -> np.ndarray:
    """The weights that blocks of any type of GGUF stand for, as llama.cpp reads them.

    `blocks` is uint8, (number of blocks, bytes of a block). Returns float32, (number of blocks, elements).
    Raises LabError when llama.cpp has no such type, or the bytes are not whole blocks.
    """
    import numpy as np

    number, kind = _TYPES.get(type_name, (-1, TensorType(type_name, 1, 0)))
    data = np.ascontiguousarray(blocks, dtype=np.uint8)
    if data.ndim != 2 or data.shape[1] != kind.block_bytes:
        raise LabError(f"These are no blocks of {type_name}.", "Read them from the file again.")
    get = _function("ggml_get_type_traits")
    get.restype, get.argtypes = ctypes.POINTER(_Traits), [ctypes.c_int]
    traits = get(number).contents
    same = (traits.block_elements, traits.block_bytes) == (kind.block_elements, kind.block_bytes)
    if not same or not traits.to_float:
        raise LabError(f"This build of llama.cpp can't unpack {type_name}.", "Choose another model file.")
    values = np.zeros((data.shape[0], kind.block_elements), np.float32)
    to_float = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(traits.to_float)
    to_float(data.ctypes.data, values.ctypes.data, values.size)
    return values


def _numbers(weights: Any) -> np.ndarray:
    import numpy as np

    try:
        with np.errstate(over="ignore"):  # infinity is refused below
            return np.asarray(weights, dtype=np.float32)
    except (TypeError, ValueError):
        raise LabError("These are no weights.", "Give a NumPy array of numbers.") from None


def _function(name: str) -> Any:
    function = native.ggml_function(name)
    if function is None:
        raise LabError(
            f"This build of llama.cpp has no function {name}.",
            "Run `make setup` again; `labkit doctor` says more.",
        )
    return function
