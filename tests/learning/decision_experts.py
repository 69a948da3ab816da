"""Forty-two situations, and the alternatives that an expert would rule out in each.

Written from the situations, before the rules were: a rule that disagrees with a row is wrong, or the row
needs an argument. Letters: A closed, vendor's API. P closed, private contract or vendor's air-gapped box.
H open weights, hosted. O open weights on your own server. D small open model on the device.

Each row: (the situation in words, what differs from `RELAXED`, letters ruled out).
"""

from __future__ import annotations

LETTERS = {
    "A": "closed_api",
    "P": "closed_private",
    "H": "open_hosted",
    "O": "open_own",
    "D": "open_device",
}

#: Nothing special about this one: every alternative is possible.
RELAXED = {
    "data": "public",
    "jurisdiction": "none",
    "connectivity": "always",
    "latency": "interactive",
    "skills": "service",
    "tuning": "none",
    "quality": "any",
    "lifetime": "year",
    "hardware": "small_gpu",
    "redistribute": "no",
    "monthly_users": "under_100m",
    "commercial": "no",
    "tokens_in_per_day": 20_000,
    "tokens_out_per_day": 5_000,
    "budget_per_month": None,
}

EXPERT_ROWS: list[tuple[str, dict, str]] = [
    ("a hobby chat", {}, ""),
    (
        "news digests, the best quality there is, a laptop",
        {"quality": "frontier", "hardware": "laptop"},
        "OD",
    ),
    # Privacy alone forces nothing out: contracts exist for hosted models, closed and open alike.
    ("a practice's patient letters in the EU", {"data": "personal", "jurisdiction": "eu"}, ""),
    ("tax files that must stay in the country", {"data": "personal", "jurisdiction": "in_country"}, "A"),
    ("regulated secrets, online", {"data": "secret"}, "AH"),
    (
        "a ministry's closed network, own server",
        {"data": "secret", "connectivity": "never_site", "hardware": "server"},
        "AH",
    ),
    ("a factory without internet, nothing confidential", {"connectivity": "never_site"}, "AH"),
    (
        "a geologist's laptop, never a network",
        {"connectivity": "never_field", "hardware": "laptop"},
        "APHO",
    ),
    (
        "the same, and frontier quality: there is no such thing",
        {"connectivity": "never_field", "hardware": "laptop", "quality": "frontier"},
        "APHOD",
    ),
    ("a train with patchy reception", {"connectivity": "sometimes"}, ""),
    ("a lab that must change and keep the weights", {"tuning": "own", "skills": "ml"}, "AP"),
    ("a house style, hosted fine-tuning would do", {"tuning": "hosted"}, ""),
    ("a medical device: same behaviour for ten years", {"lifetime": "years_pinned"}, "AP"),
    # The vendor's box in your cellar keeps its version as long as the contract says so.
    (
        "the same, in a closed building",
        {"lifetime": "years_pinned", "connectivity": "never_site"},
        "AH",
    ),
    ("a shop, nobody can run a service, a PC with a GPU", {"skills": "none"}, "O"),
    ("a writer with a laptop", {"skills": "none", "hardware": "laptop"}, "O"),
    ("a web start-up without machines", {"hardware": "none"}, "OD"),
    ("no machines, must own the tuned weights", {"hardware": "none", "tuning": "own"}, "APOD"),
    ("no machines, regulated secrets", {"hardware": "none", "data": "secret"}, "AHOD"),
    ("no machines, ten years unchanged", {"hardware": "none", "lifetime": "years_pinned"}, "APOD"),
    ("weights shipped inside a product", {"redistribute": "yes", "commercial": "yes"}, "APH"),
    # Licence conditions choose the model, not the way to run it.
    (
        "shipped to 700 million users",
        {"redistribute": "yes", "commercial": "yes", "monthly_users": "over_700m"},
        "APH",
    ),
    (
        "shipped, frontier quality, customers have servers",
        {"redistribute": "yes", "commercial": "yes", "quality": "frontier", "hardware": "server"},
        "APHD",
    ),
    ("frontier quality on a 24 GB card", {"quality": "frontier"}, "OD"),
    ("frontier quality on a server", {"quality": "frontier", "hardware": "server"}, "D"),
    ("strong quality wanted, only a laptop", {"quality": "strong", "hardware": "laptop"}, "O"),
    # Hosted completion under 200 ms is sold and used: hard, not impossible.
    ("code completion as you type, a laptop", {"latency": "instant", "hardware": "laptop"}, "O"),
    ("a nightly batch", {"latency": "batch", "tokens_in_per_day": 1_000_000}, ""),
    (
        "a phone app that works in a tunnel, sold",
        {
            "connectivity": "never_field",
            "hardware": "laptop",
            "redistribute": "yes",
            "commercial": "yes",
            "skills": "none",
        },
        "APHO",
    ),
    (
        "defence: secret, in the country, air-gapped, for many years",
        {
            "data": "secret",
            "jurisdiction": "in_country",
            "connectivity": "never_site",
            "hardware": "server",
            "lifetime": "years_pinned",
            "skills": "ml",
        },
        "AH",
    ),
    (
        "a bank in the EU that trains its own weights",
        {"data": "personal", "jurisdiction": "eu", "tuning": "own", "hardware": "server", "skills": "ml"},
        "AP",
    ),
    (
        "a field crew whose server stays at home",
        {"connectivity": "never_field", "hardware": "server"},
        "APHO",
    ),
    (
        "a large consumer site, no machines",
        {"monthly_users": "over_100m", "commercial": "yes", "quality": "strong", "hardware": "none"},
        "OD",
    ),
    (
        "secrets, own weights, no machine: something must give",
        {"data": "secret", "tuning": "own", "hardware": "none"},
        "APHOD",
    ),
    ("data stays in the country, no machines", {"jurisdiction": "in_country", "hardware": "none"}, "AOD"),
    # Costs, with the two prices and the machine of the test (see test_decision_rules.py).
    (
        "four million tokens a day for five a month",
        {"tokens_in_per_day": 3_000_000, "tokens_out_per_day": 1_000_000, "budget_per_month": 5},
        "APH",
    ),
    (
        "the same for a hundred a month",
        {"tokens_in_per_day": 3_000_000, "tokens_out_per_day": 1_000_000, "budget_per_month": 100},
        "AP",
    ),
    (
        "more than the measured laptop can write in a day",
        {"tokens_out_per_day": 10_000_000, "hardware": "laptop", "measured": True},
        "OD",
    ),
    # Free after download? The machine and its power cost more than five a month.
    (
        "a laptop that is bought for it, five a month",
        {"budget_per_month": 5, "hardware": "laptop", "measured": True, "hardware_price": 1_000},
        "OD",
    ),
    (
        "a workshop for two weeks, no skills, no machines",
        {"lifetime": "weeks", "skills": "none", "hardware": "none"},
        "OD",
    ),
    (
        "a closed site without machines or skills: only the vendor's box",
        {"connectivity": "never_site", "data": "secret", "hardware": "none", "skills": "none"},
        "AHOD",
    ),
    ("patchy reception, but it can wait", {"connectivity": "sometimes", "latency": "batch"}, ""),
]
