"""The two exercises of chapter 17: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import itertools
import random

import pytest

from labkit.errors import LabError
from labkit.learning.bpe import train_bpe
from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises.ch17_merge import MISTAKES, draw_cases, merge_step
from labkit.learning.own_text import count_tokens
from labkit.learning.rounding import TOO_ROUND
from labkit.learning.token_record import EXAMPLE, TokenRecord
from labkit.models.tokenizer import ByteTokenizer


def merge(function):
    return check("ch17-merge-step", function)


def chapters_solution(tokens):
    """As in the chapter's source."""
    pairs = list(zip(tokens, tokens[1:], strict=False))
    if not pairs:
        return tokens
    best = max(pairs, key=pairs.count)
    merged = []
    while tokens:
        n = 2 if tuple(tokens[:2]) == best else 1
        merged.append("".join(tokens[:n]))
        tokens = tokens[n:]
    return merged


def another_solution(tokens):
    counts = {}
    for pair in itertools.pairwise(tokens):
        counts[pair] = counts.get(pair, 0) + 1
    if not counts:
        return list(tokens)
    (a, b), i, out = max(counts, key=counts.get), 0, []
    while i < len(tokens):
        if tokens[i : i + 2] == [a, b]:
            out.append(a + b)
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


# ---------------------------------------------------------------- one merge


@pytest.mark.parametrize("solution", [merge_step, chapters_solution, another_solution])
def test_a_right_function_is_right_on_every_draw(solution):
    for _ in range(10):
        verdict = merge(solution)
        assert verdict.correct and verdict.points == 6, verdict
    assert "Right on 9 lists" in verdict.hint


def test_the_reference_is_a_step_of_the_training_that_the_chapter_shows():
    text = "hugs and hugs and hug"
    first = train_bpe(text.replace(" ", "x"), 1).merges[0]
    tokens = list(text.replace(" ", "x"))
    joined = (first.left + first.right).decode()
    assert joined in merge_step(tokens) and len(merge_step(tokens)) == len(tokens) - first.times
    assert merge_step(["t", "h", "e", "t", "h"]) == ["th", "e", "th"]
    assert merge_step(list("aaaaa")) == ["aa", "aa", "a"]
    assert merge_step(["a"]) == ["a"] and merge_step([]) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_recognised_on_any_draw(name):
    for _ in range(5):
        verdict = merge(lambda tokens: merge_step(tokens, [name]))
        assert (verdict.verdict, verdict.mistake) == ("not yet", name), verdict
        assert MISTAKES[name] in verdict.hint and verdict.hint.startswith("On [")


def test_two_mistakes_at_once_are_told_apart():
    verdict = merge(lambda tokens: merge_step(tokens, ["first-only", "last-of-equals"]))
    assert verdict.mistake in ("first-only", "last-of-equals")
    assert "one of 2 things that are off" in verdict.hint


@pytest.mark.parametrize("seed", range(30))
def test_the_lists_hold_ties_runs_long_tokens_and_the_edges(seed):
    cases = draw_cases(random.Random(seed))
    lists = [case.arguments[0] for case in cases]
    assert [] in lists and any(len(tokens) == 1 for tokens in lists)
    assert any(len(token) > 1 for tokens in lists for token in tokens)
    assert draw_cases(random.Random(seed)) == cases


@pytest.mark.parametrize(
    ("odd", "mistake", "words"),
    [
        (lambda t: "".join(t), "form", "one text"),
        (lambda t: 5, "form", "a whole number"),
        (lambda t: [("a", "b")] if t else [], "form", "a list that holds a list"),
        (lambda t: [1, 2], "form", "a list that holds a whole number"),
        (lambda t: print(t), "prints", "not `print`"),
        (lambda t: t.sort(), "returns-nothing", "return"),
        (lambda t: [t[0] + t[1]], "raises", "IndexError"),
        (lambda t: max(zip(t, t[1:], strict=False)), "raises", "empty"),
        (lambda t: t, "elsewhere", "The most frequent pair there is"),
        (lambda t: [*t, "x"], "elsewhere", "The most frequent pair there is"),
        (lambda t: chapters_solution(t) if len(t) != 1 else [], "elsewhere", "There is no pair in it"),
    ],
)
def test_other_answers_get_told_where_to_look(odd, mistake, words):
    verdict = merge(odd)
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake), verdict
    assert words in verdict.hint


def test_a_function_that_spoils_its_input_is_judged_on_what_it_returns():
    def spoil(tokens):
        out = merge_step(tokens)
        tokens.clear()
        return out

    assert merge(spoil).correct


def test_the_stub_is_not_an_answer():
    def merge_step(tokens): ...

    assert merge(merge_step).verdict == "not answered"
    assert merge(None).verdict == "not answered"
    assert "not a function" in merge(["th", "e"]).hint


# ---------------------------------------------------------------- the learner's own texts

RIGHT = {
    "tokens_per_1000_bytes": 1000 * 97 / 412,
    "times_as_many": 284 / 97,
    "so_often_it_fits": 8192 / 284,
    "price_usd": 50_000 * 284 / 1e6 * 0.15,
}


