"""What the header of a GGUF file says, as Python objects. Taught in chapters 7 and 19."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.models.gguf_types import FILE_TYPES, SCALARS, TYPE_STRING

if TYPE_CHECKING:
    from labkit.tables import Table

DOWNLOAD_AGAIN = "Download the file again, or choose another one."


@dataclass(frozen=True)
class TensorInfo:
    """One tensor: `shape` in GGUF's order (fastest first), `offset` and `n_bytes` within the data section."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    offset: int
    n_bytes: int

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)


class GGUFArray(Sequence[Any]):
    """A long array of the metadata, such as a vocabulary: decoded only where it is looked at."""

    def __init__(self, type_id: int, count: int, data: bytes) -> None:
        self._type_id, self._count, self._data = type_id, count, data
        self._values: list[Any] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if self._values is None:
            self._values = list(_decode_array(self._type_id, self._count, self._data))
        return self._values[index]

    def __repr__(self) -> str:
        return f"<array of {self._count:,}: {', '.join(repr(v) for v in self[:3])}, …>"


@dataclass(frozen=True, repr=False)
class GGUFHeader:
    """What a GGUF file says about its model.

    Attributes
    ----------
    version : of the file format, 2 or 3.
    metadata : key → value; long arrays are sequences that decode on use.
    tensors : in the file's order.
    data_offset : where the weights begin, in bytes.
    file_bytes : size of the whole file.

    The properties raise LabError when the file lacks the key or has a value of another kind there.
    """

    version: int
    metadata: dict[str, Any] = field(repr=False)
    tensors: list[TensorInfo] = field(repr=False)
    data_offset: int
    file_bytes: int

    def table(self) -> Table:
        """What the file says, in words."""
        from labkit.models.header_table import header_table

        return header_table(self)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())

    @property
    def architecture(self) -> str:
        name = self.metadata.get("general.architecture")
        if not isinstance(name, str) or not name:
            raise LabError("This GGUF file does not say which architecture its model has.", DOWNLOAD_AGAIN)
        return name

    @property
    def n_layers(self) -> int:
        return self.number("block_count")

    @property
    def n_embd(self) -> int:
        return self.number("embedding_length")

    @property
    def n_heads(self) -> int:
        """Query heads; the most in any layer where layers differ."""
        return max(self.per_layer("attention.head_count"))

    @property
    def n_kv_heads(self) -> int:
        """Key/value heads; the most in any layer where layers differ."""
        return max(self.per_layer("attention.head_count_kv", default=self.n_heads))

    @property
    def head_dim(self) -> int:
        """Length of one head's key vector."""
        return self.number("attention.key_length", default=self.n_embd // max(1, self.n_heads))

    @property
    def context_length(self) -> int:
        """Tokens that the model was trained to look back on."""
        return self.number("context_length")

    @property
    def vocabulary_size(self) -> int:
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, Sequence) and not isinstance(tokens, str):
            return len(tokens)
        return self.number("vocab_size")

    @property
    def n_parameters(self) -> int:
        return sum(tensor.n_elements for tensor in self.tensors)

    @property
    def tensor_bytes(self) -> int:
        return sum(tensor.n_bytes for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """Name of the file's mixture, such as `'Q4_K_M'`; else the type that holds the most bytes."""
        file_type = self.metadata.get("general.file_type")
        if isinstance(file_type, int) and file_type in FILE_TYPES:
            return FILE_TYPES[file_type]
        by_type: dict[str, int] = {}
        for tensor in self.tensors:
            by_type[tensor.type_name] = by_type.get(tensor.type_name, 0) + tensor.n_bytes
        return max(by_type, key=by_type.__getitem__, default="none")

    @property
    def has_chat_template(self) -> bool:
        return isinstance(self.metadata.get("tokenizer.chat_template"), str)

    def number(self, key: str, default: int | None = None) -> int:
        """The whole number under `{architecture}.{key}`."""
        full_key = f"{self.architecture}.{key}"
        value = self.metadata.get(full_key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        what = "has no" if value is None else f"has an odd value ({value!r:.40}) for"
        raise LabError(f"The GGUF file {what} {full_key}.", DOWNLOAD_AGAIN)

    def per_layer(self, key: str, default: int | None = None) -> list[int]:
        """The whole numbers under `{architecture}.{key}`, one per layer; files store one or a list."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(value, (list, GGUFArray)):
            return [self.number(key, default)] * max(1, min(self.n_layers, 10_000))
        numbers = list(value)
        if not numbers or not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise LabError(f"The GGUF file has an odd list for {self.architecture}.{key}.", DOWNLOAD_AGAIN)
        return numbers


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
