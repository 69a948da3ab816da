"""`ch04-your-speed`: what the learner's own measurement says about bytes, writing and reading."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.learning.quantities import describe
from labkit.learning.rounding import is_coarse
from labkit.measuring.quant_record import QuantRecord
from labkit.units import MIB

_WRITE, _READ, _GB = "generation_ratio", "prompt_ratio", "gb_per_second"
_UNITS = {_WRITE: "", _READ: "", _GB: ""}
#: The median of the rounds' ratios lies this near to the ratio of the medians, relative.
_NEAR = 0.25
_TG, _PP, _MIB = 1, 2, 3
_FORM = (
    'The answer is a dictionary with "record" (the line that print(result.record()) shows, in quotes), '
    f'"{_WRITE}", "{_READ}" and "{_GB}" (numbers).'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    got = read_numbers(plain, _UNITS, _FORM, also=("record",))
    text = plain["record"]
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = QuantRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    if record.first[0] != "F16" or record.last[0] != "Q4_0":
        raise LabError(
            f"This record goes from {record.first[0]} to {record.last[0]}.",
            "The exercise needs the one from F16 to Q4_0: result = lk.compare_quant_speeds()",
        )
    expected = {
        _WRITE: (record.last[_TG] / record.first[_TG],),
        _READ: (record.last[_PP] / record.first[_PP],),
        _GB: (_gb_per_second(record.last),),
    }
    return NumberAnswer(got, expected, record)


def _gb_per_second(run: tuple[str, float, float, float]) -> float:
    return run[_MIB] * MIB * run[_TG] / 1e9


def _ratio(column: int, above: int = -1, below: int = 0) -> Any:
    """One column of one run over that of another; runs are counted from the one with the most bytes."""
    return lambda answer: answer.record.runs[above][column] / answer.record.runs[below][column]


def _of_rounds(key: str) -> KnownMistake:
    """The figure under the table is the median over the rounds; the record holds two medians."""

    def find(answer: NumberAnswer) -> str | None:
        got, expected = answer.got[key], answer.expected[key]
        near = abs(got / expected[0] - 1) <= _NEAR
        if answer.is_right(key) or not near or is_coarse(got, *expected):
            return None
        return (
            "Close. Is it the figure from the sentence under the table? That one is the median of each "
            "round's own ratio. Here, divide the two speeds of the record."
        )

    return KnownMistake(f"{key.replace('_', '-')}-of-rounds", find)


def _speed_hints(key: str, column: int, other: int, words: str) -> tuple[KnownMistake, ...]:
    """The slips with one of the two speeds."""
    name = key.replace("_", "-")
    return hints_for(
        key,
        slip(
            key,
            f"{name}-upside-down",
            "You divided the other way round. “How many times as fast as B is A” is the speed of A divided "
            "by that of B.",
            _ratio(column, 0, -1),
        ),
        slip(
            key,
            f"{name}-of-the-other-speed",
            "That is the other speed. In the record, tg stands behind the speed of generation, pp behind "
            "that of prompt processing.",
            _ratio(other),
        ),
        slip(
            key,
            f"{name}-with-q8",
            "One of your two is Q8_0. The question is about Q4_0 and F16.",
            _ratio(column, -1, 1),
            _ratio(column, 1, 0),
        ),
        slip(key, f"{name}-percent", _PERCENT, lambda a: 100 * a.expected[key][0]),
        slip(key, f"{name}-from-sizes", "Those are the sizes, in MiB.", _ratio(_MIB, 0, -1)),
        _of_rounds(key),
        otherwise=f"It is the speed of {words} with Q4_0 divided by that with F16, from your record.",
    )


_PERCENT = "That is in percent. A ratio is one number divided by the other: 200 % is 2."

_MISTAKES = (
    *_speed_hints(_WRITE, _TG, _PP, "generation (tg)"),
    *_speed_hints(_READ, _PP, _TG, "prompt processing (pp)"),
    *hints_for(
        _GB,
        slip(
            _GB,
            "mib-as-mb",
            "You took a MiB for a million bytes. It is 1024 × 1024 = 1,048,576 bytes.",
            lambda a: a.record.last[_MIB] * a.record.last[_TG] / 1000,
        ),
        slip(
            _GB,
            "gib-not-gb",
            "That is in GiB (1024³ bytes). The question asks for GB: a thousand million bytes.",
            lambda a: a.record.last[_MIB] * a.record.last[_TG] / 1024,
        ),
        slip(
            _GB,
            "in-mb",
            "That is in MB or MiB per second. A GB is a thousand MB.",
            lambda a: a.record.last[_MIB] * a.record.last[_TG],
            lambda a: 1000 * a.expected[_GB][0],
        ),
        slip(
            _GB,
            "prompt-speed",
            "You took the speed of prompt processing. There a weight that is read once serves many tokens; "
            "in generation all weights are read for each token.",
            lambda a: a.record.last[_MIB] * MIB * a.record.last[_PP] / 1e9,
        ),
        slip(
            _GB,
            "of-f16",
            "That is F16. The question is about Q4_0.",
            lambda a: _gb_per_second(a.record.first),
        ),
        slip(
            _GB,
            "bits-not-bytes",
            "A byte has 8 bits: that number is in gigabits.",
            lambda a: 8 * a.expected[_GB][0],
        ),
        slip(
            _GB,
            "divided-not-multiplied",
            "You divided. Each token reads all the bytes, so a second reads bytes × tokens.",
            lambda a: a.record.last[_MIB] / a.record.last[_TG],
            lambda a: a.record.last[_MIB] * MIB / a.record.last[_TG] / 1e9,
        ),
        otherwise="It is the size of the Q4_0 weights in bytes, times the tokens generated per second, "
        "divided by a thousand million.",
    ),
)


def _praise(answer: NumberAnswer) -> str:
    record, got = answer.record, answer.got
    saving = record.first[_MIB] / record.last[_MIB]
    whole = _gb_per_second(record.first)
    start = f"With {saving:.2g} times fewer bytes your machine wrote {got[_WRITE]:.2g} times as fast"
    if got[_WRITE] <= 1.05:
        start = f"With {saving:.2g} times fewer bytes your machine wrote no faster ({got[_WRITE]:.2g} times)"
    return (
        f"{start}, and processed a prompt {got[_READ]:.2g} times as fast. While it writes, it reads "
        f"{got[_GB]:.3g} GB of weights a second with Q4_0, and {whole:.3g} GB with F16."
    )


YOUR_SPEED = Exercise(
    name="ch04-your-speed",
    title="What your machine says",
    prompt=(
        "Take the record of your measurement. For each format it gives the speed of generation (tg) and of "
        "prompt processing (pp), both in tokens/s, and the size of the weights.\n\n"
        f"{_WRITE}: how many times as fast as with F16 did the model generate with Q4_0? Divide the two "
        "speeds of the record. (The sentence under the table may give another figure: the "
        "median of the ratios within each round.)\n\n"
        f"{_READ}: the same for prompt processing.\n\n"
        f"{_GB}: to write one token, the model reads all its weights once. How many GB of weights per second "
        "is that with Q4_0? (A MiB is 1,048,576 bytes, a GB is 1,000,000,000.)\n\n"
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
