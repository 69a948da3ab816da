"""Questions about the world: right answers, and held-out questions that no training text holds."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from labkit.pocket import corpus, world_questions
from labkit.pocket.document import Conversation
from labkit.pocket.world import world
from labkit.pocket.world_questions import (
    answer,
    checker,
    held_out,
    held_out_questions,
    question_and_answer,
    states,
    training_questions,
)
from labkit.pocket.world_wordings import ANSWERS, FOLLOW_UPS, QUESTIONS, with_article
from tests.pocket.world_texts import could_state, kept_back, sentences_of, text_of

KNOWN = world()


@pytest.fixture(scope="module")
def talks() -> list[Conversation]:
    return list(islice(world_questions.conversations(random.Random(5)), 5_000))


def test_the_same_seed_gives_the_same_conversations():
    first, again, other = (
        list(islice(world_questions.conversations(random.Random(seed)), 300)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_no_conversation_holds_a_held_out_question(talks):
    held_out = kept_back()
    for talk in talks:
        assert held_out.isdisjoint(sentences_of(text_of(talk))), talk


def test_no_training_text_of_any_kind_holds_a_held_out_question():
    held_out = kept_back()
    for item in (*islice(corpus.documents(3), 4_000), *islice(corpus.conversations(3), 4_000)):
        assert held_out.isdisjoint(sentences_of(text_of(item))), item


def test_facts_that_are_never_asked_are_in_no_answer_but_written_about(talks):
    for talk in talks:
        if talk.kind != "world-writing":
            assert KNOWN.unasked.isdisjoint(talk.facts), talk


def test_conversations_name_the_facts_that_they_state(talks):
    for talk in talks:
        missing = {KNOWN.fact(name) for name in talk.facts} - could_state(text_of(talk))
        assert missing == set(), talk


def test_conversations_are_turns_of_questions_and_answers(talks):
    for talk in talks:
        assert len(talk.turns) % 2 == 0
        assert all(turn == turn.strip() != "" for turn in talk.turns)


def test_every_asked_fact_is_asked_in_training(talks):
    asked = {name for talk in talks if talk.kind != "world-writing" for name in talk.facts}
    assert asked == {fact.name for fact in KNOWN.facts} - KNOWN.unasked


def test_strangers_are_not_known(talks):
    for talk in talks:
        if talk.kind == "world-unknown":
            assert talk.turns[1] == "I do not know."
            assert could_state(text_of(talk)) == set()


def test_each_question_is_either_for_training_or_held_out():
    for fact in KNOWN.facts:
        training, kept = set(training_questions(fact)), set(held_out_questions(fact))
        assert training.isdisjoint(kept)
        assert len(training | kept) == len(QUESTIONS[fact.relation])
        assert bool(training) == (fact.name not in KNOWN.unasked)


def test_about_the_planned_share_of_wordings_is_held_out():
    asked = [fact for fact in KNOWN.facts if fact.name not in KNOWN.unasked]
    kept = sum(len(held_out_questions(fact)) for fact in asked)
    assert kept / sum(len(QUESTIONS[fact.relation]) for fact in asked) == pytest.approx(0.15, abs=0.03)


def test_no_question_means_two_things():
    questions = [
        question
        for fact in KNOWN.facts
        for question in (*training_questions(fact), *held_out_questions(fact))
    ]
    assert len(set(questions)) == len(questions)


def test_a_first_name_does_not_bring_back_a_held_out_question():
    fact = next(fact for fact in KNOWN.facts if fact.subject == "Mira Vale" and held_out_questions(fact))
    shortened = [question.replace("Mira Vale", "Mira") for question in held_out_questions(fact)]
    assert set(shortened).isdisjoint(training_questions(fact, first_name=True))


def test_questions_about_an_unasked_fact_cannot_be_drawn():
    fact = KNOWN.fact(min(KNOWN.unasked))
    with pytest.raises(IndexError):
        question_and_answer(random.Random(1), fact)


def test_answers_are_sentences_with_the_value():
    assert answer(KNOWN.fact("mira-vale/pet")) == "Mira Vale has a cat."
    for fact in KNOWN.facts:
        assert checker(fact)(answer(fact)), fact
    assert set(ANSWERS) == set(QUESTIONS) == set(KNOWN.relations)
    assert set(FOLLOW_UPS) == {fact.relation for fact in KNOWN.about("Mira Vale")}


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Mira Vale has a cat.", True),
        ("A CAT", True),
        ("cat", True),
        ("Mira Vale has a dog.", False),
        ("Mira Vale has a cat and a dog.", False),
        ("Mira Vale has a catfish.", False),
        ("I do not know.", False),
        ("", False),
    ],
)
def test_a_reply_is_right_with_the_value_and_no_other_one(reply, right):
    assert checker(KNOWN.fact("mira-vale/pet"))(reply) is right


def test_the_name_of_the_one_who_is_asked_about_is_not_held_against_a_reply():
    fact = KNOWN.fact("mira-vale/friend")
    assert checker(fact)(f"Mira Vale's best friend is {fact.value}.")
    assert not checker(fact)("Mira Vale's best friend is Mira Vale.")


def test_a_value_is_found_as_a_word_only():
    assert states("She lives in ARDEN.", "Arden")
    assert not states("The gardener", "garden")


def test_held_out_cases_are_half_unasked_half_reworded_and_right():
    cases = held_out(201, seed=1)
    assert len({case.prompt for case in cases}) == 201
    kinds = [case.kind for case in cases]
    assert (kinds.count("world-unasked"), kinds.count("world-reworded")) == (100, 101)
    assert all(case.chat and case.correct(case.answer) for case in cases)
    assert {sentences_of(case.prompt)[0] for case in cases} <= kept_back()


def test_held_out_cases_follow_the_seed():
    prompts = [[case.prompt for case in held_out(50, seed)] for seed in (1, 1, 2)]
    assert prompts[0] == prompts[1] != prompts[2]


def test_more_cases_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="held-out questions"):
        held_out(100_000, seed=1)


@pytest.mark.parametrize(("noun", "expected"), [("owl", "an owl"), ("cat", "a cat"), ("pony", "a pony")])
def test_articles(noun, expected):
    assert with_article(noun) == expected
