"""Models with fewer layers: what differs from layer to layer stays in proportion."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_layers
from labkit.estimating.quantization import quantized
from labkit.estimating.shallow import layer_period, layer_tensors, main_layers, shallow
from tests.estimating.configs import SMALL


def of(name: str, layers: int, **more: object) -> Blueprint:
    return blueprint_from_config({**SMALL[name], "num_hidden_layers": layers, **more}, name)


def shapes(blueprint: Blueprint) -> dict[str, tuple[int, ...]]:
    return {spec.name: spec.shape for spec in blueprint.tensors}


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma2", "gemma3", "mixtral", "gpt_oss", "phi3"])
@pytest.mark.parametrize("layers", [1, 2, 5, 11])
def test_it_is_the_model_that_a_config_with_so_many_layers_describes(name: str, layers: int) -> None:
    """Where llama.cpp knows a layer's kind by its number, fewer layers are the first ones."""
    cut, made = shallow(of(name, 12), layers), of(name, layers)
    assert shapes(cut) == shapes(made)
    assert [spec.name for spec in cut.tensors] == [spec.name for spec in made.tensors]
    assert cut.metadata == {**made.metadata, "general.name": cut.metadata["general.name"]}
    assert [layer.window for layer in kv_layers(cut)] == [layer.window for layer in kv_layers(made)]


@pytest.mark.parametrize(
    ("dense", "total", "layers", "kept"), [(3, 60, 20, 1), (3, 60, 40, 2), (1, 27, 4, 1)]
)
def test_leading_dense_layers_stay_in_proportion(dense: int, total: int, layers: int, kept: int) -> None:
    cut = shallow(of("deepseek_v3", total, first_k_dense_replace=dense), layers)
    assert cut.number("leading_dense_block_count") == kept
    assert shapes(cut) == shapes(of("deepseek_v3", layers, first_k_dense_replace=kept))


@pytest.mark.parametrize("layers", [4, 8, 12, 20])
def test_the_types_of_a_mixture_stay_in_proportion(layers: int) -> None:
    whole = quantized(of("llama", 40), "Q4_K_M")

    def share(blueprint: Blueprint, name: str) -> float:
        types = Counter(s.type_name for s in blueprint.tensors if re.search(name, s.name))
        assert len(types) == 2
        return types["Q6_K"] / types.total()

    for name in ("ffn_down", "attn_v"):
        assert share(shallow(whole, layers), name) == pytest.approx(share(whole, name), abs=0.51 / layers)


def test_lists_per_layer_are_cut_with_the_layers() -> None:
    whole = of("llama", 6)
    metadata = {
        **whole.metadata,
        "llama.attention.head_count_kv": [1, 2, 3, 4, 5, 6],
        "llama.rope.dimension_sections": [1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.tokens": list("abcdef"),
    }
    cut = shallow(Blueprint(metadata, whole.tensors, "made up"), 2)
    assert cut.metadata["llama.attention.head_count_kv"] == [1, 2]
    assert cut.metadata["llama.rope.dimension_sections"] == [1, 1, 1, 1, 1, 1]
    assert cut.metadata["tokenizer.ggml.tokens"] == list("abcdef")


def test_layers_that_only_draft_are_left_out() -> None:
    made = of("glm4_moe", 6, num_nextn_predict_layers=1)
    assert made.n_layers == 7 and main_layers(made) == 6
    cut = shallow(made, 3)
    assert cut.n_layers == main_layers(cut) == 3
    assert not any("nextn" in spec.name for spec in cut.tensors)
    assert not any("nextn" in spec.name for spec in layer_tensors(made))


@pytest.mark.parametrize(
    ("name", "period"),
    [("llama", 1), ("gemma2", 2), ("gpt_oss", 2), ("gemma3", 6), ("llama4", 4), ("mixtral", 1)],
)
def test_the_period_of_the_layers_kinds(name: str, period: int) -> None:
    assert layer_period(of(name, 24)) == period
    assert layer_period(of(name, 25)) == period


def test_the_whole_is_itself() -> None:
    whole = of("gemma3", 7)
    assert shallow(whole, 7) is whole


@pytest.mark.parametrize("layers", [0, -1, 13, 10**12, 2.0, True, "3", None])
def test_impossible_numbers_are_sentences(layers: object) -> None:
    with pytest.raises(LabError, match="from 1 to 12"):
        shallow(of("llama", 12), layers)  # type: ignore[arg-type]


def test_a_model_without_numbered_layers_is_a_sentence() -> None:
    blueprint = Blueprint({"general.architecture": "llama", "llama.block_count": 10**12}, ())
    with pytest.raises(LabError):
        shallow(blueprint, 2)
