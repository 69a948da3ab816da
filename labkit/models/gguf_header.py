"""What the header of a GGUF file says, as Python objects. Taught in chapters 7 and 19."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.gguf_array import GGUFArray
from labkit.estimating.gguf_types import FILE_TYPES
from labkit.estimating.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from labkit.tables import Table

__all__ = ["DOWNLOAD_AGAIN", "GGUFArray", "GGUFHeader", "TensorInfo"]

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


@dataclass(frozen=True, repr=False)
class GGUFHeader(Hyperparameters):
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

    _what: ClassVar[str] = "The GGUF file"
    _cure: ClassVar[str] = DOWNLOAD_AGAIN

    def blueprint(self) -> Blueprint:
        """The model without its weights, as `labkit.estimating` takes it."""
        title = self.metadata.get("general.name")
        tensors = tuple(TensorSpec(t.name, t.shape, t.type_name) for t in self.tensors)
        return Blueprint(self.metadata, tensors, title if isinstance(title, str) else "")

    def table(self) -> Table:
        """What the file says, in words."""
        from labkit.models.header_table import header_table

        return header_table(self)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())

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
