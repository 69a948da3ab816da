"""All architectures that a `config.json` can be of, found by class or by model type."""

from __future__ import annotations

from labkit.estimating.architectures import (
    dense,
    further,
    gemma4,
    mixtures,
    mixtures_further,
    older,
    windowed,
)
from labkit.estimating.architectures.family import Architecture

ARCHITECTURES: tuple[Architecture, ...] = (
    *dense.ARCHITECTURES,
    *further.ARCHITECTURES,
    *older.ARCHITECTURES,
    *gemma4.ARCHITECTURES,
    *windowed.ARCHITECTURES,
    *mixtures.ARCHITECTURES,
    *mixtures_further.ARCHITECTURES,
)
BY_MODEL_TYPE: dict[str, Architecture] = {
    model_type: architecture for architecture in ARCHITECTURES for model_type in architecture.model_types
}
BY_CLASS: dict[str, Architecture] = {
    name: architecture for architecture in ARCHITECTURES for name in architecture.classes
}
