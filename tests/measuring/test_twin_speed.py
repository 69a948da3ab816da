"""The speed of models that are not here: which twins are made, and the line through two of them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.gguf_encoding import data_bytes
from labkit.estimating.shallow import layer_period, main_layers, shallow
from labkit.measuring import twin_depths
from labkit.measuring.twin_depths import cache_warning, choose_depths, fits_whole, swept_bytes
from labkit.measuring.twin_speed import TwinSpeed, _on_the_line, bench_twin, layer_work
from labkit.models.twin import TWINS, twin_blueprint
from labkit.units import GIB, MIB
from tests.estimating.configs import SMALL, config

LLAMA = config("llama", "LlamaForCausalLM", num_hidden_layers=8)
SIZES = {"prompt": 32, "generate": 4, "repetitions": 3, "threads": 1, "show_progress": False}
LARGE = {
    "dense": config(
        "llama", "LlamaForCausalLM", hidden_size=4096, intermediate_size=14336, num_hidden_layers=40
    ),
    "windows": {**SMALL["gemma3"], "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 60},
    "experts": {
        **SMALL["deepseek_v3"],
        "hidden_size": 2048,
        "moe_intermediate_size": 1408,
        "n_routed_experts": 64,
        "num_hidden_layers": 27,
        "first_k_dense_replace": 3,
    },
}


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 GiB of memory, 1 TB of disk and 32 MiB of cache."""
    monkeypatch.setattr(limits, "memory_available_bytes", lambda: 64 * GIB)
    monkeypatch.setattr(twin_depths, "free_bytes", lambda _: 1000 * GIB)
    monkeypatch.setattr(twin_depths, "last_level_cache_bytes", lambda: 32 * MIB)


@pytest.mark.parametrize("name", LARGE)
def test_depths_are_far_apart_larger_than_the_cache_and_whole_periods(name: str, roomy: None) -> None:
    whole = twin_blueprint(blueprint_from_config(LARGE[name], name), "Q8_0")
    assert not fits_whole(whole)
    first, second = choose_depths(whole)
    period = layer_period(whole)
    assert first % period == second % period == 0 and first + period <= second < main_layers(whole)
    smaller, larger = (shallow(whole, n) for n in (first, second))
    assert swept_bytes(smaller) >= 4 * 32 * MIB
    assert first == period or swept_bytes(shallow(whole, first - period)) < 4 * 32 * MIB
    assert data_bytes(larger) <= max(2 * GIB, 2.5 * data_bytes(smaller))
    assert data_bytes(larger) > 1.3 * data_bytes(smaller)


def test_quick_runs_and_small_machines_take_shallower_twins(
    roomy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = twin_blueprint(blueprint_from_config(LARGE["dense"], "dense"), "Q8_0")
    depths = [choose_depths(whole)]
    monkeypatch.setenv("LABKIT_QUICK", "1")
    depths.append(choose_depths(whole))
    monkeypatch.setattr(limits, "memory_available_bytes", lambda: 2 * GIB)
    depths.append(choose_depths(whole))
    assert all(later[1] <= earlier[1] for earlier, later in pairwise(depths))
    assert depths[0][1] > depths[2][1]
    monkeypatch.setattr(limits, "memory_available_bytes", lambda: 300 * MIB)
    with pytest.raises(LabError, match="MiB") as caught:
        choose_depths(whole)
    assert caught.value.cure


def test_small_twins_are_warned_of() -> None:
    blueprint = twin_blueprint(LLAMA, "Q4_0")
    size = swept_bytes(blueprint)
    assert cache_warning(blueprint, size // 4 - 1) == ""
    assert "cache" in cache_warning(blueprint, size)
    assert "does not tell" in cache_warning(blueprint, None)


def test_the_line() -> None:
    """time = 2 + 3 · layers, for twins of 1 and 4 layers, gives 2 + 3 · 10 for ten layers."""
    spread = _on_the_line([[5.0, 5.0], [14.0, 14.0]], [1.0, 4.0, 10.0])
    assert spread.values == pytest.approx([1 / 32, 1 / 32])
    disturbed = _on_the_line([[5.0, 20.0, 5.0], [14.0, 14.0, 14.0]], [1.0, 4.0, 10.0])
    assert disturbed.median == pytest.approx(1 / 32) and max(disturbed.values) == pytest.approx(1 / 14)
    with pytest.raises(LabError, match="slower"):
        _on_the_line([[5.0], [4.0]], [1.0, 4.0, 10.0])


def test_layers_count_by_what_a_token_reads() -> None:
    """A dense layer and one of the experts that a token uses; neither embedding nor unused experts."""
    made = blueprint_from_config({**SMALL["deepseek_v3"], "num_hidden_layers": 4}, "deepseek")

    def read(layers: int) -> float:
        return layer_work(shallow(made, layers))

    assert read(1) < read(2) and read(3) - read(2) == pytest.approx(read(2) - read(1) - (read(1) - read(1)))
    used = sum(
        spec.n_bytes * (made.n_experts_used / made.n_experts if spec.is_routed_expert else 1)
        for spec in made.tensors
        if spec.name.startswith("blk.")
    )
    assert layer_work(made) == pytest.approx(used)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TwinSpeed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        whole = bench_twin(LLAMA, "Q4_0", **SIZES)
        two = bench_twin(LLAMA, "Q4_0", depths=(6, 2), **SIZES)
    return {"whole": whole, "two": two}


def test_what_is_found_says_how(measured: dict[str, TwinSpeed]) -> None:
    whole, two = measured["whole"], measured["two"]
    assert whole.depths == [8] and not whole.is_extrapolated
    assert two.depths == [2, 6] and two.is_extrapolated
    for result in (whole, two):
        assert len(result.tg_tokens_per_s.values) == len(result.pp_tokens_per_s.values) == 3
        assert min(result.tg_tokens_per_s.values) > 0
        assert result.model["layers"] == 8 and result.memory_bytes > 0
        for text in (repr(result), result._repr_html_(), result.title()):
            assert result.how in text
        assert "random weights" in repr(result)
        assert TwinSpeed.from_dict(json.loads(result.to_json())) == result
    assert whole.how == "measured on a twin" and two.how == "extrapolated from 2 depths"
    assert "2 and 6 of the 8 layers" in repr(two)
    assert two.model == whole.model


@pytest.mark.parametrize("depths", [(2, 2), (0, 3), (2, 9), (2, 2.5)])
def test_impossible_depths_are_sentences(depths: tuple[int, int]) -> None:
    with pytest.raises(LabError):
        bench_twin(LLAMA, "Q4_0", depths=depths, **SIZES)
    assert not TWINS.folder().exists()


@pytest.mark.parametrize("wrong", [{"prompt": 0}, {"threads": 0}, {"context": 3}, {"kv_type": "q9"}])
def test_wrong_settings_are_sentences(wrong: dict[str, object]) -> None:
    with pytest.raises(LabError):
        bench_twin(LLAMA, "Q4_0", **(SIZES | wrong))
    assert not TWINS.folder().exists()


def test_a_model_of_one_layer_cannot_be_extrapolated(roomy: None) -> None:
    blueprint: Blueprint = twin_blueprint(config("llama", "LlamaForCausalLM", num_hidden_layers=1), "Q4_0")
    with pytest.raises(LabError, match="too few layers"):
        choose_depths(blueprint)
