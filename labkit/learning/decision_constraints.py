"""What a learner can state in the decision exercise: the questions, their answers, their limits.

Taught in chapter 19. Plain data: the rules are in `decision_rules`, the form in `decision`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from labkit.errors import LabError

#: What is compared. Open or closed, and hosted or local, are two independent questions.
ALTERNATIVES: dict[str, str] = {
    "closed_api": "a closed model through the vendor's API",
    "closed_private": "a closed model in private: under contract, or the vendor's box in your building",
    "open_hosted": "an open-weight model, hosted by a provider or on a rented GPU",
    "open_own": "an open-weight model on your own server",
    "open_device": "a small open-weight model on the device itself",
}

#: What reasons call them.
SHORT_NAMES: dict[str, str] = {
    "closed_api": "closed API",
    "closed_private": "closed private",
    "open_hosted": "open hosted",
    "open_own": "open own server",
    "open_device": "open on device",
}


@dataclass(frozen=True)
class Choice:
    """A question with fixed answers."""

    name: str
    label: str  #: the question
    short: str  #: what reasons call it
    options: dict[str, str]  #: value → the answer in words
    help: str = ""


@dataclass(frozen=True)
class Number:
    """A question that a number answers."""

    name: str
    label: str
    short: str
    minimum: float
    maximum: float
    unit: str = ""
    help: str = ""
    step: float | None = None
    optional: bool = False  #: may stay empty


CHOICES: dict[str, Choice] = {
    question.name: question
    for question in (
        Choice(
            "data",
            "How sensitive is the data?",
            "Data",
            {
                "public": "public",
                "internal": "internal to your organisation",
                "personal": "personal data",
                "secret": "secret or specially regulated",
            },
        ),
        Choice(
            "jurisdiction",
            "Which law decides where it may go?",
            "Jurisdiction",
            {"none": "nothing special", "eu": "the EU", "in_country": "it must stay in one country"},
        ),
        Choice(
            "connectivity",
            "Is there a network?",
            "Network",
            {
                "always": "always online",
                "sometimes": "sometimes offline",
                "never_site": "never: a closed network in a building (air-gapped)",
                "never_field": "never: a phone or laptop in the field",
            },
        ),
        Choice(
            "latency",
            "How fast must an answer come?",
            "Latency",
            {
                "batch": "it can wait (batch)",
                "interactive": "someone is waiting (interactive)",
                "instant": "while they type (a completion in under 200 ms)",
            },
        ),
        Choice(
            "quality",
            "What quality does the task need?",
            "Quality",
            {
                "any": "any decent model",
                "strong": "a strong model",
                "frontier": "the best there is (frontier)",
            },
            "Find out with your own test cases before you answer: many tasks need less than they seem to.",
        ),
        Choice(
            "tuning",
            "Do you need fine-tuning?",
            "Fine-tuning",
            {
                "none": "no",
                "hosted": "yes, and a hosted service would do",
                "own": "yes, and you must own and change the weights",
            },
        ),
        Choice(
            "lifetime",
            "How long must it behave the same?",
            "Lifetime",
            {
                "weeks": "weeks",
                "year": "about a year",
                "years_pinned": "many years, with the behaviour pinned",
            },
        ),
        Choice(
            "skills",
            "Who is in the team?",
            "Skills",
            {
                "none": "nobody who runs services",
                "service": "people who can run a service",
                "ml": "machine-learning engineers",
            },
        ),
        Choice(
            "hardware",
            "Which hardware is there?",
            "Hardware",
            {
                "none": "none, and none will be bought",
                "laptop": "a laptop or desktop, such as the machine you measured",
                "small_gpu": "a machine with one GPU of 8 to 24 GB",
                "server": "a server with more GPU memory than that",
            },
        ),
        Choice(
            "redistribute",
            "Will the model itself be shipped inside a product?",
            "Shipping",
            {
                "no": "no",
                "yes": "yes, the weights travel with the product",
            },
        ),
        Choice(
            "monthly_users",
            "How many people use your products in a month?",
            "Users",
            {
                "under_100m": "100 million or fewer",
                "over_100m": "over 100 million",
                "over_700m": "over 700 million",
            },
        ),
        Choice(
            "commercial", "Is the use commercial?", "Purpose", {"no": "not commercial", "yes": "commercial"}
        ),
    )
}

NUMBERS: dict[str, Number] = {
    question.name: question
    for question in (
        Number(
            "tokens_in_per_day",
            "Tokens in, per day",
            "Input",
            0,
            1e12,
            "tokens a day",
            "Prompts, documents and the conversation so far, counted at every call.",
        ),
        Number(
            "tokens_out_per_day",
            "Tokens out, per day",
            "Output",
            0,
            1e12,
            "tokens a day",
            "Hidden reasoning tokens are billed as output: count them here.",
        ),
        Number(
            "cached_share_percent",
            "Share of the input that repeats from call to call",
            "Repeated input",
            0,
            100,
            "%",
            "Providers ask less for repeated input, when their cache still holds it.",
        ),
        Number(
            "budget_per_month",
            "Budget per month",
            "Budget",
            0,
            1e9,
            "a month",
            "Leave it empty for no limit. All money is in your own currency.",
            optional=True,
        ),
        Number(
            "currency_per_usd",
            "What one US dollar costs in your currency",
            "Exchange rate",
            0.0001,
            1e7,
            "per USD",
            "The price list is in US dollars. Write 1 if you reckon in dollars.",
        ),
        Number(
            "price_per_kwh", "Price of electricity", "Electricity", 0, 1000, "per kWh", "It is on your bill."
        ),
        Number(
            "watts_active",
            "Power while the model runs",
            "Busy power",
            0.1,
            20_000,
            "W",
            "A plug meter shows it. Nobody measured this figure, so it is widened by 30 % each way.",
        ),
        Number(
            "watts_idle",
            "Power while the machine waits",
            "Idle power",
            0,
            20_000,
            "W",
            "Idle hours cost as well. Also widened by 30 % each way.",
        ),
        Number("hours_on_per_day", "Hours a day that the machine is on", "Hours on", 0.1, 24, "hours a day"),
        Number(
            "hardware_price",
            "Price of the machine",
            "Machine",
            0,
            1e9,
            "",
            "0 if you have it anyway and nothing else wants it.",
        ),
        Number("lifetime_months", "Months until the machine is replaced", "Machine's life", 1, 240, "months"),
        Number(
            "share_percent",
            "Share of the machine that this work takes",
            "Share",
            1,
            100,
            "%",
            "100 when it is kept for this work alone. It divides the price, the idle hours and the capacity.",
        ),
    )
}

#: The numbers with an assumed starting value: a machine of your own, and what prices depend on.
ASSUMED = (
    "cached_share_percent",
    "currency_per_usd",
    "price_per_kwh",
    "watts_active",
    "watts_idle",
    "hours_on_per_day",
    "hardware_price",
    "lifetime_months",
    "share_percent",
)


@dataclass(frozen=True)
class Constraints:
    """One set of answers. Starts with the least demanding ones.

    Raises LabError for an answer that does not exist or a number out of its limits.
    The figures for power, price and hours are starting values to be replaced by the learner's own.
    """

    data: str = "public"
    jurisdiction: str = "none"
    connectivity: str = "always"
    latency: str = "interactive"
    quality: str = "any"
    tuning: str = "none"
    lifetime: str = "year"
    skills: str = "service"
    hardware: str = "laptop"
    redistribute: str = "no"
    monthly_users: str = "under_100m"
    commercial: str = "no"
    tokens_in_per_day: float = 20_000
    tokens_out_per_day: float = 5_000
    cached_share_percent: float = 0
    budget_per_month: float | None = None
    currency_per_usd: float = 1
    price_per_kwh: float = 0.30
    watts_active: float = 65
    watts_idle: float = 10
    hours_on_per_day: float = 8
    hardware_price: float = 1_000
    lifetime_months: float = 48
    share_percent: float = 100

    def __post_init__(self) -> None:
        for name, question in CHOICES.items():
            if getattr(self, name) not in question.options:
                raise LabError(
                    f"{question.label} There is no answer {getattr(self, name)!r}.",
                    f"Choose one of: {', '.join(question.options)}.",
                )
        for number in NUMBERS.values():
            _check_number(number, getattr(self, number.name))
        if self.watts_idle > self.watts_active:
            raise LabError(
                "The machine can't draw more power while it waits than while the model runs.",
                "Check the two figures for watts.",
            )
        if not self.tokens_in_per_day + self.tokens_out_per_day > 0:
            raise LabError("There is nothing to decide for 0 tokens a day.", "State a volume above 0.")

    def to_dict(self) -> dict[str, Any]:
        """All answers as plain values."""
        return asdict(self)


def _check_number(question: Number, value: Any) -> None:
    if value is None and question.optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise LabError(f"{question.label}: that is not a number.", "Type a number, such as 0.5.")
    if not question.minimum <= value <= question.maximum:
        raise LabError(
            f"{question.label}: {value:g} is out of limits.",
            f"Give a number from {question.minimum:g} to {question.maximum:g}.",
        )


def constraints_from(values: Mapping[str, Any]) -> Constraints:
    """Answers by name; what is not named keeps its starting value. Unknown names raise LabError."""
    known = [f.name for f in fields(Constraints)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise LabError(
            f"There is no question {', '.join(unknown)}.", f"The questions are: {', '.join(known)}."
        )
    return Constraints(**values)


def label_of(name: str) -> str:
    """What reasons call a question."""
    return (CHOICES.get(name) or NUMBERS[name]).short


def quoted(names: Iterable[str]) -> str:
    """Alternatives by their short names: '“closed API”, “open hosted” and “open on device”'."""
    *first, last = [f"“{SHORT_NAMES[name]}”" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def exact(value: float) -> str:
    """A number in full, so that two different inputs never read the same."""
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e15 else repr(number)


def answer_in_words(name: str, value: Any) -> str:
    """`("quality", "frontier")` → 'the best there is (frontier)'."""
    if name in CHOICES:
        return CHOICES[name].options[value]
    if value is None:
        return "no limit stated"
    return f"{exact(value)} {NUMBERS[name].unit}".rstrip()
