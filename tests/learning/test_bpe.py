"""Byte-pair encoding in plain Python: the merges and the cuts of the `tokenizers` library, ties included."""

from __future__ import annotations

import functools
import json
import random

import pytest

from labkit.errors import LabError
from labkit.learning.bpe import BYTES_IN_ORDER, merge_pair, train_bpe, words_of
from labkit.learning.sample_texts import course_english, sample_code, sentences_in
from labkit.learning.watch_merges import merge_chart, watch_merges

tokenizers = pytest.importorskip("tokenizers")


@functools.cache
def _bytes_of_characters() -> dict[str, int]:
    """The character that stands for each byte in the library's byte-level alphabet → the byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def as_bytes(token: str) -> bytes:
    return bytes(_bytes_of_characters()[character] for character in token)


def by_the_library(text: str, vocab_size: int):
    """(merges, pieces of the text) as the library has them."""
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator([text], trainer)
    merges = json.loads(library.to_str())["model"]["merges"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    return [tuple(map(as_bytes, pair)) for pair in pairs], [as_bytes(t) for t in library.encode(text).tokens]


def assert_same(text: str, n: int) -> None:
    merges, pieces = by_the_library(text, 256 + n)
    ours = train_bpe(text, len(merges))
    assert [(merge.left, merge.right) for merge in ours.merges] == merges, text[:60]
    assert ours.pieces(text) == pieces, text[:60]


@pytest.mark.parametrize(
    "language", ["English", "German", "Russian", "Arabic", "Hindi", "Chinese", "Japanese"]
)
def test_merges_and_pieces_of_each_language_are_the_librarys(language: str) -> None:
    assert_same("\n".join(sentences_in(language)), 300)


def test_program_text_and_the_courses_english() -> None:
    assert_same(sample_code(), 500)
    assert_same(course_english()[:12_000], 500)


ALPHABETS = ["ab", "abc", "ab ", "abcde é", "aA1²½ Ⅻ_'s\n\t ", "xyz  नम٣", "'re'll I'd "]


def test_random_texts_full_of_ties_runs_and_odd_numbers() -> None:
    rng = random.Random(17)
    for _ in range(150):
        alphabet = rng.choice(ALPHABETS)
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 200)))
        assert_same(text, rng.randint(0, 60))


def test_words_join_to_the_text_again_and_are_cut_as_gpt_2_cuts_them() -> None:
    text = "It's 12½ years,  naïve_x\n\n  y² Ⅻ नमस्ते!  "
    cut = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    assert [word.encode() for word in words_of(text)] == [as_bytes(word) for word, _ in cut]
    assert "".join(words_of(text)) == text


def test_every_byte_has_one_place() -> None:
    assert sorted(BYTES_IN_ORDER) == list(range(256))


def test_each_step_tells_how_many_tokens_are_left() -> None:
    text = "\n".join(sentences_in("English"))
    found = train_bpe(text, 100)
    assert found.text_bytes == len(text.encode())
    for n in (1, 10, 100):
        assert found.merges[n - 1].tokens == len(found.pieces(text, n))
    assert len(found.pieces(text, 0)) == found.text_bytes
    times = [merge.times for merge in found.merges]
    assert times == sorted(times, reverse=True)
    assert found.vocab_size == 356


def test_the_training_ends_where_no_neighbours_are_left() -> None:
    found = train_bpe("abc", 100)
    assert [merge.piece for merge in found.merges] == [b"ab", b"abc"]
    assert train_bpe("a", 5).merges == ()


def test_pieces_of_another_text_join_to_it() -> None:
    found = train_bpe(course_english()[:5000], 200)
    for text in ("naïve\ud800 ½", "你好", "", "  \n"):
        assert b"".join(found.pieces(text)).decode() == text.replace("\ud800", "?")


@pytest.mark.parametrize(
    ("tokens", "pair", "merged"),
    [
        ([*"aaa"], ("a", "a"), ["aa", "a"]),
        ([*"aaaa"], ("a", "a"), ["aa", "aa"]),
        ([*"abcab"], ("a", "b"), ["ab", "c", "ab"]),
        ([], ("a", "b"), []),
    ],
)
def test_a_pair_is_joined_from_left_to_right(tokens, pair, merged) -> None:
    assert merge_pair(tokens, pair) == merged


@pytest.mark.parametrize(
    ("text", "n", "words"),
    [
        ("", 10, "no text to learn from"),
        (None, 10, "no text to learn from"),
        ("abc", -1, "not possible"),
        ("abc", 1.5, "not possible"),
        ("abc", True, "not possible"),
        ("abc", 10**9, "not possible"),
        ("a" * 2_000_001, 1, "too long"),
    ],
)
def test_bad_input_is_a_sentence(text, n, words) -> None:
    with pytest.raises(LabError, match=words):
        train_bpe(text, n)


# ---------------------------------------------------------------- what a chapter shows of it


def test_the_training_shows_its_first_merges_and_the_last() -> None:
    training = watch_merges("low lower lowest " * 20, 6)
    page = repr(training)
    assert "l  +  o" in page and "256 bytes and" in page and "<table>" in training._repr_html_()
    assert training.tokens_after(0) == training.bpe.text_bytes > training.tokens_after(6)
    assert training.counts(["low"]) == [len(training.pieces("low"))]


def test_a_sentence_grows_together_step_by_step() -> None:
    view = watch_merges(n_merges=150).grow("The library is open every day.")
    lengths = [len(cut.pieces) for cut in view.cuts]
    assert [cut.name.split(",")[0] for cut in view.cuts] == [
        "no merge",
        "after 10 merges",
        "after 100 merges",
        "after 150 merges",
    ]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] == 30 > 2 * lengths[-1] - 10


def test_the_picture_says_that_english_merges_do_nothing_for_hindi() -> None:
    alt = merge_chart(watch_merges(n_merges=300)).alt
    assert "Hindi: 1,000 with 256 tokens in the vocabulary, 1,000 with 556" in alt
    assert "the text learned from: 1,000 with 256" in alt
    with pytest.raises(LabError, match="nothing to plot"):
        merge_chart(watch_merges("a", 5))
