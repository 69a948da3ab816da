"""`ch01-three-cards`: file size and memory of three published models, from the numbers on their cards."""

from __future__ import annotations

import functools
import html
import math
from dataclasses import dataclass
from typing import Any

from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers
from labkit.units import GIB

CONTEXT = 4096
#: relative; an answer has three digits, and may come from a file that differs by 1 % from the formula
_SLIP = 0.015


@dataclass(frozen=True)
class Card:
    """What the card says. A test compares it with `datasets/`."""

    key: str
    name: str
    architecture: str  #: id in architectures.csv
    parameters: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    quantization: str
    bits: float  #: per parameter, in the table of chapter 1 (Llama 3.1 8B)
    nominal_bits: float  #: what the name may be taken for
    real_bytes: int  #: of the published file, or of what llama-quantize would write

    @property
    def file_bytes(self) -> float:
        return self.parameters * self.bits / 8

    def context_bytes(self, heads: int | None = None) -> int:
        """Keys and values of the context at 2 bytes each."""
        return 2 * self.layers * (heads or self.kv_heads) * self.head_size * 2 * CONTEXT

    @property
    def file_gb(self) -> tuple[float, ...]:
        """By the table's bits, and as it really is."""
        return self.file_bytes / 1e9, self.real_bytes / 1e9

    @property
    def memory_gib(self) -> tuple[float, ...]:
        return tuple((size + self.context_bytes()) / GIB for size in (self.file_bytes, self.real_bytes))


