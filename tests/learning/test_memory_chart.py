"""Memory against context: the lines, the limit, and the words of the picture."""

from __future__ import annotations

import pytest

import labkit as lk
from labkit import limits
from labkit.errors import LabError
from labkit.estimating.fitting import Room
from labkit.learning.memory_chart import memory_lines
from labkit.models.estimate import estimate
from labkit.models.source import blueprint_of
from labkit.units import GIB


def test_the_lines_are_those_of_estimate() -> None:
    blueprint = estimate("llama-3.2-1b", ask_llama=False).blueprint
    (line,) = memory_lines(blueprint, ["q8_0"], Room(4 * GIB), 8192)
    assert line.contexts[0] == 512 and line.contexts[-1] == 8192
    assert list(line.total_bytes) == sorted(line.total_bytes)
    for n, total in zip(line.contexts, line.total_bytes, strict=True):
        told = estimate("llama-3.2-1b", context=n, kv_type="q8_0", ask_llama=False)
        assert total == told.total_bytes


def test_the_limit_is_what_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_allowed_bytes", lambda: 2 * GIB)
    figure = lk.memory_chart("llama-3.2-1b", kv_types=("f16", "q4_0"))
    assert figure.png.startswith(b"\x89PNG")
    assert "The memory you may use is 2.00 GiB" in figure.alt
    assert "f16 cache: " in figure.alt and "q4_0 cache: " in figure.alt
    assert "Llama 3.2 1B in Q4_K_M" in figure.alt
    assert "Each mark on the lower axis is 4 times the last" in figure.html()
    fits = estimate("llama-3.2-1b", ask_llama=False).largest_context
    assert 0 < fits < 131072 and f"{fits:,} tokens fit" in figure.alt
    assert lk.memory_chart("llama-3.2-1b", kv_types="q8_0,f16", longest=4096).alt.count("cache: ") == 1


def test_layers_on_the_gpu_need_room_there_too() -> None:
    blueprint = estimate("llama-3.2-1b", ask_llama=False).blueprint
    (both,) = memory_lines(blueprint, ["f16"], Room(64 * GIB, 3 * GIB), gpu_layers=17)
    (alone,) = memory_lines(blueprint, ["f16"], Room(64 * GIB, 64 * GIB), gpu_layers=17)
    assert 0 < both.fits < alone.fits == 131072


def test_models_that_never_fit_and_windows_that_slide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_allowed_bytes", lambda: GIB)
    assert "no context fits" in lk.memory_chart("llama-3.1-70b", kv_types=("f16",)).alt
    lines = memory_lines(blueprint_of("gemma-3-1b"), ("f16",), Room(64 * GIB))
    full = memory_lines(blueprint_of("llama-3.2-1b"), ("f16",), Room(64 * GIB), lines[0].contexts[-1])

    def growth(line):
        return (line.total_bytes[-1] - line.total_bytes[0]) / (line.contexts[-1] - line.contexts[0])

    assert growth(lines[0]) < growth(full[0]) / 4


@pytest.mark.parametrize(
    "settings", [{"kv_types": ("q3_z",)}, {"kv_types": ()}, {"longest": 0}, {"quant": "Q"}]
)
def test_nonsense_is_a_sentence(settings: dict) -> None:
    with pytest.raises(LabError):
        lk.memory_chart("llama-3.2-1b", **settings)
