"""The weights of a model file as numbers. Taught in chapter 4."""

from __future__ import annotations

import difflib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME
from labkit.models.gguf import read_gguf_header
from labkit.models.gguf_header import GGUFHeader, TensorInfo
from labkit.units import format_bytes

if TYPE_CHECKING:
    import numpy as np

    from labkit.models.model_file import ModelFile

#: As float32. A chapter looks at a matrix of a few MiB.
_MOST_BYTES = 256 * 2**20
#: numbers that are stored singly, as NumPy reads them; BF16 is the upper half of a float32
_SINGLE = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


def read_weights(
    file: ModelFile | str | os.PathLike[str], tensor: str, *, rows: int | None = None
) -> np.ndarray:
    """One tensor of a GGUF file as numbers: float32, (rows, row length); a list of numbers has one row.

    Quantized weights come as the numbers that they stand for. Further dimensions, such as experts, count as
    rows.

    Parameters
    ----------
    file : a ModelFile, or the path of a .gguf file.
    tensor : its name, such as "blk.0.ffn_up.weight".
    rows : so many from the first on; None for all.

    Raises LabError when the file has no such tensor, or it is larger than a notebook should hold.
    Taught in chapter 4.
    """
    path = Path(getattr(file, "path", file)).expanduser()
    header = read_gguf_header(path)
    info = _find(header, tensor, path)
    row_length = info.shape[0] if info.shape else 1
    n_rows = _checked_rows(info, math.prod(info.shape[1:]), row_length, rows)
    kind = TYPES_BY_NAME[info.type_name]
    n_bytes = n_rows * row_length // kind.block_elements * kind.block_bytes
    try:
        with path.open("rb") as stream:
            stream.seek(header.data_offset + info.offset)
            data = stream.read(n_bytes)
    except OSError as error:
        raise LabError(f"{path} can't be read: {error.strerror or error}.", "Check the disk.") from error
    return _as_numbers(data, info.type_name).reshape(n_rows, row_length)


def _find(header: GGUFHeader, name: str, path: Path) -> TensorInfo:
    by_name = {tensor.name: tensor for tensor in header.tensors}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(str(name), by_name, 3, 0.4) or list(by_name)[:3]
    raise LabError(f"{path.name} has no tensor {name!r:.80}.", f"Did you mean {' or '.join(near)}?")


def _checked_rows(info: TensorInfo, of: int, row_length: int, rows: int | None) -> int:
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
        raise LabError(f"`rows` must be a whole number from 1 up, not {rows!r:.40}.", "Leave it out.")
    n_rows = min(of, rows or of)
    size = 4 * n_rows * row_length
    if size > _MOST_BYTES:
        fits = max(1, _MOST_BYTES // (4 * row_length))
        raise LabError(
            f"{info.name} has {of:,} rows of {row_length:,} numbers: {format_bytes(size)} as float32.",
            f"Ask for some of them: rows={min(fits, 1000)}.",
        )
    return n_rows


def _as_numbers(data: bytes, type_name: str) -> np.ndarray:
    import numpy as np

    if type_name in _SINGLE:
        return np.frombuffer(data, _SINGLE[type_name]).astype(np.float32)
    if type_name == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    from labkit.models.ggml_blocks import dequantize_blocks

    blocks = np.frombuffer(data, np.uint8).reshape(-1, TYPES_BY_NAME[type_name].block_bytes)
    return dequantize_blocks(blocks, type_name)
