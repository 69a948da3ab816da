"""What a verdict of the decision exercise asks of you, and why each answer matters. Taught in chapter 19.

A condition does not exclude an alternative: it says under which terms the recommended one holds. What is a
fact names its dated row in `datasets/decision_facts.csv`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.learning.decision_constraints import Constraints
from labkit.learning.decision_costs import NOT_MEASURED, OTHER_MACHINE, Estimate

CLOSED = frozenset({"closed_api", "closed_private"})
HOSTED = frozenset({"closed_api", "open_hosted"})
LOCAL = frozenset({"open_own", "open_device"})
OPEN = LOCAL | {"open_hosted"}
ONLINE = HOSTED | {"closed_private"}


@dataclass(frozen=True)
class Condition:
    """Something to see to before the recommendation holds."""

    id: str
    concerns: tuple[str, ...]  #: the leading alternatives that it is about
    text: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    id: str
    concerns: frozenset[str]  #: shown when one of these leads
    when: Callable[[Constraints], bool]
    text: str
    facts: tuple[str, ...] = ()


_CASES: tuple[_Case, ...] = (
    # ---- data and law
    _Case(
        "contract-eu",
        ONLINE,
        lambda c: c.data == "personal" and c.jurisdiction == "eu",
        "Sign a processing contract with the provider, and ask where it computes and how long it keeps "
        "prompts. "
        "That goes for an open model on someone else's machine as well.",
        ("gdpr-processor", "azure-data-zone", "openai-retention"),
    ),
    _Case(
        "contract",
        ONLINE,
        lambda c: c.data == "personal" and c.jurisdiction != "eu",
        "Ask your data-protection law what a provider must sign, and ask the provider how long it keeps "
        "prompts.",
        ("openai-retention",),
    ),
    _Case(
        "retention",
        HOSTED,
        lambda c: c.data == "internal",
        "Read how long the provider keeps prompts, and who may look at them.",
        ("openai-retention",),
    ),
    _Case(
        "local-is-not-compliant-eu",
        LOCAL,
        lambda c: c.data in ("personal", "secret") and c.jurisdiction == "eu",
        "Local is not automatically compliant: access, logs, backups and deletion are now your job.",
        ("gdpr-local",),
    ),
    _Case(
        "local-is-not-compliant",
        LOCAL,
        lambda c: c.data in ("personal", "secret") and c.jurisdiction != "eu",
        "Local is not automatically compliant: access, logs, backups and deletion are now your job.",
    ),
    _Case(
        "no-telemetry",
        LOCAL,
        lambda c: c.data != "public",
        "Your data stays with you only if the runtime makes no network calls. Check it, or cut its network.",
    ),
    _Case(
        "secret-contract",
        frozenset({"closed_private"}),
        lambda c: c.data == "secret",
        "Get the clearance or certificate that your regulator asks for in writing. There is no public price.",
        ("gdc-air-gapped",),
    ),
    _Case(
        "region-private",
        frozenset({"closed_private"}),
        lambda c: c.jurisdiction == "in_country" and c.connectivity != "never_site",
        "It holds only if the vendor sells a region in that country for the model that you want, "
        "and promises to compute there.",
        ("azure-data-zone",),
    ),
    _Case(
        "region-hosted",
        frozenset({"open_hosted"}),
        lambda c: c.jurisdiction == "in_country",
        "Choose a provider or a rented GPU in that country. Open weights let you choose the host.",
    ),
    # ---- network
    _Case(
        "the-box",
        frozenset({"closed_private"}),
        lambda c: c.connectivity == "never_site",
        "This means the vendor's air-gapped equipment in your building. There is no public price, and it "
        "needs room "
        "and people.",
        ("gdc-air-gapped",),
    ),
    _Case(
        "queue",
        ONLINE,
        lambda c: c.connectivity == "sometimes",
        "Decide what happens while you are offline: wait in a queue, or fall back to a small local model.",
    ),
    _Case(
        "field-device",
        frozenset({"open_device"}),
        lambda c: c.connectivity == "never_field",
        "Size the model for the memory and the battery of the device that goes along, and load it before "
        "you leave. "
        "A model that the phone brings with it may do for small tasks.",
        ("phone-models",),
    ),
    # ---- the model itself
    _Case(
        "quality-gap",
        OPEN,
        lambda c: c.quality == "frontier",
        "Test the open model on your own cases: in aggregate the best closed models were ahead, and it "
        "varies by task.",
        ("epoch-gap",),
    ),
    _Case(
        "device-quality",
        frozenset({"open_device"}),
        lambda c: c.quality == "strong",
        "A model that fits a device may not be strong enough. Test it on your own cases before you rely "
        "on it.",
    ),
    _Case(
        "fits-memory",
        frozenset({"open_own"}),
        lambda c: c.hardware == "small_gpu",
        "Weights, cache and buffers together must fit the GPU's memory (chapter 6).",
    ),
    _Case(
        "instant-hosted",
        ONLINE,
        lambda c: c.latency == "instant",
        "Measure the time to first token from where your users are: the way over the network counts.",
    ),
    _Case(
        "instant-local",
        LOCAL,
        lambda c: c.latency == "instant",
        "Only a small model with a cached prompt answers in 200 ms. Measure it on the machine that will "
        "do the work.",
    ),
    # ---- fine-tuning
    _Case(
        "hosted-tuning",
        CLOSED,
        lambda c: c.tuning == "hosted",
        "Hosted fine-tuning exists, but you never own the tuned weights, and it ends when the vendor "
        "ends it.",
        ("openai-fine-tuning", "google-fine-tuning"),
    ),
    _Case(
        "take-the-weights",
        frozenset({"open_hosted"}),
        lambda c: c.tuning == "own",
        "Choose a host that runs weights which you bring, and lets you take them away again.",
    ),
    _Case(
        "who-trains",
        OPEN,
        lambda c: c.tuning == "own" and c.skills != "ml",
        "Nobody in the team trains models: plan for someone who does.",
    ),
    _Case(
        "derivatives",
        OPEN,
        lambda c: c.tuning == "own",
        "Read what the licence says of modified weights: names, notices, and terms to pass on.",
        ("redistribution",),
    ),
    # ---- time
    _Case(
        "keep-a-copy",
        frozenset({"open_hosted"}),
        lambda c: c.lifetime == "years_pinned",
        "Keep your own copy of the weights with its SHA-256, and the settings: a host may drop the model, "
        "and then you move.",
    ),
    _Case(
        "keep-a-copy-local",
        LOCAL,
        lambda c: c.lifetime == "years_pinned",
        "Pin the runtime too: the same weights can answer differently under another version or on other "
        "hardware.",
    ),
    _Case(
        "version-in-contract",
        frozenset({"closed_private"}),
        lambda c: c.lifetime == "years_pinned",
        "It holds only if the contract names the model version and the years.",
        ("azure-retirement",),
    ),
    # ---- licence and circumstances
    _Case(
        "commercial-licence",
        OPEN,
        lambda c: c.commercial == "yes",
        "Choose a model whose licence allows commercial use: not every open-weight model does.",
        ("non-commercial",),
    ),
    _Case(
        "users-100m",
        OPEN,
        lambda c: c.monthly_users == "over_100m",
        "With over 100 million users some licences need an agreement first.",
        ("mau-100m",),
    ),
    _Case(
        "users-700m",
        OPEN,
        lambda c: c.monthly_users == "over_700m",
        "With over 700 million users the Llama licences need an agreement first, and so do those that "
        "stop earlier. "
        "Apache-2.0 and MIT have no such limit.",
        ("llama-700m", "mau-100m"),
    ),
    _Case(
        "eu-licences",
        OPEN,
        lambda c: c.jurisdiction == "eu",
        "Two licences leave the EU out: check the model that you choose.",
        ("eu-exclusions",),
    ),
    _Case(
        "shipping-duties",
        OPEN,
        lambda c: c.redistribute == "yes",
        "Fulfil the licence's duties for passing weights on: copies, notices, names, restrictions.",
        ("redistribution",),
    ),
)


def conditions_for(
    c: Constraints, leaders: tuple[str, ...], costs: Mapping[str, Estimate]
) -> list[Condition]:
    """The conditions of the alternatives that lead."""
    found = [
        Condition(case.id, concerned, case.text, case.facts)
        for case in _CASES
        if (concerned := tuple(name for name in leaders if name in case.concerns)) and case.when(c)
    ]
    unknown = tuple(n for n in leaders if n in LOCAL and costs[n].note in (NOT_MEASURED, OTHER_MACHINE))
    if unknown:
        found.append(
            Condition(
                "cost-not-known",
                unknown,
                "The local cost is not known yet, and it is not zero: the machine, its power and your time. "
                "Measure on the machine that will do the work.",
            )
        )
    tight = tuple(name for name in leaders if costs[name].fits == "perhaps")
    if tight:
        text = "The measured machine may be too slow for this volume: at its best only, it fits."
        found.append(Condition("tight", tight, text))
    return found


#: Why an answer matters, or why it leaves every door open. Shown for the answers that bear on the verdict.
WHY: dict[str, dict[str, str]] = {
    "data": {
        "public": "Anyone may see it, so nothing is out for its sake.",
        "internal": "Whose machine it runs on begins to count, open or closed.",
        "personal": "Privacy alone does not force open weights: contracts exist. Keeping it in the house "
        "counts more.",
        "secret": "It may not go to a shared service, whether the model there is open or closed.",
    },
    "jurisdiction": {
        "none": "Any place will do.",
        "eu": "Where it is computed counts, and a few licences leave the EU out.",
        "in_country": "Only a place in that country will do.",
    },
    "connectivity": {
        "always": "A hosted model can be reached at all times.",
        "sometimes": "What is hosted stops when the network does.",
        "never_site": "Only what stands in the building works: your own server, or a vendor's air-gapped "
        "box.",
        "never_field": "Only what you carry works.",
    },
    "latency": {
        "batch": "Nobody waits, so speed decides nothing.",
        "interactive": "A reader's pace is enough, and every alternative can reach it.",
        "instant": "The way over the network eats into 200 ms, so nearness counts.",
    },
    "quality": {
        "any": "Every alternative has a decent model.",
        "strong": "Larger models are in front: servers and hosts can run them, small devices can't.",
        "frontier": "In aggregate the best closed models were ahead, by months rather than years.",
    },
    "tuning": {
        "none": "Prompts will do, so nobody needs the weights for that.",
        "hosted": "Closed vendors offer it at their discretion; with open weights the result is yours.",
        "own": "Only open weights can be changed and kept.",
    },
    "lifetime": {
        "weeks": "No model will be retired in that time, but setting things up must pay off quickly.",
        "year": "A hosted model may change once in that time.",
        "years_pinned": "Vendors retire models; weights on your disk stay as they are.",
    },
    "skills": {
        "none": "What needs least care counts most.",
        "service": "A server is within reach, and still work.",
        "ml": "Running and changing a model is within reach.",
    },
    "hardware": {
        "none": "Something hosted must do the work.",
        "laptop": "A small model runs on it.",
        "small_gpu": "A mid-size model runs on it, quantized.",
        "server": "Large open models run on it.",
    },
    "redistribute": {
        "no": "The weights stay where they are, so closed models remain possible.",
        "yes": "Only open weights can be shipped.",
    },
    "monthly_users": {
        "under_100m": "You are below the limits that some licences set.",
        "over_100m": "Some licences of open models stop at 100 million users.",
        "over_700m": "Several licences of open models need an agreement at that size.",
    },
    "commercial": {
        "no": "Weights for non-commercial use are open to you as well.",
        "yes": "Weights for non-commercial use are out.",
    },
    "budget_per_month": {
        "": "The importance of cost is 3 when a budget is stated, and 0 when it is not.",
    },
    "tokens_in_per_day": {"": "The volume moves the costs, and how busy a machine is."},
    "tokens_out_per_day": {"": "Written tokens cost most, on an API and on a machine."},
    "cached_share_percent": {
        "": "Repeated input makes an API cheaper. The local run here counts it in full."
    },
    "currency_per_usd": {"": "It turns the list's dollars into your money."},
    "price_per_kwh": {"": "Every busy and every idle hour pays it."},
    "watts_active": {"": "Busy hours cost this much power."},
    "watts_idle": {"": "A machine that waits costs too."},
    "hours_on_per_day": {"": "It sets the idle hours, and how much the machine can do in a day."},
    "hardware_price": {"": "Nothing is free after the download: the machine is paid for by the month."},
    "lifetime_months": {"": "The longer the machine serves, the less it costs a month."},
    "share_percent": {"": "The work pays for its share of the machine, and may use no more of it."},
}


#: The dated facts that some of these sentences rest on.
_WHY_FACTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("data", "personal"): ("openai-retention",),
    ("jurisdiction", "eu"): ("azure-data-zone", "eu-exclusions"),
    ("connectivity", "never_site"): ("gdc-air-gapped",),
    ("quality", "frontier"): ("epoch-gap",),
    ("tuning", "hosted"): ("openai-fine-tuning", "google-fine-tuning"),
    ("lifetime", "year"): ("azure-retirement",),
    ("lifetime", "years_pinned"): ("openai-retirement", "azure-retirement"),
    ("monthly_users", "over_100m"): ("mau-100m",),
    ("monthly_users", "over_700m"): ("llama-700m",),
    ("commercial", "no"): ("non-commercial",),
    ("commercial", "yes"): ("non-commercial",),
}


def why(name: str, value: object) -> str:
    """Why this answer matters."""
    sentences = WHY[name]
    return sentences.get(str(value), sentences.get("", ""))


def why_facts(name: str, value: object) -> tuple[str, ...]:
    """The rows of `decision_facts.csv` behind `why(name, value)`."""
    return _WHY_FACTS.get((name, str(value)), ())
