"""The writer of headers against the reader, against the gguf package, and against llama.cpp."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.gguf_encoding import file_bytes
from labkit.models import embedded, native
from labkit.models.gguf import read_gguf_header
from labkit.models.header_only import header_bytes, write_header_only
from tests.estimating.synthetic import Shape

BLUEPRINT = Shape(n_layers=2, n_embd=256, n_heads=4, n_kv_heads=2, n_ff=512).blueprint()


def with_keys(**values: Any) -> Blueprint:
    return replace(BLUEPRINT, metadata={**BLUEPRINT.metadata, **values})


@pytest.mark.parametrize("which", ["embedded", "small_model"])
def test_a_real_header_comes_out_byte_for_byte(which: str, request: pytest.FixtureRequest) -> None:
    path = embedded.embedded_model() if which == "embedded" else request.getfixturevalue(which).path
    header = read_gguf_header(path)
    with path.open("rb") as file:
        assert header_bytes(header.blueprint()) == file.read(header.data_offset)
    assert file_bytes(header.blueprint()) == path.stat().st_size


def test_the_file_is_as_long_as_the_real_one_and_takes_no_room(small_model, tmp_path: Path) -> None:
    real = small_model.path.stat()
    path = write_header_only(read_gguf_header(small_model.path).blueprint(), tmp_path / "hollow.gguf")
    assert path.stat().st_size == real.st_size
    if hasattr(real, "st_blocks"):
        assert path.stat().st_blocks * 512 < 4 * 2**20
    assert read_gguf_header(path).tensors == read_gguf_header(small_model.path).tensors


def test_llama_cpp_loads_it_with_a_vocabulary(small_model, tmp_path: Path) -> None:
    path = write_header_only(read_gguf_header(small_model.path).blueprint(), tmp_path / "hollow.gguf")
    model_p = native.open_model(path, allocate=False)
    assert model_p
    assert native.llama().llama_vocab_n_tokens(native.llama().llama_model_get_vocab(model_p)) == 49_152
    native.llama().llama_model_free(model_p)


@pytest.mark.parametrize("known", [True, False], ids=["vocab_size known", "from the embedding"])
def test_llama_cpp_loads_it_without_a_vocabulary(known: bool, tmp_path: Path) -> None:
    blueprint = BLUEPRINT
    if not known:
        metadata = {k: v for k, v in BLUEPRINT.metadata.items() if not k.endswith("vocab_size")}
        blueprint = replace(BLUEPRINT, metadata=metadata)
    model_p = native.open_model(write_header_only(blueprint, tmp_path / "none.gguf"), allocate=False)
    assert model_p, native.log.reason(0)
    assert native.llama().llama_vocab_n_tokens(native.llama().llama_model_get_vocab(model_p)) == 3200
    native.llama().llama_model_free(model_p)


def test_the_gguf_package_reads_every_kind_of_value(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "a.string": "größer 中 🙂",
        "a.bool": True,
        "a.count": 4_000_000_000,
        "a.large_count": 1 << 40,
        "a.negative": -1,
        "a.very_negative": -(1 << 40),
        "a.float": 0.5,
        "llama.rope.freq_base": 500_000,
        "llama.attention.layer_norm_rms_epsilon": 1,
        "a.bools": [True, False],
        "a.counts": [8, 0, 8],
        "a.large_counts": [1 << 40],
        "a.floats": [0.5, 2],
        "a.strings": ["x", "", "ü"],
    }
    path = write_header_only(with_keys(**values), tmp_path / "values.gguf")
    fields = gguf.GGUFReader(path).fields
    for key, value in values.items():
        assert fields[key].contents() == value, key
    types = {key: [t.name for t in fields[key].types] for key in values}
    assert types["a.count"] == ["UINT32"] and types["a.large_count"] == ["UINT64"]
    assert types["llama.rope.freq_base"] == ["FLOAT32"]
    assert types["a.counts"] == ["ARRAY", "INT32"] and types["a.bools"] == ["ARRAY", "BOOL"]
    tensors = gguf.GGUFReader(path).tensors
    assert [t.name for t in tensors] == [spec.name for spec in BLUEPRINT.tensors]


def test_lists_by_layer_and_windows_suit_llama_cpp(tmp_path: Path) -> None:
    keys = {
        "llama.attention.head_count_kv": [2, 2],
        "llama.feed_forward_length": [512, 512],
        "llama.attention.sliding_window_pattern": [True, False],
        "llama.empty": [],
        "split.count": 3,
        "split.no": 0,
    }
    path = write_header_only(with_keys(**keys), tmp_path / "lists.gguf")
    model_p = native.open_model(path, allocate=False)
    assert model_p, native.log.reason(0)
    native.llama().llama_model_free(model_p)
    assert "split.count" not in read_gguf_header(path).metadata


def test_every_tensor_type_and_alignment(tmp_path: Path) -> None:
    from labkit.estimating.gguf_types import GGML_TYPES

    tensors = tuple(TensorSpec(f"t{i}.weight", (256, 3), t.name) for i, t in GGML_TYPES.items())
    for alignment in (32, 64, 8):
        blueprint = Blueprint({"general.architecture": "x", "general.alignment": alignment}, tensors)
        path = write_header_only(blueprint, tmp_path / "types.gguf")
        header = read_gguf_header(path)
        assert header.data_offset % alignment == 0
        assert [(t.name, t.shape, t.type_name) for t in header.tensors] == [
            (t.name, t.shape, t.type_name) for t in tensors
        ]
        assert path.stat().st_size == header.data_offset + sum(
            -(-t.n_bytes // alignment) * alignment for t in header.tensors
        )


LIMIT = 10**30


@pytest.mark.parametrize(
    ("blueprint", "sentence"),
    [
        (with_keys(**{"a.none": None}), "cannot hold None"),
        (with_keys(**{"a.map": {"b": 1}}), "cannot hold"),
        (with_keys(**{"a.big": LIMIT}), "cannot hold"),
        (with_keys(**{"a.float": 1e300}), "cannot hold"),
        (with_keys(**{"a.mixed": [1, "x"]}), "mixes kinds"),
        (with_keys(**{"a.mixed": [True, 1]}), "mixes kinds"),
        (with_keys(**{"a.nested": [[1]]}), "cannot hold"),
        (with_keys(**{"a.big": [LIMIT]}), "cannot hold"),
        (with_keys(**{"a.numpy": np.zeros(3)}), "cannot hold"),
        (with_keys(**{"general.alignment": 33}), "alignment"),
        (with_keys(**{"general.alignment": "x"}), "alignment"),
        (with_keys(**{"llama.context_length": math.nan, "a.none": None}), "cannot hold None"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x" * 64, (1,)),)), "of the name"),
        (replace(BLUEPRINT, tensors=(TensorSpec("", (1,)),)), "of the name"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (1,)), TensorSpec("x", (1,)))), "twice"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", ()),)), "shape"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (1, 1, 1, 1, 1)),)), "shape"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (0, 3)),)), "shape"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (1.5,)),)), "shape"),  # type: ignore[arg-type]
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (LIMIT,)),)), "larger than any file"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (2**40, 2**40)),)), "larger than any file"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (100, 3), "Q4_0"),)), "no whole blocks of 32"),
        (replace(BLUEPRINT, tensors=(TensorSpec("x", (100, 3), "Q9"),)), "unknown type"),
    ],
)
def test_what_no_file_can_hold_is_told_in_a_sentence(
    blueprint: Blueprint, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=sentence):
        write_header_only(blueprint, tmp_path / "no.gguf")
    assert list(tmp_path.glob("*.gguf")) == []


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be written"):
        write_header_only(BLUEPRINT, tmp_path / "missing" / "x.gguf")
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(LabError, match="cannot be written"):
        write_header_only(BLUEPRINT, tmp_path / "folder.gguf")


@pytest.mark.skipif(os.name != "posix", reason="limits on the length of files are POSIX's")
def test_a_disk_that_refuses_the_length(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(LabError, match="refuses a file of"):
            write_header_only(BLUEPRINT, tmp_path / "long.gguf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.glob("*.gguf")) == []
