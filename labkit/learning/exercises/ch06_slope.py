"""`ch06-your-slope`: bytes per token from the learner's own two readings, against the formula."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.learning.quantities import describe
from labkit.measuring.memory_record import MemoryRecord
from labkit.units import GIB, MIB

_UNITS = {
    "measured_bytes_per_token": "bytes",
    "computed_bytes_per_token": "bytes",
    "tokens_in_a_gib": "",
}
_FORM = (
    'The answer is a dictionary with "record" (the line that print(result.record()) shows, in quotes), '
    '"measured_bytes_per_token", "computed_bytes_per_token" and "tokens_in_a_gib" (numbers).'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    got = read_numbers(plain, _UNITS, _FORM, also=("record",))
    text = plain["record"]
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = MemoryRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    measured, computed = record.bytes_per_token, float(record.computed_bytes_per_token)
    expected = {
        "measured_bytes_per_token": (measured,),
        "computed_bytes_per_token": (computed,),
        # From the measured or from the computed figure, or from the number that was answered.
        "tokens_in_a_gib": (
            GIB / computed,
            GIB / measured,
            *(GIB / got[key] for key in ("measured_bytes_per_token", "computed_bytes_per_token")),
        ),
    }
    return NumberAnswer(got, expected, record)


def _measured(factor: float) -> Any:
    return lambda answer: answer.record.bytes_per_token * factor


def _computed(factor: float) -> Any:
    return lambda answer: answer.record.computed_bytes_per_token * factor


def _per_context(index: int) -> Any:
    """All the memory, divided by one of the contexts."""
    return lambda answer: answer.record.readings[index][1] * MIB / answer.record.readings[index][0]


def _query_heads(answer: NumberAnswer) -> float:
    return answer.record.computed_bytes_per_token * answer.record.heads / answer.record.kv_heads


_MISTAKES = (
    *hints_for(
        "measured_bytes_per_token",
        slip(
            "measured_bytes_per_token",
            "divided-by-context",
            "You divided all the memory by the tokens. The weights are in it too, and they do not grow. "
            "Take the difference of two readings, and divide by the difference of their tokens.",
            _per_context(0),
            _per_context(-1),
        ),
        slip(
            "measured_bytes_per_token",
            "one-context",
            "You took the difference of the memories, and divided by one context. Divide by the difference "
            "of the two.",
            lambda a: (
                a.record.bytes_per_token
                * (a.record.readings[-1][0] - a.record.readings[0][0])
                / a.record.readings[-1][0]
            ),
        ),
        slip(
            "measured_bytes_per_token",
            "in-mib",
            "That is in MiB for each token. The question asks for bytes: a MiB has 1,048,576.",
            _measured(1 / MIB),
        ),
        slip("measured_bytes_per_token", "in-kib", "That is in KiB: times 1024.", _measured(1 / 1024)),
        slip(
            "measured_bytes_per_token",
            "mb-not-mib",
            "A MiB is 1024 × 1024 bytes, not a million.",
            _measured(1e6 / MIB),
        ),
        slip(
            "measured_bytes_per_token",
            "measured-upside-down",
            "You divided the tokens by the bytes.",
            lambda a: 1 / a.record.bytes_per_token,
        ),
        otherwise="Subtract the smaller reading from the larger, in bytes; divide by the tokens between.",
    ),
    *hints_for(
        "computed_bytes_per_token",
        slip(
            "computed_bytes_per_token",
            "query-heads",
            "You counted the query heads. Only keys and values are cached: use the KV heads.",
            _query_heads,
        ),
        slip(
            "computed_bytes_per_token",
            "no-factor-2",
            "Half of it: a token leaves a key and a value, and each number takes 2 bytes. Count both twos.",
            _computed(0.5),
        ),
        slip(
            "computed_bytes_per_token",
            "no-layers",
            "That is one layer. All layers keep keys and values.",
            lambda a: a.record.computed_bytes_per_token / a.record.layers,
        ),
        slip(
            "computed_bytes_per_token",
            "bits-not-bytes",
            "Eight times too high: 16 bits are 2 bytes.",
            _computed(8),
        ),
        slip(
            "computed_bytes_per_token", "computed-in-kib", "That is in KiB: times 1024.", _computed(1 / 1024)
        ),
        otherwise="Multiply: 2 × layers × KV heads × head size × 2 bytes. The record has the three numbers.",
    ),
    *hints_for(
        "tokens_in_a_gib",
        slip(
            "tokens_in_a_gib",
            "gb-not-gib",
            "That many fit into a GB. A GiB is 1,073,741,824 bytes.",
            lambda a: 1e9 / a.record.computed_bytes_per_token,
        ),
        slip(
            "tokens_in_a_gib",
            "tokens-in-a-mib",
            "That many fit into a MiB. A GiB is 1024 times as large.",
            lambda a: MIB / a.record.computed_bytes_per_token,
        ),
        otherwise="A GiB is 1,073,741,824 bytes. Divide it by the bytes of one token.",
    ),
)


def _praise(answer: NumberAnswer) -> str:
    measured, computed = answer.record.bytes_per_token, answer.record.computed_bytes_per_token
    off = abs(measured / computed - 1)
    if off <= 0.1:
        return (
            f"Measured and computed differ by {off:.1%}. So the memory of any context can be known before "
            "the model is loaded."
        )
    return (
        f"Measured and computed differ by {off:.0%}. Besides the cache, buffers for the computation can "
        "grow with the context; on this machine they did."
    )


YOUR_SLOPE = Exercise(
    name="ch06-your-slope",
    title="Bytes per token, measured and computed",
    prompt=(
        "Take the record of your measurement. It holds the memory at several contexts, with the cache as "
        "f16, and the shape of the model.\n\n"
        "measured_bytes_per_token: by how many bytes did the memory grow with each token, from the shortest "
        "context to the longest?\n\n"
        "computed_bytes_per_token: what does the formula say?\n\n"
        "tokens_in_a_gib: how many tokens of this model fit into one GiB of cache?\n\n"
        "Give three significant digits."
    ),
    points=4,
    form=_FORM,
    blank={"record": "paste the line here", **dict.fromkeys(_UNITS)},
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=_MISTAKES,
    praise=_praise,
)
