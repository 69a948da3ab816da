"""The same sentences in ten languages: the tables, the ratios, the intervals and what they cost."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest

import labkit as lk
from labkit import facts
from labkit.errors import LabError
from labkit.facts.parallel_texts import languages, parallel_texts, texts_digest, token_counts
from labkit.learning.bpe import train_bpe
from labkit.learning.language_counts import (
    compare_languages,
    language_chart,
    recorded_counts,
    recorded_table,
    tokens_per_kilobyte,
)
from labkit.learning.sample_texts import sample_sentence, sentences_in
from labkit.learning.text_budget import reading_price, text_budget
from labkit.models.tokenizer import ByteTokenizer, tokenizer
from labkit.settings import datasets_dir


@pytest.fixture(scope="module")
def counts(small_model):
    return compare_languages([ByteTokenizer(), tokenizer("pocket-base"), tokenizer(small_model)])


# ---------------------------------------------------------------- the tables


def test_each_language_has_the_same_twenty_sentences() -> None:
    found = languages()
    assert len(found) == 10 and next(iter(found)) == "English"
    for name, rows in found.items():
        assert [row.sentence for row in rows] == list(range(1, 21)), name
        assert len({row.text for row in rows}) == 20
        assert all(row.id == f"{row.language}-{row.sentence:02d}" for row in rows)
        assert all(unicodedata.is_normalized("NFC", row.text) or row.language == "hi" for row in rows)
        assert all(row.text == row.text.strip() and "  " not in row.text for row in rows)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("Russian", "CYRILLIC"),
        ("Greek", "GREEK"),
        ("Arabic", "ARABIC"),
        ("Hindi", "DEVANAGARI"),
        ("Chinese", "CJK"),
    ],
)
def test_letters_are_of_the_script_that_is_named(name: str, script: str) -> None:
    letters = [c for text in sentences_in(name) for c in text if c.isalpha()]
    assert all(unicodedata.name(letter).startswith(script) for letter in letters)


def test_recorded_counts_are_of_these_sentences_and_complete() -> None:
    rows = token_counts()
    assert len(rows) == len({(row.tokenizer, row.language) for row in rows})
    codes = {row.language for row in parallel_texts()}
    for name in {row.tokenizer for row in rows}:
        assert {row.language for row in rows if row.tokenizer == name} == codes
    for row in rows:
        texts = [item.text for item in parallel_texts() if item.language == row.language]
        assert row.texts_sha256 == texts_digest(texts), row.id


def test_the_recorded_counts_of_the_small_model_are_counted_again(counts) -> None:
    recorded = next(item for item in recorded_counts() if item.name == "SmolLM2")
    assert dict(counts.main.tokens) == dict(recorded.tokens)


def test_a_changed_sentence_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in [*datasets_dir().glob("*.csv")]:
        shutil.copy(path, tmp_path)
    place = tmp_path / "parallel_texts.csv"
    place.write_text(place.read_text(encoding="utf-8").replace("three eggs", "four eggs"), encoding="utf-8")
    monkeypatch.setenv("LABKIT_DATASETS", str(tmp_path))
    with pytest.raises(LabError, match="The sentences in English are not those"):
        recorded_counts()


def test_every_figure_in_the_myths_is_in_the_tables() -> None:
    by_name = {item.name: item for item in recorded_counts()}
    said = {row["id"]: row["truth"] for row in facts.table("myths")}
    hindi = [f"{by_name[name].tokens['Hindi']:,}" for name in ("SmolLM2", "Llama 3", "Gemma 3")]
    assert all(number in said["tokens-compare"] for number in hindi)
    assert f"{by_name['Gemma 3'].ratio('Chinese'):.2f}" in said["chinese-characters"]
    assert f"{by_name['Llama 3'].ratio('Chinese'):.2f}" in said["chinese-characters"]
    for language in ("English", "German"):
        per_token = sum(map(len, sentences_in(language))) / by_name["SmolLM2"].tokens[language]
        assert f"{per_token:.1f}" in said["four-characters"]
    words = sum(len(sentence.split()) for sentence in sentences_in("English"))
    assert f"{words / by_name['SmolLM2'].tokens['English']:.2f} of a word" in said["four-characters"]
    qwen, llama = by_name["Qwen 3"], by_name["Llama 3"]
    assert qwen.vocab_size > llama.vocab_size and qwen.tokens["Hindi"] > llama.tokens["Hindi"]
    assert f"{qwen.tokens['Hindi']}" in said["larger-is-better-everywhere"]


# ---------------------------------------------------------------- counting


def test_bytes_are_the_upper_limit_and_english_is_cheapest(counts) -> None:
    by_bytes, pocket, small = counts.all[:3]
    for language in languages():
        assert small.tokens[language] <= by_bytes.tokens[language]
        assert pocket.tokens[language] <= by_bytes.tokens[language]
        assert small.ratio(language) >= 1 and pocket.ratio(language) >= 1
        assert sum(small.by_sentence[language]) == small.tokens[language]
    assert counts.ratio("English") == 1


def test_the_interval_of_a_dear_language_excludes_one_and_holds_the_ratio(counts) -> None:
    for language in ("German", "Hindi", "Chinese"):
        low, high = counts.main.interval(language)
        assert 1 < low < counts.ratio(language) < high < 3 * low
    assert counts.named("gemma 3").interval("Hindi") is None


def test_another_tokenizer_makes_another_ratio(counts) -> None:
    assert counts.ratio("Hindi") > 4 * counts.ratio("Hindi", "Gemma 3") / 1.2
    assert counts.ratio("Chinese", "Gemma 3") < 1


def test_the_table_says_what_was_counted(counts) -> None:
    page = repr(counts)
    assert "1,021" in page and "4.68" in page and "95 % interval" in page and "recorded" not in page
    assert "per 1,000 of them Hindi takes 440 tokens and Chinese 609" in page
    alt = language_chart(counts).alt
    assert "Hindi 4.68" in alt and "Gemma 3 (recorded)" in alt


def test_without_the_small_model_its_recorded_counts_stand_in() -> None:
    found = compare_languages([ByteTokenizer()])
    assert found.main.recorded and found.ratio("Hindi") == pytest.approx(1021 / 218)
    assert "its counts were recorded on" in repr(found) and "SmolLM2 (recorded)" in repr(found)
    assert "SmolLM2 (recorded)" in language_chart(found).alt
    assert "1,021" in repr(text_budget(found))


def test_tokens_per_kilobyte_leaves_plain_bytes_out_and_explains_a_thousand() -> None:
    learned = train_bpe("\n".join(sentences_in("English")), 200)
    table = tokens_per_kilobyte([ByteTokenizer(), learned])
    assert table.columns[3:] == ["trained here"]
    assert [row[0] for row in table.rows] == ["English", "Python code", "German", "Hindi", "Chinese"]
    tokens = sum(learned.counts(sentences_in("English")))
    assert float(table.rows[0][-1]) == pytest.approx(1000 * tokens / 987, abs=0.5)
    assert [row[-1] for row in table.rows][3:] == ["1,000", "1,000"]
    assert "trained here, Hindi and Chinese: a token for each byte" in table.notes[0]


def test_wrong_names_are_sentences(counts) -> None:
    with pytest.raises(LabError, match="no sentences in 'Klingon'"):
        counts.ratio("Klingon")
    with pytest.raises(LabError, match="no tokenizer 'llama'"):
        counts.ratio("Hindi", "llama")
    with pytest.raises(LabError, match="no sentence 21"):
        sample_sentence("Hindi", 21)


# ---------------------------------------------------------------- context and price


def test_twice_the_tokens_are_half_the_text(counts) -> None:
    rows = {row[0]: row for row in text_budget(counts, context=8192).rows}
    words = 189
    assert float(rows["English"][2]) == pytest.approx(8192 / 218, abs=0.05)
    assert rows["English"][3] == "7,100" and 8192 / 218 * words == pytest.approx(7100, rel=0.01)
    assert rows["Hindi"][3] == "1,500" and len(rows) == 4
    assert float(rows["Hindi"][2]) == pytest.approx(8192 / 1021, abs=0.05)
    for wrong in (0, -1, 2.5, True, "8192"):
        with pytest.raises(LabError, match="not possible"):
            text_budget(counts, context=wrong)


def test_the_price_is_tokens_times_the_dated_price() -> None:
    table = reading_price()
    price = next(row for row in facts.prices() if row.id == "deepinfra-llama-3.3-70b")
    hindi = next(row for row in table.rows if row[0] == "Hindi")
    assert hindi[1] == "474"
    assert float(hindi[2]) == pytest.approx(10_000 * 474 / 1e6 * price.input_usd_per_million, abs=6e-4)
    assert price.as_of in repr(table)
    assert float(hindi[4]) < float(hindi[2]), "the table shows a case where the higher price is cheaper"
    assert "there the model with the higher price is the cheaper one" in table.notes[0]
    assert "1.50 times as much in English, and 0.94 times in Hindi" in table.notes[0]


def test_all_recorded_tokenizers_are_listed_with_their_sources() -> None:
    table = recorded_table()
    assert [row[0] for row in table.rows][0] == "Llama 2" and len(table.rows) == 6
    assert len(table.folded) == 6 and all("2026-" in line for line in table.folded)


def test_the_chapters_names_are_there() -> None:
    for name in ("tokenizers_here", "token_explorer", "compare_languages", "count_tokens", "trailing_space"):
        assert callable(getattr(lk, name))
    assert "Unigram" in repr(lk.facts_table("tokenizer_kinds"))
    assert len(lk.myths(17).rows) == 5
