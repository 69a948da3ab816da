"""The rules of the decision exercise: hard exclusions first, then a comparison. Taught in chapter 19.

Plain Python: constraints in, a `Judgement` out. Whether a model is open or closed, and whether it is hosted
or local, are two independent questions; the five alternatives are the combinations that one meets.

What is a fact names its dated row in `datasets/decision_facts.csv`. The comparison is in `decision_points`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labkit.learning.decision_conditions import Condition, conditions_for
from labkit.learning.decision_constraints import ALTERNATIVES, Constraints, answer_in_words, label_of
from labkit.learning.decision_costs import Estimate, Knowledge, estimates
from labkit.learning.decision_points import Criterion, criteria, leaders, percentages


@dataclass(frozen=True)
class Rule:
    """One hard exclusion: when it applies, the inputs it rests on, and what it says of each alternative."""

    id: str
    inputs: tuple[str, ...]
    when: Callable[[Constraints], bool]
    says: Mapping[str, str]  #: alternative → the reason
    facts: tuple[str, ...] = ()  #: rows of decision_facts.csv


@dataclass(frozen=True)
class Exclusion:
    """An alternative that is out, with the answers that put it out."""

    alternative: str
    rule: str
    inputs: tuple[str, ...]
    text: str
    facts: tuple[str, ...] = ()


RULES: tuple[Rule, ...] = (
    Rule(
        "secret-on-shared-service",
        ("data",),
        lambda c: c.data == "secret",
        {
            "closed_api": "A vendor's standard API is a service shared with its other customers.",
            "open_hosted": "An open model on someone else's machine is not private: the host sees your data.",
        },
        ("openai-retention",),
    ),
    Rule(
        "country",
        ("jurisdiction",),
        lambda c: c.jurisdiction == "in_country",
        {
            "closed_api": "Standard API terms do not promise one country. "
            "A contract for a region may: that is the private offering."
        },
        ("azure-data-zone",),
    ),
    Rule(
        "no-network",
        ("connectivity",),
        lambda c: c.connectivity == "never_site",
        {
            "closed_api": "There is no network to call it over.",
            "open_hosted": "There is no network to call it over. The weights could come in on a disk: "
            "that is your own server.",
        },
    ),
    Rule(
        "in-the-field",
        ("connectivity",),
        lambda c: c.connectivity == "never_field",
        {
            "closed_api": "There is no network to call it over.",
            "closed_private": "The vendor's offline offering is equipment for a site, not for a phone or "
            "a laptop.",
            "open_hosted": "There is no network to call it over.",
            "open_own": "Your server can't be reached from the field.",
        },
        ("gdc-air-gapped", "phone-models"),
    ),
    Rule(
        "own-the-weights",
        ("tuning",),
        lambda c: c.tuning == "own",
        {
            "closed_api": "Hosted fine-tuning exists, but the tuned weights are never yours.",
            "closed_private": "A contract gives you the use of the model, not its weights.",
        },
        ("openai-fine-tuning", "google-fine-tuning"),
    ),
    Rule(
        "retired-api",
        ("lifetime",),
        lambda c: c.lifetime == "years_pinned",
        {"closed_api": "The vendor retires the model, and its behaviour goes with it."},
        ("openai-retirement",),
    ),
    Rule(
        "retired-private",
        ("lifetime", "connectivity"),
        lambda c: c.lifetime == "years_pinned" and c.connectivity != "never_site",
        {"closed_private": "Models under contract in a vendor's cloud are retired on a schedule too."},
        ("azure-retirement",),
    ),
    Rule(
        "nobody-to-run-it",
        ("skills",),
        lambda c: c.skills == "none",
        {"open_own": "A server that others rely on needs someone who keeps it running."},
    ),
    Rule(
        "no-hardware",
        ("hardware",),
        lambda c: c.hardware == "none",
        {
            "open_own": "There is nothing to run it on. A rented GPU counts as hosted.",
            "open_device": "There is nothing to run it on.",
        },
    ),
    Rule(
        "only-a-laptop",
        ("hardware",),
        lambda c: c.hardware == "laptop",
        {"open_own": "A laptop is not a server. What runs on it is the small model on the device."},
    ),
    Rule(
        "frontier-on-device",
        ("quality",),
        lambda c: c.quality == "frontier",
        {"open_device": "No model that fits a device is among the best there are."},
        ("open-frontier-size",),
    ),
    Rule(
        "frontier-on-small-gpu",
        ("quality", "hardware"),
        lambda c: c.quality == "frontier" and c.hardware == "small_gpu",
        {"open_own": "The best open models do not fit one GPU of 8 to 24 GB."},
        ("open-frontier-size",),
    ),
    Rule(
        "shipped",
        ("redistribute",),
        lambda c: c.redistribute == "yes",
        {
            "closed_api": "You can't ship weights that you never get.",
            "closed_private": "You can't ship weights that you never get.",
            "open_hosted": "The weights travel with your product, so they run at your customers', not at "
            "a host.",
        },
    ),
)


def _cites(c: Constraints, inputs: tuple[str, ...]) -> str:
    return "; ".join(f"{label_of(name)}: {answer_in_words(name, getattr(c, name))}" for name in inputs)


def exclusions(c: Constraints, costs: Mapping[str, Estimate]) -> list[Exclusion]:
    """Every hard exclusion, in the order of the rules; an alternative may have several."""
    found = [
        Exclusion(alternative, rule.id, rule.inputs, f"{_cites(c, rule.inputs)}. {text}", rule.facts)
        for rule in RULES
        if rule.when(c)
        for alternative, text in rule.says.items()
    ]
    return found + measured_exclusions(c, costs)


def measured_exclusions(c: Constraints, costs: Mapping[str, Estimate]) -> list[Exclusion]:
    """The exclusions that follow from numbers: over the budget, or more than the machine can do."""
    return [
        exclusion
        for alternative, estimate in costs.items()
        for exclusion in _over_budget(c, alternative, estimate) + _over_capacity(c, alternative, estimate)
    ]


def _over_budget(c: Constraints, alternative: str, estimate: Estimate) -> list[Exclusion]:
    if c.budget_per_month is None or estimate.per_month is None:
        return []
    if estimate.per_month.low <= c.budget_per_month:
        return []
    free = " Nothing is free after the download." if alternative in ("open_own", "open_device") else ""
    least = money(estimate.per_month.low)
    text = f"{_cites(c, ('budget_per_month',))}. It costs at least {least} a month.{free}"
    return [Exclusion(alternative, "over-budget", ("budget_per_month",), text)]


def _over_capacity(c: Constraints, alternative: str, estimate: Estimate) -> list[Exclusion]:
    if estimate.fits != "no":
        return []
    inputs = ("tokens_in_per_day", "tokens_out_per_day", "hours_on_per_day", "share_percent")
    text = (
        f"{_cites(c, inputs)}. The measured machine can't do that much in its hours, even at its best speed."
    )
    return [Exclusion(alternative, "over-capacity", inputs, text)]


def money(amount: float) -> str:
    """An amount for a person: `0.0123` → '0.012', `20.83` → '20.83', `12345` → '12,345'."""
    if amount >= 1000:
        return f"{amount:,.0f}"
    return f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.2g}"


@dataclass(frozen=True)
class Judgement:
    """What the rules say of one set of constraints."""

    constraints: Constraints
    costs: dict[str, Estimate]
    exclusions: list[Exclusion]
    criteria: list[Criterion]
    totals: dict[str, float]  #: alternatives that remain → 0 to 100, best first
    leaders: tuple[str, ...]
    conditions: list[Condition] = field(default_factory=list)

    def outcome(self) -> tuple:
        """What "the same verdict" means: the leaders, what each rule excludes, and the conditions."""
        return (
            self.leaders,
            frozenset((e.alternative, e.rule) for e in self.exclusions),
            frozenset(condition.id for condition in self.conditions),
        )


def judge(c: Constraints, known: Knowledge | None = None) -> Judgement:
    """Apply the rules once. `decision_analysis.decide` adds the reasons and what would change them."""
    known = known or Knowledge()
    costs = estimates(c, known)
    out = exclusions(c, costs)
    possible = [name for name in ALTERNATIVES if name not in {e.alternative for e in out}]
    lines = criteria(c, known, costs)
    totals = percentages(lines, possible)
    first = leaders(totals)
    return Judgement(c, costs, out, lines, totals, first, conditions_for(c, first, costs))
