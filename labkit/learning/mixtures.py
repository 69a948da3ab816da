"""Published mixtures of experts with their total and active parameters. Taught in chapter 3."""

from __future__ import annotations

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.tables import Table
from labkit.units import format_count


def mixtures_table() -> Table:
    """The mixtures in `datasets/architectures.csv`, by falling active share. Counts are computed."""
    found = []
    for row in facts.architectures():
        try:
            model = blueprint_from_config(row.config(), title=row.name)
        except LabError:  # an architecture that labkit can't count: its row is for other chapters
            continue
        if model.n_experts:
            found.append((row, model))
    found.sort(key=lambda pair: -_share(pair[1]))
    return Table(
        "Mixtures of experts, computed from their configurations",
        ["model", "experts used", "parameters", "active", "share"],
        [
            [
                row.name,
                f"{model.n_experts_used} of {model.n_experts}",
                format_count(model.parameters),
                format_count(model.parameters_active),
                f"{_share(model):.1%}",
            ]
            for row, model in found
        ],
        [
            "B is a billion, M a million. Experts are counted per layer, without shared ones.",
            "Makers do not all count alike. Some leave the embedding out, so a model card may say less.",
        ],
        folded_title="Sources and dates",
        folded=[f"{row.name}: {row.source}. As of {row.read_on}." for row, _ in found],
    )


def _share(model: Blueprint) -> float:
    return model.parameters_active / model.parameters
