"""Sums: every one in the texts is right, and held-out pairs stand in none of them."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest

from labkit.pocket.tasks import sums
from labkit.pocket.tasks.sums import LARGEST, Problem, asked_directly, asked_for_steps, held_out, problem
from tests.pocket.world_texts import text_of

KINDS = ("sum-two-digits", "chain-direct", "chain-steps", "word-problem-direct", "word-problem-steps")


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[str, str]]:
    """Questions with their answers, from documents and conversations."""
    found = []
    for document in islice(sums.documents(Random(11)), 3000):
        found += re.findall(r"Question: (.*?)\nAnswer: (.*?)(?=\nQuestion|\Z)", document.text, re.DOTALL)
    for talk in islice(sums.conversations(Random(11)), 3000):
        found += zip(talk.turns[::2], talk.turns[1::2], strict=True)
    return found


@pytest.fixture(scope="module")
def written() -> str:
    items = (*islice(sums.documents(Random(12)), 4000), *islice(sums.conversations(Random(12)), 4000))
    return "\n".join(map(text_of, items))


def total_of(question: str) -> int:
    """Worked out from the question's numbers and words alone."""
    total = 0
    for clause in re.split(r"[.+?\n]|plus|and", question):
        number = re.search(r"\d+", clause)
        if number:
            total += -int(number[0]) if "gives away" in clause or "loses" in clause else int(number[0])
    return total


def test_every_answer_is_right(exchanges: list[tuple[str, str]]) -> None:
    assert len(exchanges) > 8000
    for question, answer in exchanges:
        said = int(re.findall(r"\d+", answer)[-1])
        assert said == total_of(question) <= LARGEST, question


def test_answers_have_steps_where_the_question_asks_for_them(exchanges: list[tuple[str, str]]) -> None:
    stepwise = [pair for pair in exchanges if re.search(r"[Ss]tep", pair[0])]
    direct = [pair for pair in exchanges if not re.search(r"[Ss]tep", pair[0])]
    assert min(len(stepwise), len(direct)) > 2000
    assert all(re.search(r"\. The answer is \d+\.$", answer) for _, answer in stepwise)
    assert all(answer.isdigit() for _, answer in direct)


def test_every_written_step_and_every_sentence_is_right(written: str) -> None:
    signs = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", written)
    words = re.findall(r"(\d+) plus (\d+) is (\d+)", written)
    words += re.findall(r"sum of (\d+) and (\d+) is (\d+)", written)
    words += re.findall(r"(\d+) and (\d+) make (\d+)", written)
    assert len(signs) > 5000 and len(words) > 2000
    for a, sign, b, c in signs:
        assert int(c) == (int(a) + int(b) if sign == "+" else int(a) - int(b))
        assert int(c) >= 0
    for a, b, c in words:
        assert int(a) + int(b) == int(c)


def test_no_text_adds_a_held_out_pair_in_either_order(written: str) -> None:
    kept = sums._held_out_pairs()
    assert len(kept) == pytest.approx(0.12 * 8100, rel=0.1)
    added = {(int(a), int(b)) for a, b in re.findall(r"(?=\b(\d+) \+ (\d+)\b)", written)}
    added |= {(int(a), int(b)) for a, b in re.findall(r"\b(\d+) (?:plus|and) (\d+)\b", written)}
    stories = re.findall(r"(\d+) \w+(?: in the box of \w+)?\. \w+ (?:buys|gets|finds) (\d+) more", written)
    assert len(stories) > 1000
    added |= {(int(a), int(b)) for a, b in stories}
    assert len(added) > 7000
    assert not {pair for pair in added if pair in kept or pair[::-1] in kept}


def test_most_pairs_that_may_be_told_are_told(written: str) -> None:
    told = {(int(a), int(b)) for a, b in re.findall(r"(?=\b(\d\d) (?:\+|plus|and) (\d\d)\b)", written)}
    assert len(told) > 0.7 * (8100 - len(sums._held_out_pairs()))


@pytest.mark.parametrize("story", [False, True])
def test_held_out_problems_have_numbers_that_no_problem_of_their_sort_has(written: str, story: bool) -> None:
    rng = Random(4)
    lines = [line for line in written.split("\n") if story == (" have now?" in line)]
    trained = {tuple(re.findall(r"\d+", line)) for line in lines}
    for _ in range(300):
        asked = problem(rng, story=story)
        assert 3 <= len(asked.terms) <= 5 and 0 <= asked.total <= LARGEST
        assert tuple(str(abs(term)) for term in asked.terms) not in trained


def test_both_ways_of_asking_are_about_the_same_problem() -> None:
    asked = Problem("23 + 45 - 18", (23, 45, -18))
    assert asked.steps == "23 + 45 = 68. 68 - 18 = 50. The answer is 50."
    direct, steps = asked_directly(Random(1), asked), asked_for_steps(Random(1), asked)
    assert asked.question in direct and asked.question in steps
    assert direct != steps


def test_held_out_sums_are_two_digits_each() -> None:
    cases = held_out(200, 3, kinds=("sum-two-digits",))
    pairs = {tuple(map(int, re.findall(r"\d+", case.prompt))) for case in cases}
    assert pairs <= sums._held_out_pairs()
    assert len(pairs) > 150


def test_judges_take_the_first_number_or_the_conclusion() -> None:
    by_kind = {case.kind: case for case in held_out(5, 9)}
    assert tuple(by_kind) == KINDS
    plain, steps = by_kind["sum-two-digits"], by_kind["chain-steps"]
    right, total = plain.answer, steps.answer.split()[-1].rstrip(".")
    assert plain.correct(f"The answer is {right}.")
    assert not plain.correct(f"{int(right) + 1}, or {right}")
    assert not plain.correct(right + "0")
    assert steps.correct(f"By magic. The answer is {total}.")
    assert not steps.correct(f"The answer is {total}1.")
    assert not steps.correct(total)


def test_drills_are_right_and_add_no_held_out_pair() -> None:
    lines = [line for document in islice(sums.drills(Random(12)), 3000) for line in document.text.split("\n")]
    for line in lines:
        a, b, total = map(int, re.fullmatch(r"(\d+) \+ (\d+) = (\d+)\.", line).groups())
        assert a + b == total
        assert (a, b) not in sums._held_out_pairs()
