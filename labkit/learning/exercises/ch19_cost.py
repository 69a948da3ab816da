"""`ch19-hours-and-cost`: from the learner's own tokens/s to hours and electricity for a million tokens."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.quantities import close, describe, read_number
from labkit.learning.rounding import TOO_ROUND, agrees, is_coarse
from labkit.measuring.record import BenchRecord

TOKENS = 1_000_000
WATTS = 65.0
PRICE_PER_KWH = 0.30
#: A slip is a factor of 60 or 1000: far from the tolerance, so that it can be told with room to spare.
_SLIP = 0.06

_KEYS = ("record", "hours_for_a_million_tokens", "electricity_cost")
_FORM = (
    'The answer is a dictionary with "record" (the line that print(result.record()) shows, in quotes), '
    '"hours_for_a_million_tokens" and "electricity_cost" (numbers). Add "watts" and "price_per_kwh" to use '
    "your own."
)


@dataclass(frozen=True)
class Cost:
    """A read answer."""

    record: BenchRecord
    hours: float
    cost: float
    watts: float
    price_per_kwh: float

    def hours_at(self, tokens_per_s: float) -> float:
        """Hours for a million tokens."""
        return TOKENS / tokens_per_s / 3600

    @property
    def speeds(self) -> tuple[float, float]:
        """Median and mean generation speed, tokens/s: both are accepted."""
        return self.record.tg_tokens_per_s, statistics.fmean(self.record.tg_values)

    @property
    def right_hours(self) -> float:
        return self.hours_at(self.record.tg_tokens_per_s)

    @property
    def hours_expected(self) -> tuple[float, ...]:
        """Hours by the median and by the mean."""
        return tuple(self.hours_at(speed) for speed in self.speeds)

    @property
    def costs_expected(self) -> tuple[float, ...]:
        """What those hours cost; also of the hours answered, which may be rounded."""
        return tuple(self.cost_of(hours) for hours in (*self.hours_expected, self.hours))

    def cost_of(self, hours: float) -> float:
        """Electricity for that many hours, in the currency of the price."""
        return hours * self.watts / 1000 * self.price_per_kwh

    def hours_are(self, *values: float) -> bool:
        """Is the answer's number of hours one of these, up to a rounding?"""
        return any(close(self.hours, value, _SLIP) for value in values)

    def cost_is(self, *values: float) -> bool:
        """Is the answer's cost one of these, up to a rounding?"""
        return any(close(self.cost, value, _SLIP) for value in values)


def read(plain: Any) -> Cost:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    if not isinstance(plain, dict):
        raise LabError(f"The answer is {describe(plain)}, not a dictionary.", _FORM)
    missing = [key for key in _KEYS if key not in plain]
    if missing:
        raise LabError(f"The dictionary has no {missing[0]!r}.", _FORM)
    return Cost(
        record=_read_record(plain["record"]),
        hours=_positive(plain["hours_for_a_million_tokens"], "hours_for_a_million_tokens", "h"),
        cost=_positive(plain["electricity_cost"], "electricity_cost", ""),
        watts=_within(plain.get("watts") or WATTS, "watts", "W", 1, 5000),
        price_per_kwh=_within(plain.get("price_per_kwh") or PRICE_PER_KWH, "price_per_kwh", "", 0.001, 10),
    )


def _read_record(text: Any) -> BenchRecord:
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = BenchRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    return record


def _positive(value: Any, what: str, unit: str) -> float:
    if value is None or value in ("", "?"):
        raise LabError(f"{what} is still empty.", "Compute it from the generation speed (tg) of your record.")
    number = read_number(value, what, unit)
    if number <= 0:
        cure = "Time and cost are greater than zero."
        raise LabError(f"{what} is {number:g}.", f"{cure} {TOO_ROUND}" if number == 0 else cure)
    return number


def _within(value: Any, what: str, unit: str, low: float, high: float) -> float:
    number = read_number(value, what, unit)
    if not low <= number <= high:
        raise LabError(
            f"{what} is {number:g}, which no learner's machine has.", f"It lies from {low} to {high}."
        )
    return number


def is_right(answer: Cost) -> bool:
    """Hours and cost agree with the record; the mean may stand for the median."""
    return agrees(answer.hours, *answer.hours_expected) and agrees(answer.cost, *answer.costs_expected)


# ---------------------------------------------------------------- known mistakes: the hours, then the cost


def _prompt_speed(answer: Cost) -> str | None:
    speeds = (answer.record.pp_tokens_per_s, statistics.fmean(answer.record.pp_values))
    if answer.hours_are(*(answer.hours_at(speed) for speed in speeds)) and not answer.hours_are(
        answer.right_hours
    ):
        return (
            "Those are the hours to read a million tokens (prompt processing, pp). To write them takes the "
            "generation speed, tg: the model makes one token after another."
        )
    return None


