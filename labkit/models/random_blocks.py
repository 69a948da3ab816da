"""Random weights in every tensor type of GGUF, made as blocks: nothing is quantized.

A block is what the format stores: a scale or two, and small whole numbers. Any whole numbers in range with
sensible scales make a valid block, so blocks can be drawn at random. The speed of a model does not depend on
the values of its weights, as long as none is infinite, not a number, or so small that the processor needs
longer for it (a denormal), and the scales differ as much as real ones do. Taught in chapters 2 and 7.

Layouts: ggml-org/llama.cpp, ggml/src/ggml-common.h and the `dequantize_row_*` functions of ggml-quants.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME

if TYPE_CHECKING:
    import numpy as np

#: A pool of blocks is about this large: it stays in the processor's cache while it is written again and
#: again.
_POOL_BYTES = 1 << 20
# Scales scatter as in real models, for a reason: on x86 llama.cpp looks a block's scale up in a table of all
# f16 numbers, 256 KiB. With scales that lie close together, the part of it in use would stay in the fastest
# cache and a twin generate up to a tenth faster than its model; with too many different ones, slower.
#: Standard deviation of a scale's logarithm within a row, and of the rows' own. Seen in SmolLM2-135M Q4_1 and
#: Gemma 3 270M Q4_K_M: within a row 0.15 to 0.29 (the largest of 32 normal numbers has 0.18), rows 0.09 to
#: 0.36 in the feed-forward blocks; within a row of the embeddings 0.36.
_LOG_STD, _LOG_STD_ROWS, _BLOCKS_PER_ROW = 0.19, 0.17, 32
#: cut off at so many standard deviations
_LOWEST, _HIGHEST = -2.5, 2.5
#: likewise the smallest and the largest weight of a block around their middle
_LOG_STD_EXTREMES = 0.13
#: the smallest f16 that is normal, and one of which even the scatter is finite
_SMALLEST_SCALE = 2.0**-14
_LARGEST_SCALE = 65504 / 4


@dataclass(frozen=True)
class _Kind:
    """How to draw blocks of one type.

    Attributes
    ----------
    unit_std : standard deviation of the weights where the scale is 1.
    scales : (offset in the block, factor): an f16 of scale × factor goes there.
    digits : `digits(random, n)` gives n blocks, uint8 (n, block_bytes), whose scales are not yet set.
    leans : the digits lean to one side: scales get either sign, so that the weights do not.
    steps : the scale is the block's largest weight over so many steps, or, in a type with a second scale, the
        range of its weights. Models are trained in BF16, so those have few digits, and the scales few values.
        0: the scale is the result of a search, and may be any number.
    """

    unit_std: float
    scales: tuple[tuple[int, float], ...]
    digits: Callable[[np.random.Generator, int], np.ndarray]
    leans: bool = False
    steps: int = 0


def block_pool(type_name: str, std: float, seed: int, *, spread: float = 1.0) -> np.ndarray:
    """Random blocks whose weights have about the standard deviation `std`: uint8 (n_blocks, block_bytes).

    Their number is prime, so that rows of a matrix that are taken from the pool one after the other, over and
    over, are not equal. `spread` says how far scales scatter: 1 as in most matrices, 1.5 in embeddings.
    Raises LabError for a type that no model file stores.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    tensor_type = TYPES_BY_NAME.get(type_name)
    n = _prime_up_to(_POOL_BYTES // tensor_type.block_bytes) if tensor_type else 0
    if type_name in ("F32", "F16", "BF16"):
        return _plain(type_name, random, n, std)
    if type_name in ("MXFP4", "NVFP4"):
        return _small_floats(type_name, random, n, std)
    if type_name not in _KINDS:
        raise LabError(
            f"Random weights of the type {type_name} can't be made.", "Choose another quantization."
        )
    kind = _KINDS[type_name]
    blocks = kind.digits(random, n)
    largest = max(abs(factor) for _, factor in kind.scales or ((0, 1.0),))
    scale = min(max(std / kind.unit_std, _SMALLEST_SCALE), _LARGEST_SCALE / largest)
    by_row = _scatter(random, n // _BLOCKS_PER_ROW + 1, _LOG_STD_ROWS).repeat(_BLOCKS_PER_ROW)
    drawn = scale * by_row[:n] * _scatter(random, n, spread * _LOG_STD)
    if type_name == "IQ1_M":
        return _with_split_scale(blocks, np.maximum(drawn, _SMALLEST_SCALE))
    for (offset, _), values in zip(kind.scales, _scales(kind, random, drawn), strict=True):
        normal = np.copysign(np.maximum(np.abs(values), _SMALLEST_SCALE), values)
        blocks[:, offset : offset + 2] = normal.astype("<f2").view(np.uint8).reshape(n, 2)
    return blocks


def _scales(kind: _Kind, random: np.random.Generator, drawn: np.ndarray) -> list[np.ndarray]:
    """The numbers to store for blocks of the scale `drawn`: one array for each of the kind's scales."""
    n, steps = len(drawn), kind.steps
    if not steps:
        sign = random.choice([-1.0, 1.0], n) if kind.leans else 1.0
        return [sign * drawn * factor for _, factor in kind.scales]
    if len(kind.scales) == 1:
        sign = random.choice([-1.0, 1.0], n) if kind.leans else 1.0
        return [sign * _as_bf16(drawn * steps) / steps]
    below, above = (_as_bf16(drawn * steps / 2 * _scatter(random, n, _LOG_STD_EXTREMES)) for _ in range(2))
    return [(below + above) / steps, -below]


def _as_bf16(values: np.ndarray) -> np.ndarray:
    """The nearest numbers of eight significant bits below."""
    return (values.astype("<f4").view("<u4") & 0xFFFF0000).astype("<u4").view("<f4").astype(float)


def _scatter(random: np.random.Generator, n: int, log_std: float) -> np.ndarray:
    """Factors with a root mean square of about 1."""
    import numpy as np

    return np.exp(log_std * np.clip(random.standard_normal(n), _LOWEST, _HIGHEST) - log_std**2)


def _prime_up_to(n: int) -> int:
    while any(n % divisor == 0 for divisor in range(2, math.isqrt(n) + 1)):
        n -= 1
    return n


def _plain(type_name: str, random: np.random.Generator, n: int, std: float) -> np.ndarray:
    """Floating-point numbers of magnitude 0.5 to 1.5 times `std`: none is near zero, so none is denormal."""
    import numpy as np

    values = (random.uniform(0.5, 1.5, n) * random.choice([-1.0, 1.0], n) * std / 1.041).astype("<f4")
    if type_name == "F16":
        values = values.astype("<f2")
    elif type_name == "BF16":
        values = (values.view("<u4") >> 16).astype("<u2")
    return values.view(np.uint8).reshape(n, -1)


def _small_floats(type_name: str, random: np.random.Generator, n: int, std: float) -> np.ndarray:
    """Four-bit floats (0 0.5 1 1.5 2 3 4 6 and their negatives) with a scale of eight bits."""
    import numpy as np

    blocks = _any_bytes(TYPES_BY_NAME[type_name].block_bytes)(random, n)
    exponent = round(math.log2(std / 2.93))  # 2.93: their root mean square
    if type_name == "MXFP4":  # a power of two, biased by 127
        blocks[:, 0] = np.clip(127 + exponent + random.integers(-1, 2, n), 64, 190)
    else:  # four of them: exponent of four bits, biased by 7, above three of mantissa; 1 to 14 are normal
        exponents = np.clip(7 + exponent + random.integers(-1, 2, (n, 4)), 1, 14)
        blocks[:, :4] = exponents << 3 | random.integers(0, 8, (n, 4))
    return blocks


def _any_bytes(n_bytes: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """For types in which all bits of the digits may be set or not."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        return random.integers(0, 256, (n, n_bytes), dtype="uint8")

    return draw


def _q8_0(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = random.integers(-127, 128, (n, 34), dtype="int8")  # -128 does not occur in this type
    return blocks.view("uint8")


def _q2_k(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = _any_bytes(84)(random, n)
    # Scale and minimum of a group are alike, so that its weights lie around zero; likewise in Q4_K and Q5_K.
    blocks[:, :16] = random.integers(1, 16, (n, 16), dtype="uint8") * 0x11
    return blocks


def _q4_k(n_bytes: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Q4_K and Q5_K: eight scales and eight minimums of six bits, from 1 to 7 here."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        blocks = _any_bytes(n_bytes)(random, n)
        blocks[:, 4:8] = blocks[:, 8:12] = random.integers(1, 8, (n, 4), dtype="uint8")
        blocks[:, 12:16] = random.integers(1, 8, (n, 4), dtype="uint8") * 0x11
        return blocks

    return draw


def _q6_k(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = _any_bytes(210)(random, n)
    scales = random.integers(1, 8, (n, 16), dtype="int8") * random.choice([-1, 1], (n, 16)).astype("int8")
    blocks[:, 192:208] = scales.view("uint8")
    return blocks


def _iq4_xs(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = _any_bytes(136)(random, n)
    # Eight scales of six bits, biased by 32: -2, -1, 1 or 2 here.
    scales = 32 + random.integers(1, 3, (n, 8)) * random.choice([-1, 1], (n, 8))
    blocks[:, 4:8] = (scales[:, 0::2] & 15) | (scales[:, 1::2] & 15) << 4
    high = sum((scales[:, i] >> 4) << 2 * i for i in range(8))
    blocks[:, 2], blocks[:, 3] = high & 255, high >> 8
    return blocks


def _iq3_xxs(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = _any_bytes(98)(random, n)
    blocks[:, 69::4] &= 0x3F  # scales of four bits, from 0 to 3 here
    return blocks


def _iq3_s(random: np.random.Generator, n: int) -> np.ndarray:
    blocks = _any_bytes(110)(random, n)
    blocks[:, 106:] &= 0x33  # likewise
    return blocks


def _ternary(n_bytes: int, first: int, last: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Four digits of two bits in each byte from `first` to `last`; the digit 3 does not occur."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        blocks = _any_bytes(n_bytes)(random, n)
        digits = random.integers(0, 3, (n, last - first, 4), dtype="uint8")
        blocks[:, first:last] = (digits << [0, 2, 4, 6]).sum(axis=2)
        return blocks

    return draw


def _with_split_scale(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """IQ1_M keeps its f16 scale in the upper four bits of four numbers of 16 bits."""
    bits = scales.astype("<f2").view("<u2")
    for i in range(4):
        nibble = (bits >> 4 * i & 15).astype("uint8")
        blocks[:, 49 + 2 * i] = blocks[:, 49 + 2 * i] & 0x0F | nibble << 4
    return blocks


_FIRST = ((0, 1.0),)
_KINDS: dict[str, _Kind] = {
    "Q1_0": _Kind(1.0, _FIRST, _any_bytes(18)),
    "Q2_0": _Kind(0.82, _FIRST, _ternary(18, 2, 18)),
    "Q4_0": _Kind(4.64, _FIRST, _any_bytes(18), leans=True, steps=8),
    "Q4_1": _Kind(4.61, ((0, 1.0), (2, -7.5)), _any_bytes(20), steps=15),
    "Q5_0": _Kind(9.25, _FIRST, _any_bytes(22), leans=True, steps=16),
    "Q5_1": _Kind(9.23, ((0, 1.0), (2, -15.5)), _any_bytes(24), steps=31),
    "Q8_0": _Kind(73.6, _FIRST, _q8_0, steps=127),
    "Q2_K": _Kind(10.2, ((80, 1.0), (82, 1.5)), _q2_k),
    "Q3_K": _Kind(43.3, ((108, 1.0),), _any_bytes(110), leans=True),
    "Q4_K": _Kind(20.6, ((0, 1.0), (2, 7.5)), _q4_k(144)),
    "Q5_K": _Kind(41.3, ((0, 1.0), (2, 15.5)), _q4_k(176)),
    "Q6_K": _Kind(82.7, ((208, 1.0),), _q6_k, leans=True),
    "IQ1_S": _Kind(7.2, _FIRST, _any_bytes(50)),
    "IQ1_M": _Kind(7.2, (), _any_bytes(56)),
    "IQ2_XXS": _Kind(53.3, _FIRST, _any_bytes(66)),
    "IQ2_XS": _Kind(55.9, _FIRST, _any_bytes(74)),
    "IQ2_S": _Kind(56.3, _FIRST, _any_bytes(82)),
    "IQ3_XXS": _Kind(35.2, _FIRST, _iq3_xxs),
    "IQ3_S": _Kind(34.9, _FIRST, _iq3_s),
    "IQ4_NL": _Kind(67.2, _FIRST, _any_bytes(18), leans=True),
    "IQ4_XS": _Kind(107.0, _FIRST, _iq4_xs),
    "TQ1_0": _Kind(0.82, ((52, 1.0),), _any_bytes(54)),
    "TQ2_0": _Kind(0.82, ((64, 1.0),), _ternary(66, 0, 64)),
}
