"""The KV cache by formula against what llama.cpp plans: real models, and altered ones nobody published."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_bytes
from labkit.models.buffers_by_llama import reported_kv_bytes
from labkit.units import MIB
from tests.estimating.configs import altered

_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q4_0")


def _real() -> Iterator[Blueprint]:
    for row in facts.architectures():
        try:
            yield blueprint_from_config(row.config(), row.name)
        except LabError:  # a family that config does not know
            continue


def _settings(rng: random.Random) -> dict[str, Any]:
    type_k = rng.choice(_TYPES)
    return {
        "context": rng.choice((rng.randrange(1, 700), rng.randrange(256, 5000), rng.randrange(4000, 40_000))),
        "type_k": type_k,
        "type_v": rng.choice((type_k, type_k, "f16")),
        "flash_attention": rng.choice((True, False)),
        "parallel": rng.choice((1, 1, 2, 3, 8)),
        "n_ubatch": rng.choice((512, 512, 128, 2048)),
        "kv_unified": rng.random() < 0.2,
    }


def _compare(blueprint: Blueprint, settings: dict[str, Any]) -> bool | None:
    """Do formula and llama.cpp agree to the last digit it prints? None where llama.cpp refuses."""
    try:
        told = reported_kv_bytes(blueprint, **settings)
    except LabError:
        return None
    return abs(kv_bytes(blueprint, **settings) - sum(told)) <= 0.006 * MIB * max(1, len(told))


@pytest.mark.parametrize("seed", [11, 12])
def test_altered_models(seed: int) -> None:
    rng = random.Random(seed)
    cases = [(name, blueprint_from_config(config), _settings(rng)) for name, config in altered(seed)]
    results = {(name, str(settings)): _compare(model, settings) for name, model, settings in cases}
    assert [case for case, agrees in results.items() if agrees is False] == []
    assert sum(agrees is True for agrees in results.values()) > 0.6 * len(cases)


@pytest.mark.parametrize(("kv_type", "context"), [("f16", 9000), ("q8_0", 32768)])
def test_real_models(kv_type: str, context: int) -> None:
    settings = {"context": context, "type_k": kv_type, "type_v": kv_type, "flash_attention": True}
    results = {model.title: _compare(model, settings) for model in _real()}
    assert [title for title, agrees in results.items() if agrees is False] == []
    assert sum(agrees is True for agrees in results.values()) > 0.9 * len(results) > 70
