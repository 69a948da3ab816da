"""The widget "Will it run here?", without a browser."""

from __future__ import annotations

import html
import re

import pytest

import labkit as lk
from labkit.errors import LabError
from labkit.estimating.fitting import Room
from labkit.learning.fit_explorer import FitExplorer
from labkit.learning.form import FormModel
from labkit.measuring.fit import Rate
from labkit.measuring.gpu import GPU
from labkit.models.estimate import estimate
from labkit.units import GIB


@pytest.fixture(autouse=True)
def known_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rate, "bandwidth_bytes_per_s", 20e9)


def explorer(model: str = "llama-3.1-8b", ram: int = 8, vram: int = 0) -> FitExplorer:
    cards = [GPU("Card", vram * GIB, vram * GIB, "1", "GPU-0", 1000e9)] if vram else []
    return FitExplorer(model, Room(ram * GIB, vram * GIB), Rate(cards))


def words(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def field(found: FitExplorer, name: str):
    return {f.name: f for f in found.view().fields}[name]


def test_it_is_a_form_model_on_this_machine() -> None:
    found = lk.fit_explorer("smollm2-135m")
    assert isinstance(found, FormModel)
    assert found.verdict().startswith("Fits: it takes")
    assert "text/html" in found._repr_mimebundle_() and "Will it run here?" in repr(found)


def test_it_says_what_estimate_says() -> None:
    found = explorer()
    told = estimate("llama-3.1-8b", ask_llama=False)
    assert dict(found.parts())["KV cache"] == told.kv_bytes == GIB
    assert found.memory().total_bytes == told.total_bytes
    page = words(found.view().result_html)
    assert "1.00 GiB" in page and "Weights" in page and "What you may use" in page


def test_the_sliders_change_the_answer() -> None:
    form = explorer().form
    assert form.view.status.startswith("Fits: it takes")
    longer = form.press("change", {"context": 131072.0})
    assert longer.status.startswith("Does not fit: ") and "short of RAM" in longer.status
    assert "It fits with " in longer.status
    assert "no speed" in words(longer.result_html)
    quantized = form.press("change", {"kv_type": "q8_0", "context": 16384.0})
    assert quantized.status.startswith("Fits") and "Predicted speed" in words(quantized.result_html)
    bits = form.press("change", {"quant": "Q2_K"})
    assert form.model.quant == "Q2_K" and bits.status.startswith("Fits")


def test_another_model_starts_with_its_own_quantization_and_length() -> None:
    form = explorer().form
    form.press("change", {"context": 131072.0, "quant": "Q2_K"})
    view = form.press("change", {"model": "tinyllama-1.1b-chat-q4_k_m"})
    assert form.model.quant == "Q4_K_M" and form.model.context == 2048
    assert field(form.model, "context").maximum == 2048
    lowered = "Context lowered to 2,048 tokens, this model's limit."
    assert view.status.endswith(lowered) and lowered in words(view.result_html)
    assert lowered in form.model.text()
    form.press("change", {"model": "qwen3-0.6b-q8_0"})
    assert form.model.quant == "Q8_0" and "lowered" not in form.model.text()


def test_each_model_is_offered_once_and_quantizations_are_the_usual_ones() -> None:
    found = explorer()
    labels = [option.label for option in field(found, "model").options]
    assert len([label for label in labels if label.startswith("Llama 3.1 8B")]) == 1
    assert len(labels) == len(set(labels))
    assert found.model in [option.value for option in field(found, "model").options]
    assert len(field(found, "quant").options) == 10
    odd = explorer("gpt-oss-20b-mxfp4", ram=32)
    assert odd.quant == "MXFP4_MOE" and "MXFP4_MOE" in [o.value for o in field(odd, "quant").options]


def test_a_model_that_never_fits() -> None:
    found = explorer("deepseek-v3")
    assert re.match(
        r"Does not fit: \d+\.\d\d GiB short of RAM\. Nothing that was tried fits", found.verdict()
    )
    assert "no speed" in found.text()


def test_layers_on_a_graphics_card() -> None:
    assert "gpu_layers" not in {f.name for f in explorer().view().fields}
    form = explorer(ram=8, vram=8).form
    assert field(form.model, "gpu_layers").maximum == 33
    view = form.press("change", {"gpu_layers": 33.0})
    assert "on the GPU" in view.status and view.status.startswith("Fits")
    in_ram, on_gpu = explorer().speed(), form.model.speed()
    assert on_gpu.high == pytest.approx(50 * in_ram.high, rel=0.01)
    too_long = form.press("change", {"context": 131072.0})
    assert "short on the GPU" in too_long.status


def test_a_cache_that_does_not_suit_the_model_is_a_sentence() -> None:
    form = explorer("stablelm-3b").form
    view = form.press("change", {"kv_type": "q8_0"})
    assert view.status and view.result_html
    assert form.text()


def test_the_picture_has_its_numbers_in_words() -> None:
    page = explorer().view().result_html
    alt = html.unescape(re.search(r'alt="([^"]+)"', page)[1])
    assert "The memory you may use is 8.00 GiB" in alt and "f16 cache: " in alt and "tokens fit" in alt


def test_wrong_values_and_names() -> None:
    form = explorer().form
    before = form.model.settings
    assert (
        "largest value" in {f.name: f for f in form.press("change", {"context": 1e9}).fields}["context"].error
    )
    form.press("change", {"model": "no such model"})
    assert form.model.settings == before
    with pytest.raises(LabError, match="no model called"):
        lk.fit_explorer("llama-9")
