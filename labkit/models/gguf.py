"""The header of a GGUF file, read strictly and within bounds. Taught in chapters 1 and 19.

Format: ggml-org/ggml, docs/gguf.md. The reader believes nothing that the file says about itself: every count
and length is compared with the bytes that are there before anything is read or kept. Whatever is wrong
becomes a LabError that says what.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.estimating.gguf_types import (
    GGML_TYPES,
    HEADER_LIMIT_BYTES,
    SCALARS,
    TYPE_ARRAY,
    TYPE_STRING,
    TensorType,
)
from labkit.models.gguf_header import DOWNLOAD_AGAIN, GGUFArray, GGUFHeader, TensorInfo
from labkit.units import format_bytes

__all__ = ["DOWNLOAD_AGAIN", "GGUFArray", "GGUFHeader", "HeaderEndsEarly", "TensorInfo", "read_gguf_header"]

_MAGIC = b"GGUF"
_SMALL_ARRAY = 64
_FIRST_READ = 1 << 20


def read_gguf_header(source: Path | str | bytes, *, file_bytes: int | None = None) -> GGUFHeader:
    """Reads the header of a file, or of the first bytes of one.

    Parameters
    ----------
    source : a path, or the beginning of a file as bytes.
    file_bytes : with bytes: the size of the whole file, if it is known, to check that the tensors fit.

    Raises LabError when it is not a GGUF file, is cut short, or says things that cannot be.
    """
    if isinstance(source, bytes):
        return _parse(_Cursor(source, None, len(source) if file_bytes is None else file_bytes), file_bytes)
    path = Path(source)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _parse(_Cursor(b"", file, size), size)
    except IsADirectoryError as error:
        raise LabError(f"{path} is a folder, not a file.", "Give the path of a .gguf file in it.") from error
    except OSError as error:
        raise LabError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


def _damaged(what: str) -> LabError:
    return LabError(f"The GGUF file is damaged: {what}.", DOWNLOAD_AGAIN)


class HeaderEndsEarly(LabError):
    """The bytes given end before the header does; the file itself goes on."""


class _Cursor:
    """Reads forward through the header. Loads more of the file only as far as the file reaches."""

    def __init__(self, data: bytes, file: Any, size: int) -> None:
        self.data = bytearray(data)
        self.file = file
        self.size = size
        self.position = 0

    def remaining(self) -> int:
        return self.size - self.position

    def need(self, n: int, what: str) -> int:
        """Makes sure that `n` more bytes are loaded, steps over them, returns where they begin."""
        start, end = self.position, self.position + n
        if end > self.size:
            raise LabError(
                f"The GGUF file is cut short: it ends inside {what}, after {format_bytes(self.size)}.",
                DOWNLOAD_AGAIN,
            )
        if end > HEADER_LIMIT_BYTES:
            limit = format_bytes(HEADER_LIMIT_BYTES)
            raise LabError(
                f"The GGUF file's header is larger than {limit}: no real model's is.", DOWNLOAD_AGAIN
            )
        while end > len(self.data):
            more = self.file.read(max(_FIRST_READ, end - len(self.data))) if self.file else b""
            if not more:
                raise HeaderEndsEarly(
                    f"The beginning of the GGUF file ends inside {what}.", "Read more of the file."
                )
            self.data += more
        self.position = end
        return start

    def u32(self, what: str) -> int:
        return struct.unpack_from("<I", self.data, self.need(4, what))[0]

    def u64(self, what: str) -> int:
        return struct.unpack_from("<Q", self.data, self.need(8, what))[0]

    def count(self, what: str, bytes_each: int) -> int:
        """A 64-bit count of things that take at least `bytes_each` bytes each."""
        n = self.u64(f"the number of {what}")
        if n * bytes_each > self.remaining():
            raise _damaged(f"it claims {n:,} {what}, but only {self.remaining():,} bytes follow")
        return n

    def string(self, what: str, limit: int | None = None) -> str:
        n = self.count(f"bytes in {what}", 1)
        if limit is not None and n > limit:
            raise _damaged(f"{what} is {n:,} bytes long")
        start = self.need(n, what)
        return self.data[start : start + n].decode("utf-8", errors="replace")


def _parse(cursor: _Cursor, file_bytes: int | None) -> GGUFHeader:
    _check_magic(cursor)
    version = cursor.u32("its version")
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in (1, 2, 3):
            raise LabError(
                "The GGUF file was written for big-endian machines.", "Find its little-endian edition."
            )
        raise LabError(
            f"The GGUF file has format version {version}; versions 2 and 3 are in use.", DOWNLOAD_AGAIN
        )
    n_tensors = cursor.count("tensors", 32)
    n_pairs = cursor.count("metadata entries", 13)
    metadata: dict[str, Any] = {}
    for number in range(n_pairs):
        key = cursor.string(f"the key of metadata entry {number + 1}", limit=65_535)
        if key in metadata:
            raise _damaged(f"the key {key!r:.80} stands there twice")
        metadata[key] = _value(cursor, key)
    alignment = _alignment(metadata)
    tensors = _tensors(cursor, n_tensors, alignment)
    data_offset = -(-cursor.position // alignment) * alignment
    header = GGUFHeader(version, metadata, tensors, data_offset, file_bytes or cursor.size)
    if file_bytes is not None and tensors:
        _check_complete(header, alignment)
    return header


def _check_magic(cursor: _Cursor) -> None:
    if cursor.size == 0:
        raise LabError("The file is empty.", DOWNLOAD_AGAIN)
    if cursor.size < 4:
        raise LabError(f"The file has {cursor.size} bytes: that is no GGUF file.", DOWNLOAD_AGAIN)
    start = cursor.need(4, "its first four bytes")
    magic = bytes(cursor.data[start : start + 4])
    if magic == _MAGIC:
        return
    beginning = bytes(cursor.data[:400]).lstrip().lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise LabError(
            "The file is a web page, not a model: a proxy or a login page answered in place of the server.",
            "Log in to the network (open any page in a browser) and download the file again.",
        )
    if beginning.startswith(b"version https://git-lfs"):
        raise LabError(
            "The file is a Git LFS pointer of a few lines, not the model itself.",
            "Run `git lfs pull`, or download the file from the model's page.",
        )
    if magic[::-1] in (b"ggml", b"ggmf", b"ggjt", b"ggla"):
        raise LabError(
            "The file is in a format older than GGUF, from before August 2023.", "Find its GGUF edition."
        )
    if magic == b"PK\x03\x04" or beginning.startswith(b"{") or b'{"__metadata__"' in beginning:
        raise LabError(
            "The file is not GGUF: it looks like PyTorch or safetensors weights.", "Find its GGUF edition."
        )
    raise LabError("The file is not GGUF: it does not begin with these four letters.", DOWNLOAD_AGAIN)


def _value(cursor: _Cursor, key: str) -> Any:
    what = f"the value of {key!r:.80}"
    type_id = cursor.u32(f"the type of {key!r:.80}")
    if type_id == TYPE_STRING:
        return cursor.string(what)
    if type_id == TYPE_ARRAY:
        return _array(cursor, key)
    if type_id not in SCALARS:
        raise _damaged(f"{what} has unknown type {type_id}")
    layout, size = SCALARS[type_id]
    value = struct.unpack_from(layout, cursor.data, cursor.need(size, what))[0]
    if layout == "<?" and cursor.data[cursor.position - 1] > 1:
        raise _damaged(f"{what} is neither true nor false")
    return value


def _array(cursor: _Cursor, key: str) -> Sequence[Any]:
    what = f"the list {key!r:.80}"
    type_id = cursor.u32(f"the type of {what}")
    if type_id == TYPE_STRING:
        count = cursor.count(f"strings in {what}", 8)
        start = cursor.position
        _skip_strings(cursor, count, what)
    elif type_id in SCALARS:
        size = SCALARS[type_id][1]
        count = cursor.count(f"values in {what}", size)
        start = cursor.need(count * size, what)
    else:
        raise _damaged(f"{what} has unknown type {type_id}")
    array = GGUFArray(type_id, count, bytes(cursor.data[start : cursor.position]))
    return list(array) if count <= _SMALL_ARRAY else array


def _skip_strings(cursor: _Cursor, count: int, what: str) -> None:
    """Steps over `count` strings. A vocabulary has up to 262,144, so the loop is kept tight."""
    length_at = struct.Struct("<Q").unpack_from
    position, loaded = cursor.position, len(cursor.data)
    for _ in range(count):
        if position + 8 > loaded:
            cursor.position = position
            cursor.need(8, what)
            loaded = len(cursor.data)
        position += 8 + length_at(cursor.data, position)[0]
        if position > loaded:
            cursor.need(position - cursor.position, what)
            loaded = len(cursor.data)
    cursor.position = position


def _alignment(metadata: dict[str, Any]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 8 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise _damaged(f"its alignment is {alignment!r:.40}")
    return alignment


def _tensors(cursor: _Cursor, n_tensors: int, alignment: int) -> list[TensorInfo]:
    tensors: list[TensorInfo] = []
    names: set[str] = set()
    expected_offset = 0
    for number in range(n_tensors):
        tensor = _tensor(cursor, number)
        if tensor.name in names:
            raise _damaged(f"the tensor {tensor.name!r:.80} stands there twice")
        if tensor.offset != expected_offset:
            raise _damaged(
                f"the tensor {tensor.name!r:.80} should begin at byte "
                f"{expected_offset:,} of the data, but the file says {tensor.offset:,}"
            )
        names.add(tensor.name)
        expected_offset += -(-tensor.n_bytes // alignment) * alignment
        tensors.append(tensor)
    return tensors


def _tensor(cursor: _Cursor, number: int) -> TensorInfo:
    name = cursor.string(f"the name of tensor {number + 1}", limit=64)
    what = f"the tensor {name!r:.80}"
    n_dims = cursor.u32(f"the shape of {what}")
    if n_dims > 4:
        raise _damaged(f"{what} has {n_dims:,} dimensions")
    shape = tuple(cursor.u64(f"the shape of {what}") for _ in range(n_dims))
    if any(n < 1 for n in shape) or math.prod(shape) >= 1 << 62:
        raise _damaged(f"{what} has the shape {shape}")
    type_id = cursor.u32(f"the type of {what}")
    tensor_type = GGML_TYPES.get(type_id)
    if tensor_type is None:
        raise LabError(
            f"The GGUF file stores {what} in number format {type_id}, which is unknown here: "
            "it is damaged, or newer than this course.",
            DOWNLOAD_AGAIN,
        )
    offset = cursor.u64(f"the offset of {what}")
    return TensorInfo(name, shape, tensor_type.name, offset, _tensor_bytes(shape, tensor_type, what))


def _tensor_bytes(shape: tuple[int, ...], tensor_type: TensorType, what: str) -> int:
    row = shape[0] if shape else 1
    if row % tensor_type.block_elements:
        raise _damaged(
            f"{what} has rows of {row:,} values, which {tensor_type.name} "
            f"cannot store (it needs multiples of {tensor_type.block_elements})"
        )
    return math.prod(shape) // tensor_type.block_elements * tensor_type.block_bytes


def _check_complete(header: GGUFHeader, alignment: int) -> None:
    last = header.tensors[-1]
    needed = header.data_offset + last.offset + last.n_bytes
    if header.file_bytes < needed:
        raise LabError(
            f"The GGUF file is cut short: its header says {format_bytes(needed)}, "
            f"but the file has {format_bytes(header.file_bytes)}.",
            DOWNLOAD_AGAIN,
        )
