"""Memory of real runs in child processes, against the predictions; and what a learner sees of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.config import blueprint_from_config
from labkit.measuring.memory_record import MemoryRecord
from labkit.measuring.memory_run import MemoryComparison, MemoryRun, compare_memory, measure_memory
from labkit.models.header_only import write_header_only
from labkit.models.twin import twin, twin_blueprint
from labkit.units import MIB


def assert_as_predicted(run: MemoryRun) -> None:
    error = run.predicted_resident_bytes - run.resident_bytes
    assert abs(error) <= max(0.05 * run.resident_bytes, 40 * MIB), f"off by {error / MIB:.1f} MiB"


@pytest.mark.parametrize(
    ("context", "kv_type", "mmap"), [(512, "f16", True), (4096, "q8_0", False), (8192, "q4_0", True)]
)
def test_a_real_model_takes_what_is_predicted(
    small_model: object, context: int, kv_type: str, mmap: bool
) -> None:
    run = measure_memory(small_model, context=context, kv_type=kv_type, mmap=mmap)
    assert_as_predicted(run)
    assert run.predicted_kv_bytes == pytest.approx(run.buffers.kv_bytes, abs=6000)
    assert (run.file_backed_bytes > 80 * MIB) == mmap
    # Nothing is computed before the prompt: making the context adds the cache, and little else.
    assert run.context_bytes == pytest.approx(run.predicted_kv_bytes, abs=8 * MIB)
    assert 0 < run.prompt_bytes < run.buffers.compute_bytes / 2


def test_a_copy_for_the_processor_is_predicted(tmp_path: Path) -> None:
    """A header without weights takes the same memory: its hole is mapped like a file."""
    config = facts.find_architecture("gemma-3-270m").config()
    path = write_header_only(
        twin_blueprint(blueprint_from_config(config, "gemma"), "Q4_0"), tmp_path / "g.gguf"
    )
    mapped = measure_memory(path, context=1024)
    read = measure_memory(path, context=1024, mmap=False)
    for run in (mapped, read):
        assert_as_predicted(run)
    assert mapped.file_backed_bytes > 150 * MIB > read.file_backed_bytes


def test_a_comparison_shows_the_cache(small_model: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABKIT_QUICK", raising=False)
    result = compare_memory(small_model, contexts=(512, 4096), kv_types=("f16", "q4_0"), show_progress=False)
    assert [run.settings["context"] for run in result.runs] == [512, 4096, 512, 4096]
    long, short = result.run(4096), result.run(4096, "q4_0")
    assert long.context_bytes > 2.5 * short.context_bytes
    assert "llama.cpp reports" in repr(result) and "<table>" in result._repr_html_()
    assert len(result.to_frame()) == 4
    assert (
        MemoryComparison.from_dict(result.to_dict()).run(512).resident_bytes == result.runs[0].resident_bytes
    )
    record = MemoryRecord.parse(result.record())
    assert (record.layers, record.heads, record.kv_heads, record.head_size) == (30, 9, 3, 64)
    assert record.bytes_per_token == pytest.approx(30 * 2 * 3 * 64 * 2, rel=0.15)
    with pytest.raises(LabError, match="No run with 9,999 tokens"):
        result.run(9999)


def test_a_page_shows_four_figures_and_folds_the_rest(random_model: object) -> None:
    empty = measure_memory(random_model, context=512, fill=False)
    assert [row.quantity for row in empty.rows() if not row.detail] == [
        "Loading the model added",
        "Making the context added",
        "Resident in all, at the peak",
        "KV cache by the formula",
    ]
    filled = {row.quantity for row in measure_memory(random_model, context=512).rows() if not row.detail}
    assert filled >= {"Reserved for the computation", "Touched by the computation"}


def test_a_twin_that_was_removed_is_a_sentence(tmp_path: Path) -> None:
    config = facts.find_architecture("smollm2-135m").config()
    file = twin(config, "Q4_0", layers=1, out=tmp_path / "t.gguf", show_progress=False)
    file.path.unlink()
    with pytest.raises(LabError, match="Run the cell that made it again"):
        measure_memory(file, context=512)


def test_quick_runs_measure_less(random_model: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = compare_memory(random_model, contexts=(512, 1024, 8192), kv_types=("f16",), show_progress=False)
    assert [run.settings["asked_context"] for run in result.runs] == [512, 4096]
    assert "RANDOM" in repr(result) or "random" in repr(result)


@pytest.mark.parametrize(
    "settings", [{"context": 1}, {"context": 10**9}, {"context": "512"}, {"kv_type": "q3_k"}, {"kv_type": 8}]
)
def test_odd_settings_are_a_sentence(random_model: object, settings: dict[str, object]) -> None:
    with pytest.raises(LabError):
        measure_memory(random_model, **settings)
    with pytest.raises(LabError):
        compare_memory(random_model, contexts=(), show_progress=False)


def test_a_context_that_does_not_fit_is_a_sentence(small_model: object) -> None:
    with pytest.raises(LabError, match="KV cache"):
        measure_memory(small_model, context=2**24)
