"""The two exercises of chapter 1: right answers, each known mistake with its own hint, and the tables."""

from __future__ import annotations

import re

import pytest

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.file_size import file_size
from labkit.estimating.kv_cache import kv_bytes
from labkit.estimating.quantization import quantized
from labkit.learning.exercise import check
from labkit.learning.exercises.ch01_cards import CARDS, CONTEXT
from labkit.learning.size_table import published_sizes, size_table
from labkit.measuring.size_run import SizeRecord, measure_sizes
from labkit.models.gguf import read_gguf_header
from labkit.models.source import blueprint_of
from labkit.units import GIB, MIB
from tests.learning.verdicts import assert_told

RIGHT = {
    "mistral_file_gb": 7.71,
    "mistral_memory_gib": 7.68,
    "qwen_file_gb": 4.66,
    "qwen_memory_gib": 4.56,
    "llama_file_gb": 4.81,
    "llama_memory_gib": 6.48,
}


def cards(**changes):
    return check("ch01-three-cards", {**RIGHT, **changes})


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.key)
def test_each_card_says_what_the_datasets_say(card):
    row = facts.find_architecture(card.architecture)
    shape = (row.parameters, row.num_hidden_layers, row.num_attention_heads, row.num_key_value_heads)
    assert shape == (card.parameters, card.layers, card.heads, card.kv_heads)
    assert row.head_dim == card.head_size
    published = [s for s in facts.gguf_sizes() if s.architecture == card.architecture]
    sizes = {s.bytes for s in published if s.quantization == card.quantization}
    estimated = file_size(quantized(blueprint_of(card.architecture), card.quantization))
    assert estimated.low <= card.real_bytes <= estimated.high
    assert not sizes or card.real_bytes in sizes
    assert kv_bytes(blueprint_of(card.architecture), CONTEXT) == card.context_bytes()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.key)
def test_the_bits_of_the_chapters_table_are_within_one_percent_as_the_prompt_says(card):
    bits = {row[0]: float(row[3]) for row in published_sizes("llama-3.1-8b").rows}
    assert bits[card.quantization] == card.bits
    assert card.file_bytes == pytest.approx(card.real_bytes, rel=0.01)


def computed(way):
    """By the table's bits (0), or as the files are (1)."""
    return {f"{c.key}_file_gb": c.file_gb[way] for c in CARDS} | {
        f"{c.key}_memory_gib": c.memory_gib[way] for c in CARDS
    }


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        computed(0),
        computed(1),
        {key: round(value, 1) for key, value in RIGHT.items()},
        {key: f"{value} {'GB' if 'file' in key else 'GiB'}" for key, value in RIGHT.items()},
        {**RIGHT, "llama_memory_gib": "6635 MiB"},
    ],
)
def test_right_answers_and_their_roundings(answer):
    verdict = check("ch01-three-cards", answer)
    assert verdict.correct and verdict.points == 6, verdict
    assert "7.70 GB" in verdict.hint and "32 KV heads" in verdict.hint


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.key)
@pytest.mark.parametrize(
    ("what", "wrong", "mistake"),
    [
        ("file_gb", lambda c: c.parameters * c.nominal_bits / 8e9, "nominal-bits"),
        ("file_gb", lambda c: 7e9 * c.bits / 8e9, "seven-billion"),
        ("file_gb", lambda c: c.file_bytes / GIB, "gib-for-gb"),
        ("file_gb", lambda c: 8 * c.file_bytes / 1e9, "bits-as-bytes"),
        ("file_gb", lambda c: c.file_bytes, "not-in-gb"),
        ("file_gb", lambda c: 1.0, None),
        ("memory_gib", lambda c: c.file_bytes / GIB, "context-forgotten"),
        ("memory_gib", lambda c: (c.file_bytes + c.context_bytes()) / 1e9, "gb-for-gib"),
        ("memory_gib", lambda c: (c.file_bytes + c.context_bytes() / 2) / GIB, "half-the-context"),
        ("memory_gib", lambda c: c.context_bytes() / GIB, "context-alone"),
        ("memory_gib", lambda c: 100.0, None),
    ],
)
def test_each_slip_has_its_own_hint(card, what, wrong, mistake):
    key = f"{card.key}_{what}"
    verdict = cards(**{key: wrong(card)})
    if mistake == "half-the-context" and card.key == "qwen":  # within the tolerance: nobody is told off
        assert verdict.correct
        return
    assert_told(verdict, mistake or key.replace("_", "-"), points=5)
    assert verdict.hint.startswith(card.name)


