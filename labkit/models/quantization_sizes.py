"""A model's size in every quantization, as a table. Taught in chapters 2 and 7."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.file_size import FileSize
from labkit.estimating.gguf_encoding import data_bytes
from labkit.estimating.quantization import QUANTIZATIONS, bits_per_weight, fallbacks, quantized
from labkit.tables import Table
from labkit.units import format_bytes


@dataclass(frozen=True)
class QuantizationSize:
    """A model in one quantization: bytes of its tensors and of its file, bits per weight, fallbacks."""

    quantization: str
    tensor_bytes: int
    file_bytes_low: int
    file_bytes_high: int
    bits_per_weight: float
    n_fallbacks: int


class QuantizationSizes(tuple[QuantizationSize, ...]):
    """Rows from most bits to fewest; shows as a table."""

    def table(self) -> Table:
        """One line for each quantization."""
        return Table(
            "The model in every quantization",
            ["Quantization", "Weights", "File", "Bits per weight", "Tensors that fell back"],
            [
                (
                    row.quantization,
                    format_bytes(row.tensor_bytes),
                    file_text(row.file_bytes_low, row.file_bytes_high),
                    f"{row.bits_per_weight:.2f}",
                    row.n_fallbacks,
                )
                for row in self
            ],
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def quantization_sizes(blueprint: Blueprint, file: FileSize) -> QuantizationSizes:
    """The model in each quantization that its rows allow, by the rules.

    `file` is the size of the file that holds `blueprint`: in another quantization only the tensors differ.
    """
    beside = data_bytes(blueprint)
    rows = []
    for name in QUANTIZATIONS:
        try:
            chosen = quantized(blueprint, name)
        except LabError:  # a mixture whose types do not fit this model's rows
            continue
        more = data_bytes(chosen) - beside
        rows.append(
            QuantizationSize(
                name,
                chosen.tensor_bytes,
                file.low + more,
                file.high + more,
                bits_per_weight(chosen),
                len(fallbacks(blueprint, name)),
            )
        )
    return QuantizationSizes(rows)


def file_text(low: int, high: int) -> str:
    """`'93.8 MiB'`, `'93.1 MiB to 94.0 MiB'`."""
    ends = dict.fromkeys((format_bytes(low), format_bytes(high)))
    return " to ".join(ends)
