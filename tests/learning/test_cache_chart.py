"""The picture of measured and computed caches says what the measurement says."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.learning.cache_chart import cache_chart
from labkit.measuring.memory_run import MemoryComparison, measure_memory


@pytest.fixture(scope="module")
def run(random_model):
    return measure_memory(random_model, context=512, fill=False)


def at(run, context, kv_type, predicted, measured):
    settings = run.settings | {"context": context, "asked_context": context, "kv_type": kv_type}
    return dataclasses.replace(
        run, settings=settings, predicted_kv_bytes=predicted << 20, context_bytes=measured << 20
    )


def test_agreement_is_the_message(run):
    text = repr(cache_chart(MemoryComparison([at(run, 512, "f16", 11, 14), at(run, 8192, "f16", 180, 184)])))
    assert "by as much as the formula says" in text
    assert "f16 at 8,192 tokens: measured 184, formula 180 MiB" in text


def test_the_distance_from_the_line_is_explained_where_there_is_one(run):
    above = cache_chart(MemoryComparison([at(run, 512, "f16", 11, 14)]))
    assert "book-keeping" in above.html()
    below = cache_chart(MemoryComparison([at(run, 512, "f16", 11, 10)]))
    assert "book-keeping" not in below.html()


def test_disagreement_is_told(run):
    runs = [at(run, 512, "f16", 11, 14), at(run, 8192, "f16", 100, 150), at(run, 512, "q8_0", 6, 7)]
    assert "measured and formula differ by 50%" in repr(cache_chart(MemoryComparison(runs)))


def test_a_real_run_of_one_context_can_be_drawn(run):
    assert "f16 at 512 tokens" in repr(cache_chart(MemoryComparison([run])))
