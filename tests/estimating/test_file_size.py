"""Sizes of files: exact with a header, within 0.1 % with a known tokenizer, else a range around them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.file_size import file_size
from labkit.estimating.gguf_encoding import data_bytes, header_bytes_around
from labkit.estimating.quant_mixtures import MIXTURES
from labkit.estimating.quantization import published_variants, quantized
from labkit.facts.tokenizers import TokenizerRow, known_tokenizers, tokenizers
from labkit.models import embedded, native
from labkit.models.gguf import read_gguf_header
from tests.estimating.synthetic import Shape

PUBLISHED = facts.table("gguf_sizes")
#: (repository, mixtures): why they are not what llama-quantize makes today. Empty: all mixtures.
NOT_BY_TODAYS_RULES = {
    "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF": ("Q2_K Q3_K_M Q4_K_S", "made in 2023: other rules for these"),
    "TheBloke/phi-2-GGUF": ("Q4_K_M", "made in 2023"),
    "TheBloke/Mixtral-8x7B-Instruct-v0.1-GGUF": ("Q4_K_M", "made in 2023: each expert a tensor of its own"),
    "Qwen/Qwen2.5-0.5B-Instruct-GGUF": ("", "holds the output matrix, though it is tied to the embedding"),
    "unsloth/DeepSeek-R1-0528-Qwen3-8B-GGUF": ("IQ4_XS", "fits neither rule; nobody says why"),
    "unsloth/Qwen3-32B-GGUF": ("IQ4_XS", "fits neither rule; nobody says why"),
}


def is_exception(row: dict[str, str]) -> bool:
    mixtures, _ = NOT_BY_TODAYS_RULES.get(row["repo"], ("none", ""))
    return not mixtures or row["quantization"] in mixtures.split()


@functools.cache
def blueprint_of(architecture: str) -> Blueprint:
    return blueprint_from_config(facts.find_architecture(architecture).config())


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda r: f"{r['repo'].split('/')[-1]}-{r['quantization']}")
def test_published_files(row: dict[str, str]) -> None:
    chosen = quantized(blueprint_of(row["architecture"]), row["quantization"])
    real, found = int(row["bytes"]), file_size(chosen)
    sizes = [file_size(variant).bytes for variant in (chosen, *published_variants(chosen))]
    nearest = min(abs(size / real - 1) for size in sizes)
    if is_exception(row):
        assert nearest > 0.0005, "it follows the rules after all"
    else:
        assert nearest < 0.001
        assert found.low <= real <= found.high


def test_most_published_files_need_no_variant() -> None:
    """K-quants and most legacy ones do not depend on who made them."""
    for row in PUBLISHED:
        if row["quantization"] in ("Q8_0", "Q6_K", "Q5_K_S", "Q5_1", "F16", "BF16") and not is_exception(row):
            found = file_size(quantized(blueprint_of(row["architecture"]), row["quantization"]))
            assert found.bytes == pytest.approx(int(row["bytes"]), rel=0.001)


def test_with_its_header_a_file_is_exact(small_model) -> None:
    blueprint = read_gguf_header(small_model.path).blueprint()
    found = file_size(blueprint)
    assert found.exact and found.low == found.bytes == found.high == small_model.path.stat().st_size
    # The same model's published Q8_0 and Q4_K_M differ from it in tensors and in a few keys.
    by_quant = {r["quantization"]: int(r["bytes"]) for r in PUBLISHED if r["architecture"] == "smollm2-135m"}
    for quant in ("Q8_0", "Q4_K_M"):
        assert file_size(quantized(blueprint, quant)).bytes == pytest.approx(by_quant[quant], abs=1000)


@pytest.mark.parametrize("quant", ["Q8_0", "Q4_0", "Q4_K_M", "Q2_K", "BF16"])
def test_a_file_that_llama_cpp_quantizes_has_the_size_foretold(quant: str, tmp_path: Path) -> None:
    import ctypes

    lib = native.llama()
    params = lib.llama_model_quantize_default_params()
    params.ftype, params.nthread = MIXTURES[quant].file_type, 1
    source, target = embedded.embedded_model(), tmp_path / "quantized.gguf"
    done = lib.llama_model_quantize(
        native.native_path(source), native.native_path(target), ctypes.byref(params)
    )
    assert done == 0
    foretold = quantized(read_gguf_header(source).blueprint(), quant)
    assert file_size(foretold).bytes == target.stat().st_size
    made = read_gguf_header(target).blueprint()
    assert {t.name: t for t in made.tensors} == {t.name: t for t in foretold.tensors}
    assert made.metadata["general.file_type"] == foretold.metadata["general.file_type"]


@pytest.mark.parametrize("row", tokenizers(), ids=lambda row: row.id)
def test_the_table_of_tokenizers_follows_from_the_published_sizes(row: TokenizerRow) -> None:
    blueprint = blueprint_of(row.model)
    assert blueprint.architecture in row.architectures
    assert blueprint.tensor("token_embd.weight").shape[1] == row.vocab_size
    chosen = quantized(blueprint, row.quantization, importance_matrix=row.importance_matrix)
    assert row.bytes == row.file_bytes - data_bytes(chosen) - header_bytes_around(chosen, 0)
    assert row in known_tokenizers(blueprint.architecture, row.vocab_size)
    in_both = [r for r in PUBLISHED if (r["repo"], r["filename"]) == (row.repo, row.filename)]
    assert [int(r["bytes"]) for r in in_both] in ([], [row.file_bytes])


@pytest.mark.parametrize("n_vocab", [3, 1000, 49_152, 300_000])
def test_an_unknown_tokenizer_gives_a_range(n_vocab: int) -> None:
    found = file_size(Shape(n_vocab=n_vocab, n_embd=256, n_heads=4, n_ff=512, n_layers=2).blueprint())
    if n_vocab == 49_152:
        assert "SmolLM2" in found.how
    else:
        assert f"unknown tokenizer of {n_vocab:,} tokens" in found.how
        assert found.high - found.low == pytest.approx(60 * n_vocab + 64 * 1024, abs=64 * 1024)
    assert not found.exact and found.low < found.bytes < found.high


def test_a_tokenizer_of_a_size_given() -> None:
    blueprint = Shape().blueprint()
    found = file_size(blueprint, tokenizer_bytes=1_000_000)
    assert found.bytes == data_bytes(blueprint) + header_bytes_around(blueprint, 1_000_000)
    assert found.low < found.bytes < found.high and not found.exact
    for nonsense in (-1, 1.5, "much"):
        with pytest.raises(LabError, match="no number of bytes"):
            file_size(blueprint, tokenizer_bytes=nonsense)  # type: ignore[arg-type]


def test_every_vocabulary_known_fits_the_range_for_unknown_ones() -> None:
    for row in tokenizers():
        tensors = (TensorSpec("token_embd.weight", (256, row.vocab_size)),)
        blueprint = Blueprint({"general.architecture": "unheard-of"}, tensors)
        found = file_size(blueprint)
        assert found.low <= file_size(blueprint, tokenizer_bytes=row.bytes).bytes <= found.high


def test_a_vocabulary_of_llama_cpp_itself_is_counted_exactly(tmp_path: Path) -> None:
    """A file that the gguf package wrote, with strings, numbers, lists and two tensors."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(tmp_path / "small.gguf", "llama")
    writer.add_block_count(1)
    writer.add_token_list([f"token {n}" for n in range(100)])
    writer.add_token_scores([0.5] * 100)
    writer.add_token_types([1] * 100)
    writer.add_tensor("token_embd.weight", np.zeros((100, 33), dtype=np.float16))
    writer.add_tensor("output_norm.weight", np.zeros(33, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path = tmp_path / "small.gguf"
    assert file_size(read_gguf_header(path).blueprint()).bytes == path.stat().st_size
