"""What the KV cache saves: really measured, and told as the figures have it."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.measuring.cache_benefit import CacheBenefit, with_and_without_cache
from labkit.measuring.hardware import machine
from labkit.measuring.results import Spread


def result(without, with_cache):
    return CacheBenefit("m", [64], [Spread.of(with_cache)], [Spread.of(without)], machine(), {})


def test_a_gain_is_told_with_its_interval():
    text = repr(result([10, 11, 12, 13, 14, 15], [1, 1, 1, 1, 1, 1]))
    assert "took 12.5 times as long (95 % interval 10.0 to 15.0)" in text
    assert "with the cache, ms" in text and "12,500" in text  # one unit in a column
    assert "median of each round's own ratio" in text


def test_no_gain_is_told_with_a_reason():
    text = repr(result([1, 2, 1, 2, 1, 2], [1.5] * 6))
    assert "no gain can be told from the noise" in text and "took" not in text


def test_two_rounds_make_no_interval():
    assert "too few rounds" in repr(result([10, 11], [1, 1]))


def test_it_is_measured(small_model, monkeypatch):
    """Computing 65 tokens takes longer than computing one, on any machine."""
    monkeypatch.setenv("LABKIT_QUICK", "1")
    measured = with_and_without_cache(small_model, show_progress=False)
    assert measured.lengths == [16, 64]
    assert all(saving.median > 1 for saving in measured.savings())
    assert measured.savings()[1].median > 3
    assert "64" in repr(measured)


@pytest.mark.parametrize("lengths", [[], [1], [64, 16], [16, 16], [10**6], ["16"]])
def test_impossible_lengths_are_a_sentence(random_model, lengths):
    with pytest.raises(LabError, match="rising whole numbers"):
        with_and_without_cache(random_model, lengths=lengths)
