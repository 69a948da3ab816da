"""The rules for quantization against llama.cpp's own plan, tensor by tensor, and published figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating import quant_mixtures
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.quantization import (
    QUANTIZATIONS,
    bits_per_weight,
    fallbacks,
    needs_importance_matrix,
    published_variants,
    quantization_name,
    quantized,
)
from labkit.models.engine import quantized_by_llama
from labkit.models.gguf import read_gguf_header
from labkit.models.header_only import write_header_only
from labkit.models.llama_worker import ask_llama
from tests.estimating.synthetic import Shape

K_AND_LEGACY = tuple(name for name in QUANTIZATIONS if not name.startswith(("IQ", "TQ", "Q1", "Q2_0", "MX")))


def plan_or_refusal(plan, blueprint: Blueprint, quant: str, matrix: bool) -> object:
    try:
        return plan(blueprint, quant, importance_matrix=matrix)
    except LabError:
        return "refused"


def differences(blueprint: Blueprint, quant: str, matrix: bool = False) -> list[object]:
    """(tensor, shape, ours, llama.cpp's) where they differ; both refusing is no difference."""
    ours = plan_or_refusal(quantized, blueprint, quant, matrix)
    theirs = plan_or_refusal(quantized_by_llama, blueprint, quant, matrix)
    if isinstance(ours, str) or isinstance(theirs, str):
        return [] if ours == theirs else [(ours, theirs)]
    assert ours.metadata["general.file_type"] == theirs.metadata["general.file_type"]
    return [
        (mine.name, mine.shape, mine.type_name, other.type_name)
        for mine, other in zip(ours.tensors, theirs.tensors, strict=True)
        if mine != other
    ]


SHAPES = {
    "grouped heads": Shape(),
    "two query heads to a KV head": Shape(n_kv_heads=8, n_layers=17),
    "one layer, tied": Shape(n_layers=1, tied=True),
    "rows of no whole blocks": Shape(n_embd=576, n_heads=9, n_kv_heads=3, n_ff=1536, n_layers=30, tied=True),
    "rows that nothing but F16 holds": Shape(n_embd=100, n_heads=4, n_kv_heads=4, n_ff=150, n_layers=9),
    "80 layers: a 70B": Shape(n_layers=80, n_kv_heads=2),
    "80 layers, heads not grouped: a 65B": Shape(n_layers=80, n_kv_heads=16),
    "80 layers of qwen2": Shape("qwen2", n_layers=80, n_kv_heads=16),
    "82 layers, two of which predict further": Shape("qwen2", n_layers=82, n_nextn=2),
    "68 layers of jais2": Shape("jais2", n_layers=68, n_kv_heads=16),
    "eight experts": Shape(n_layers=32, n_experts=8, n_kv_heads=4),
    "eight experts and 80 layers": Shape(n_layers=80, n_experts=8, n_kv_heads=2),
    "four experts": Shape(n_layers=9, n_experts=4, n_kv_heads=16),
    "experts, some shared, some layers dense": Shape("qwen3moe", 24, n_experts=60, n_shared=1, n_dense=2),
    "eight experts, shared, other rules": Shape("granitemoe", 24, n_experts=8, n_shared=2, n_ff=352),
    "latent attention": Shape("deepseek2", 27, n_kv_heads=1, n_experts=64, n_shared=2, n_dense=1, mla=True),
    "fused QKV": Shape("phi3", 32, n_kv_heads=16, fused_qkv=True),
    "fused QKV, grouped": Shape("phi3", 40, n_kv_heads=4, fused_qkv=True),
    "falcon": Shape("falcon", 32, n_kv_heads=1, fused_qkv=True),
    "falcon with odd rows": Shape("falcon", 32, n_embd=4544, n_heads=71, n_kv_heads=1, fused_qkv=True),
    "gpt-oss": Shape("gpt-oss", 24, 2880, 45, 5, 2880, n_experts=32),
    "glm5-next": Shape("glm5-next", 12, n_experts=16, n_shared=1, n_dense=2, mla=True),
    "bailingmoe3": Shape("bailingmoe3", 12, n_experts=16, n_shared=1, n_dense=2, mla=True),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_rules_are_llama_cpps(name: str) -> None:
    blueprint = SHAPES[name].blueprint()
    assert len(quantized_by_llama(blueprint, "Q4_K_M").tensors) == len(blueprint.tensors)  # it is not refused
    wrong = {quant: found for quant in QUANTIZATIONS if (found := differences(blueprint, quant))}
    assert wrong == {}


@pytest.mark.parametrize(
    "name", ["grouped heads", "eight experts", "experts, some shared, some layers dense"]
)
def test_the_rules_with_an_importance_matrix_are_llama_cpps(name: str) -> None:
    blueprint = SHAPES[name].blueprint()
    wrong = {quant: found for quant in QUANTIZATIONS if (found := differences(blueprint, quant, True))}
    assert wrong == {}


def altered_configs() -> Iterator[tuple[str, dict]]:
    """One published model of each kind, with other depths, widths, heads and vocabularies."""
    changes = (
        {"num_hidden_layers": 7},
        {"num_hidden_layers": 80, "intermediate_size": 1000},
        {"vocab_size": 5003, "num_hidden_layers": 33, "tie_word_embeddings": True},
    )
    seen = set()
    for row in facts.architectures():
        if row.model_type in seen:
            continue
        change = changes[len(seen) % len(changes)]
        seen.add(row.model_type)
        yield row.id, {**row.config(), **change}


@pytest.mark.parametrize(("name", "config"), [pytest.param(*item, id=item[0]) for item in altered_configs()])
def test_the_rules_are_llama_cpps_for_altered_models(name: str, config: dict) -> None:
    try:
        blueprint = blueprint_from_config(config, name)
    except LabError as error:  # lists with an entry for each layer no longer fit
        assert "layer" in str(error)
        return
    chosen = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K")
    wrong = {quant: found for quant in chosen if (found := differences(blueprint, quant))}
    assert wrong == {}


def test_matrices_that_stay_as_they_are() -> None:
    fragments = (
        *quant_mixtures._KEPT,
        *quant_mixtures._KEPT_GLM5_NEXT,
        *quant_mixtures._AT_LEAST_Q8_GLM5_NEXT,
    )
    names = {
        f"blk.0.x{i}.{part.strip('.').removesuffix('.weight')}.weight" for i, part in enumerate(fragments)
    }
    odd = [
        TensorSpec("position_embd.weight", (512, 64)),
        TensorSpec("token_types.weight", (512, 64)),
        TensorSpec("per_layer_token_embd.weight", (512, 64)),
        TensorSpec("v.patch_embd.weight", (512, 64)),
        TensorSpec("blk.0.no_matrix.weight", (512, 1), "F32"),
        TensorSpec("blk.0.no_weight.scale", (512, 64)),
        TensorSpec("blk.0.three.weight", (96, 1, 3), "F32"),
    ]
    extra = (*(TensorSpec(name, (512, 64)) for name in sorted(names)), *odd)
    for architecture in ("llama", "glm5-next"):
        shape = Shape(architecture, n_layers=4, n_experts=8 if architecture == "glm5-next" else 0)
        blueprint = shape.blueprint()
        blueprint = replace(blueprint, tensors=blueprint.tensors + extra)
        for quant in ("Q4_K_M", "F16", "IQ2_M", "MXFP4_MOE"):
            assert differences(blueprint, quant) == []


# ---------------------------------------------------------------- a real file


def test_a_real_file_has_the_types_of_its_mixture(small_model) -> None:
    header = read_gguf_header(small_model.path).blueprint()
    again = quantized(header, "Q4_1")
    assert again.tensors == header.tensors
    assert bits_per_weight(header) == pytest.approx(5.7437, abs=1e-4)
    assert quantized(quantized(header, "F16"), "Q4_K_M") == quantized(header, "Q4_K_M")
    for quant in K_AND_LEGACY:
        assert differences(header, quant) == []


def test_llama_cpp_plans_the_same_for_whole_matrices(small_model, tmp_path: Path) -> None:
    """`quantized_by_llama` writes matrices of two rows: llama.cpp does not ask for more."""
    from labkit.models.engine import types_in_log

    blueprint = quantized(read_gguf_header(small_model.path).blueprint(), "F16")
    path = write_header_only(blueprint, tmp_path / "whole.gguf")
    log = ask_llama({"path": str(path), "quantize": 10, "importance_matrix": False})["log"]
    ours = quantized(blueprint, "Q2_K")
    assert types_in_log(log) == {spec.name: spec.type_name for spec in ours.tensors}
    size_mib = float(re.search(r"quant size  = +([\d.]+) MiB", log)[1])
    assert ours.tensor_bytes / 2**20 == pytest.approx(size_mib, abs=0.006)
    fell_back = int(re.search(r"(\d+) of \d+ tensor\(s\) required fallback", log)[1])
    assert len(fallbacks(blueprint, "Q2_K")) == fell_back == 180


# ---------------------------------------------------------------- published figures

#: ggml-org/llama.cpp, tools/quantize/README.md: Llama-3.1-8B in bits per weight
README_BITS = {
    "F16": 16.0005,
    "Q8_0": 8.5008,
    "Q6_K": 6.5633,
    "Q5_K_M": 5.7036,
    "Q5_K_S": 5.5704,
    "Q4_K_M": 4.8944,
    "Q4_K_S": 4.6672,
    "IQ4_NL": 4.6818,
    "IQ4_XS": 4.4597,
    "Q3_K_L": 4.2979,
    "Q3_K_M": 3.9960,
    "Q3_K_S": 3.6429,
    "IQ3_M": 3.7628,
    "IQ3_S": 3.6606,
    "IQ3_XS": 3.4977,
    "IQ3_XXS": 3.2548,
    "Q2_K": 3.1593,
    "Q2_K_S": 2.9697,
    "IQ2_M": 2.9294,
    "IQ2_S": 2.7403,
    "IQ2_XS": 2.5882,
    "IQ2_XXS": 2.3824,
    "IQ1_M": 2.1460,
    "IQ1_S": 2.0042,
}


@pytest.mark.parametrize(("quant", "bits"), README_BITS.items())
def test_bits_per_weight_of_llama_3_1_8b(quant: str, bits: float) -> None:
    blueprint = blueprint_from_config(facts.find_architecture("llama-3.1-8b").config())
    # The README's were made with an importance matrix where one is needed.
    needed = needs_importance_matrix(blueprint, quant)
    found = bits_per_weight(quantized(blueprint, quant, importance_matrix=needed))
    assert found == pytest.approx(bits, abs=6e-5)


# ---------------------------------------------------------------- names, fallbacks, matrices


def test_names_in_any_spelling() -> None:
    assert [quantization_name(name) for name in ("q4_k_m", " Q4_K ", "Q5-K-M", "mxfp4")] == [
        "Q4_K_M",
        "Q4_K_M",
        "Q5_K_M",
        "MXFP4_MOE",
    ]
    for nonsense in ("Q4", "", None, 4, "Q" * 10_000):
        with pytest.raises(LabError, match="no quantization"):
            quantization_name(nonsense)  # type: ignore[arg-type]


def test_fallbacks_say_what_was_wanted_and_what_it_became() -> None:
    found = fallbacks(SHAPES["rows of no whole blocks"].blueprint(), "Q4_K_M")
    names = {f.tensor: (f.wanted, f.got) for f in found}
    assert names["blk.3.attn_q.weight"] == ("Q4_K", "Q5_0")
    assert names["blk.0.attn_v.weight"] == ("Q6_K", "Q8_0")
    assert "blk.0.ffn_down.weight" not in names
    assert fallbacks(SHAPES["grouped heads"].blueprint(), "Q4_K_M") == ()
    only_f16 = fallbacks(SHAPES["rows that nothing but F16 holds"].blueprint(), "Q8_0")
    assert {f.got for f in only_f16} == {"F16"}


def test_a_mixture_without_a_fitting_type_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        LabError, match=r"rows of blk\.0\.\S+ have 576 values, and Q1_0 needs multiples of 128"
    ):
        quantized(SHAPES["rows of no whole blocks"].blueprint(), "Q1_0")


def test_who_needs_an_importance_matrix() -> None:
    blueprint = SHAPES["grouped heads"].blueprint()
    needed = {quant for quant in QUANTIZATIONS if needs_importance_matrix(blueprint, quant)}
    assert needed == {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "Q2_K_S"}
    assert any("importance matrix" in note for note in quantized(blueprint, "IQ2_XS").notes)
    assert quantized(blueprint, "IQ2_XS", importance_matrix=True).notes == blueprint.notes
    assert quantized(blueprint, "Q4_K_M").notes == blueprint.notes


def test_variants_of_published_files() -> None:
    plain, fused = SHAPES["grouped heads"].blueprint(), SHAPES["fused QKV"].blueprint()
    assert published_variants(quantized(plain, "Q4_K_M")) == ()
    assert len(published_variants(quantized(plain, "Q4_0"))) == 1
    assert len(published_variants(quantized(fused, "Q4_K_M"))) == 1
    assert published_variants(plain) == ()
    mixed = quantized(plain, "Q4_0")
    mixed = replace(mixed, tensors=tuple(replace(spec, type_name="F16") for spec in mixed.tensors))
    assert published_variants(mixed) == ()
