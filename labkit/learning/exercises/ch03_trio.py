"""`ch03-your-trio`: what the learner's own three measurements say about memory and speed."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.learning.quantities import describe
from labkit.learning.rounding import is_coarse
from labkit.measuring.trio_record import TrioRecord

#: The median of the rounds' ratios lies this near to the ratio of the medians, relative.
_NEAR = 0.2
_KEYS = {"speed_ratio": "", "memory_ratio": ""}
_FORM = (
    'The answer is a dictionary with "record" (the line that print(result.record()) shows, in quotes), '
    '"speed_ratio" and "memory_ratio" (numbers).'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    got = read_numbers(plain, _KEYS, _FORM, also=("record",))
    text = plain["record"]
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = TrioRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    expected = {
        "speed_ratio": (record.moe[0] / record.large[0],),
        "memory_ratio": (record.moe[1] / record.small[1],),
    }
    return NumberAnswer(got, expected, record)


def _speed(above: str, below: str) -> Any:
    return lambda answer: getattr(answer.record, above)[0] / getattr(answer.record, below)[0]


def _memory(above: str, below: str) -> Any:
    return lambda answer: getattr(answer.record, above)[1] / getattr(answer.record, below)[1]


def _ratio_of_rounds(answer: NumberAnswer) -> str | None:
    """The figure under the table is the median over the rounds; the record holds two medians."""
    got, expected = answer.got["speed_ratio"], answer.expected["speed_ratio"]
    near = abs(got / expected[0] - 1) <= _NEAR
    if answer.is_right("speed_ratio") or not near or is_coarse(got, *expected):
        return None
    return (
        "Close. Is it the figure from the sentence under the table? That one is the median of each round's "
        "own ratio. Here, divide the two speeds of the record."
    )


_PERCENT = "That is in percent. A ratio is one number divided by the other: 200 % is 2."

_MISTAKES = (
    *hints_for(
        "speed_ratio",
        slip(
            "speed_ratio",
            "speed-upside-down",
            "You divided the other way round. “How many times as fast as B is A” is the speed of A divided "
            "by that of B.",
            _speed("large", "moe"),
        ),
        slip(
            "speed_ratio",
            "speed-over-small",
            "That is the mixture against the small dense model, or the small against the large. The question "
            "is about the mixture and the large one.",
            _speed("moe", "small"),
            _speed("small", "moe"),
            _speed("small", "large"),
        ),
        slip("speed_ratio", "speed-percent", _PERCENT, lambda a: 100 * a.expected["speed_ratio"][0]),
        slip(
            "speed_ratio",
            "speed-from-memory",
            "Those are the memories. Speed is in tok/s.",
            _memory("moe", "large"),
        ),
        KnownMistake("speed-of-rounds", _ratio_of_rounds),
        otherwise="It is the speed of moe divided by the speed of large, both in tok/s, from your record.",
    ),
    *hints_for(
        "memory_ratio",
        slip(
            "memory_ratio",
            "memory-upside-down",
            "You divided the other way round: the memory of the mixture comes first.",
            _memory("small", "moe"),
        ),
        slip(
            "memory_ratio",
            "memory-over-large",
            "That is the mixture against the large dense model. The question is about the small one.",
            _memory("moe", "large"),
            _memory("large", "moe"),
        ),
        slip("memory_ratio", "memory-percent", _PERCENT, lambda a: 100 * a.expected["memory_ratio"][0]),
        slip(
            "memory_ratio", "memory-from-speed", "Those are speeds. Memory is in MiB.", _speed("moe", "small")
        ),
        otherwise="It is the memory of moe divided by the memory of small, both in MiB, from your record.",
    ),
)


def _praise(answer: NumberAnswer) -> str:
    speed, memory = answer.got["speed_ratio"], answer.got["memory_ratio"]
    start = (
        f"Whoever expects the mixture to fit where the small model fits is wrong by a factor of {memory:.2g}."
    )
    if speed > 1.1:
        return f"{start} What it gives in return is speed: {speed:.2g} times that of the large dense model."
    return (
        f"{start} Your machine did not show the gain in speed ({speed:.2g} times): read the sentence under "
        "your measurement for the reason."
    )


YOUR_TRIO = Exercise(
    name="ch03-your-trio",
    title="What your machine says",
    prompt=(
        "Take the record of your measurement: for each model it gives the speed and the memory.\n\n"
        "speed_ratio: how many times as fast as the large dense model did the mixture (moe) generate? "
        "Divide the two speeds of the record. (The figure under your measurement is the median of each "
        "round's own ratio, so it may differ a little.)\n\n"
        "memory_ratio: how many times the memory of the small dense model did the mixture take? It computes "
        "with as many parameters per token as that one.\n\nGive three significant digits."
    ),
    points=4,
    form=_FORM,
    blank={"record": "paste the line here", "speed_ratio": None, "memory_ratio": None},
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=_MISTAKES,
    praise=_praise,
)
