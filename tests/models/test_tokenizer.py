"""Tokenizers of GGUF files through llama.cpp's worker, without weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import labkit as lk
from labkit.errors import LabError
from labkit.models import tokenizer as module
from labkit.models.tokenizer import ByteTokenizer, tokenizer, tokenizers_here

TEXTS = [
    "The library is open every day except Monday.",
    "x = 1234567\n\n    return x\t# naïve café 👍",
    "पुस्तकालय खुला है। 图书馆开放。",
    "",
    " two  spaces ",
]


@pytest.fixture(scope="module")
def pocket() -> module.FileTokenizer:
    return tokenizer(module.POCKET)


def joined(pieces: list[bytes]) -> str:
    return b"".join(pieces).decode("utf-8")


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_make_up_the_text_and_are_as_many_as_counted(pocket, text: str) -> None:
    pieces = pocket.pieces(text)
    assert joined(pieces) == text
    assert pocket.counts([text]) == [len(pieces)]
    assert ByteTokenizer().counts([text]) == [len(ByteTokenizer().pieces(text))] == [len(text.encode())]
    assert len(pieces) <= len(text.encode())


def test_it_counts_as_the_loaded_model_does(small_model) -> None:
    found = tokenizer(small_model)
    assert (found.name, found.vocab_size) == ("SmolLM2", 49152)
    with lk.load_model(small_model, context=256) as model:
        for text, count in zip(TEXTS, found.counts(TEXTS), strict=True):
            tokens = model.tokenize(text)
            assert count == len(tokens)
            assert found.pieces(text) == [model.piece_bytes(token) for token in tokens]


def test_the_pockets_tokenizer_is_the_one_that_was_trained(pocket) -> None:
    """llama.cpp cuts as the `tokenizers` library does with the file that `make pocket` stored."""
    library = pytest.importorskip("tokenizers")
    stored = pocket.path.with_name("tokenizer.json")
    if not stored.exists():
        pytest.skip("the tokenizer's JSON file is not stored beside the model")
    trained = library.Tokenizer.from_file(str(stored))
    for text in TEXTS:
        assert pocket.counts([text]) == [len(trained.encode(text, add_special_tokens=False).ids)], text


def test_markers_in_a_text_are_text(pocket) -> None:
    assert len(pocket.pieces("<|endoftext|>")) > 1


def test_half_a_character_is_no_problem(pocket) -> None:
    assert pocket.counts(["a\ud800b"]) == pocket.counts(["a?b"])
    assert ByteTokenizer().pieces("\ud800") == [b"?"]


def test_a_tokenizer_of_another_kind(random_model) -> None:
    found = tokenizer(str(random_model.path))
    assert found.vocab_size == 354 and joined(found.pieces("Hello wörld")) == "Hello wörld"


def test_those_on_this_machine_come_once(model_cache: Path, small_model) -> None:
    copy = model_cache / "models" / "copy" / "another-name.gguf"
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(small_model.path, copy)
        found = tokenizers_here()
    finally:
        shutil.rmtree(copy.parent)
    assert [item.vocab_size for item in found][:3] == [256, 2048, 49152]
    assert [item.name for item in found].count("SmolLM2") == 1
    assert "another-name" not in [item.name for item in found]
    assert "49,152" in repr(found) and "<table>" in found._repr_html_()


def test_another_downloaded_file_is_found(
    isolated_home: Path, random_model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    folder = isolated_home / "cache" / "models" / "0123"
    folder.mkdir(parents=True)
    shutil.copyfile(random_model.path, folder / "odd-one.gguf")
    (folder / "not-a-model.gguf").write_bytes(b"GGUF and then nothing")
    found = tokenizers_here(show_progress=False)
    assert [item.name for item in found][-1] == "odd-one"
    assert "not-a-model" not in [item.name for item in found]
    assert any("could not be fetched" in note for note in found.notes)


@pytest.mark.parametrize(
    ("source", "words"),
    [("/no/such/file.gguf", "There is no file"), ("no-such-model", "no model called")],
)
def test_a_missing_model_is_a_sentence(source: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        tokenizer(source)


def test_a_file_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    with pytest.raises(LabError, match=r"broken\.gguf can't be used"):
        tokenizer(path)


def test_a_text_that_is_far_too_long_is_refused(pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_BYTES", 10)
    with pytest.raises(LabError, match="Count the tokens of a part"):
        pocket.counts(["hello", "hello world"])
