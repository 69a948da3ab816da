"""The GGUF reader against the `gguf` package, against llama.cpp's own tables, and against damaged files."""

from __future__ import annotations

import ctypes
import math
import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.estimating.gguf_types import FILE_TYPES, GGML_TYPES
from labkit.models import embedded
from labkit.models.gguf import GGUFArray, read_gguf_header
from tests.models.mutants import mutants

_RANDOM = embedded.embedded_model().read_bytes()


def assert_agrees_with_the_package(path: Path) -> None:
    ours, theirs = read_gguf_header(path), gguf.GGUFReader(path)
    assert ours.data_offset == theirs.data_offset
    keys = [key for key in theirs.fields if not key.startswith("GGUF.")]
    assert list(ours.metadata) == keys
    for key in keys:
        expected = theirs.fields[key].contents()
        value = ours.metadata[key]
        assert (list(value) if isinstance(value, GGUFArray) else value) == expected, key
    assert len(ours.tensors) == len(theirs.tensors)
    for mine, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert (mine.name, mine.shape) == (other.name, tuple(int(n) for n in other.shape))
        assert (mine.type_name, mine.n_bytes) == (other.tensor_type.name, int(other.n_bytes))
        assert ours.data_offset + mine.offset == int(other.data_offset)


def test_agrees_with_the_package_on_the_embedded_model() -> None:
    assert_agrees_with_the_package(embedded.embedded_model())


def test_agrees_with_the_package_on_the_small_model(small_model: object) -> None:
    assert_agrees_with_the_package(small_model.path)
    header = read_gguf_header(small_model.path)
    assert header.architecture == "llama" and header.n_layers == 30 and header.n_embd == 576
    assert (header.n_heads, header.n_kv_heads, header.head_dim) == (9, 3, 64)
    assert (header.context_length, header.vocabulary_size) == (8192, 49152)
    assert header.n_parameters == 134_515_008 and header.quantization == "Q4_1"
    assert header.has_chat_template
    assert small_model.bytes - header.data_offset == header.tensor_bytes


_NAMES = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20)
_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False, width=32),
    st.text(max_size=30),
    st.lists(st.integers(-100, 100), min_size=1, max_size=100),
    st.lists(st.text(max_size=5), min_size=1, max_size=100),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.dictionaries(_NAMES.map(lambda name: f"test.{name}"), _VALUES, max_size=8),
    shapes=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), max_size=5),
)
def test_agrees_with_the_package_on_any_file(tmp_path: Path, pairs: dict, shapes: list) -> None:
    import numpy as np

    path = tmp_path / "any.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in pairs.items():
        adders = {
            bool: writer.add_bool,
            int: writer.add_int32,
            float: writer.add_float32,
            str: writer.add_string,
        }
        adders.get(type(value), writer.add_array)(key, value)
    for number, shape in enumerate(shapes):
        writer.add_tensor(f"t{number}", np.zeros(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert_agrees_with_the_package(path)


def test_type_tables_are_llama_cpps_own() -> None:
    import llama_cpp

    folder = Path(llama_cpp.__file__).parent / "lib"
    library = next(p for p in folder.iterdir() if "ggml-base" in p.name)
    ggml = ctypes.CDLL(str(library))
    ggml.ggml_type_size.restype = ctypes.c_size_t
    ggml.ggml_blck_size.restype = ctypes.c_int64
    ggml.ggml_type_name.restype = ctypes.c_char_p
    count = llama_cpp.GGML_TYPE_COUNT
    theirs = {
        i: (ggml.ggml_blck_size(i), ggml.ggml_type_size(i)) for i in range(count) if ggml.ggml_type_size(i)
    }
    assert theirs == {i: (t.block_elements, t.block_bytes) for i, t in GGML_TYPES.items()}
    for i, tensor_type in GGML_TYPES.items():
        assert ggml.ggml_type_name(i).decode().upper() == tensor_type.name.upper()
    for file_type in gguf.LlamaFileType:
        if file_type.name != "GUESSED":
            assert FILE_TYPES[int(file_type)] == file_type.name.removeprefix("MOSTLY_").removeprefix(
                "ALL_"
            ).removesuffix("_MOE")


def test_first_bytes_of_a_file_are_enough() -> None:
    whole = read_gguf_header(embedded.embedded_model())
    start = read_gguf_header(_RANDOM[: whole.data_offset], file_bytes=len(_RANDOM))
    assert start.tensors == whole.tensors and list(start.metadata) == list(whole.metadata)
    with pytest.raises(LabError, match="Read more of"):
        read_gguf_header(_RANDOM[:1000], file_bytes=len(_RANDOM))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"GG", "2 bytes"),
        (b"GGUF", "cut short"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "big-endian"),
        (b"GGUF" + struct.pack("<I", 99) + bytes(100), "format version 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0) + bytes(100), "claims 9,223,372,036,854,775,808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 10**6) + bytes(100), "claims 1,000,000 metadata entries"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"  \n<html><head>", "web page|not GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "Git LFS pointer"),
        (b"PK\x03\x04rest", "PyTorch or safetensors"),
        (b"tjgg\x03\0\0\0", "older than GGUF"),
        (b"\x7fELF....", "not GGUF"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_wrong_is_named(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "file.gguf"
    path.write_bytes(data)
    with pytest.raises(LabError, match=expected) as caught:
        read_gguf_header(path)
    assert caught.value.cure


def test_cut_file_says_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(_RANDOM[:700_000])
    with pytest.raises(LabError, match=r"header says 1\.2 MiB, but the file has 683\.6 KiB"):
        read_gguf_header(path)


@pytest.mark.parametrize("n_bytes", range(4, read_gguf_header(_RANDOM).data_offset, 401))
def test_every_cut_inside_the_header_is_a_sentence(n_bytes: int) -> None:
    with pytest.raises(LabError):
        read_gguf_header(_RANDOM[:n_bytes])


def test_two_thousand_mutants_end_in_a_header_or_a_sentence(tmp_path: Path) -> None:
    names = [
        "architecture",
        "n_layers",
        "n_embd",
        "n_heads",
        "n_kv_heads",
        "head_dim",
        "context_length",
        "vocabulary_size",
    ]
    names += ["n_parameters", "tensor_bytes", "quantization", "has_chat_template"]
    refused = 0
    for story, data in mutants(_RANDOM, 2000, seed=3):
        try:
            header = read_gguf_header(data, file_bytes=len(data))
            for name in names:
                assert not isinstance(getattr(header, name), float) or math.isfinite(getattr(header, name))
        except LabError as error:
            assert error.what.endswith("."), story
            refused += 1
    assert refused > 500


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    with pytest.raises(LabError):
        read_gguf_header(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + data)


def test_a_lying_file_takes_no_memory(tmp_path: Path) -> None:
    """A sparse file of 3 GB whose first key claims to be 2 GB long: refused without being read."""
    import tracemalloc

    path = tmp_path / "lying.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2 * 10**9))
        file.truncate(3 * 10**9)
    tracemalloc.start()
    with pytest.raises(LabError):
        read_gguf_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
