"""A file's size, put together from its own list of matrices; and the sizes of published files.

Taught in chapter 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.estimating.blueprint import TYPES_BY_NAME
from labkit.facts.architectures import find_architecture, gguf_sizes
from labkit.models.gguf import read_gguf_header
from labkit.tables import Table
from labkit.units import GIB

if TYPE_CHECKING:
    from labkit.models.model_file import ModelFile

#: What chapter 1 shows of a model: the common ones, from the finest to the coarsest.
_SHOWN = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")


def size_table(file: ModelFile) -> Table:
    """Parameters × bits / 8, for each type of number in the file; the sum beside the size on disk.

    Raises LabError when the file is damaged.
    """
    header = read_gguf_header(file.path)
    rows, weights = [], 0
    for name in sorted({t.type_name for t in header.tensors}, key=_bits):
        of_type = [tensor for tensor in header.tensors if tensor.type_name == name]
        n_parameters, n_bytes = (sum(values) for values in _columns(of_type))
        weights += n_bytes
        rows.append([name, f"{n_parameters:,}", f"{_bits(name):g}", f"{n_bytes:,}"])
    beginning = header.data_offset
    rows.append(["header and vocabulary", "", "", f"{beginning:,}"])
    rows.append(["sum", f"{header.n_parameters:,}", "", f"{weights + beginning:,}"])
    rows.append(["file on disk", "", "", f"{file.bytes:,}"])
    off = abs(weights + beginning - file.bytes) / file.bytes
    alone, whole = (8 * size / header.n_parameters for size in (weights, file.bytes))
    notes = [
        f"Bytes are parameters × bits / 8. Sum and file differ by {100 * off:.2f} %.",
        f"Bits per parameter: {alone:.2f} in the weights; {whole:.2f} with header and vocabulary.",
    ]
    columns = ["stored as", "parameters", "bits each", "bytes"]
    return Table(f"What the file is made of: {file.label}", columns, rows, notes)


def _bits(type_name: str) -> float:
    block = TYPES_BY_NAME[type_name]
    return 8 * block.block_bytes / block.block_elements


def _columns(tensors: list) -> tuple[list[int], list[int]]:
    return [tensor.n_elements for tensor in tensors], [tensor.n_bytes for tensor in tensors]


def published_sizes(architecture: str) -> Table:
    """The published files of a model, with the bits that they really take per parameter.

    Raises LabError when `datasets/` has no such model, or no count of its parameters.
    """
    row = find_architecture(architecture)
    published = {size.quantization: size for size in gguf_sizes() if size.architecture == architecture}
    shown = [published[name] for name in _SHOWN if name in published]
    parameters = row.parameters or 0
    rows = [
        [
            size.quantization,
            f"{size.bytes / 1e9:.2f}",
            f"{size.bytes / GIB:.2f}",
            f"{8 * size.bytes / parameters:.2f}",
        ]
        for size in shown
    ]
    sources = [f"{s.quantization}: {s.repo}, {s.filename}; {s.source}. As of {s.read_on}." for s in shown]
    return Table(
        f"Published files of {row.name}: {parameters:,} parameters",
        ["quantization", "GB", "GiB", "bits per parameter"],
        rows,
        folded_title="Sources and dates",
        folded=sources,
    )
