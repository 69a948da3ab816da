"""Memory bandwidth beside a copy measured in the same run, and the roofline's words."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from labkit.measuring.bandwidth import BandwidthResult, Roofline, memory_bandwidth, roofline
from labkit.measuring.bench import bench
from labkit.models.model_file import ModelFile
from labkit.units import MIB


def copy_bytes_per_s() -> float:
    """Bytes read and written by the best of several copies, one thread."""
    source, target = np.ones(64 * MIB // 8), np.empty(64 * MIB // 8)
    best = 0.0
    for _ in range(12):
        start = time.perf_counter()
        np.copyto(target, source)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - start))
    return best


@pytest.fixture(scope="module")
def bandwidth() -> BandwidthResult:
    return memory_bandwidth()


def test_within_reach_of_a_copy(bandwidth: BandwidthResult) -> None:
    """Reading with all cores is about as fast as one core copying, or faster by at most the cores' number.

    Other programs may disturb one of the two, so the best of three attempts counts.
    """
    for _ in range(3):
        ratio = max(bandwidth.bytes_per_s.values) / copy_bytes_per_s()
        if 0.4 < ratio < 4 * bandwidth.threads:
            return
        bandwidth = memory_bandwidth()
    raise AssertionError(f"read / copy = {ratio:.2f}")


def test_the_result_travels(bandwidth: BandwidthResult) -> None:
    assert BandwidthResult.from_dict(bandwidth.to_dict()) == bandwidth
    assert bandwidth.buffer_bytes <= 300 * MIB
    assert "GB/s" in repr(bandwidth)


def test_a_reading_beside_other_programs_says_so(bandwidth: BandwidthResult) -> None:
    """Its threads were kept from the processor, so memory seems slower than it is."""
    assert 0 < bandwidth.processor_share <= 1
    for share, said in ((0.31, True), (0.99, False), (None, False)):
        text = repr(dataclasses.replace(bandwidth, processor_share=share))
        assert ("Disturbed: this run got 31%" in text) == said


def test_one_thread_reads_no_faster_than_all(bandwidth: BandwidthResult) -> None:
    if bandwidth.threads == 1:
        pytest.skip("one core only")
    for _ in range(3):
        if max(memory_bandwidth(threads=1).bytes_per_s.values) < 1.5 * max(
            memory_bandwidth().bytes_per_s.values
        ):
            return
    raise AssertionError("one thread was far faster than all of them, three times")


def test_roofline_arithmetic(random_model: ModelFile, bandwidth: BandwidthResult) -> None:
    result = bench(random_model, prompt=32, generate=8, repetitions=2, show_progress=False)
    line = roofline(result, bandwidth)
    assert line.ceiling_tokens_per_s * line.bytes_per_token == pytest.approx(
        bandwidth.bytes_per_s.median, rel=1e-6
    )
    assert line.share == line.measured_tokens_per_s / line.ceiling_tokens_per_s
    assert line.random_weights and "RANDOM" in repr(line)
    assert Roofline.from_dict(line.to_dict()) == line
    faster = dataclasses.replace(
        bandwidth, bytes_per_s=dataclasses.replace(bandwidth.bytes_per_s, median=1e15)
    )
    assert roofline(result, faster).share < line.share


@pytest.mark.parametrize(
    ("share", "cache_mib", "on_gpu", "words"),
    [
        (0.8, 1, False, "Close to the ceiling"),
        (0.3, 1, False, "Well below"),
        (0.3, 32, False, "need not even come from memory"),
        (1.3, 32, False, "Part of the weights stays in the cache"),
        (1.3, 1, False, "repeat it"),
        (1.3, 200, False, "no mistake"),
        (9.0, 1, True, "GPU"),
    ],
)
def test_the_words_follow_the_measurement(
    bandwidth: BandwidthResult, share: float, cache_mib: int, on_gpu: bool, words: str
) -> None:
    line = Roofline(
        measured_tokens_per_s=100 * share,
        ceiling_tokens_per_s=100,
        bytes_per_token=100 * MIB,
        bandwidth_bytes_per_s=1e4 * MIB,
        last_level_cache_bytes=cache_mib * MIB,
        on_gpu=on_gpu,
        model="m",
        random_weights=False,
        machine=bandwidth.machine,
        versions={},
    )
    assert words in line.reading()
    assert line.reading() in repr(line)
    assert "MB" in repr(line) and f"{100 * MIB / 1e6:.0f}" in repr(line)
    disturbed = dataclasses.replace(line, disturbed=True)
    assert words not in disturbed.reading() and "Measure again" in disturbed.reading()


def test_a_disturbed_speed_gives_no_cause(random_model: ModelFile, bandwidth: BandwidthResult) -> None:
    result = bench(random_model, prompt=32, generate=8, repetitions=2, show_progress=False)
    for share, disturbed in ((0.5, True), (1.0, False)):
        changed = dataclasses.replace(result, settings=result.settings | {"processor_share": share})
        assert roofline(changed, bandwidth).disturbed is (disturbed and result.settings["runs_on"] == "CPU")
