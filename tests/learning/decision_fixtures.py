"""What the tests of the decision exercise share: a machine, two price bands, random sets of answers."""

from __future__ import annotations

import random
from typing import Any

from labkit.estimating.cost import ApiPrice, Range
from labkit.learning.decision_constraints import CHOICES, NUMBERS, Constraints
from labkit.learning.decision_costs import Knowledge, Measured, PriceBand

MEASURED = Measured(
    pp_tokens_per_s=Range(195, 205),
    tg_tokens_per_s=Range(39, 41),
    ttft_s=0.9,
    model="test-model",
    date="2026-11-22T10:00:00+00:00",
)
CLOSED = PriceBand(ApiPrice(Range(1, 4), Range(4, 20), Range(0.1, 0.4)), ("big", "small"), "2026-10-01")
OPEN = PriceBand(ApiPrice(Range(0.1, 0.6), Range(0.3, 2), Range(0.1, 0.6)), ("open",), "2026-10-01")

UNMEASURED = Knowledge(None, CLOSED, OPEN)
KNOWN = Knowledge(MEASURED, CLOSED, OPEN)

#: Where random numbers for each question come from: small, ordinary and large.
_SAMPLES: dict[str, tuple[float, ...]] = {
    "tokens_in_per_day": (1_000, 20_000, 3_000_000, 2e9),
    "tokens_out_per_day": (500, 5_000, 400_000, 1e8),
    "cached_share_percent": (0, 30, 95),
    "currency_per_usd": (0.9, 1, 150),
    "price_per_kwh": (0.05, 0.29, 40),
    "watts_active": (40, 250, 900),
    "watts_idle": (0, 10, 40),
    "hours_on_per_day": (1, 8, 24),
    "hardware_price": (0, 1_000, 20_000),
    "lifetime_months": (6, 48, 120),
    "share_percent": (5, 50, 100),
}


def random_answers(rng: random.Random) -> dict[str, Any]:
    """One set of answers to every question."""
    answers: dict[str, Any] = {name: rng.choice(list(q.options)) for name, q in CHOICES.items()}
    answers |= {name: rng.choice(values) for name, values in _SAMPLES.items()}
    answers["budget_per_month"] = rng.choice([None, 0, 5, 60, 3_000, 200_000])
    return answers


def easy_answers(rng: random.Random) -> dict[str, Any]:
    """Answers that mostly leave several alternatives: two or three questions answered at random."""
    chosen = random_answers(rng)
    names = rng.sample(list(CHOICES), 3) + rng.sample(list(NUMBERS), 3)
    return {**Constraints().to_dict(), **{name: chosen[name] for name in names}}


def other_values(constraints: Constraints, name: str, rng: random.Random) -> list[Any]:
    """Other answers to one question: every option, or random numbers anywhere in the limits."""
    here = getattr(constraints, name)
    if name in CHOICES:
        return [value for value in CHOICES[name].options if value != here]
    question = NUMBERS[name]
    low = max(question.minimum, 1e-3 * min(1.0, question.maximum))
    values: list[Any] = [round(low * (question.maximum / low) ** rng.random(), 6) for _ in range(3)]
    values += [here * 0.7, here * 1.5] if here else []
    values += [None] if question.optional and here is not None else []
    low, high = question.minimum, question.maximum
    if name == "watts_active":
        low = max(low, constraints.watts_idle)
    if name == "watts_idle":
        high = min(high, constraints.watts_active)
    return [v for v in values if v != here and (v is None or low <= v <= high)]
