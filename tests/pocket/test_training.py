"""Training in PyTorch and the GGUF that comes of it, against llama.cpp."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from labkit.models.embedded import pocket_dir
from labkit.models.loading import load_model
from labkit.pocket import batches, corpus, export, recipe, training
from labkit.pocket.architecture import PocketModel, Shape
from labkit.pocket.document import Conversation
from labkit.pocket.tokenizer import IM_END_ID, SPECIAL_TOKENS, train_tokenizer
from labkit.pocket.training import Schedule, train

DENSE = Shape(n_layers=2)
MIXTURE = replace(DENSE, d_ff=256, n_experts=4, n_experts_used=2)
SHORT = Schedule(steps=50, rows=4, length=64, long_length=128, warm_up=5)


@pytest.fixture(scope="module")
def tokenizer():
    texts = [document.text for document in islice(corpus.documents(), 4000)]
    return train_tokenizer(texts, DENSE.n_vocab)


@pytest.fixture(scope="module")
def stream(tokenizer, tmp_path_factory) -> np.ndarray:
    path = tmp_path_factory.mktemp("ids") / "documents.ids"
    batches.write_texts(path, corpus.documents(), tokenizer, SHORT.tokens + 1000)
    return np.fromfile(path, np.uint16)


def trained(shape: Shape, stream: np.ndarray, schedule: Schedule = SHORT, **options) -> PocketModel:
    torch.manual_seed(7)
    model = PocketModel(shape)
    model.curve = train(model, stream, schedule, title="Test", compiled=False, **options)
    return model


def digest(model: PocketModel) -> str:
    return hashlib.sha256(b"".join(w.numpy().tobytes() for w in model.state_dict().values())).hexdigest()


@pytest.mark.parametrize("shape", [DENSE, MIXTURE], ids=["dense", "mixture"])
def test_fifty_steps_give_the_same_bits_twice_and_learn(shape, stream):
    first, second = trained(shape, stream), trained(shape, stream)
    assert digest(first) == digest(second)
    losses = [row["loss"] for row in first.curve]
    assert losses[-1] < losses[0] - 0.5


def test_a_stopped_run_goes_on_from_its_checkpoint_to_the_same_bits(stream, tmp_path, monkeypatch):
    whole = trained(DENSE, stream)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    taken, steps = training.batch, []

    def stop_at_30(ids, step, *sizes):
        steps.append(step)
        if len(steps) == 31:
            raise KeyboardInterrupt
        return taken(ids, step, *sizes)

    monkeypatch.setattr(training, "batch", stop_at_30)
    with pytest.raises(KeyboardInterrupt):
        trained(DENSE, stream, checkpoint=tmp_path / "run.checkpoint")
    resumed = trained(DENSE, stream, checkpoint=tmp_path / "run.checkpoint")
    assert steps[31] == 20  # the last checkpoint
    assert digest(resumed) == digest(whole)
    assert [row["step"] for row in resumed.curve] == [20, 40, 50]


def test_a_checkpoint_of_another_schedule_is_not_used(stream, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    place = tmp_path / "run.checkpoint"
    trained(DENSE, stream, replace(SHORT, steps=20), checkpoint=place)
    assert place.exists()
    assert digest(trained(DENSE, stream, checkpoint=place)) == digest(trained(DENSE, stream))


@pytest.mark.parametrize("shape", [DENSE, MIXTURE], ids=["dense", "mixture"])
def test_llama_cpp_computes_what_pytorch_computes(shape, stream, tokenizer, tmp_path):
    model = trained(shape, stream)
    path = tmp_path / "model.gguf"
    export.write_gguf(path, model, tokenizer, chat=False, about={"name": "Test"})
    with load_model(path, context=256) as loaded:
        for text in ("Mira Vale has a", "37 + 48 =", "def twice(n):\n    return"):
            ids = loaded.prompt_tokens(text, special=False)
            assert list(ids) == [0, *tokenizer.encode(text).ids]
            theirs = loaded.logits_after(ids)
            with torch.no_grad():
                ours = model(torch.tensor([list(ids)]))[0, -1].numpy()
            # The file holds 16-bit weights.
            assert np.abs(theirs - ours).max() < 0.02 * np.abs(ours).max()
    assert loaded.header.blueprint().parameters == sum(w.numel() for w in model.parameters())


def test_a_dense_model_comes_back_from_its_file(stream, tokenizer, tmp_path):
    model = trained(DENSE, stream, replace(SHORT, steps=5))
    export.write_gguf(tmp_path / "model.gguf", model, tokenizer, chat=True, about={"name": "Test"})
    back = export.read_gguf(tmp_path / "model.gguf")
    assert asdict(back.shape) == pytest.approx(asdict(DENSE))
    for name, weight in model.state_dict().items():
        # Matrices went through 16-bit floats.
        assert torch.allclose(back.state_dict()[name], weight, rtol=1e-3, atol=1e-6), name


def test_the_file_has_the_template_and_the_markers(stream, tokenizer, tmp_path):
    model = trained(DENSE, stream, replace(SHORT, steps=2))
    for chat, end in ((True, IM_END_ID), (False, 0)):
        path = tmp_path / f"{chat}.gguf"
        export.write_gguf(path, model, tokenizer, chat=chat, about={"name": "Test"})
        with load_model(path, context=64) as loaded:
            assert loaded.header.has_chat_template is chat
            assert loaded.is_end(end)
            ids = loaded.prompt_tokens("".join(SPECIAL_TOKENS[1:]), special=True)
            assert list(ids) == list(range(len(SPECIAL_TOKENS)))


@pytest.mark.parametrize(
    "text",
    [
        "It's 10 o'clock, they'll say; we've 1,234.50 to pay.",
        "  two spaces\n\n\tand tabs \n ",
        "Grüße, naïve café, Ωμέγα, 漢字, 🙂 and e\u0301",
        "<b>&amp;</b> __init__(self) != x**2",
        "\u00a0no-break\u2003em \u200bzero",
    ],
)
def test_llama_cpp_splits_text_as_the_tokenizers_library_does(text, stream, tokenizer, tmp_path):
    path = tmp_path / "model.gguf"
    export.write_gguf(path, PocketModel(DENSE), tokenizer, chat=False, about={"name": "Test"})
    with load_model(path, context=64) as loaded:
        assert list(loaded.prompt_tokens(text, special=False)) == [0, *tokenizer.encode(text).ids]


def test_only_answers_are_learned(tokenizer, tmp_path):
    talk = Conversation(("What is 2 + 3?", "5", "And 4 + 4?", "8"), "sum")
    batches.write_conversations(tmp_path / "c.ids", [talk], tokenizer, 10_000)
    ids = np.fromfile(tmp_path / "c.ids", np.uint16)
    plain = (ids & ~batches.LEARN).tolist()
    learned = [token for token, mark in zip(plain, ids & batches.LEARN, strict=True) if mark]
    assert tokenizer.decode(learned, skip_special_tokens=False) == "5<|im_end|>8<|im_end|>"
    assert tokenizer.decode(plain, skip_special_tokens=False) == (
        "<|endoftext|><|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\n5<|im_end|>"
        "\n<|im_start|>user\nAnd 4 + 4?<|im_end|>\n<|im_start|>assistant\n8<|im_end|>"
    )
    inputs, targets = training._inputs_and_targets(ids[None].astype(np.int64), True, torch.device("cpu"))
    assert inputs.max() < DENSE.n_vocab
    assert targets[targets >= 0].tolist() == learned


def test_batches_go_through_the_stream_and_start_again():
    stream = np.arange(1000, dtype=np.uint16)
    first = training.batch(stream, 0, 2, 100)
    assert first.shape == (2, 101)
    assert first[0, -1] == first[1, 0] == 100
    assert training.batch(stream, 1, 2, 100)[0, 0] == 200
    assert training.batch(stream, 50, 2, 100).max() < 1000


def test_the_rate_rises_stays_and_falls():
    schedule = Schedule(steps=100, warm_up=10, decay_share=0.5)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:50] == [1.0] * 40
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert 0 < rates[-1] < 0.05


def test_the_kitchen_makes_the_same_files_again(tmp_path, monkeypatch, capsys):
    """The whole of `make pocket`, with a few steps."""
    monkeypatch.setattr(recipe, "_TOKENIZER_TEXT", 200_000)
    tiny = Schedule(steps=3, rows=4, length=64, long_length=128, warm_up=1)
    recipes = [replace(r, schedule=tiny) for r in recipe.recipes()]
    found = []
    for place in (tmp_path / "first", tmp_path / "second"):
        kitchen = recipe.Kitchen(place / "work", place / "out", compiled=False)
        for one in recipes:
            kitchen.make(one)
        found.append(json.loads((place / "out" / "training.json").read_text(encoding="utf-8")))
        for name, record in found[-1].items():
            path = place / "out" / f"{name}.gguf"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
            assert (place / "out" / f"{name}-loss.csv").read_text().count("\n") == 2
            assert Path(place / "out" / f"{name}-loss.png").read_bytes().startswith(b"\x89PNG")
    kitchen.make(recipes[0])
    assert "there already" in capsys.readouterr().out
    assert [r["sha256"] for r in found[0].values()] == [r["sha256"] for r in found[1].values()]
    assert list(found[0]) == [
        "pocket-base", "pocket-instruct", "pocket-choice", "pocket-moe", "pocket-with", "pocket-without",
    ]  # fmt: skip
    assert found[0]["pocket-with"]["leaves_out"] == []
    assert found[0]["pocket-without"]["leaves_out"]


def test_the_models_of_the_course_were_made_by_this_recipe():
    """A change of the texts or of the schedule asks for `make pocket`."""
    recorded = json.loads((pocket_dir() / "training.json").read_text(encoding="utf-8"))
    published = {one.name: one for one in recipe.recipes() if one.quantization}
    assert list(recorded) == list(published)
    for name, record in recorded.items():
        assert record["recipe"] == published[name].digest, name
        content = (pocket_dir() / f"{name}.gguf").read_bytes()
        assert record["sha256"] == hashlib.sha256(content).hexdigest(), name
