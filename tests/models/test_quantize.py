"""Quantized files: the bytes that llama.cpp makes of each tensor, where they are kept, what is refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.estimating.quant_mixtures import MIXTURES
from labkit.models import made_files
from labkit.models import quantize as quantizing
from labkit.models.download import local_model
from labkit.models.ggml_blocks import QUANTIZABLE, quantize_rows
from labkit.models.gguf import read_gguf_header
from labkit.models.model_file import ModelFile
from labkit.models.quantize import QUANTIZED, forget_quantized, quantize_all
from labkit.models.twin import twin
from labkit.models.weights import read_weights
from tests.estimating.configs import config

ROOT = Path(__file__).resolve().parents[2]
#: rows of 256 weights, so that K-quants fit
WIDE = config("llama", "LlamaForCausalLM", hidden_size=256, intermediate_size=256, num_attention_heads=4)


def quantize(source: object, quant: str, *more: object, **options: object) -> ModelFile:
    return quantizing.quantize(source, quant, *more, show_progress=False, **options)  # type: ignore[arg-type]


@pytest.fixture
def wide() -> ModelFile:
    """A small Llama in F16 with random weights, and without a tokenizer."""
    return twin(WIDE, "F16", show_progress=False)


def tensor_bytes(path: Path) -> dict[str, bytes]:
    """The data of each tensor, as it is in the file."""
    header, data = read_gguf_header(path), path.read_bytes()
    starts = {t.name: header.data_offset + t.offset for t in header.tensors}
    return {t.name: data[starts[t.name] : starts[t.name] + t.n_bytes] for t in header.tensors}


@pytest.mark.parametrize("quant", ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "Q4_0", "IQ4_XS"])
def test_every_tensor_is_what_llama_cpp_makes_of_it(wide: ModelFile, quant: str) -> None:
    file = quantize(wide, quant)
    before, after = tensor_bytes(wide.path), tensor_bytes(file.path)
    assert set(before) == set(after)
    changed = 0
    for tensor in read_gguf_header(file.path).tensors:
        if tensor.type_name not in QUANTIZABLE:
            assert after[tensor.name] == before[tensor.name]
            continue
        expected = quantize_rows(read_weights(wide, tensor.name), tensor.type_name).tobytes()
        assert after[tensor.name] == expected
        changed += 1
    assert changed > 10


@pytest.mark.parametrize("quant", ["BF16", "F32", "Q4_1", "Q5_K_S", "MXFP4_MOE", "TQ1_0"])
def test_the_header_is_the_source_s_but_for_the_file_type(wide: ModelFile, quant: str) -> None:
    file = quantize(wide, quant)
    before, after = read_gguf_header(wide.path), read_gguf_header(file.path)
    said = {"general.file_type": MIXTURES[quant].file_type, "general.quantization_version": 2}
    assert dict(after.metadata) == {**before.metadata, **said}
    assert file.bytes == file.path.stat().st_size == quantizing._Job.of(wide, False).result_bytes(quant)
    assert (file.name, file.source) == (f"{wide.name}-{quant}", "quantized")


def test_the_bytes_of_llama_quantize(random_model: ModelFile) -> None:
    """Of a conversion without arithmetic that could differ from machine to machine."""
    # llama-quantize random-llama.gguf x.gguf F32, with llama.cpp as in llama-cpp-python 0.3.36
    assert quantize(random_model, "F32").sha256.startswith("f5415851961b246a")
    assert quantize(random_model, "F16").sha256.startswith("d97cd2b0985431c0")


def test_several_at_once_are_the_same_files(wide: ModelFile) -> None:
    alone = quantize(wide, "Q4_K_M")
    together = quantize_all(wide, ["Q8_0", "q4_k_m", "Q2_K"], show_progress=False)
    assert [file.name.split("-")[-1] for file in together] == ["Q8_0", "Q4_K_M", "Q2_K"]
    assert together[1] == alone and together[0].bytes > together[1].bytes > together[2].bytes
    forget_quantized()
    assert quantize_all(wide, ["Q4_K_M"], show_progress=False)[0].sha256 == alone.sha256


def test_it_is_made_once_and_forgotten(wide: ModelFile) -> None:
    first = quantize(wide, "Q4_0")
    made_ns = first.path.stat().st_mtime_ns
    assert quantize(wide, "q4_0") == first and first.path.stat().st_mtime_ns == made_ns
    for damage in (lambda p: p.write_bytes(b"x"), lambda p: os.utime(p, (1, 1)), Path.unlink):
        damage(first.path)
        assert quantize(wide, "Q4_0").sha256 == first.sha256
    assert "1 quantized file," in forget_quantized()
    assert not list(QUANTIZED.folder().iterdir())


def test_another_source_is_another_file(wide: ModelFile, tmp_path: Path) -> None:
    first = quantize(wide, "Q8_0")
    copy = tmp_path / wide.path.name
    content = bytearray(wide.path.read_bytes())
    content[-3] ^= 1
    copy.write_bytes(content)
    assert quantize(copy, "Q8_0").path != first.path


def test_the_oldest_give_way_but_none_that_was_asked_for(
    wide: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, kept = quantize(wide, "Q8_0"), quantize(wide, "Q4_0")
    os.utime(old.path.with_suffix(".json"), (1, 1))
    monkeypatch.setenv("LABKIT_QUANTIZED_SPACE", str((kept.bytes + 1000) / 2**30))
    files = quantize_all(wide, ["Q4_0", "Q4_1"], show_progress=False)
    assert not old.path.exists() and all(file.path.exists() for file in files)


def test_out_is_a_file_or_a_folder_and_replaces_only_its_own(wide: ModelFile, tmp_path: Path) -> None:
    chosen = tmp_path / "new folder" / "chosen.gguf"
    file = quantize(wide, "Q4_K_M", chosen)
    assert file.path == chosen and file.sha256 == quantize(wide, "Q4_K_M").sha256
    assert quantize(wide, "Q4_K_M", chosen) == file
    assert quantize(wide, "Q4_K_M", tmp_path).path == tmp_path / f"{wide.name}-Q4_K_M.gguf"
    (tmp_path / "mine.gguf").write_bytes(b"mine")
    for path, quant in ((chosen, "Q2_K"), (tmp_path / "mine.gguf", "Q2_K"), (wide.path, "F16")):
        before = path.read_bytes()
        with pytest.raises(LabError, match="exists"):
            quantize(wide, quant, path)
        assert path.read_bytes() == before


def test_random_weights_stay_marked(wide: ModelFile, random_model: ModelFile) -> None:
    of_twin, of_embedded = quantize(wide, "Q4_0"), quantize(random_model, "Q4_0")
    assert of_twin.twin_of == wide.twin_of and "RANDOM" in repr(of_twin)
    assert of_embedded.random_weights and "RANDOM" in repr(of_embedded)
    assert local_model(of_twin.path).twin_of == wide.twin_of


@pytest.mark.parametrize(
    ("quant", "words"),
    [
        ("Q4_KM", "Did you mean Q4_K_M"),
        ("4 bits", "Choose one of"),
        ("", "Choose one of"),
        (None, "Choose one of"),
        ("IQ2_XS", "without"),
        ("Q2_K_S", "without"),
    ],
)
def test_what_cannot_be_made_is_a_sentence(wide: ModelFile, quant: str, words: str) -> None:
    with pytest.raises(LabError) as caught:
        quantize(wide, quant)
    assert words in caught.value.cure
    assert not QUANTIZED.folder().exists()


def test_quantized_weights_are_taken_only_when_asked(wide: ModelFile) -> None:
    once = quantize(wide, "Q4_0")
    with pytest.raises(LabError, match="lose twice") as caught:
        quantize(once, "Q8_0")
    assert "allow_requantize" in caught.value.cure
    twice = quantize(once, "Q8_0", allow_requantize=True)
    name = "blk.0.ffn_up.weight"
    assert np.allclose(read_weights(twice, name), read_weights(once, name), atol=0.01)
    assert not np.allclose(read_weights(twice, name), read_weights(wide, name), atol=0.01)
    assert quantize(once, "Q4_0").bytes == once.bytes  # nothing would change, so nothing is lost


@pytest.mark.parametrize("length", [0, 3, 100, 5000, -1])
def test_a_cut_file_is_a_sentence(wide: ModelFile, tmp_path: Path, length: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(wide.path.read_bytes()[:length])
    with pytest.raises(LabError, match="empty|cut|GGUF|ends"):
        quantize(cut, "Q8_0")


def test_no_file_and_no_model_are_sentences(tmp_path: Path) -> None:
    for source in (tmp_path / "nowhere.gguf", "nowhere.gguf", "no-such-model", 7, tmp_path):
        with pytest.raises(LabError):
            quantize(source, "Q8_0")


def test_weights_that_are_no_numbers_are_refused(wide: ModelFile, tmp_path: Path) -> None:
    header = read_gguf_header(wide.path)
    tensor = next(t for t in header.tensors if t.name == "blk.0.ffn_up.weight")
    content = bytearray(wide.path.read_bytes())
    start = header.data_offset + tensor.offset
    content[start : start + 2] = np.float16("nan").tobytes()
    (tmp_path / "nan.gguf").write_bytes(content)
    with pytest.raises(LabError, match="invalid data"):
        quantize(tmp_path / "nan.gguf", "Q8_0")
    assert list(QUANTIZED.folder().glob("*.gguf")) == []


def test_too_little_room_is_told_before_anything_is_written(
    wide: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "free_bytes", lambda _: made_files.MARGIN_BYTES + 1000)
    for out in (None, tmp_path / "x.gguf"):
        with pytest.raises(LabError, match="free"):
            quantize(wide, "Q8_0", out)
    assert not list(tmp_path.glob("*.gguf")) and not list(QUANTIZED.folder().glob("*.gguf"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_disk_that_becomes_full_leaves_nothing(wide: ModelFile, tmp_path: Path) -> None:
    made_files.part_path(tmp_path / "x.gguf").symlink_to("/dev/full")
    with pytest.raises(LabError, match="disk is full"):
        quantize(wide, "Q8_0", tmp_path / "x.gguf")
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".*.part"))


WRITER = """
import sys
from labkit.models.quantize import quantize
print("begun", flush=True)
try:
    quantize(sys.argv[1], "Q4_K_M", sys.argv[2], show_progress=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    large = twin(WIDE | {"vocab_size": 200_000, "hidden_size": 512}, "F32", show_progress=False)
    out = tmp_path / "out.gguf"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(large.path), str(out)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout and process.stdout.readline() == b"begun\n"
    part = made_files.part_path(out)
    deadline = time.monotonic() + 60
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not part.exists() and not out.exists()


def test_a_path_may_have_spaces_and_accents(wide: ModelFile, tmp_path: Path) -> None:
    source = tmp_path / "un modèle à moi.gguf"
    shutil.copyfile(wide.path, source)
    file = quantize(source, "Q8_0", tmp_path / "größer.gguf")
    assert file.path.exists() and file.name == "un modèle à moi-Q8_0"