def _seconds(answer: Cost) -> str | None:
    if answer.hours_are(answer.right_hours * 3600):
        return "That is the time in seconds. An hour has 3600."
    return None


def _minutes(answer: Cost) -> str | None:
    if answer.hours_are(answer.right_hours * 60):
        return "That is the time in minutes. An hour has 60."
    return None


def _divided_by_60(answer: Cost) -> str | None:
    if answer.hours_are(answer.right_hours / 60, answer.right_hours / 3600):
        return (
            "The hours are too few by a factor of 60 or more. Seconds divided by 3600 are hours; divide once."
        )
    return None


def _wrong_tokens(answer: Cost) -> str | None:
    if answer.hours_are(answer.right_hours / 1000, answer.right_hours * 1000):
        return "The hours are off by a factor of 1000. A million is 1,000,000."
    return None


def _upside_down(answer: Cost) -> str | None:
    tg = answer.record.tg_tokens_per_s
    if answer.hours_are(tg * TOKENS / 3600, tg * TOKENS, tg / TOKENS):
        return "You multiplied by the speed. Tokens divided by tokens per second are seconds."
    return None


def _rounded_too_much(answer: Cost) -> str | None:
    hours, cost = (answer.hours, *answer.hours_expected), (answer.cost, *answer.costs_expected)
    coarse = not agrees(*hours) and is_coarse(*hours)
    if coarse or (agrees(*hours) and is_coarse(*cost) and not agrees(*cost)):
        return TOO_ROUND
    return None


def _hours_unclear(answer: Cost) -> str | None:
    if agrees(answer.hours, *answer.hours_expected):
        return None
    return (
        "The hours do not follow from the record. Its median generation speed is "
        f"{answer.record.tg_tokens_per_s:g} tokens/s: how many seconds do a million tokens take, and how "
        "many hours is that?"
    )


def _kilowatts(answer: Cost) -> str | None:
    right = answer.cost_of(answer.hours)
    if answer.cost_is(right * 1000):
        return "The cost is 1000 times too high. The price is per kilowatt-hour; 1 kW is 1000 W."
    if answer.cost_is(right / 1000):
        return "The cost is 1000 times too low. Divide the watts by 1000 once, not twice."
    return None


def _cents(answer: Cost) -> str | None:
    if answer.cost_is(answer.cost_of(answer.hours) * 100):
        return (
            "The cost is 100 times too high. Did you give it in cents? The price is in whole units per kWh."
        )
    return None


def _energy_not_cost(answer: Cost) -> str | None:
    kwh = answer.hours * answer.watts / 1000
    if answer.cost_is(kwh):
        return "That is the energy in kWh. Multiply it by the price per kWh."
    if answer.cost_is(answer.hours * answer.price_per_kwh):
        return "The cost does not contain the power. Hours times kilowatts are kilowatt-hours."
    return None


def _praise(answer: Cost) -> str:
    lines = [
        f"{answer.hours:.3g} hours, and {answer.cost:.3g} for electricity. Running a model yourself is not "
        "free; a faster machine or a smaller model changes both numbers."
    ]
    if answer.record.random_weights:
        lines.append(
            "Your record is of the stand-in model with random weights. The arithmetic holds; the speed says "
            "nothing about a real model."
        )
    return "\n".join(lines)


HOURS_AND_COST = Exercise(
    name="ch19-hours-and-cost",
    title="A million tokens on your machine",
    prompt=(
        "Take the speed that you measured. How many hours does your machine need to write a million tokens "
        f"with this model, one after another? What does the electricity cost, at {WATTS:g} W under load and "
        f"{PRICE_PER_KWH:.2f} per kWh?\n\nUse the generation speed of your record (tg), and of its runs the "
        "median: the middle one when you sort the runs. Give three significant digits, such as 12.3 or "
        "0.0456. Any currency will do."
    ),
    points=4,
    form=_FORM,
    blank={"record": "paste the line here", "hours_for_a_million_tokens": None, "electricity_cost": None},
    read=read,
    judge=is_right,
    known_mistakes=(
        KnownMistake("prompt-speed", _prompt_speed),
        KnownMistake("seconds", _seconds),
        KnownMistake("minutes", _minutes),
        KnownMistake("divided-by-60", _divided_by_60),
        KnownMistake("thousand-tokens", _wrong_tokens),
        KnownMistake("upside-down", _upside_down),
        KnownMistake("rounded-too-much", _rounded_too_much),
        KnownMistake("hours", _hours_unclear),
        KnownMistake("kilowatts", _kilowatts),
        KnownMistake("cents", _cents),
        KnownMistake("energy-not-cost", _energy_not_cost),
    ),
    praise=_praise,
    otherwise="The hours are right, the cost is not. It is kilowatts times hours times the price per kWh.",
)
