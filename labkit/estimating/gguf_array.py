"""A long array of GGUF metadata, such as a vocabulary of 262,144 tokens, kept as the file's own bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from labkit.estimating.gguf_types import SCALARS, TYPE_STRING


class GGUFArray(Sequence[Any]):
    """A long array of the metadata, such as a vocabulary: decoded only where it is looked at."""

    def __init__(self, type_id: int, count: int, data: bytes) -> None:
        self._type_id, self._count, self._data = type_id, count, data
        self._values: list[Any] | None = None

    @property
    def raw(self) -> tuple[int, int, bytes]:
        """Type of the items, how many, and their bytes as in the file: for a writer."""
        return self._type_id, self._count, self._data

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if self._values is None:
            self._values = list(_decode_array(self._type_id, self._count, self._data))
        return self._values[index]

    def __repr__(self) -> str:
        return f"<array of {self._count:,}: {', '.join(repr(v) for v in self[:3])}, …>"


def _decode_array(type_id: int, count: int, data: bytes) -> Iterator[Any]:
    if type_id != TYPE_STRING:
        layout, _ = SCALARS[type_id]
        yield from struct.unpack(f"<{count}{layout[1]}", data)
        return
    position = 0
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", data, position)
        position += 8 + length
        yield data[position - length : position].decode("utf-8", errors="replace")