def test_slips_of_one_model():
    mistral, qwen, _ = CARDS
    twice = cards(mistral_file_gb=mistral.parameters * 2 * 4.90 / 8e9)
    assert twice.mistake == "twice-q4" and "not twice" in twice.hint
    for card in (mistral, qwen):
        heads = (card.file_bytes + card.context_bytes(card.heads)) / GIB
        assert cards(**{f"{card.key}_memory_gib": heads}).mistake == "query-heads"
    assert cards(qwen_file_gb=5).mistake == "qwen-file-gb-rounded"
    assert cards(llama_memory_gib=6).mistake == "llama-memory-gib-rounded"
    assert cards(mistral_file_gb=4.66).verdict == "not yet"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"mistral_file_gb": 7.71}, "has no 'mistral_memory_gib'"),
        ([7.71], "not a dictionary"),
        ({**RIGHT, "qwen_file_gb": None}, "still empty"),
        ({**RIGHT, "qwen_file_gb": "many"}, "not a number"),
        ({**RIGHT, "qwen_file_gb": -1}, "greater than zero"),
        ({**RIGHT, "qwen_file_gb": "3 h"}, "Give it in GB"),
    ],
)
def test_a_wrong_form_gets_a_sentence(answer, words):
    assert_told(check("ch01-three-cards", answer), "form", words)


# ---------------------------------------------------------------- your own file

RECORD = (
    "file 98362432 bytes; 134515008 parameters; 512 tokens: 139.6 MiB, 8192 tokens: 309.2 MiB; 2026-11-22"
)
BITS, TIMES = 8 * 98362432 / 134515008, 309.2 / (98362432 / MIB)


def own(bits=BITS, times=TIMES, record=RECORD):
    answer = {"record": record, "bits_per_parameter": bits, "memory_over_file": times}
    return check("ch01-your-file", answer)


@pytest.mark.parametrize(
    ("bits", "times"), [(BITS, TIMES), (5.85, 3.30), (5.8, 3.3), ("5.85", 3.296), (5.74, 3.3)]
)
def test_bits_and_times_follow_from_the_record(bits, times):
    verdict = own(bits, times)
    assert verdict.correct and verdict.points == 4, verdict
    assert "8,192 tokens" in verdict.hint and "5.85 bits per parameter, header" in verdict.hint


