"""Perplexity, KL divergence and agreement: against a second way to compute them, and llama-perplexity."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.measuring import _quality_child, quality_table
from labkit.measuring.quality import Quality, check_settings, quality
from labkit.measuring.quality_record import QualityRecord
from labkit.measuring.quality_scores import Comparison, TokenScores, score_rows
from labkit.measuring.quality_table import QualityTable, compare_quantizations
from labkit.measuring.quality_text import text_of
from labkit.measuring.results import Uncertain
from labkit.models.gguf import read_gguf_header
from labkit.models.loading import load_model
from labkit.models.model_file import ModelFile
from labkit.models.quantize import quantize
from labkit.models.twin import twin, twin_of_blueprint
from tests.estimating.configs import config

_SENTENCE = "the sea is cold and old boats wait for wind near a small town where nobody counts the days"


def prose(n_words: int, seed: int = 1) -> str:
    """Words in random order, the same each time. The embedded model has a token for each character."""
    rng, words = random.Random(seed), _SENTENCE.split()
    return " ".join(rng.choice(words) for _ in range(n_words))


TEXT = prose(60)
QUIET = {"show_progress": False, "threads": 1}


def q4_0(model: ModelFile) -> ModelFile:
    return quantize(model, "Q4_0", show_progress=False)


# --- the definitions ---


def logits(n: int, n_vocab: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (n, n_vocab)).astype(np.float32)


def compared(base: np.ndarray, other: np.ndarray, targets: np.ndarray) -> tuple[dict, dict]:
    first = TokenScores("base")
    second = Comparison("other", first)
    score_rows([first, second], [base, other], targets)
    return first.to_dict(), second.to_dict()


def log_softmax(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def kl_divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """From ln p and ln q, as llama-perplexity counts it: without what is less likely than e^-16."""
    return np.where(p > -16, np.exp(p) * (p - q), 0).sum(axis=1)


def test_the_figures_are_those_of_the_definitions() -> None:
    """Each written out as in llama.cpp's perplexity.cpp, sum by sum."""
    n, base, other = 700, 1.5 * logits(700, 90), 1.5 * logits(700, 90, 1)
    targets = np.random.default_rng(2).integers(0, 90, n)
    first, second = compared(base, other, targets)
    p, q = log_softmax(base), log_softmax(other)
    a, b = -q[np.arange(n), targets], -p[np.arange(n), targets]

    def mean_and_error(values: np.ndarray) -> tuple[float, float]:
        mean = values.sum() / n
        return mean, math.sqrt(((values**2).sum() / n - mean**2) / (n - 1))

    def agrees(pair: dict[str, float], value: float, error: float) -> bool:
        return pair["value"] == pytest.approx(value) and pair["error"] == pytest.approx(error)

    (log_a, error_a), (log_b, error_b) = mean_and_error(a), mean_and_error(b)
    covariance = ((a * b).sum() / n - log_a * log_b) / (n - 1)
    assert agrees(first["perplexity"], math.exp(log_b), math.exp(log_b) * error_b)
    assert agrees(second["perplexity"], math.exp(log_a), math.exp(log_a) * error_a)
    assert second["baseline_perplexity"] == first["perplexity"]
    ratio = math.exp(log_a - log_b)
    assert agrees(
        second["perplexity_ratio"], ratio, ratio * math.sqrt(error_a**2 + error_b**2 - 2 * covariance)
    )
    unc_a, unc_b = math.exp(log_a) * error_a, math.exp(log_b) * error_b
    its_error = math.sqrt(unc_a**2 + unc_b**2 - 2 * math.exp(log_a) * math.exp(log_b) * covariance)
    assert agrees(second["perplexity_difference"], math.exp(log_a) - math.exp(log_b), its_error)
    kl = kl_divergence(p, q)
    assert not np.allclose(kl, (np.exp(p) * (p - q)).sum(axis=1), rtol=1e-9, atol=0)
    assert agrees(second["kl_divergence"], *mean_and_error(kl))
    assert second["kl_median"] == pytest.approx(np.median(kl))
    assert second["kl_99"] == pytest.approx(np.percentile(kl, 99))
    assert second["kl_maximum"] == pytest.approx(kl.max())
    same = float((base.argmax(1) == other.argmax(1)).mean())
    assert second["same_top"]["share"] == same
    assert second["same_top"]["error"] == pytest.approx(math.sqrt(same * (1 - same) / (n - 1)))
    assert second["same_top"]["low"] < same < second["same_top"]["high"]
    mean_square, square_error = mean_and_error((np.exp(-a) - np.exp(-b)) ** 2)
    rms = math.sqrt(mean_square)
    assert agrees(second["p_diff_rms"], rms, 0.5 / rms * square_error)


