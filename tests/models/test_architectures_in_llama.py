"""Every row of architectures.csv is a model that llama.cpp takes, with the cache that the formula gives."""

from __future__ import annotations

import pytest

from labkit import facts
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_bytes
from labkit.models.buffers_by_llama import buffers_by_llama

#: longer than every window that llama.cpp makes use of, and no multiple of 256
CONTEXT = 10_000


@pytest.mark.parametrize("row", facts.architectures(), ids=lambda row: row.id)
def test_llama_cpp_takes_the_rebuilt_config(row: facts.ArchitectureRow) -> None:
    blueprint = blueprint_from_config(row.config(), row.name)
    plan = buffers_by_llama(blueprint, CONTEXT)
    assert plan["kv_bytes"] == kv_bytes(blueprint, CONTEXT)
    assert plan["compute_bytes"] > 0
