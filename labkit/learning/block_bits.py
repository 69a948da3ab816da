"""A block quantized by hand beside llama.cpp's own, weight by weight and bit by bit. Taught in chapter 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsFloat

from labkit.errors import LabError
from labkit.learning.quantities import describe
from labkit.tables import Table

if TYPE_CHECKING:
    import numpy as np

#: Weights in a block of these types.
BLOCK = 32
#: type → smallest and largest code
CODES = {"Q8_0": (-128, 127), "Q4_0": (0, 15)}
_SCALE_BYTES = 2
_SHOWN = 8


def rounding_table(
    block: Sequence[float], codes: Sequence[int], back: Sequence[float], *, show: int = _SHOWN
) -> Table:
    """The first weights of a block, their codes, and the numbers that they come back as.

    Taught in chapter 4.
    """
    weights, whole, returned = _vector(block), _vector(codes), _vector(back)
    if not len(weights) == len(whole) == len(returned):
        lengths = f"{len(weights)}, {len(whole)} and {len(returned)}"
        raise LabError(f"The three lists have {lengths} numbers.", "They must be as long as each other.")
    rows = [  # 0 times a negative scale is −0.0, and + 0.0 takes its sign away
        [str(i + 1), f"{w:.5f}", f"{code:g}", f"{b + 0.0:.5f}", f"{b - w:+.5f}"]
        for i, (w, code, b) in enumerate(zip(weights[:show], whole, returned, strict=False))
    ]
    error = returned - weights
    note = (
        f"All {len(weights)} weights: a typical error is {typical(error):.5f}, the largest "
        f"{abs(error).max():.5f}, and a typical weight {typical(weights):.5f}. (Typical: the root of the "
        "mean of the squares.)"
    )
    columns = ["number", "weight", "code", "comes back as", "error"]
    return Table(f"The first {len(rows)} of {len(weights)} weights", columns, rows, [note])


@dataclass(frozen=True, repr=False)
class BitComparison:
    """The bytes of one block, made by hand and by llama.cpp."""

    quant: str
    yours: bytes
    reference: bytes
    your_codes: tuple[int, ...]
    reference_codes: tuple[int, ...]
    exact: tuple[float, ...]
    """Weight over scale, before it is rounded to a code."""

    @property
    def n_bits(self) -> int:
        return 8 * len(self.reference)

    @property
    def n_same(self) -> int:
        """Bits that are the same."""
        return sum(8 - (a ^ b).bit_count() for a, b in zip(self.yours, self.reference, strict=True))

    def table(self) -> Table:
        cut = _SCALE_BYTES
        rows = [
            ["scale, 2 bytes", _hex(self.yours[:cut]), _hex(self.reference[:cut])],
            [f"codes, {len(self.yours) - cut} bytes", _hex(self.yours[cut:]), _hex(self.reference[cut:])],
        ]
        title = f"The block as {self.quant}, byte for byte"
        return Table(title, ["part", "yours", "llama.cpp's"], rows, self.sentences())

    def sentences(self) -> list[str]:
        """What the comparison found."""
        if self.n_same == self.n_bits:
            return [
                f"{self.n_same} of {self.n_bits} bits are the same: llama.cpp would write this very block.",
                f"A byte is shown as two digits, 0 to 9 and a to f (10 to 15). {self._how_to_read()}",
            ]
        lines = [f"{self.n_same} of {self.n_bits} bits are the same."]
        if self.yours[:_SCALE_BYTES] != self.reference[:_SCALE_BYTES]:
            lines.append("The scale is another one.")
        wrong = [
            i for i, (a, b) in enumerate(zip(self.your_codes, self.reference_codes, strict=True)) if a != b
        ]
        if wrong:
            lines.append(f"{len(wrong)} of {BLOCK} codes differ. {self._about(wrong[0])}")
        return lines

    def _how_to_read(self) -> str:
        """Where a code stands in the digits."""
        if self.quant == "Q4_0":
            half = BLOCK // 2
            right, left = self.your_codes[0], self.your_codes[half]
            return (
                f"In the codes each digit is one: {left:x}{right:x} holds {right} (the right digit), the "
                f"code of weight 1, and {left} (the left one), that of weight {half + 1}."
            )
        negative = next((code for code in self.your_codes if code < 0), None)
        add = f" A negative code has 256 added: −{-negative} is {negative + 256}." if negative else ""
        start = "A code is 16 × the left one + the right one."
        return f"{start}{add} (The scale is an F16 number, which is written in another way.)"

    def _about(self, i: int) -> str:
        start = (
            f"The first is number {i + 1}: yours is {self.your_codes[i]}, llama.cpp's "
            f"{self.reference_codes[i]}."
        )
        if abs(self.exact[i] % 1 - 0.5) < 1e-4:
            return (
                f"{start} Before rounding it is {self.exact[i]:.6f}, right between two whole numbers: there "
                "the last digit of the arithmetic decides."
            )
        return f"{start} Before rounding, weight / scale is {self.exact[i]:.3f}."

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def compare_bits(
    block: Sequence[float], quant: str, scale: SupportsFloat, codes: Sequence[int]
) -> BitComparison:
    """Pack a scale and 32 codes as a GGUF file does, and compare with the block that llama.cpp makes.

    Parameters
    ----------
    block : the 32 weights.
    quant : "Q8_0" (codes from -127 to 127) or "Q4_0" (codes from 0 to 15).
    scale, codes : as found by hand. The scale is stored as a 16-bit number.

    Raises LabError when the codes are not 32 whole numbers in range. Taught in chapter 4.
    """
    from labkit.models.ggml_blocks import quantize_rows

    if quant not in CODES:
        raise LabError(f"Blocks of {quant!r:.20} are not compared here.", f"Choose {' or '.join(CODES)}.")
    weights = _vector(block)
    if len(weights) != BLOCK:
        raise LabError(f"This block has {len(weights)} weights.", f"Give {BLOCK}: weights[0, :{BLOCK}].")
    whole = _checked_codes(codes, quant)
    reference = quantize_rows(weights.astype("float32")[None, :], quant)[0].tobytes()
    return BitComparison(
        quant,
        pack(quant, scale, whole),
        reference,
        tuple(whole),
        tuple(unpack_codes(quant, reference)),
        _before_rounding(weights, reference),
    )


def pack(quant: str, scale: SupportsFloat, codes: Sequence[int]) -> bytes:
    """Scale and codes as the bytes of one block (ggml-common.h: block_q8_0, block_q4_0)."""
    import numpy as np

    with np.errstate(over="ignore"):
        stored = np.float16(float(scale))
    if not np.isfinite(stored):
        raise LabError(f"The scale {float(scale):g} can't be stored in 16 bits.", "Is it the right way up?")
    head = stored.astype("<f2").tobytes()
    if quant == "Q8_0":
        return head + np.array(codes, np.int8).tobytes()
    # Each byte holds two codes: one of the first half of the block, and above it one of the second half.
    low, high = np.array(codes, np.uint8).reshape(2, BLOCK // 2)
    return head + (low | high << 4).tobytes()


def unpack_codes(quant: str, block: bytes) -> list[int]:
    """The 32 codes in the bytes of one block."""
    import numpy as np

    data = np.frombuffer(block, np.uint8)[_SCALE_BYTES:]
    if quant == "Q8_0":
        return data.view(np.int8).tolist()
    return [*(data & 15).tolist(), *(data >> 4).tolist()]


def _before_rounding(weights: np.ndarray, reference: bytes) -> tuple[float, ...]:
    import numpy as np

    scale = float(np.frombuffer(reference[:_SCALE_BYTES], "<f2")[0])
    return tuple((weights / scale if scale else weights).tolist())


def _checked_codes(codes: Sequence[int], quant: str) -> list[int]:
    low, high = CODES[quant]
    values = _vector(codes)
    if len(values) != BLOCK:
        raise LabError(f"There are {len(values)} codes.", f"A block has {BLOCK}, one for each weight.")
    for i, value in enumerate(values.tolist()):
        if value != int(value) or not low <= value <= high:
            raise LabError(
                f"Code {i + 1} is {value:g}. A code of {quant} is a whole number from {low} to {high}.",
                "Look at how it is rounded, and at the ends of the range.",
            )
    return [int(value) for value in values]


def _vector(values: Any) -> np.ndarray:
    """Numbers as a flat float64 array."""
    import numpy as np

    try:
        array = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise LabError(f"This is {describe(values)}, not a list of numbers.", "Give a NumPy array.") from None
    if not np.isfinite(array).all():
        raise LabError("One of the numbers is infinite or NaN.", "Was something divided by zero?")
    return array


def typical(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float((values**2).mean() ** 0.5)


def _hex(data: bytes) -> str:
    return data.hex(" ")
