"""The measurement itself: invariants of what it says, and what it survives. No absolute times."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.kv_cache import kv_bytes_per_token
from labkit.estimating.speed import weight_bytes_per_token
from labkit.measuring.bench import BenchResult, bench
from labkit.measuring.record import BenchRecord
from labkit.models.gguf import read_gguf_header
from labkit.models.model_file import ModelFile

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"prompt": 32, "generate": 8, "repetitions": 2, "show_progress": False}


@pytest.fixture(scope="module")
def measured(small_model: ModelFile) -> BenchResult:
    return bench(small_model, **SIZES)


def test_each_speed_has_its_runs(measured: BenchResult) -> None:
    for spread in (measured.pp_tokens_per_s, measured.tg_tokens_per_s):
        assert len(spread.values) == SIZES["repetitions"]
        assert 0 < min(spread.values) <= spread.median <= max(spread.values)
    assert measured.ttft_s and measured.ttft_s > 0
    assert abs(measured.settings["ttft_prompt_tokens"] - SIZES["prompt"]) <= 0.2 * SIZES["prompt"]


def test_memory_adds_up(measured: BenchResult, small_model: ModelFile) -> None:
    memory, header = measured.memory, read_gguf_header(small_model.path)
    assert memory.private_bytes + memory.file_backed_bytes == memory.resident_bytes <= memory.peak_bytes
    assert memory.model_bytes == pytest.approx(header.tensor_bytes, rel=0.001)
    assert memory.kv_bytes == pytest.approx(
        kv_bytes_per_token(header) * measured.settings["context"], rel=0.01
    )
    assert measured.settings["context"] >= SIZES["prompt"] + SIZES["generate"]
    if measured.settings["load_mode"] == "mmap" and memory.gpu_bytes is None:
        assert memory.file_backed_bytes > memory.model_bytes
        assert memory.resident_bytes < memory.before_load_bytes + 3 * memory.model_bytes


def test_the_convention_is_llama_bench(measured: BenchResult) -> None:
    told = {name: measured.settings[name] for name in ("batch", "ubatch", "type_k", "type_v", "swa_full")}
    assert told == {"batch": 2048, "ubatch": 512, "type_k": "f16", "type_v": "f16", "swa_full": False}
    assert measured.settings["flash_attention"] == "enabled"


def test_the_result_travels(measured: BenchResult, tmp_path: Path) -> None:
    assert BenchResult.load(measured.save(tmp_path / "bench.json")) == measured
    data = json.loads(measured.to_json())
    assert {"mean", "median", "std", "values"} == set(data["tg_tokens_per_s"])
    wanted = {"resident_bytes", "peak_bytes", "model_bytes", "kv_bytes", "compute_bytes"}
    assert wanted <= set(data["memory"])
    assert {"machine", "versions", "date", "settings", "model", "ttft_s"} <= set(data)
    record = BenchRecord.parse(measured.record())
    assert str(record) == measured.record()
    assert record.tg_tokens_per_s == pytest.approx(measured.tg_tokens_per_s.median, rel=0.01)
    assert record.sha12 == measured.model["sha256"][:12]
    assert "tokens/s" in measured._repr_html_() and "MiB" in repr(measured)
    assert len(measured.to_frame()) == len(measured.rows())


def test_random_weights_say_so_everywhere(random_model: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    result = bench(random_model, **SIZES)
    assert result.random_weights
    for text in (repr(result), result._repr_html_(), result.title()):
        assert "random weights" in text.lower()
    assert BenchRecord.parse(result.record()).random_weights
    assert capfd.readouterr() == ("", "")


def test_quick_mode_does_less(random_model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = bench(random_model, show_progress=False)
    assert result.settings["prompt"] < 512 and len(result.tg_tokens_per_s.values) < 5
    assert "Quick run" in repr(result)


def test_settings_of_cache_and_loading_reach_llama(random_model: ModelFile) -> None:
    plain = bench(random_model, **SIZES)
    other = bench(random_model, **SIZES, kv_type="q8_0", flash_attention=True, mmap=False)
    assert (other.settings["type_k"], other.settings["type_v"]) == ("q8_0", "q8_0")
    assert (plain.settings["load_mode"], other.settings["load_mode"]) == ("mmap", "none")
    assert other.settings["flash_attention"] == "enabled"
    assert other.memory.kv_bytes == pytest.approx(plain.memory.kv_bytes * 34 / 64, rel=0.1)
    assert bench(random_model, **SIZES, flash_attention=False).settings["flash_attention"] == "disabled"


def test_a_context_of_ones_own_sets_the_kv_cache(random_model: ModelFile) -> None:
    short = bench(random_model, context=256, **SIZES)
    long = bench(random_model, context=1024, **SIZES)
    assert short.settings["context"] == 256 and long.settings["context"] == 1024
    assert long.memory.kv_bytes == pytest.approx(4 * short.memory.kv_bytes, rel=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"prompt": 0}, {"generate": -1}, {"repetitions": 1.5}, {"threads": 0}, {"threads": "2"}),
        *({"prompt": True}, {"context": 16}, {"context": 2**40}, {"repetitions": None}),
        {"kv_type": "q3_k"},
    ],
)
def test_wrong_sizes_are_sentences(random_model: ModelFile, wrong: dict[str, object]) -> None:
    with pytest.raises(LabError) as caught:
        bench(random_model, **(SIZES | wrong))
    assert caught.value.cure


def test_a_context_beyond_the_memory(small_model: ModelFile) -> None:
    with pytest.raises(LabError, match="memory"):
        bench(small_model, **(SIZES | {"context": 2**24}))


def test_wrong_files_are_sentences(tmp_path: Path, random_model: ModelFile) -> None:
    whole = Path(random_model.path).read_bytes()
    files = {"cut": whole[: len(whole) // 2], "empty": b"", "page": b"<html>", "head": whole[:16]}
    for name, data in files.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(data)
        with pytest.raises(LabError):
            bench(path, **SIZES)
    for wrong in (tmp_path, tmp_path / "none.gguf", "no-such-model", 5):
        with pytest.raises(LabError):
            bench(wrong, **SIZES)  # type: ignore[arg-type]


def test_what_llama_cpp_refuses_is_told_with_its_reason(tmp_path: Path, random_model: ModelFile) -> None:
    """A header that reads well, of an architecture that llama.cpp does not know."""
    path = tmp_path / "odd.gguf"
    path.write_bytes(Path(random_model.path).read_bytes().replace(b"llama", b"lamma"))
    odd = ModelFile("odd", path, "0" * 64, path.stat().st_size, "local")
    with pytest.raises(LabError, match="architecture"):
        bench(odd, **SIZES)


CRASHES = {
    "import os; os.abort()": "crashed",
    "import os; os._exit(3)": "status 3",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "memory",
    "import ctypes; ctypes.string_at(0)": "crashed",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
@pytest.mark.parametrize("code", CRASHES)
def test_a_dying_child_is_a_sentence(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dying_child.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LabError, match=CRASHES[code]):
        run_child("dying_child", {})


def test_a_file_beside_the_notebook_does_not_shadow(
    random_model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert bench(random_model, **SIZES).tg_tokens_per_s.values


SCRIPT = """
from labkit.measuring.bench import bench
from labkit.models.model_file import ModelFile
from pathlib import Path
print("begun", flush=True)
model = ModelFile("m", Path({path!r}), "0" * 64, 0, "local")
bench(model, prompt=512, generate=512, repetitions=1000, show_progress=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_or_a_kill_leaves_no_process(random_model: ModelFile, how: signal.Signals) -> None:
    code = SCRIPT.format(path=str(random_model.path))
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        assert parent.stdout and parent.stdout.readline() == b"begun\n"
        child = _wait_for(lambda: psutil.Process(parent.pid).children())[0]
        _wait_for(lambda: any("_bench_child" in part for part in child.cmdline()))
        parent.send_signal(how)
        parent.wait(30)
        assert _wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    finally:
        parent.kill()
        parent.wait()


def _wait_for(condition):
    """The first true value of `condition`; fails after a minute."""
    for _ in range(600):
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


def test_bytes_per_token_follow_the_tensors(small_model: ModelFile, random_model: ModelFile) -> None:
    for model in (small_model, random_model):
        header = read_gguf_header(model.path)
        tied = all(tensor.name != "output.weight" for tensor in header.tensors)
        read = weight_bytes_per_token(header.blueprint())
        if tied:
            assert read == header.tensor_bytes
        else:
            table = next(t for t in header.tensors if t.name == "token_embd.weight")
            assert read == pytest.approx(header.tensor_bytes - table.n_bytes, rel=0.05)