def test_the_same_scores_diverge_by_nothing() -> None:
    rows, targets = logits(50, 30), np.arange(30).repeat(2)[:50]
    _, second = compared(rows, rows.copy(), targets)
    assert second["kl_divergence"] == {"value": 0.0, "error": 0.0} and second["kl_maximum"] == 0
    assert second["same_top"]["share"] == 1 and second["same_top"]["low"] < 1
    assert second["perplexity_ratio"] == {"value": 1.0, "error": 0.0}
    shifted = compared(rows, rows + np.float32(7), targets)[1]  # only differences between scores count
    assert shifted["kl_maximum"] < 1e-6


def test_a_token_that_neither_can_predict_adds_nothing() -> None:
    rows, other, targets = logits(20, 30), logits(20, 30, 1), np.zeros(20, int)
    usual = compared(rows[:, :29], other[:, :29], targets)[1]
    for each in (rows, other):
        each[:, 29] = -np.inf
    assert compared(rows, other, targets)[1]["kl_divergence"]["value"] == pytest.approx(
        usual["kl_divergence"]["value"]
    )
    with pytest.raises(LabError, match="infinite"):
        compared(rows, other, np.full(20, 29))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_a_sentence(value: float) -> None:
    rows, other = logits(20, 30), logits(20, 30)
    other[7, 3] = value
    with pytest.raises(LabError, match="other gives scores that are not numbers"):
        compared(rows, other, np.zeros(20, int))


def test_a_large_vocabulary_is_scored_in_pieces() -> None:
    rows, other, targets = logits(6, 70_000), logits(6, 70_000, 1), np.arange(6)
    p, q = log_softmax(rows), log_softmax(other)
    found = compared(rows, other, targets)[1]["kl_divergence"]["value"]
    assert found == pytest.approx(kl_divergence(p, q).mean())


# --- real models ---


