"""`ch04-quantize-block`: a function that quantizes a block of 32 weights to any number of bits.

With 4 bits it is llama.cpp's Q4_0, with 5 bits its Q5_0; tests compare the reference below with both. It is
pure Python, so that a judge needs no NumPy. It can be told to make mistakes; the smallest set of them that
gives the learner's blocks is what is said.
"""

from __future__ import annotations

import functools
import math
import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.function_mistakes import fewest_mistakes, known_mistakes
from labkit.learning.function_answer import Call, Case
from labkit.learning.quantities import describe

BLOCK = 32
Block = tuple[float, tuple[int, ...]]

#: name of a mistake → the hint that repairs it
MISTAKES = {
    "f16-forgotten": "Your scale has more digits than a file keeps. It is stored as a 16-bit number: return "
    "float(np.float16(scale)).",
    "not-rounded": "Your codes are rounded down, not to the nearest: the half step is missing before the "
    "floor.",
    "cut-off": "Your codes lose their digits (int cuts off towards zero). Round to the nearest whole number.",
    "not-shifted": "Your codes have signs. The stored ones begin at 0: with 4 bits they go from 0 to 15, and "
    "8 stands for a weight of 0.",
    "shifted-too-little": "Your codes are one too low. The code of a weight of 0 is half the number of "
    "codes: 8 with 4 bits.",
    "not-clipped": "One of your codes is one too high for its bits: 16 does not fit into 4 bits. What lies "
    "beyond the last code gets the last code.",
    "absolute-maximum": "You lost the sign of the largest weight. The scale is that weight, with its sign, "
    "divided by minus half the number of codes; so the scale itself may be negative.",
    "always-negative": "Your scale is always negative. It is the largest weight *with its sign*, divided by "
    "minus half the number of codes.",
    "maximum-not-largest": "You took the maximum of the weights. The largest one in size may be negative: "
    "-0.9 is larger in size than 0.5.",
    "sign-of-the-scale": "Your scale has the wrong sign. It is the largest weight divided by *minus* half "
    "the number of codes, so that this weight gets the code 0.",
    "minimum-to-maximum": "You spread the codes from the smallest weight to the largest. A block like that "
    "(Q4_1 in llama.cpp) has to store the smallest weight too. Here there is a scale and nothing else.",
    "divided-by-one-less": "You divided by one less than half the number of codes (7 with 4 bits). That is "
    "how Q8_0 does it. Here it is half the number of codes: 8 with 4 bits.",
    "divided-by-all-codes": "You divided by the number of codes. Half of them lie below zero: divide by half "
    "that number.",
    "always-four-bits": "It works with 4 bits, and only with 4: the numbers 8 and 15 are those of 4 bits. "
    "With `bits` bits there are 2**bits codes.",
    "inverse-scale": "You return 1 / scale. The file holds the scale itself.",
}
#: Two of the same row cannot both be made.
_EXCLUSIVE = (
    ("not-rounded", "cut-off"),
    ("absolute-maximum", "always-negative", "maximum-not-largest", "minimum-to-maximum"),
    ("absolute-maximum", "always-negative", "sign-of-the-scale", "minimum-to-maximum"),
    ("divided-by-one-less", "divided-by-all-codes", "minimum-to-maximum"),
    ("not-shifted", "shifted-too-little", "minimum-to-maximum"),
    ("not-clipped", "minimum-to-maximum"),
)
_MOST_MISTAKES = 4
#: A case keeps its weights so far from the middle between two codes, in steps, that neither the order of the
#: arithmetic nor the rounding of the scale to 16 bits can change a code.
_CLEAR = 0.02