def own(record=EXAMPLE, **changes):
    return check("ch17-your-texts", {"record": record, **RIGHT, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tokens_per_1000_bytes": 235, "times_as_many": 2.93, "so_often_it_fits": 28.8, "price_usd": 2.13},
        {"so_often_it_fits": 28},
        {"price_usd": "$2.13", "times_as_many": "2.9"},
    ],
)
def test_right_answers_in_every_form(changes):
    verdict = own(**changes)
    assert verdict.correct and verdict.points == 4, verdict
    assert "2.93 times as many tokens" in verdict.hint


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"tokens_per_1000_bytes": 0.2354}, "per-byte", "tokens per byte"),
        ({"tokens_per_1000_bytes": 4.25}, "bytes-per-token", "upside down"),
        ({"tokens_per_1000_bytes": 4247}, "bytes-per-token", "upside down"),
        ({"tokens_per_1000_bytes": 433.6}, "second-text", "about the first"),
        ({"tokens_per_1000_bytes": 500}, "tokens-per-1000-bytes", "divided by its bytes"),
        ({"times_as_many": 0.3415}, "times-upside-down", "the second text comes first"),
        ({"times_as_many": 1.842}, "by-bytes", "compare their tokens"),
        ({"times_as_many": 1.59}, "bytes-compared", "Those are the bytes"),
        ({"times_as_many": 292.8}, "times-percent", "in percent"),
        ({"times_as_many": 7}, "times-as-many", "tokens of the first"),
        ({"so_often_it_fits": 84.5}, "first-fits", "about the second"),
        ({"so_often_it_fits": 12.5}, "bytes-fit", "counted in tokens"),
        ({"so_often_it_fits": 0.0347}, "fits-upside-down", "upside down"),
        ({"so_often_it_fits": 50}, "so-often-it-fits", "divided by the tokens"),
        ({"price_usd": 0.7275}, "price-of-first", "about the second"),
        ({"price_usd": 4.9125}, "bytes-priced", "as the text has bytes"),
        ({"price_usd": 0.0000426}, "one-copy", "one copy"),
        ({"price_usd": 2130}, "per-thousand", "not for a thousand"),
        ({"price_usd": 213}, "in-cents", "in cents"),
        ({"price_usd": 14.2}, "price-forgotten", "millions of tokens"),
        ({"price_usd": 9}, "price-usd", "the price of a million"),
        ({"price_usd": None}, "form", "still empty"),
        ({"price_usd": -2}, "form", "greater than zero"),
        ({"times_as_many": "2,93"}, "form", "decimal comma"),
    ],
)
def test_each_mistake_has_its_own_hint(changes, mistake, words):
    verdict = own(**changes)
    assert (verdict.verdict, verdict.mistake) == ("not yet", mistake), verdict
    assert words in verdict.hint


def test_rounding_is_never_called_a_wrong_formula():
    assert own(tokens_per_1000_bytes=200).hint == TOO_ROUND
    assert own(price_usd=2).hint == TOO_ROUND


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("about three times", "four parts"),
        (3, "Put quotes around"),
        (EXAMPLE.replace("412 bytes", "12 bytes"), "at least 200"),
        (EXAMPLE.replace("97 tokens", "9 tokens"), "can't be"),
        (EXAMPLE.replace("284 tokens", "2840 tokens"), "can't be"),
        (EXAMPLE.replace("2026-11-22", "2099-01-01"), "in the future"),
        (EXAMPLE.replace("655 bytes 284", "412 bytes 97"), "same figures"),
        (EXAMPLE.replace("second", "2nd"), "second text can't be read"),
    ],
)
def test_a_record_that_can_not_be_right_is_a_sentence(record, words):
    verdict = own(record)
    assert verdict.verdict == "not yet" and words in verdict.hint, verdict


def test_the_record_of_two_texts_is_read_back():
    found = count_tokens("Dear all, " * 30, "Meine Lieben, " * 30, [LEARNED])
    record = TokenRecord.parse(found.record())
    assert record.first == (300, LEARNED.counts(["Dear all, " * 30])[0])
    assert record.second[0] == 420 and record.tokenizer == "trained here" and not record.problems()
    assert str(record) == found.record()
    assert "UTF-8 bytes" in repr(found) and "is short" not in repr(found)


LEARNED = train_bpe("Dear all, here is some text to learn from. " * 3, 30)


def test_short_and_wrong_texts_are_sentences():
    assert "The first text is short" in repr(count_tokens("short", "y" * 300, [LEARNED]))
    for wrong in ("", "  \n", None, 7):
        with pytest.raises(LabError, match="A text is"):
            count_tokens(wrong, "text", [LEARNED])
    with pytest.raises(LabError, match="no tokenizer here"):
        count_tokens("a", "b", [ByteTokenizer()])


def test_points_names_and_blanks():
    assert [(e.name, e.points) for e in all_exercises().values() if e.name.startswith("ch17")] == [
        ("ch17-merge-step", 6),
        ("ch17-your-texts", 4),
    ]
    blank = {"record": "paste the line here", **dict.fromkeys(RIGHT)}
    assert check("ch17-your-texts", blank).verdict == "not answered"
    assert own(times_as_many=7, price_usd=9).points == 2
