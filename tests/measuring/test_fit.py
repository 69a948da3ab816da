"""`fit`: the catalogue against this machine and against machines that are not here."""

from __future__ import annotations

import json
import re

import pytest

import labkit as lk
from labkit import limits
from labkit.errors import LabError
from labkit.measuring.fit import Rate, fit, this_room
from labkit.measuring.gpu import GPU
from labkit.models.catalogue import catalogue
from labkit.units import GIB

SMALL = "smollm2-135m-instruct-q4_1"


@pytest.fixture(autouse=True)
def known_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured once in its own tests; here 20 GB/s, so that speeds can be compared."""
    monkeypatch.setattr(Rate, "bandwidth_bytes_per_s", 20e9)


def test_the_whole_catalogue_gets_a_verdict() -> None:
    table = lk.fit(memory_bytes=8 * GIB)
    assert [row.name for row in table.rows] == [entry.name for entry in catalogue()]
    for row, entry in zip(table.rows, catalogue(), strict=True):
        assert row.fit is not None, row.problem
        assert row.licence == entry.licence and row.quantization and row.needed_bytes > 0
        assert (row.fit.verdict == "does not fit") == (row.speed is None) == (row.largest_context == 0)
        if row.speed:
            assert 0 < row.speed.low < row.speed.high and not row.speed.measured
    verdicts = {row.fit.verdict for row in table.rows if row.fit}
    assert verdicts == {"fits", "fits with", "does not fit"}


def test_more_memory_never_makes_it_worse() -> None:
    order = ["does not fit", "fits with", "fits"]
    before = None
    for gib in (0, 2, 8, 512):
        table = fit(["smollm2-1.7b", "qwen3-8b", "llama-3.3-70b"], memory_bytes=gib * GIB)
        now = [order.index(row.fit.verdict) for row in table.rows]
        assert before is None or all(a <= b for a, b in zip(before, now, strict=True))
        before = now
    assert set(before or []) == {2}


def test_this_machine_counts_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert this_room().ram_bytes == limits.memory_allowed_bytes()
    monkeypatch.setattr(limits, "memory_total_bytes", lambda: 64 * GIB)
    monkeypatch.setattr(limits, "memory_allowed_bytes", lambda: 4 * GIB)
    monkeypatch.setattr(limits, "memory_available_bytes", lambda: 3 * GIB)
    table = fit(["llama-3.2-3b", SMALL])
    assert table.room.ram_bytes == 4 * GIB and not table.what_if
    notes = " ".join(table.notes)
    assert "The machine has 64.00 GiB; this process may use 4.00 GiB" in notes
    assert "Other programs use 1.00 GiB of it now: 3.00 GiB are free" in notes
    assert table["llama-3.2-3b"].fit.verdict == "fits"
    assert "Close other programs first for: llama-3.2-3b" in notes


def test_settings_that_make_it_fit_are_named() -> None:
    row = fit("qwen3-14b", memory_bytes=8 * GIB)["qwen3-14b"]
    assert row.fit.verdict == "fits with"
    assert re.fullmatch(r"fits with (Q\w+, )?([\d,]+ tokens, )?q8_0 cache", row.verdict())
    assert row.fit.memory.cpu_bytes <= 8 * GIB < row.needed_bytes
    table = fit("llama-3.1-405b", memory_bytes=8 * GIB)
    short = table["llama-3.1-405b"]
    assert re.fullmatch(r"does not fit: \d+\.\d\d GiB short", short.verdict())
    # far less than it needs as asked: the table says with which settings
    assert short.fit.short_bytes < short.needed_bytes - 8 * GIB
    notes = " ".join(table.notes)
    assert "does not fit is short by that much even with Q2_K, 2,048 tokens, q8_0 cache" in notes
    assert "even with" not in " ".join(fit("qwen3-14b", memory_bytes=8 * GIB).notes)


def test_a_graphics_card_that_is_not_here() -> None:
    table = fit("llama-3.1-8b", memory_bytes=16 * GIB, vram_bytes=24 * GIB)
    row = table["llama-3.1-8b"]
    assert row.fit.place == "GPU" and row.verdict() == "fits on the GPU"
    assert row.speed is None and "unknown bandwidth" in " ".join(table.notes)
    split = fit("llama-3.1-8b", memory_bytes=16 * GIB, vram_bytes=4 * GIB)["llama-3.1-8b"]
    assert split.fit.place == "GPU and RAM" and 0 < split.fit.memory.gpu_bytes <= 3 * GIB


def test_the_card_and_the_ram_each_take_their_time() -> None:
    card = GPU("Card", 24 * GIB, 24 * GIB, "1", "GPU-0", 1000e9)
    row = fit("llama-3.1-8b", memory_bytes=64 * GIB, vram_bytes=24 * GIB)["llama-3.1-8b"]
    blueprint = lk.estimate("llama-3.1-8b", ask_llama=False).blueprint
    on_gpu = Rate([card]).predicted(blueprint, row.fit.settings, row.fit.memory)
    in_ram = Rate([]).predicted(
        blueprint,
        fit("llama-3.1-8b", memory_bytes=64 * GIB).rows[0].fit.settings,
        fit("llama-3.1-8b", memory_bytes=64 * GIB).rows[0].fit.memory,
    )
    assert on_gpu.high == pytest.approx(50 * in_ram.high, rel=0.01)


def test_models_that_cannot_be_read_say_why() -> None:
    table = fit(["llama-9", "./nowhere.gguf", "smollm2-135m"], memory_bytes=8 * GIB)
    assert table["llama-9"].verdict().startswith("not known: There is no model called")
    assert table["./nowhere.gguf"].fit is None
    assert table["smollm2-135m"].fit.verdict == "fits"
    out = json.loads(json.dumps(table.to_dict()))
    assert [row["verdict"] for row in out["models"]] == ["not known", "not known", "fits"]


def test_a_context_or_a_cache_that_cannot_be() -> None:
    with pytest.raises(LabError, match="context"):
        fit("smollm2-135m", context=0)
    with pytest.raises(LabError, match="no quantization"):
        fit("smollm2-135m", "Q4_KM")
    with pytest.raises(LabError, match="bytes"):
        fit("smollm2-135m", memory_bytes=-1)
    with pytest.raises(LabError, match="can't be measured here"):
        fit("smollm2-135m", measure=True, memory_bytes=GIB)
    with pytest.raises(LabError, match="no model 'x'"):
        fit("smollm2-135m", memory_bytes=GIB)["x"]


def test_a_pocket_model_comes_with_its_licence() -> None:
    row = fit("Pocket-Base", memory_bytes=8 * GIB)["pocket-base"]
    assert row.fit.verdict == "fits" and row.licence == "apache-2.0"


def test_it_shows_as_one_line_a_model() -> None:
    table = fit(["smollm2-135m", "llama-3.1-405b"], memory_bytes=8 * GIB)
    lines = repr(table).splitlines()
    assert lines[0] == "A machine with 8.00 GiB of memory; a context of 8,192 tokens"
    assert [line.split()[0] for line in lines[4:6]] == ["smollm2-135m", "llama-3.1-405b"]
    assert "Tokens/s, predicted" in lines[2] and "20 GB/s" in lines[-1]
    assert "<table>" in table._repr_html_()
