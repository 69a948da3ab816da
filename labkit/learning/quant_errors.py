"""What rounding to each type does to a whole matrix of real weights. Taught in chapter 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.models.ggml_blocks import block_type, dequantize_blocks, quantize_rows
from labkit.tables import Table

#: from most bits to fewest
_TYPES = ("Q8_0", "Q6_K", "Q5_0", "Q4_0", "Q3_K", "Q2_K")


@dataclass(frozen=True)
class QuantError:
    """The error of one type on one matrix."""

    quant: str
    bits_per_weight: float
    error: float
    """Root of the mean square of the errors, over the same of the weights."""
    unchanged: float
    """Share of the weights that come back exactly as they were."""


@dataclass(frozen=True, repr=False)
class QuantErrors:
    """One matrix as several types, from most bits to fewest."""

    errors: tuple[QuantError, ...]
    n_weights: int
    left_out: tuple[str, ...]
    """Types that the matrix's rows do not fit."""

    def __getitem__(self, quant: str) -> QuantError:
        found = [error for error in self.errors if error.quant == quant]
        if not found:
            names = ", ".join(error.quant for error in self.errors)
            raise LabError(f"{quant!r:.20} was not tried.", f"These were: {names}.")
        return found[0]

    def table(self) -> Table:
        rows = [[e.quant, f"{e.bits_per_weight:.2f}", f"{100 * e.error:.2f} %"] for e in self.errors]
        columns = ["stored as", "bits per weight", "typical error"]
        notes = [
            "A typical error as a share of a typical weight. (Each is the root of the mean of the squares.)"
        ]
        if self.left_out:
            notes.append(f"The rows of this matrix do not fit the blocks of {', '.join(self.left_out)}.")
        title = f"{self.n_weights:,} weights, quantized by llama.cpp and unpacked again"
        return Table(title, columns, rows, notes)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def quant_errors(weights: Any, types: Sequence[str] = _TYPES) -> QuantErrors:
    """Quantize a matrix to each of `types` with llama.cpp's own functions, unpack it, and measure the error.

    `weights` is (rows, row length). A type whose blocks do not fit the rows is left out. Raises LabError when
    none fits, or a type is unknown. Taught in chapter 4.
    """
    import numpy as np

    matrix = np.atleast_2d(np.asarray(weights, dtype=np.float32))
    row = matrix.shape[-1]
    fits = [t for t in types if row % block_type(t).block_elements == 0]
    if not fits or not matrix.size:
        raise LabError(
            f"Rows of {row} weights fit no block.", "Give rows of 32 weights, or a multiple of it."
        )
    errors = sorted((_error(matrix, t) for t in fits), key=lambda e: -e.bits_per_weight)
    return QuantErrors(tuple(errors), matrix.size, tuple(t for t in types if t not in fits))


def _error(matrix: Any, quant: str) -> QuantError:
    import numpy as np

    kind = block_type(quant)
    back = dequantize_blocks(quantize_rows(matrix, quant), kind.name).reshape(matrix.shape)
    size = float(np.sqrt(np.mean(matrix.astype(np.float64) ** 2)))
    typical = float(np.sqrt(np.mean((back - matrix).astype(np.float64) ** 2)))
    return QuantError(
        quant=kind.name,
        bits_per_weight=8 * kind.block_bytes / kind.block_elements,
        error=typical / size if size else 0.0,
        unchanged=float(np.mean(back == matrix)),
    )
