"""Recall: the value stands once, as far before the question as was asked for, and is judged strictly."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest

from labkit.pocket.tasks import recall
from labkit.pocket.tasks.recall import estimate_tokens, held_out, recall_text
from labkit.pocket.tasks.split import is_held_out
from tests.pocket.world_texts import text_of

_TOLD = re.compile(
    r"The (?:secret word of|password for|code of|number of) the (\w+) is (\w+)\.|"
    r"The (\w+) has the sign (\w+)\.|The (\w+) costs (\w+) coins\."
)


def told_in(text: str) -> list[tuple[str, str]]:
    """Keys and values that a text tells."""
    return [tuple(filter(None, found)) for found in _TOLD.findall(text)]


@pytest.mark.parametrize("filler_tokens", [0, 20, 150, 600])
@pytest.mark.parametrize("before_tokens", [0, 100])
def test_the_value_stands_once_and_as_far_back_as_asked(filler_tokens: int, before_tokens: int) -> None:
    for seed in range(20):
        made = recall_text(Random(seed), filler_tokens, before_tokens=before_tokens, n_distractors=1)
        assert made.text.count(made.answer) == 1
        before, _, after = made.text.partition(made.answer)
        # a distractor of eight tokens may not fit in, and the last sentence may stand out
        assert filler_tokens <= estimate_tokens(after) <= filler_tokens + 12
        assert before_tokens <= estimate_tokens(before) <= before_tokens + 12


def test_distractors_have_other_keys_and_other_values_in_the_same_words() -> None:
    for seed in range(30):
        made = recall_text(Random(seed), 100, n_distractors=6)
        told = told_in(made.text)
        assert len(told) == 7 == len(made.others) + 1
        assert len({key for key, _ in told}) == len({value for _, value in told}) == 7
        assert sum(value == made.value for _, value in told) == 1
        for question, answer, value in ((made.question, made.answer, made.value), *made.others):
            assert (key := told_in(answer)[0][0]) in question
            assert (key, value) in told


def test_the_length_is_counted_by_the_tokenizer_that_is_given() -> None:
    letters = recall_text(Random(1), 600, count_tokens=len)
    words = recall_text(Random(1), 600)
    after = letters.text.partition(letters.answer)[2]
    assert 560 <= len(after) <= 680
    assert len(words.text) > 3 * len(letters.text)


def test_filler_has_neither_keys_told_nor_numbers() -> None:
    made = recall_text(Random(2), 3000, n_distractors=0)
    assert len(told_in(made.text)) == 1
    assert set(re.findall(r"\d+", made.text)) <= {made.value}


def test_no_training_text_tells_a_held_out_pair() -> None:
    items = (
        *islice(recall.documents(Random(5)), 3000),
        *islice(recall.drills(Random(5)), 3000),
        *islice(recall.conversations(Random(5)), 3000),
    )
    pairs = {pair for item in items for pair in told_in(text_of(item))}
    assert len(pairs) > 2500
    assert not {pair for pair in pairs if is_held_out(f"recall {pair[0]} {pair[1]}")}


def test_training_answers_are_what_the_text_told() -> None:
    for talk in islice(recall.conversations(Random(6)), 1000):
        told = dict(told_in(talk.turns[0]))
        questions = (talk.turns[0].rpartition(".")[2] if "Say only" not in talk.turns[0] else talk.turns[0],)
        for question, answer in zip((*questions, *talk.turns[2::2]), talk.turns[1::2], strict=True):
            if "Say only" in question:
                assert answer in told.values()
            else:
                ((key, value),) = told_in(answer)
                assert told[key] == value


def test_training_distances_reach_from_a_sentence_to_250_tokens() -> None:
    distances = []
    for document in islice(recall.documents(Random(8)), 2000):
        if document.kind == "recall":
            distances.append(estimate_tokens(document.text))
    assert min(distances) < 60
    assert max(distances) > 250
    assert sum(distance > 150 for distance in distances) > 0.2 * len(distances)


def test_held_out_questions_are_about_held_out_pairs_150_tokens_back() -> None:
    cases = held_out(60, 4)
    assert {case.kind for case in cases} == {"recall-150"}
    for case in cases:
        key, value = told_in(case.answer)[0]
        assert is_held_out(f"recall {key} {value}")
        after = case.prompt.partition(case.answer)[2]
        assert 150 <= estimate_tokens(after) <= 150 + 12 + 12
    assert held_out(3, 4, filler_tokens=40)[0].kind == "recall-40"


def test_the_judge_wants_the_value_and_no_other() -> None:
    for case in held_out(40, 7):
        (_, value) = told_in(case.answer)[0]
        others = [other for _, other in told_in(case.prompt) if other != value]
        assert case.correct(f"It is {value}!")
        assert not case.correct(f"It is {others[0]}.")
        assert not case.correct(f"It is {value} or {others[0]}.")
        assert not case.correct(value + "x")


def test_an_echo_says_one_line_again_word_for_word() -> None:
    lengths = set()
    for seed in range(200):
        document = next(recall.echoes(Random(seed)))
        lines = document.text.split("\n")
        assert len(lines) >= 2 and len(set(lines)) == 1
        lengths.add(len(lines[0].split()))
        assert not told_in(document.text)
    assert len(lengths) > 10


def test_a_drill_tells_its_values_again_or_answers_questions_for_them() -> None:
    ends = set()
    for document in islice(recall.drills(Random(5)), 300):
        told = told_in(document.text)
        values = dict(told)
        assert 2 <= len(values) <= 8 and len(told) == 2 * len(values)
        assert all(values[key] == value for key, value in told)
        ends.add("Question:" in document.text)
    assert ends == {True, False}