def second_way(file: ModelFile, tokens: list[int], n_ctx: int) -> np.ndarray:
    """ln p of every token of the vocabulary after each scored position, computed one position at a time."""
    rows = []
    with load_model(file, context=256, threads=1) as model:
        bos = model.tokenize("", bos=True)
        for start in range(0, len(tokens) - n_ctx + 1, n_ctx):
            chunk = [*bos, *tokens[start + len(bos) : start + n_ctx]]
            rows += [model.logits_after(chunk[: at + 1]) for at in range(n_ctx // 2, n_ctx - 1)]
    return log_softmax(np.array(rows))


def test_a_real_model_s_figures_agree_with_a_second_way_to_compute_them(random_model: ModelFile) -> None:
    n_ctx, other = 32, q4_0(random_model)
    with load_model(random_model, context=256, threads=1) as model:
        tokens = model.tokenize(TEXT[:100], bos=True)
    scored = [
        tokens[start + at + 1]
        for start in range(0, len(tokens) - n_ctx + 1, n_ctx)
        for at in range(n_ctx // 2, n_ctx - 1)
    ]
    p, q = second_way(random_model, tokens, n_ctx), second_way(other, tokens, n_ctx)
    result = quality(other, TEXT[:100], baseline=random_model, n_ctx=n_ctx, **QUIET)
    assert result.text["n_scored"] == len(scored) == 3 * 15
    assert result.comparison
    nll = -q[np.arange(len(scored)), scored]
    assert result.perplexity.value == pytest.approx(math.exp(nll.mean()), rel=1e-3)
    kl = kl_divergence(p, q).mean()
    assert result.comparison.kl_divergence.value == pytest.approx(kl, rel=1e-3)
    same = (p.argmax(axis=1) == q.argmax(axis=1)).mean()
    assert result.comparison.same_top.share == pytest.approx(same, abs=1 / len(scored))


#: n_ctx → perplexity and its error of the embedded model on TEXT, by llama-perplexity of llama.cpp as in
#: llama-cpp-python 0.3.36: `llama-perplexity -m random-llama.gguf -f text.txt -c 64 -b 64`
BY_LLAMA_PERPLEXITY = {64: (5190.1301, 1598.30432), 101: (3274.5210, 898.40971)}


@pytest.mark.parametrize("n_ctx", BY_LLAMA_PERPLEXITY)
def test_the_perplexity_is_that_of_llama_perplexity(random_model: ModelFile, n_ctx: int) -> None:
    result = quality(random_model, TEXT, n_ctx=n_ctx, **QUIET)
    expected, error = BY_LLAMA_PERPLEXITY[n_ctx]
    # Processors round differently. On the same one all digits agree: tests/benchmarks compares them.
    assert result.perplexity.value == pytest.approx(expected, rel=5e-3)
    assert result.perplexity.error == pytest.approx(error, rel=2e-2)
    assert result.comparison is None


def test_a_model_beside_itself_agrees_everywhere(random_model: ModelFile) -> None:
    result = quality(random_model, TEXT, baseline=random_model, n_ctx=64, **QUIET)
    assert result.comparison
    assert result.comparison.kl_divergence.value == pytest.approx(0, abs=1e-9)
    assert result.comparison.same_top.share == 1
    assert not result.comparison.told_apart and "can't be told" in repr(result)


def run_here(files: list[ModelFile], n_ctx: int) -> dict:
    """The child's work, in this process."""
    models = [{"path": str(file.path), "name": file.name} for file in files]
    job = {"text": TEXT, "models": models, "n_ctx": n_ctx, "most_chunks": None, "threads": 1}
    return _quality_child.measure(job, lambda done, of, text: None)


def test_fewer_scores_in_memory_change_little(
    random_model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [random_model, q4_0(random_model)]
    usual = run_here(files, 64)
    monkeypatch.setattr(_quality_child, "_SCORES_BYTES", 1)  # one chunk at a time
    monkeypatch.setattr(_quality_child, "N_UBATCH", 10)  # and of it only a part
    few = run_here(files, 64)
    assert few["n_scored"] == usual["n_scored"]
    for name in ("perplexity", "kl_divergence"):
        assert few["scores"][1][name]["value"] == pytest.approx(usual["scores"][1][name]["value"], rel=1e-2)


@pytest.mark.parametrize("n_vocab", [256, 2048, 49_152, 262_144])
@pytest.mark.parametrize("n_models", [1, 2, 7])
@pytest.mark.parametrize("n_ctx", [16, 128, 512, 8192])
def test_the_scores_in_memory_are_bounded(n_vocab: int, n_models: int, n_ctx: int) -> None:
    class Reader:
        class engine:
            pass

    Reader.engine.n_vocab = n_vocab
    together = _quality_child._chunks_at_once([Reader()] * n_models, n_ctx, 1000)
    assert together == 1 or together * n_ctx <= 2048
    assert together == 1 or 4 * n_vocab * n_models * together * n_ctx / 2 <= 512 * 2**20
    assert _quality_child._chunks_at_once([Reader()], n_ctx, 1) == 1


def test_only_so_many_chunks_are_read(random_model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quality(random_model, TEXT, n_ctx=16, most_chunks=2, **QUIET).text["n_chunks"] == 2
    monkeypatch.setenv("LABKIT_QUICK", "1")
    result = quality(random_model, TEXT, n_ctx=16, **QUIET)
    assert result.text["n_chunks"] == 4 and "QUICK" in repr(result)


# --- what is refused ---


def test_a_short_text_is_a_sentence_with_a_number_that_works(random_model: ModelFile) -> None:
    with pytest.raises(LabError, match="two chunks of 512") as caught:
        quality(random_model, TEXT, **QUIET)
    n_ctx = int(caught.value.cure.split("n_ctx=")[1].split("`")[0])
    assert quality(random_model, TEXT, n_ctx=n_ctx, **QUIET).text["n_chunks"] == 2
    with pytest.raises(LabError) as caught:
        quality(random_model, "Hello", **QUIET)
    assert caught.value.cure == "Give a longer text."


@pytest.mark.parametrize("text", ["", " \n", 7, b"bytes", ["a list"]])
def test_what_is_no_text_is_a_sentence(text: object) -> None:
    with pytest.raises(LabError):
        text_of(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"na\xefve", "byte 3 is 0xef"),
        ("hello".encode("utf-16"), "UTF-16"),
        (b"", "empty"),
        (b"\n", "empty"),
    ],
)
def test_a_file_that_is_no_text_is_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(LabError) as caught:
        text_of(tmp_path / "text.txt")
    assert words in str(caught.value) and caught.value.cure


def test_files_that_cannot_be_read_are_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path, tmp_path / "nowhere.txt"):
        with pytest.raises(LabError, match="cannot be read"):
            text_of(path)
    (tmp_path / "huge.txt").write_text("x" * 100)
    monkeypatch.setattr("labkit.measuring.quality_text._MOST_BYTES", 99)
    with pytest.raises(LabError, match="100 bytes"):
        text_of(tmp_path / "huge.txt")


def test_a_text_is_a_string_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "some text.txt"
    path.write_bytes(TEXT.encode() + b"\r\n\n")
    as_path, as_name, as_text = text_of(path), text_of(str(path)), text_of(TEXT)
    assert as_path == as_name and as_path.title == "some text.txt"
    assert as_path.content == TEXT + "\r\n"  # one line break at the end is no part of it
    assert as_text.content == TEXT
    assert as_text.to_dict()["characters"] == len(TEXT)


@pytest.mark.parametrize(
    "wrong",
    [{"n_ctx": 8}, {"n_ctx": "512"}, {"n_ctx": True}, {"n_ctx": 10**9}, {"most_chunks": 0}, {"threads": -1}],
)
def test_impossible_settings_are_sentences(wrong: dict) -> None:
    usual = {"n_ctx": 512, "most_chunks": None, "threads": 1}
    with pytest.raises(LabError, match="whole number"):
        check_settings(**(usual | wrong))


def another_vocabulary(model: ModelFile, n_tokens: int, swap: bool = False) -> ModelFile:
    """A twin of `model` with fewer tokens, or with two letters that have changed places."""
    header = read_gguf_header(model.path)
    metadata = dict(header.metadata)
    for key in ("tokens", "scores", "token_type"):
        metadata[f"tokenizer.ggml.{key}"] = list(metadata[f"tokenizer.ggml.{key}"])[:n_tokens]
    if swap:
        tokens = metadata["tokenizer.ggml.tokens"]
        a, b = tokens.index("a"), tokens.index("b")
        tokens[a], tokens[b] = "b", "a"
    old = header.vocabulary_size
    tensors = tuple(
        TensorSpec(t.name, tuple(n_tokens if n == old else n for n in t.shape), t.type_name)
        for t in header.tensors
    )
    return twin_of_blueprint(Blueprint(metadata, tensors, "other"), show_progress=False)


@pytest.mark.parametrize("change", ["fewer", "swapped"])
def test_another_vocabulary_cannot_be_compared(random_model: ModelFile, change: str) -> None:
    size = read_gguf_header(random_model.path).vocabulary_size
    other = another_vocabulary(random_model, size - 1 if change == "fewer" else size, change == "swapped")
    with pytest.raises(LabError, match="different tokens"):
        quality(other, TEXT, baseline=random_model, n_ctx=64, **QUIET)


def test_a_file_without_a_tokenizer_reads_no_text() -> None:
    file = twin(config("llama", "LlamaForCausalLM"), "Q8_0", show_progress=False)
    with pytest.raises(LabError, match="no tokenizer"):
        quality(file, TEXT, n_ctx=64, **QUIET)


def test_a_model_that_computes_no_numbers_is_a_sentence(random_model: ModelFile, tmp_path: Path) -> None:
    header = read_gguf_header(random_model.path)
    norm = next(t for t in header.tensors if t.name == "output_norm.weight")
    content = bytearray(random_model.path.read_bytes())
    start = header.data_offset + norm.offset
    content[start : start + norm.n_bytes] = np.full(norm.shape, np.nan, np.float32).tobytes()
    (tmp_path / "nan.gguf").write_bytes(content)
    with pytest.raises(LabError, match="not numbers"):
        quality(tmp_path / "nan.gguf", TEXT, n_ctx=64, **QUIET)


@pytest.mark.parametrize("length", [0, 100, -1])
def test_a_cut_model_file_is_a_sentence(random_model: ModelFile, tmp_path: Path, length: int) -> None:
    (tmp_path / "cut.gguf").write_bytes(random_model.path.read_bytes()[:length])
    with pytest.raises(LabError, match="empty|cut|GGUF"):
        quality(tmp_path / "cut.gguf", TEXT, n_ctx=64, **QUIET)


# --- results ---


@pytest.fixture(scope="module")
def table(random_model: ModelFile, tmp_path_factory: pytest.TempPathFactory) -> QualityTable:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return compare_quantizations(random_model, ["Q8_0", "Q4_0"], TEXT, n_ctx=64, **QUIET)


def test_the_table_compares_all_with_the_source(table: QualityTable, random_model: ModelFile) -> None:
    assert [line.quant for line in table] == ["F16", "Q8_0", "Q4_0"]
    source, large, small = table
    assert source.comparison is None and source.kl_divergence is None
    assert source.file_bytes == random_model.bytes > large.file_bytes > small.file_bytes
    assert 16 < source.bits_per_weight < 16.1 and 8.5 <= large.bits_per_weight < 8.6
    assert large.kl_divergence and small.kl_divergence
    assert 0 < large.kl_divergence.value < small.kl_divergence.value
    assert table["q4_0"] is small
    with pytest.raises(LabError, match="not measured"):
        _ = table["Q2_K"]
    text = repr(table)
    assert "RANDOM" in text and "Q4_0 takes" in text and "of the bytes of F16" in text
    assert table._repr_html_().count("<tr>") == 4
    added = small.comparison.perplexity_difference.text() if small.comparison else ""
    assert table.table().columns[4] == "perplexity added" and table.table().rows[2][4] == added
    assert f"{table.text['n_scored'] // table.text['n_chunks']} in the second half" in text
    frame = table.to_frame()
    assert list(frame["quantization"]) == ["F16", "Q8_0", "Q4_0"] and frame["kl_divergence"][2] > 0


def test_one_model_of_the_table_is_what_quality_says(table: QualityTable, random_model: ModelFile) -> None:
    alone = quality(q4_0(random_model), TEXT, baseline=random_model, n_ctx=64, **QUIET)
    here = table["Q4_0"]
    assert alone.comparison and here.comparison
    assert alone.perplexity.value == pytest.approx(here.perplexity.value, rel=1e-6)
    assert alone.comparison.kl_divergence.value == pytest.approx(
        here.comparison.kl_divergence.value, rel=1e-4
    )
    assert Quality.from_dict(json.loads(alone.to_json())) == alone


def test_results_survive_a_file(table: QualityTable, tmp_path: Path) -> None:
    assert QualityTable.load(table.save(tmp_path / "table.json")) == table


def test_large_files_are_measured_in_turns(
    table: QualityTable, random_model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_table, "_MEMORY_SHARE", 0.0)
    in_turns = compare_quantizations(random_model, ["Q8_0", "Q4_0"], TEXT, n_ctx=64, **QUIET)
    assert [line.quant for line in in_turns] == [line.quant for line in table]
    for one, other in zip(in_turns, table, strict=True):
        assert one.perplexity.value == pytest.approx(other.perplexity.value, rel=1e-6)


@pytest.mark.parametrize("quants", [[], ["F16"], ["Q4_KM"]])
def test_quantizations_that_cannot_be_are_sentences(random_model: ModelFile, quants: list[str]) -> None:
    with pytest.raises(LabError):
        compare_quantizations(random_model, quants, TEXT, n_ctx=64, **QUIET)


def test_a_record_is_read_back(table: QualityTable) -> None:
    text = table.record()
    record = QualityRecord.parse(f'"{text}"')
    assert str(record) == text and record.problems(sha256=table.model["sha256"]) == []
    line = record.line("Q4_0")
    assert line and table["Q4_0"].comparison and record.line("Q2_K") is None
    assert line.kl_divergence == pytest.approx(table["Q4_0"].comparison.kl_divergence.value, rel=1e-3)
    assert record.n_scored == table.text["n_scored"]


GOOD = (
    "F16 6291456 B ppl 4.512; Q8_0 3342336 B ppl 4.513 kl 0.0001200 same 99.61 %; "
    "Q2_K 1342336 B ppl 5.513 kl 0.1234 same 80.10 %; 4845 tokens; pocket-base 0123456789ab; 2026-11-22"
)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ppl 4.513", "ppl 0.513", "below 1"),
        ("99.61", "101.61", "100 %"),
        ("kl 0.1234", "kl 0.0000123", "never come nearer"),
        ("Q2_K 1342336 B ppl 5.513 kl 0.1234 same 80.10 %", "Q2_K 1342336 B ppl 5.513", "first line"),
        ("F16 6291456 B ppl 4.512", "F16 6291456 B ppl 4.512 kl 0.1 same 9.0 %", "first line"),
        ("Q2_K", "Q8_0", "twice"),
        ("1342336", "0", "0 bytes"),
        ("2026-11-22", "2999-01-01", "future"),
        ("0123456789ab", "ffff56789abc", "not the one"),
    ],
)
def test_an_impossible_record_is_told(old: str, new: str, words: str) -> None:
    sha256 = "0123456789ab" + 52 * "0"
    assert QualityRecord.parse(GOOD).problems(sha256=sha256) == []
    problems = QualityRecord.parse(GOOD.replace(old, new)).problems(sha256=sha256)
    assert len(problems) == 1 and words in problems[0]


