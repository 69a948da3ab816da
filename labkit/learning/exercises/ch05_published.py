"""`ch05-published`: what the published measurements of Llama 3 8B say, in percent and in bits per weight."""

from __future__ import annotations

from typing import Any

from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.units import GIB

#: Perplexity and size in GiB, from `datasets/quantization_quality.csv`; a test compares them.
F16, Q8_0, Q4_K_M, Q2_K = (6.2316, 14.97), (6.2343, 7.96), (6.4071, 4.58), (9.7516, 2.96)
#: Of Llama 3 8B, from `datasets/architectures.csv`.
PARAMETERS = 8.03e9

_Q4_MORE, _Q2_MORE, _Q4_BITS, _Q2_BITS = (
    "q4_k_m_more_percent",
    "q2_k_more_percent",
    "q4_k_m_bits",
    "q2_k_bits",
)


def _more(run: tuple[float, float], base: tuple[float, float] = F16) -> float:
    """How much higher the perplexity is, in percent."""
    return 100 * (run[0] / base[0] - 1)


def _bits(run: tuple[float, float], unit: float = GIB) -> float:
    """Bits per weight."""
    return 8 * run[1] * unit / PARAMETERS


EXPECTED = {
    _Q4_MORE: (_more(Q4_K_M),),
    _Q2_MORE: (_more(Q2_K),),
    _Q4_BITS: (_bits(Q4_K_M),),
    _Q2_BITS: (_bits(Q2_K),),
}
_FORM = (
    f'The answer is a dictionary with four numbers: "{_Q4_MORE}", "{_Q2_MORE}", "{_Q4_BITS}" and '
    f'"{_Q2_BITS}".'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer."""
    return NumberAnswer(read_numbers(plain, dict.fromkeys(EXPECTED, ""), _FORM), EXPECTED)


def _percent_hints(key: str, run: tuple[float, float], rumour: float) -> Any:
    return hints_for(
        key,
        slip(
            key,
            f"{key[:2]}-difference",
            "That is the difference of the two perplexities. In percent of what? Divide it by the perplexity "
            "of F16, and multiply by 100.",
            run[0] - F16[0],
            100 * (run[0] - F16[0]),
        ),
        slip(
            key,
            f"{key[:2]}-ratio",
            "That is the ratio of the two. “Percent more” is the ratio minus 1, times 100.",
            run[0] / F16[0],
            100 * run[0] / F16[0],
        ),
        slip(
            key,
            f"{key[:2]}-share",
            "Nearly: in percent, it is that number times 100.",
            _more(run) / 100,
        ),
        slip(
            key,
            f"{key[:2]}-by-itself",
            "You divided by the perplexity of the quantized model. “More than F16” is measured in shares of "
            "F16.",
            100 * (1 - F16[0] / run[0]),
        ),
        slip(
            key,
            f"{key[:2]}-rumour",
            f"{rumour:g} % is what many tables on the web say, without naming what it is a percentage of. "
            "Compute it from the two perplexities.",
            rumour,
            100 - rumour,
        ),
        otherwise="Percent more: (perplexity of the quantized model / perplexity of F16 − 1) × 100.",
    )


def _bits_hints(key: str, run: tuple[float, float], nominal: float) -> Any:
    return hints_for(
        key,
        slip(
            key,
            f"{key[:2]}-name",
            "That is the number in the name. What the weights take follows from the size and the count.",
            nominal,
        ),
        slip(
            key,
            f"{key[:2]}-gb",
            "You took a GiB for 1,000,000,000 bytes. It has 1024 × 1024 × 1024.",
            _bits(run, 1e9),
        ),
        slip(
            key,
            f"{key[:2]}-bytes",
            "Those are bytes per weight. A byte has 8 bits.",
            _bits(run) / 8,
        ),
        slip(
            key,
            f"{key[:2]}-upside-down",
            "That is upside down: bits of the file, divided by the number of weights.",
            1 / _bits(run),
            8 / _bits(run),
        ),
        otherwise="Bits per weight: GiB × 1024³ × 8, divided by the number of weights.",
    )


PUBLISHED = Exercise(
    name="ch05-published",
    title="What the published figures say",
    prompt=(
        f"The authors of llama.cpp measured Llama 3 8B ({PARAMETERS / 1e9:.2f} billion weights) on a public "
        f"text. F16: perplexity {F16[0]}, {F16[1]} GiB. Q8_0: {Q8_0[0]}, {Q8_0[1]} GiB. Q4_K_M: {Q4_K_M[0]}, "
        f"{Q4_K_M[1]} GiB. Q2_K: {Q2_K[0]}, {Q2_K[1]} GiB.\n\n"
        "By how many percent is the perplexity higher than that of F16, for Q4_K_M and for Q2_K? And how "
        "many bits does each of these two take per weight? A GiB is 1024³ bytes.\n\nCompute, don't copy: the "
        "Llama 3.1 in the myths is another model. Give three significant digits."
    ),
    points=4,
    form=_FORM,
    blank=dict.fromkeys(EXPECTED),
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=(
        *_percent_hints(_Q4_MORE, Q4_K_M, 5),
        *_percent_hints(_Q2_MORE, Q2_K, 15),
        *_bits_hints(_Q4_BITS, Q4_K_M, 4),
        *_bits_hints(_Q2_BITS, Q2_K, 2),
    ),
    praise=lambda answer: (
        f"{_more(Q4_K_M):.1f} % and {_more(Q2_K):.0f} %: from Q4_K_M to Q2_K the file shrinks by "
        f"{100 * (1 - Q2_K[1] / Q4_K_M[1]):.0f} %, and the loss grows {_more(Q2_K) / _more(Q4_K_M):.0f} "
        "times. And neither name is the number of bits."
    ),
)