def f16(value: float) -> float:
    """The nearest 16-bit floating-point number; infinity beyond the largest."""
    try:
        return float(struct.unpack("<e", struct.pack("<e", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def quantize(weights: Sequence[float], bits: int, mistakes: Iterable[str] = ()) -> Block:
    """Scale and codes of a block; with `mistakes`, wrong ones.

    Source: `quantize_row_q4_0_ref` and `quantize_row_q5_0_ref` in ggml-org/llama.cpp, ggml/src/ggml-quants.c.
    Taught in chapter 4.
    """
    made = frozenset(mistakes)
    n_codes = 16 if "always-four-bits" in made else 2**bits
    scale, zero = _scale_and_zero(weights, n_codes, made)
    stored = scale if "f16-forgotten" in made else f16(scale)
    if "inverse-scale" in made:
        stored = 1 / stored if stored else 0.0
    steps = [(weight - zero) / scale if scale else 0.0 for weight in weights]
    if "minimum-to-maximum" in made:
        return stored, tuple(_rounded(step, made) for step in steps)
    return stored, tuple(_code(step, n_codes, made) for step in steps)


def _scale_and_zero(weights: Sequence[float], n_codes: int, made: frozenset[str]) -> tuple[float, float]:
    """The scale, and the weight from which steps are counted."""
    if "minimum-to-maximum" in made:
        return (max(weights) - min(weights)) / (n_codes - 1), min(weights)
    half = n_codes // 2
    divisor = half - 1 if "divided-by-one-less" in made else half
    divisor = n_codes if "divided-by-all-codes" in made else divisor
    largest = max(weights) if "maximum-not-largest" in made else max(weights, key=abs)
    if made & {"absolute-maximum", "always-negative"}:
        return abs(largest) / (divisor if "absolute-maximum" in made else -divisor), 0.0
    return largest / (divisor if "sign-of-the-scale" in made else -divisor), 0.0


def _rounded(steps: float, made: frozenset[str]) -> int:
    if "cut-off" in made:
        return int(steps)
    return math.floor(steps if "not-rounded" in made else steps + 0.5)


def _code(steps: float, n_codes: int, made: frozenset[str]) -> int:
    """The code of a weight that is `steps` scales large."""
    half, code = n_codes // 2, _rounded(steps, made)
    lowest = -half if "not-shifted" in made else 0
    if "not-shifted" not in made:
        code += half - 1 if "shifted-too-little" in made else half
    return code if "not-clipped" in made else max(lowest, min(code, lowest + n_codes - 1))


# ---------------------------------------------------------------- the cases


def draw_cases(rng: random.Random) -> list[Case]:
    """Blocks of every kind, drawn afresh; a check calls the function on each of them."""
    return [
        _case("4 bits, the largest weight is negative", _draw(rng, 4, sign=-1), 4),
        _case("4 bits, the largest weight is positive", _draw(rng, 4, sign=1), 4),
        _case("4 bits, both ends alike", _draw(rng, 4, sign=rng.choice((-1, 1)), ends=True), 4),
        _case("4 bits, very small weights", _draw(rng, 4, sign=rng.choice((-1, 1)), size=1e-3), 4),
        _case("4 bits, every weight 0", [0.0] * BLOCK, 4),
        _case("5 bits", _draw(rng, 5, sign=-1, ends=True), 5),
        _case("5 bits, the largest weight is positive", _draw(rng, 5, sign=1), 5),
        _case("3 bits", _draw(rng, 3, sign=rng.choice((-1, 1)), ends=True), 3),
    ]


def _case(kind: str, weights: list[float], bits: int) -> Case:
    return Case(f"a block with {kind},", (weights, bits))


def _draw(rng: random.Random, bits: int, *, sign: int, ends: bool = False, size: float = 0.05) -> list[float]:
    """32 weights, scattered as in a model; the largest has this sign. `ends`: the opposite end is as far."""
    scale = size * rng.uniform(0.7, 1.4)
    largest = _as_f32(sign * scale * rng.uniform(2.4, 3.2))
    weights = []
    while len(weights) < BLOCK - 1 - ends:
        weight = _as_f32(rng.gauss(0, scale))
        if abs(weight) < 0.9 * abs(largest) and _is_clear(weight, largest, bits):
            weights.append(weight)
    if ends:  # nearer to one step beyond the last code than to the last one, so that it has to be clipped
        weights.append(_as_f32(-largest * (1 - 0.2 / 2 ** (bits - 1))))
    weights.append(largest)
    rng.shuffle(weights)
    return weights


def _is_clear(weight: float, largest: float, bits: int) -> bool:
    """Is a weight's code the same, however the arithmetic is done?"""
    steps = weight / (largest / -(2 ** (bits - 1)))
    return abs(steps - math.floor(steps) - 0.5) > _CLEAR


def _as_f32(value: float) -> float:
    """The nearest 32-bit number: what a weight is."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


# ---------------------------------------------------------------- the judge: pure, calls in, sentences out


@dataclass(frozen=True)
class Quantized:
    """A read answer: what the function gave for each block."""

    calls: tuple[Call, ...]
    blocks: tuple[Block, ...]

    @property
    def wrong(self) -> list[tuple[Case, Block, Block]]:
        """The cases that went wrong, with the block given and the right one."""
        pairs = [(call.case, block) for call, block in zip(self.calls, self.blocks, strict=True)]
        return [(c, got, right) for c, got in pairs if got != (right := quantize(*c.arguments))]

    @functools.cached_property
    def mistakes(self) -> tuple[str, ...]:
        """The fewest mistakes that together give exactly these blocks; empty when there are none such."""
        return fewest_mistakes(MISTAKES, self._gives, most=_MOST_MISTAKES, exclusive=_EXCLUSIVE)

    def _gives(self, made: tuple[str, ...]) -> bool:
        return all(
            quantize(*call.case.arguments, made) == block
            for call, block in zip(self.calls, self.blocks, strict=True)
        )


def read(calls: tuple[Call, ...]) -> Quantized:
    """The typed answer; a LabError when one of the values is no scale with 32 codes."""
    return Quantized(calls, tuple(_read_block(call) for call in calls))


def _read_block(call: Call) -> Block:
    on, value = f"On {call.case.title} your function returned", call.value
    if type(value) is not list or len(value) != 2:
        raise LabError(f"{on} {describe(value)}, not two things.", _RETURN)
    scale, codes = value
    if type(scale) is list and type(codes) is not list:
        raise LabError(f"{on} the codes first.", _RETURN)
    if type(scale) not in (int, float):
        raise LabError(f"{on} {describe(scale)} as the scale, not a number.", _RETURN)
    if type(codes) is not list or not all(type(code) in (int, float) for code in codes):
        raise LabError(f"{on} something else than a list of numbers as the codes.", _RETURN)
    if not all(map(math.isfinite, (scale, *codes))):
        raise LabError(f"{on} a number that is infinite or NaN.", _DIVISION)
    if len(codes) != BLOCK:
        packed = " Do not pack two codes into a byte here." if len(codes) == BLOCK // 2 else ""
        raise LabError(f"{on} {len(codes)} codes.{packed}", f"There is one for each of the {BLOCK} weights.")
    odd = [code for code in codes if code != int(code)]
    if odd:
        raise LabError(f"{on} {odd[0]:g} as a code. Codes are whole numbers.", "Round them.")
    if not any(call.case.arguments[0]) and any(abs(code) > 2**31 - 2 for code in codes):
        # NumPy makes the smallest whole number of NaN.
        raise LabError(f"{on} the code {codes[0]:g}.", _DIVISION)
    return float(scale), tuple(int(code) for code in codes)


_RETURN = "Return the scale and the list of codes: return scale, codes"
_DIVISION = "Where all weights are 0, the scale is 0: do not divide by it. All codes are then the one of 0."


def is_right(answer: Quantized) -> bool:
    """Is each scale and each code the reference's?"""
    return not answer.wrong


def _where(answer: Quantized) -> str:
    """The first case that went wrong, and which part of it."""
    case, got, right = answer.wrong[0]
    n = sum(a != b for a, b in zip(got[1], right[1], strict=True))
    parts = ["the scale"] if got[0] != right[0] else []
    parts += [f"{n} of {BLOCK} codes"] if n else []
    return f"Wrong on {case.title.rstrip(',')}. Not right: {' and '.join(parts)}."


def _zero_block(answer: Quantized) -> str | None:
    wrong = answer.wrong
    if len(wrong) == 1 and not any(wrong[0][0].arguments[0]):
        return f"{_where(answer)} {_DIVISION}"
    return None


def _elsewhere(answer: Quantized) -> str:
    """How far the first wrong code or the scale is off."""
    case, got, right = answer.wrong[0]
    if got[0] != right[0] and right[0]:
        look = f"Your scale is {got[0] / right[0]:.3g} times the right one."
    else:
        shifts = {a - b for a, b in zip(got[1], right[1], strict=True)} - {0}
        each = f"by {abs(shifts.pop())}" if len(shifts) == 1 else "by different amounts"
        look = f"Your codes are off {each}. Compare them with those of the block in the chapter."
    return f"{_where(answer)} {look}"


def _stub(weights, bits):  # what stands in the answer cell
    ...


QUANTIZE_BLOCK = Exercise(
    name="ch04-quantize-block",
    title="Quantize a block to any number of bits",
    prompt=(
        "Write a function that takes a block of 32 weights and a number of bits, and returns the scale and "
        "the 32 codes. The weights come as a list; np.array(weights) lets you compute with it as above. With "
        "4 bits the function does what you saw for Q4_0: a weight of 0 gets the code 8, and no code is "
        "larger than 15. Make the codes with the scale as computed. Return it as a 16-bit number: "
        "np.float16(scale).\n\n"
        "With another number of bits the rule is the same, but 8 and 15 are other numbers: work out which. "
        "With 5 bits the ruler has 32 marks, 0 to 31. (That is Q5_0 in llama.cpp. Q8_0 follows another rule: "
        "it divides by 127.) A block may also hold nothing but zeros: its scale is 0, and every code is the "
        "one of 0.\n\nThe function is called on eight blocks, drawn afresh for each check."
    ),
    points=6,
    form="The answer is a function: def quantize_block(weights, bits), and at its end return scale, codes.",
    blank=_stub,
    read=read,
    judge=is_right,
    cases=draw_cases,
    known_mistakes=(
        *known_mistakes(MISTAKES, _where),
        KnownMistake("zero-block", _zero_block),
        KnownMistake("elsewhere", _elsewhere),
    ),
    praise=lambda answer: (
        f"Exact on {len(answer.calls)} blocks that nobody has seen before. With 4 bits your function is "
        "llama.cpp's Q4_0, with 5 bits its Q5_0."
    ),
)