@pytest.mark.parametrize(
    "text",
    ["", None, 7, "F16; Q8_0", GOOD.replace(" B ", " "), GOOD.replace("tokens", ""), GOOD[:-10] + "soon"],
)
def test_what_is_no_record_is_a_sentence(text: object) -> None:
    with pytest.raises(LabError) as caught:
        QualityRecord.parse(text)  # type: ignore[arg-type]
    assert "table.record()" in caught.value.cure


def test_an_uncertain_number_shows_the_digits_that_mean_something() -> None:
    shown = [
        Uncertain(4.5123456, 0.0456).text(),
        Uncertain(12655.3, 1205.4).text(),
        Uncertain(0.00012, 0.0000034).text("nats"),
        Uncertain(1.0, 0.0).text(),
        Uncertain(-0.17, 0.61).text("%"),
    ]
    assert shown == [
        "4.512 ± 0.046",
        "12,655 ± 1,205",
        "0.0001200 ± 0.0000034 nats",
        "1.00",
        "-0.17 ± 0.61 %",
    ]


def test_a_sentence_says_whether_the_difference_is_more_than_chance(table: QualityTable) -> None:
    comparison = table["Q4_0"].comparison
    assert comparison
    risen = replace(comparison, perplexity_ratio=Uncertain(1.05, 0.01))
    assert risen.told_apart and "5.0 ± 1.0 % higher" in risen.sentence()
    fallen = replace(comparison, perplexity_ratio=Uncertain(0.95, 0.01))
    assert fallen.told_apart and "lower" in fallen.sentence()
    unsure = replace(comparison, perplexity_ratio=Uncertain(1.01, 0.01))
    assert not unsure.told_apart and "can't be told" in unsure.sentence()