@pytest.mark.parametrize(
    ("bits", "times", "mistake"),
    [
        (BITS / 8, TIMES, "bytes-not-bits"),
        (8 * 93.8 * 1e6 / 134515008, TIMES, "mega-mixed"),
        (8 * 309.2 * MIB / 134515008, TIMES, "memory-not-file"),
        (8 * 139.6 * MIB / 134515008, TIMES, "memory-not-file"),
        (1 / BITS, TIMES, "upside-down"),
        (4, TIMES, "from-the-name"),
        (5.0, TIMES, "from-the-name"),
        (7.1, TIMES, "bits-per-parameter"),
        (BITS, 139.6 / 93.8, "short-context"),
        (BITS, 1 / TIMES, "file-over-memory"),
        (BITS, 309.2 / 98.36, "mb-and-mib"),
        (BITS, 329.6, "percent"),
        (BITS, TIMES - 1, "only-what-is-added"),
        (BITS, 3, "memory-over-file-rounded"),
        (BITS, 10, "memory-over-file"),
        (7.1, 10, "bits-per-parameter"),
    ],
)
def test_each_slip_of_the_second_exercise(bits, times, mistake):
    assert_told(own(bits, times), mistake, points=0 if (bits, times) == (7.1, 10) else 2)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("", "no record"),
        ("my computer is fast", "four parts"),
        (3, "not a line of text"),
        (RECORD.replace("98362432", "98.3 million"), "begins with the file's size"),
        (RECORD.replace("512 tokens: 139.6 MiB, ", ""), "two or more readings"),
        (RECORD.replace("2026-11-22", "today"), "must be a date"),
        (RECORD.replace("2026", "2090"), "lies in the future"),
        (RECORD.replace("98362432", "983"), "No file of 983 bytes"),
        (RECORD.replace("134515008", "0"), "No file of"),
        (RECORD.replace("139.6", "13.6"), "does not run in 13.60 MiB"),
        (RECORD.replace("309.2", "100.0"), "took no more memory"),
        (RECORD.replace("8192", "256"), "must rise"),
    ],
)
def test_a_record_that_cannot_be_is_refused(record, words):
    assert_told(own(record=record), "form", words)


def test_a_record_survives_its_text():
    assert str(SizeRecord.parse(RECORD)) == RECORD
    assert SizeRecord.parse(f"  '{RECORD}'  ") == SizeRecord.parse(RECORD)


# ---------------------------------------------------------------- what the chapter shows


@pytest.mark.parametrize("which", ["small_model", "random_model"])
def test_the_size_adds_up_to_the_file(which, request):
    file = request.getfixturevalue(which)
    table = size_table(file)
    rows = {row[0]: row for row in table.rows}
    assert int(rows["sum"][3].replace(",", "")) == pytest.approx(file.bytes, rel=0.01)
    assert int(rows["file on disk"][3].replace(",", "")) == file.bytes
    bits_alone, bits_of_file = re.findall(r"\d+\.\d\d", table.notes[1])
    assert f"{8 * file.bytes / read_gguf_header(file.path).n_parameters:.2f}" == bits_of_file
    assert float(bits_alone) < float(bits_of_file)
    for name, parameters, bits, n_bytes in table.rows:
        if bits:
            expected = int(parameters.replace(",", "")) * float(bits) / 8
            assert int(n_bytes.replace(",", "")) == expected, name


def test_published_files_carry_their_sources_and_the_ratio_that_the_chapter_names():
    table = published_sizes("llama-3.1-8b")
    gb = {row[0]: float(row[1]) for row in table.rows}
    assert gb["Q8_0"] / gb["Q4_K_M"] == pytest.approx(1.74, abs=0.005)
    assert len(table.folded) == len(table.rows) == 6
    with pytest.raises(LabError, match="llama"):
        published_sizes("llama-9")


def test_memory_is_measured_at_both_contexts_and_the_longer_takes_more(small_model):
    sizes = measure_sizes(small_model, contexts=(512, 4096))
    record = SizeRecord.parse(sizes.record())
    assert record.problems() == []
    assert [context for context, _ in record.readings] == [512, 4096]
    assert record.parameters == 134_515_008 and record.file_bytes == small_model.bytes
    more = (sizes.memory_mib(4096) - sizes.memory_mib(512)) * MIB
    computed = 23_040 * (4096 - 512)
    assert more == pytest.approx(computed, rel=0.3)
    assert "3,584 more tokens" in sizes.context_growth
    assert sizes.table().rows[0][1] == "93.8 MiB"
    with pytest.raises(LabError, match="No context of 77"):
        sizes.memory_mib(77)
    with pytest.raises(LabError, match="Two lengths"):
        measure_sizes(small_model, contexts=(512,))
    assert type(sizes).from_dict(sizes.to_dict()) == sizes