CARDS = (
    Card("mistral", "Mistral 7B v0.3", "mistral-7b-v0.3", 7_248_023_552, 32, 32, 8, 128, "Q8_0", 8.51, 8.0,
         7_702_565_088),
    Card("qwen", "Qwen2.5 7B", "qwen2.5-7b", 7_615_616_512, 28, 28, 4, 128, "Q4_K_M", 4.90, 4.0,
         4_683_074_240),
    Card("llama", "Llama 2 7B", "llama-2-7b", 6_738_415_616, 32, 32, 32, 128, "Q5_K_M", 5.71, 5.0,
         4_783_640_736),
)  # fmt: skip
_UNITS = {
    f"{card.key}_{what}": unit for card in CARDS for what, unit in (("file_gb", "GB"), ("memory_gib", "GiB"))
}
_FORM = (
    'The answer is a dictionary with six numbers: "mistral_file_gb", "mistral_memory_gib", and the same for '
    "qwen and llama. File sizes are in GB, memory is in GiB."
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be."""
    got = read_numbers(plain, _UNITS, _FORM)
    expected = {}
    for card in CARDS:
        expected[f"{card.key}_file_gb"] = card.file_gb
        expected[f"{card.key}_memory_gib"] = card.memory_gib
    return NumberAnswer(got, expected)


Slips = dict[str, tuple[str, tuple[float, ...]]]  # name → hint, and the wrong values that it gives


def _nearest(key: str, slips: Slips, otherwise: str) -> tuple[KnownMistake, ...]:
    """One mistake per slip; some lie 1 % apart, so only the nearest to the answer is meant."""

    def off(answer: NumberAnswer, name: str) -> float:
        return min((abs(answer.got[key] / value - 1) for value in slips[name][1]), default=math.inf)

    def find(name: str, answer: NumberAnswer) -> str | None:
        nearest = min(slips, key=lambda other: off(answer, other))
        hit = name == nearest and off(answer, name) <= _SLIP and not answer.is_right(key)
        return slips[name][0] if hit else None

    mistakes = [KnownMistake(name, functools.partial(find, name)) for name in slips]
    return hints_for(key, *mistakes, otherwise=otherwise)


def _file_mistakes(card: Card) -> tuple[KnownMistake, ...]:
    n, size = card.name, card.file_bytes
    twice = (card.parameters * 2 * 4.90 / 8e9,) if card.quantization == "Q8_0" else ()
    slips: Slips = {
        "nominal-bits": (
            f"{n}: you took the bits from the name {card.quantization}. Each parameter takes more: see the "
            "table of published files.",
            (card.parameters * card.nominal_bits / 8e9,),
        ),
        "seven-billion": (
            f"{n}: “7B” is a name, not a count. Take the parameters from the card.",
            (7 * card.bits / 8, 7 * card.nominal_bits / 8),
        ),
        "twice-q4": (
            f"{n}: Q8_0 is not twice Q4_K_M. The table gives its own bits per parameter.",
            twice,
        ),
        "gib-for-gb": (
            f"{n}: that is the size in GiB (2**30 bytes). In GB (10**9 bytes) the number is larger.",
            (size / GIB,),
        ),
        "bits-as-bytes": (
            f"{n}: those would be bytes per parameter. The table gives bits; 8 bits are a byte.",
            (8 * size / 1e9,),
        ),
        "not-in-gb": (f"{n}: give the size in GB, 10**9 bytes.", (size, size / 1e6)),
    }
    otherwise = f"{n}: parameters × bits per parameter / 8 are bytes. Divide by 10**9 for GB."
    return _nearest(f"{card.key}_file_gb", slips, otherwise)


def _memory_mistakes(card: Card) -> tuple[KnownMistake, ...]:
    n, size, context = card.name, card.file_bytes, card.context_bytes()
    all_heads = card.context_bytes(card.heads)
    slips: Slips = {
        "context-forgotten": (
            f"{n}: that is the file alone. The keys and values of {CONTEXT:,} tokens come on top.",
            (size / GIB, size / 1e9),
        ),
        "gb-for-gib": (
            f"{n}: GB and GiB are mixed. Add bytes to bytes, then divide once by 2**30.",
            ((size + context) / 1e9, size / 1e9 + context / GIB),
        ),
        "query-heads": (
            f"{n}: keys and values have the KV heads ({card.kv_heads}), not all {card.heads} heads.",
            ((size + all_heads) / GIB,) if all_heads != context else (),
        ),
        "half-the-context": (
            f"{n}: half of the context's memory is missing. There are keys and values, and each number takes "
            "2 bytes.",
            ((size + context / 2) / GIB,),
        ),
        "context-alone": (f"{n}: that is the context alone. Add the weights.", (context / GIB,)),
        "one-token": (
            f"{n}: you added one token only. The context has {CONTEXT:,}.",
            ((size + context / CONTEXT) / GIB,),
        ),
    }
    otherwise = (
        f"{n}: bytes of the weights, plus 2 × layers × KV heads × head size × 2 bytes for each of "
        f"{CONTEXT:,} tokens; then divide by 2**30."
    )
    return _nearest(f"{card.key}_memory_gib", slips, otherwise)


def _rows() -> list[tuple[str, ...]]:
    return [
        ("", *(card.name for card in CARDS)),
        ("parameters", *(f"{card.parameters:,}" for card in CARDS)),
        ("quantization", *(card.quantization for card in CARDS)),
        ("layers", *(str(card.layers) for card in CARDS)),
        ("heads", *(str(card.heads) for card in CARDS)),
        ("KV heads", *(str(card.kv_heads) for card in CARDS)),
        ("head size", *(str(card.head_size) for card in CARDS)),
    ]


def _details_html() -> str:
    head, *rows = _rows()
    cells = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _details_text() -> str:
    return "\n".join(f"{row[0]:<14}" + "".join(f"{text:>17}" for text in row[1:]) for row in _rows())


def _praise(answer: NumberAnswer) -> str:
    parts = [
        f"{card.name} {card.quantization}: {card.real_bytes / 1e9:.2f} GB, {card.memory_gib[1]:.2f} GiB"
        for card in CARDS
    ]
    return (
        f"Beside yours, file and memory as they are: {'; '.join(parts)}. Three “7B” models, and the oldest "
        "one needs the most memory for its context: 2 GiB, since it has 32 KV heads."
    )


THREE_CARDS = Exercise(
    name="ch01-three-cards",
    title="Three models of 7B",
    prompt=(
        "Three models that are all called 7B, in three quantizations. Predict for each the size of the file "
        f"in GB, and the memory in GiB for its weights and {CONTEXT:,} tokens of context. Leave the working "
        "space out.\n\nTake the bits per parameter from the table of published files (Llama 3.1 8B): these "
        "three are within 1 % of it. Use Python as a calculator, and give three digits, such as 12.3."
    ),
    points=6,
    form=_FORM,
    blank=dict.fromkeys(_UNITS),
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=tuple(
        mistake for card in CARDS for mistake in (*_file_mistakes(card), *_memory_mistakes(card))
    ),
    praise=_praise,
    details_html=_details_html(),
    details_text=_details_text(),
)
