"""llama.cpp's own plan of a quantization: quiet, quick, in a process of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.estimating.quantization import quantized
from labkit.models.engine import quantized_by_llama, types_in_log
from tests.estimating.synthetic import Shape


def test_types_are_read_from_the_log() -> None:
    log = (
        "[   1/   3] token_embd.weight                    - [  576,     2,     1,     1], type =    f16, "
        "size =     0.00 MiB ->     0.00 MiB (q8_0)\n"
        "warning: blk.0.x - ncols 576 not divisible by 256 (required for type q4_K) -> falling back to q5_0\n"
        "[   2/   3] blk.0.attn_norm.weight               - [  576,     1,     1,     1], type =    f32, "
        "size =    0.002 MiB\n"
        "[   3/   3] blk.0.a name with spaces              - [  576,     1,     1,     1], type =   q4_K, "
        "size =    0.002 MiB ->     0.00 MiB (iq4_nl)\n"
    )
    assert types_in_log(log) == {
        "token_embd.weight": "Q8_0",
        "blk.0.attn_norm.weight": "F32",
        "blk.0.a name with spaces": "IQ4_NL",
    }


def test_it_prints_nothing_and_keeps_the_order(capfd: pytest.CaptureFixture[str]) -> None:
    blueprint = Shape().blueprint()
    blueprint = replace(blueprint, tensors=tuple(reversed(blueprint.tensors)))
    assert quantized_by_llama(blueprint, "q4_k_m") == quantized(blueprint, "Q4_K_M")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("changes", [{"n_layers": 600}, {"n_experts": 2000}], ids=["layers", "experts"])
def test_llama_cpp_stops_and_the_caller_gets_a_sentence(changes: dict[str, int]) -> None:
    blueprint = Shape(**changes).blueprint() if "n_experts" in changes else Shape().blueprint()
    if "n_layers" in changes:
        blueprint = replace(blueprint, metadata={**blueprint.metadata, "llama.block_count": 600})
    with pytest.raises(LabError, match=r"llama\.cpp cannot take this model: llama\.cpp crashed"):
        quantized_by_llama(blueprint, "Q4_0")
    assert quantized_by_llama(Shape().blueprint(), "Q4_0").metadata["general.file_type"] == 2


def test_a_refusal_names_its_reason() -> None:
    blueprint = Shape().blueprint()
    metadata = {k: v for k, v in blueprint.metadata.items() if not k.endswith("rms_epsilon")}
    with pytest.raises(LabError, match=r"does not make Q4_0 of synthetic llama: key not found"):
        quantized_by_llama(replace(blueprint, metadata=metadata), "Q4_0")
    unknown = {**blueprint.metadata, "general.architecture": "unheard-of"}
    with pytest.raises(LabError, match="unknown model architecture: 'unheard-of'"):
        quantized_by_llama(replace(blueprint, metadata=unknown), "Q4_0")
    with pytest.raises(LabError, match="no quantization"):
        quantized_by_llama(blueprint, "Q9")


def test_a_huge_model_is_planned_without_a_huge_file() -> None:
    blueprint = Shape(
        n_layers=61, n_embd=7168, n_heads=56, n_ff=2048, n_vocab=129_280, n_experts=256
    ).blueprint()
    planned = quantized_by_llama(quantized(blueprint, "F16"), "Q4_K_M")
    assert planned.tensors == quantized(blueprint, "Q4_K_M").tensors
    assert planned.tensor_bytes > 300e9
