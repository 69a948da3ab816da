"""Twins: what llama.cpp computes with them, what their files say, and what a disk may do to them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.measuring.bench import BenchResult, bench
from labkit.models import made_files, twin_file
from labkit.models.download import local_model
from labkit.models.gguf import read_gguf_header
from labkit.models.loading import load_model
from labkit.models.model_file import ModelFile
from labkit.models.twin import TWINS, forget_twins, twin, twin_blueprint, twin_of_blueprint
from tests.estimating.configs import EXPERTS, SMALL, config
from tests.models.node_values import NodeValues, node_values

ROOT = Path(__file__).resolve().parents[2]
LLAMA = config("llama", "LlamaForCausalLM")
SIZES = {"prompt": 32, "generate": 4, "repetitions": 2, "threads": 1, "show_progress": False}
#: what llama-quantize puts into files, and F16, BF16, F32
STORED = [
    name
    for name in TYPES_BY_NAME
    if name[0] in "QFBTMN" and name not in ("F64", "Q8_1", "Q8_K") or name.startswith("IQ")
]


def quiet_twin(source: object, quant: str | None = None, **options: object) -> ModelFile:
    return twin(source, quant, show_progress=False, **options)  # type: ignore[arg-type]


def uniform(type_name: str) -> Blueprint:
    """A small Llama all of whose matrices are stored in one type."""
    blueprint = blueprint_from_config(LLAMA, "uniform")
    tensors = tuple(
        replace(spec, type_name=type_name) if len(spec.shape) > 1 else spec for spec in blueprint.tensors
    )
    return replace(blueprint, tensors=tensors)


def assert_ordinary_numbers(seen: NodeValues) -> None:
    assert seen.n_nodes > 20
    assert not seen.not_finite
    # A product of two small numbers may be denormal by chance; what makes a processor slow is many.
    assert sum(seen.denormal.values()) <= seen.n_values / 1e5
    assert np.isfinite(seen.logits).all() and seen.logits.std() > 0.1


@pytest.mark.parametrize("type_name", STORED)
def test_every_type_computes_ordinary_numbers(type_name: str) -> None:
    assert_ordinary_numbers(node_values(quiet_twin(uniform(type_name)).path))


#: shapes that llama.cpp loads but stops on when it computes
RUNNABLE = {
    "llama4": {"num_hidden_layers": 4},  # every fourth layer is one without rotated positions: it needs one
    "gemma4-small": {"num_hidden_layers": 12, "num_kv_shared_layers": 6},  # one of each kind to share
}


@pytest.mark.parametrize("name", SMALL)
def test_every_architecture_computes_ordinary_numbers(name: str) -> None:
    file = quiet_twin(blueprint_from_config(SMALL[name] | RUNNABLE.get(name, {}), name), "Q4_K_M")
    assert_ordinary_numbers(node_values(file.path))


ROUTED = {
    "mixtral": config("mixtral", "MixtralForCausalLM", num_hidden_layers=6, **EXPERTS),
    "qwen3moe": {**SMALL["qwen3_moe"], "num_hidden_layers": 6},
    "deepseek2": {**SMALL["deepseek_v2"], "num_hidden_layers": 6},
    "gpt-oss": {**SMALL["gpt_oss"], "num_hidden_layers": 6},
}


@pytest.mark.parametrize("name", ROUTED)
def test_experts_are_used_evenly(name: str) -> None:
    blueprint = blueprint_from_config(ROUTED[name], name)
    seen = node_values(quiet_twin(blueprint, "Q4_K_M").path, prompt=192, generate=0)
    # The last layer computes only the token whose scores are asked for.
    layers = list(seen.experts.values())[:-1]
    assert len(layers) >= 4
    for chosen in layers:
        counts = np.bincount(chosen, minlength=blueprint.n_experts)
        assert counts.sum() == 192 * blueprint.n_experts_used
        assert counts.min() > 0 and counts.max() < 2.5 * counts.mean()


def test_a_twin_has_the_tensors_of_its_model() -> None:
    blueprint = twin_blueprint(LLAMA, "Q4_K_M")
    file = quiet_twin(LLAMA, "Q4_K_M")
    header = read_gguf_header(file.path)
    assert header.blueprint().tensors == blueprint.tensors
    assert header.file_bytes == file.bytes == file.path.stat().st_size
    assert header.quantization == "Q4_K_M"
    kept = {key: value for key, value in blueprint.metadata.items() if not key.startswith("general.")}
    assert {key: header.metadata[key] for key in kept} == pytest.approx(kept)


def test_a_twin_of_a_file_has_its_types_and_its_tokenizer(random_model: ModelFile) -> None:
    file = quiet_twin(random_model.path, "F16")
    real, imitated = read_gguf_header(random_model.path), read_gguf_header(file.path)
    assert [(t.name, t.shape, t.type_name) for t in real.tensors] == [
        (t.name, t.shape, t.type_name) for t in imitated.tensors
    ]
    assert list(real.metadata["tokenizer.ggml.tokens"]) == list(imitated.metadata["tokenizer.ggml.tokens"])
    assert imitated.metadata["general.name"] != real.metadata["general.name"]
    assert "general.license" not in imitated.metadata


def test_everywhere_it_says_that_it_is_a_twin(tmp_path: Path) -> None:
    file = quiet_twin(LLAMA, "Q4_0", out=tmp_path / "some.gguf")
    for seen in (file, local_model(file.path)):
        assert seen.random_weights and seen.twin_of and seen.source == "twin"
        for text in (repr(seen), seen._repr_html_()):
            assert "TWIN" in text and "RANDOM" in text and "noise" in text
            assert "Do not compare" not in text
        assert seen.sha256 == file.sha256 and seen.to_dict()["twin_of"] == file.twin_of
    assert "random weights" in read_gguf_header(file.path).metadata["general.name"]


def test_a_twin_without_a_tokenizer_is_measured_and_loaded() -> None:
    file = quiet_twin(LLAMA, "Q4_K_M")
    result = bench(file, **SIZES)
    assert result.ttft_s is None and result.tg_tokens_per_s.median > 0
    assert result.twin_of == file.twin_of and result.random_weights
    for text in (result.title(), repr(result)):
        assert "twin" in text.lower() and "Do not compare" not in text
    assert BenchResult.from_dict(json.loads(result.to_json())) == result
    with load_model(file, context=256) as model:
        assert "tokenizer" in repr(model) and "TWIN" in repr(model)
        for use in (model.generate, model.tokenize, model.next_token, model.pieces):
            with pytest.raises(LabError, match="tokenizer"):
                use("Hello")


def test_it_is_made_once_and_forgotten() -> None:
    first = quiet_twin(LLAMA, "Q4_0")
    made_ns = first.path.stat().st_mtime_ns
    again = quiet_twin(LLAMA, "Q4_0")
    assert again == first and first.path.stat().st_mtime_ns == made_ns
    other = quiet_twin(LLAMA, "Q8_0")
    assert other.path != first.path
    assert "2 twins" in forget_twins()
    assert not list(TWINS.folder().iterdir())
    assert "0 twins" in forget_twins()
    other_notebook = TWINS.folder() / "twin-of-another.gguf"
    other_notebook.write_bytes(b"GGUF")
    assert "0 twins" in forget_twins() and other_notebook.exists()
    assert "1 twin," in forget_twins(everywhere=True) and not other_notebook.exists()
    assert quiet_twin(LLAMA, "Q4_0").sha256 == first.sha256


def test_a_twin_that_was_changed_is_written_again() -> None:
    first = quiet_twin(LLAMA, "Q4_0")
    for damage in (lambda p: p.write_bytes(b"x"), lambda p: os.utime(p, (1, 1)), Path.unlink):
        damage(first.path)
        assert quiet_twin(LLAMA, "Q4_0").sha256 == first.sha256
        assert first.path.stat().st_size == first.bytes


def test_the_oldest_twins_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = ("Q4_0", "Q4_1", "Q5_0")
    files = [quiet_twin(LLAMA, quant) for quant in sizes]
    for i, file in enumerate(files):
        os.utime(file.path.with_suffix(".json"), (1000 + i, 1000 + i))
    quiet_twin(LLAMA, "Q4_0")  # used now
    room = sum(file.bytes for file in files) / 2**30
    monkeypatch.setenv("LABKIT_TWIN_SPACE", str(room))
    newest = quiet_twin(LLAMA, "Q5_1")
    assert newest.path.exists() and files[0].path.exists()
    assert not files[1].path.exists()
    monkeypatch.setenv("LABKIT_TWIN_SPACE", "1e-9")  # larger than the cap: it may be there alone
    assert [quiet_twin(LLAMA, "Q8_0").path] == list(TWINS.folder().glob("*.gguf"))


@pytest.mark.parametrize("said", ["", "nonsense", "-3", "nan", "inf", "1e400"])
def test_an_odd_cap_is_the_usual_one(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = TWINS.most_bytes()
    monkeypatch.setenv("LABKIT_TWIN_SPACE", said)
    assert TWINS.most_bytes() == usual == 8 * 2**30


def test_too_little_room_is_told_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = quiet_twin(LLAMA, "Q4_0")
    big = config("llama", "LlamaForCausalLM", num_hidden_layers=40)
    size = quiet_twin(big, "Q8_0").bytes
    forget_twins()
    kept = quiet_twin(LLAMA, "Q4_0")
    for module in (twin_file, made_files):
        monkeypatch.setattr(module, "free_bytes", lambda _: made_files.MARGIN_BYTES + size // 2)
    with pytest.raises(LabError, match="MiB") as caught:
        quiet_twin(big, "Q8_0")
    assert "layers=" in caught.value.cure and kept.path.exists()
    fits = int(caught.value.cure.split("layers=")[1].split("`")[0])
    assert 1 <= fits < 40
    assert quiet_twin(big, "Q8_0", layers=fits).path.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_half_way_leaves_nothing(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    class Full:
        """Stands in for the weights: the fifth piece meets a full disk."""

        def __init__(self, n_experts: int) -> None:
            pass

        def pieces(self, spec: object) -> object:
            nonlocal written
            written += 1
            if written == 5:
                raise OSError(code, os.strerror(code))
            yield b"\0" * spec.n_bytes  # type: ignore[attr-defined]

    monkeypatch.setattr("labkit.models.random_weights.RandomWeights", Full)
    with pytest.raises(LabError) as caught:
        quiet_twin(LLAMA, "Q4_0")
    assert caught.value.cure
    assert [p for p in TWINS.folder().iterdir() if p.suffix != ".lock"] == []


WRITER = """
import sys
from labkit.models.twin import twin
config = {config!r}
print("begun", flush=True)
try:
    twin(config, "F32", show_progress=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_an_interrupt_leaves_nothing_and_a_kill_is_tidied_up() -> None:
    large = config("llama", "LlamaForCausalLM", vocab_size=1_000_000)
    for how in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER.format(config=large)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout and process.stdout.readline() == b"begun\n"
        part = _wait_for_part()
        process.send_signal(how)
        assert process.wait(30) == (130 if how == signal.SIGINT else -signal.SIGKILL)
        assert part.exists() == (how == signal.SIGKILL)
        assert not list(TWINS.folder().glob("*.gguf"))
    quiet_twin(LLAMA, "Q4_0")
    assert not list(TWINS.folder().glob(".*.part"))


def _wait_for_part() -> Path:
    for _ in range(2000):
        for part in TWINS.folder().glob(".*.part"):
            if part.stat().st_size > 2**20:
                return part
        time.sleep(0.005)
    raise AssertionError("nothing was written within ten seconds")


def test_out_replaces_only_a_twin(tmp_path: Path, random_model: ModelFile) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(Path(random_model.path).read_bytes())
    with pytest.raises(LabError, match="not a twin"):
        quiet_twin(LLAMA, "Q4_0", out=mine)
    assert mine.read_bytes() == Path(random_model.path).read_bytes()
    new = tmp_path / "folder" / "new.gguf"
    small, large = (quiet_twin(LLAMA, quant, out=new) for quant in ("Q4_0", "Q8_0"))
    assert new.stat().st_size == large.bytes > small.bytes
    assert quiet_twin(LLAMA, "Q4_0", out=tmp_path).path.parent == tmp_path
    assert not TWINS.folder().exists()


@pytest.mark.parametrize("layers", [0, -1, 4, 10**12, 1.5, True, "2", None])
def test_layers_must_be_possible(layers: object) -> None:
    if layers is None:
        assert read_gguf_header(quiet_twin(LLAMA, "Q4_0", layers=None).path).n_layers == 3
        return
    with pytest.raises(LabError, match="layers"):
        quiet_twin(LLAMA, "Q4_0", layers=layers)


@pytest.mark.parametrize("quant", ["Q9_Z", "", 5, "q4"])
def test_an_unknown_quantization_is_a_sentence(quant: object) -> None:
    with pytest.raises(LabError):
        quiet_twin(LLAMA, quant)  # type: ignore[arg-type]


def test_the_same_blueprint_gives_the_same_bytes(tmp_path: Path) -> None:
    blueprint = twin_blueprint(SMALL["qwen3_moe"], "Q4_K_M")
    files = [twin_of_blueprint(blueprint, out=tmp_path / name, show_progress=False) for name in ("a", "b")]
    assert files[0].path.read_bytes() == files[1].path.read_bytes()
    assert files[0].sha256 == files[1].sha256
