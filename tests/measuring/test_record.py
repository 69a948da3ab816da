"""The one line that a learner pastes: it survives the trip through text, and impossible ones are told."""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.measuring.record import BenchRecord

LINE = "tg 41.3,40.9,41.8 tok/s; pp 210.1,208.8,211.0 tok/s; peak 214.0 MiB; smollm2 b179c9523d0e; 2026-11-22"
TODAY = date(2026, 11, 23)

speeds = st.lists(st.floats(0.01, 9e5), min_size=1, max_size=9).map(tuple)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,40}", fullmatch=True)
records = st.builds(
    BenchRecord,
    tg_values=speeds,
    pp_values=speeds,
    peak_mib=st.floats(1, 1e6),
    model=names,
    sha12=st.from_regex(r"[0-9a-f]{12}", fullmatch=True),
    date=st.dates(date(2024, 1, 1)).map(date.isoformat),
    random_weights=st.booleans(),
)


@given(records)
def test_round_trip(record: BenchRecord) -> None:
    again = BenchRecord.parse(str(record))
    assert str(again) == str(record)
    assert (again.model, again.sha12, again.date) == (record.model, record.sha12, record.date)
    assert again.random_weights == record.random_weights
    for mine, theirs in zip(
        record.tg_values + record.pp_values, again.tg_values + again.pp_values, strict=True
    ):
        assert math.isclose(mine, theirs, rel_tol=1e-3)
    assert math.isclose(again.tg_tokens_per_s, record.tg_tokens_per_s, rel_tol=1e-3)


@given(
    st.text(alphabet=st.characters(codec="utf-8"))
    | st.sampled_from(LINE.split("; ")).map(lambda p: p + "; ;")
)
def test_anything_else_is_a_sentence(text: str) -> None:
    try:
        BenchRecord.parse(text)
    except LabError as error:
        assert error.what.endswith((".", "”")) and "tok/s" in error.cure


@given(st.integers(0, len(LINE) - 1), st.characters(codec="utf-8"))
def test_one_wrong_character(position: int, character: str) -> None:
    try:
        record = BenchRecord.parse(LINE[:position] + character + LINE[position + 1 :])
    except LabError:
        return
    assert record.tg_values and record.pp_values
    record.problems()


def test_parsed_values() -> None:
    record = BenchRecord.parse(LINE)
    assert record.tg_tokens_per_s == 41.3
    assert record.pp_tokens_per_s == 210.1
    assert record.peak_mib == 214
    assert record.problems(today=TODAY) == []


def test_quotes_around_it_do_no_harm() -> None:
    assert BenchRecord.parse(f' "{LINE}" ') == BenchRecord.parse(LINE)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tg 41.3,40.9,41.8", "tg 41.3,41.3,41.3", "exactly the same"),
        ("tg 41.3,40.9,41.8", "tg 41.3,4.9,41.8", "more than four times"),
        ("tg 41.3,40.9,41.8", "tg 41.3", "one generation run"),
        ("tg 41.3,40.9,41.8", "tg 941.3,940.9,941.8", "far slower"),
        ("peak 214.0", "peak 2.0", "less than llama.cpp needs"),
        ("2026-11-22", "2027-01-01", "future"),
        ("b179c9523d0e", "0000c9523d0e", "not the one asked for"),
        ("tg 41.3,40.9,41.8", "tg 413000.0,409000.0,418000.0", "faster than any machine"),
    ],
)
def test_problems(old: str, new: str, told: str) -> None:
    record = BenchRecord.parse(LINE.replace(old, new))
    problems = record.problems(model_bytes=98_362_432, sha256="b179c9523d0e" + "0" * 52, today=TODAY)
    assert any(told in problem for problem in problems), problems
