"""`ch01-your-file`: bits per parameter of the learner's own file, and its memory beside its size."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.learning.quantities import describe
from labkit.measuring.size_run import SizeRecord
from labkit.units import MIB

_BITS, _TIMES = "bits_per_parameter", "memory_over_file"
_FORM = (
    'The answer is a dictionary with "record" (the line that print(sizes.record()) shows, in quotes), '
    f'"{_BITS}" and "{_TIMES}" (numbers).'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    got = read_numbers(plain, {_BITS: "", _TIMES: ""}, _FORM, also=("record",))
    text = plain["record"]
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = SizeRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    expected = {_BITS: (_bits(record),), _TIMES: (record.longest[1] / record.file_mib,)}
    return NumberAnswer(got, expected, record)


def _bits(record: SizeRecord) -> float:
    return 8 * record.file_bytes / record.parameters


def _times(record: SizeRecord) -> float:
    return record.longest[1] / record.file_mib


_BITS_HINTS = hints_for(
    _BITS,
    slip(
        _BITS,
        "bytes-not-bits",
        "Those are bytes per parameter. A byte has 8 bits.",
        lambda a: _bits(a.record) / 8,
    ),
    slip(
        _BITS,
        "mega-mixed",
        "A MiB is 2**20 bytes, not 10**6. Easier: the record gives the file in bytes.",
        lambda a: 8 * a.record.file_mib * 1e6 / a.record.parameters,
    ),
    slip(
        _BITS,
        "memory-not-file",
        "That is the memory per parameter. The question is about the file.",
        *(lambda a, i=i: 8 * a.record.readings[i][1] * MIB / a.record.parameters for i in (0, -1)),
    ),
    slip(
        _BITS,
        "upside-down",
        "That is upside down: bits of the file, divided by parameters.",
        lambda a: 1 / _bits(a.record),
        lambda a: 8 / _bits(a.record),
    ),
    slip(
        _BITS,
        "from-the-name",
        "That is the number in the quantization's name, or what one type takes. The file holds other types "
        "and a header too: what it really takes follows from its bytes.",
        *(float(bits) for bits in (2, 3, 4, 5, 6, 8)),
    ),
    otherwise="Bits per parameter: bytes of the file, times 8, divided by the parameters.",
)
_TIMES_HINTS = hints_for(
    _TIMES,
    slip(
        _TIMES,
        "short-context",
        "That is the short context. Take the memory with the longest one.",
        lambda a: a.record.readings[0][1] / a.record.file_mib,
    ),
    slip(
        _TIMES,
        "file-over-memory",
        "That is upside down: memory, divided by the size of the file.",
        lambda a: 1 / _times(a.record),
    ),
    slip(
        _TIMES,
        "mb-and-mib",
        "The memory is in MiB. Bring the file to MiB too: divide its bytes by 2**20, not by 10**6.",
        lambda a: a.record.longest[1] / (a.record.file_bytes / 1e6),
    ),
    slip(
        _TIMES,
        "percent",
        "That is in percent. The question is how many times.",
        lambda a: 100 * _times(a.record),
    ),
    slip(
        _TIMES,
        "only-what-is-added",
        "That is only what comes on top of the file. The whole memory counts.",
        lambda a: _times(a.record) - 1,
    ),
    otherwise="Memory with the longest context, in MiB, divided by the size of the file, in MiB.",
)


def _praise(answer: NumberAnswer) -> str:
    context, _ = answer.record.longest
    return (
        f"{_bits(answer.record):.2f} bits per parameter, header and vocabulary included, and "
        f"{_times(answer.record):.2f} times the file with {context:,} tokens of "
        "context. A figure of memory without a context length says little."
    )


YOUR_FILE = Exercise(
    name="ch01-your-file",
    title="Your own file, measured",
    prompt=(
        "Take your record. How many bits does the file take per parameter? And how many times the size of "
        "the file is the memory with the longest context that you measured?\n\nGive three digits, such as "
        "4.56."
    ),
    points=4,
    form=_FORM,
    blank={"record": "paste the line here", _BITS: None, _TIMES: None},
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: 2.0 * answer.right,
    known_mistakes=(*_BITS_HINTS, *_TIMES_HINTS),
    praise=_praise,
)
