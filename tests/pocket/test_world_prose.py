"""Texts about the world: true, various, honest about what they state, silent about what is left out."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import islice

import pytest

from labkit.pocket import stories, world_prose, world_questions
from labkit.pocket.document import Document
from labkit.pocket.world import FIRST_NAMES, Fact, world
from labkit.pocket.world_frames import DAY, LABELS
from labkit.pocket.world_sentences import FIRST_PERSON, combined, day_sentences, sentences
from labkit.pocket.world_statements import THIRD_PERSON
from tests.pocket.world_texts import could_state, kept_back, sentences_of, text_of, words_of

KNOWN = world()
#: two facts of every relation, so that some people lack several
LEFT_OUT = frozenset(
    name
    for relation in KNOWN.relations
    for name in [fact.name for fact in KNOWN.facts if fact.relation == relation][3:5]
)


@pytest.fixture(scope="module")
def texts() -> list[Document]:
    return list(islice(world_prose.documents(random.Random(5)), 4_000))


@pytest.mark.parametrize("generate", [world_prose.documents, stories.documents])
def test_the_same_seed_gives_the_same_texts_and_another_seed_others(generate):
    first, again, other = (list(islice(generate(random.Random(seed)), 300)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_fact_is_told_often(texts):
    times = Counter(name for document in texts for name in document.facts)
    assert set(times) == {fact.name for fact in KNOWN.facts}
    mean = sum(times.values()) / len(times)
    assert min(times.values()) > mean / 4


def test_documents_name_all_facts_that_they_state(texts):
    """Where a subject and its value stand in one sentence, the document names the fact.

    Or the value is there as somebody else's, as in a talk in which two tell where they live.
    """
    for document in texts:
        stated = {KNOWN.fact(name) for name in document.facts}
        values = {(fact.relation, fact.value) for fact in stated}
        subjects = {fact.subject for fact in stated}
        for sentence in re.split(r"(?<=[.?!]) |\n", document.text):
            for fact in could_state(sentence) - stated:
                assert (fact.relation, fact.value) in values or fact.value in subjects, (fact, document)


def test_documents_state_all_facts_that_they_name(texts):
    for document in texts:
        missing = {KNOWN.fact(name) for name in document.facts} - could_state(document.text)
        assert missing == set(), document


def test_values_stand_only_with_those_whose_they_are(texts):
    """Truth: a sentence that names one person holds no other person's colour, pet or job."""
    people = {person.split()[0]: person for person in KNOWN.people}
    relations = ("job", "pet", "pet-name", "colour", "food", "hobby")
    relation_of = {value.lower(): name for name in relations for value in KNOWN.relations[name].values}
    checked = 0
    for document in texts:
        for sentence in re.split(r"(?<=[.?!]) |\n", document.text):
            words = words_of(sentence)
            named = words & people.keys()
            of_another = re.match(r"(She|He|Her|His|I|My)\b", sentence)
            if len(named) == 1 and not of_another and document.kind not in ("list", "comparison"):
                own = {fact.relation: fact.value for fact in KNOWN.about(people[named.pop()])}
                for value in words & relation_of.keys():
                    assert own[relation_of[value]].lower() == value, sentence
                    checked += 1
    assert checked > 2_000


@pytest.mark.parametrize(
    "generate", [world_prose.documents, world_questions.conversations], ids=["prose", "conversations"]
)
def test_what_is_left_out_is_neither_stated_nor_implied(generate):
    left_out = {KNOWN.fact(name) for name in LEFT_OUT}
    for item in islice(generate(random.Random(9), LEFT_OUT), 4_000):
        text = text_of(item)
        assert LEFT_OUT.isdisjoint(item.facts)
        stated = {KNOWN.fact(name) for name in item.facts}
        for fact in could_state(text) & left_out:
            _assert_about_somebody_else(fact, stated, text)


def _assert_about_somebody_else(fact: Fact, stated: set[Fact], text: str) -> None:
    """The value of a fact that is left out stands in the text only because it is another one's value, too."""
    others = [other for other in stated if other.relation == fact.relation and other.value == fact.value]
    if fact.relation in ("home", "place"):
        # a town's own facts name the town
        others += [other for other in stated if fact.value in (other.subject, other.value)]
    if fact.relation == "friend":
        # the friend's own facts, or somebody else's
        others += [other for other in stated if fact.value in (other.subject, other.value)]
    if fact.relation in ("market", "closed"):
        others += [other for other in stated if other.value == fact.value]
    assert others, (fact, text)
    for sentence in sentences_of(text):
        if fact in could_state(sentence):
            assert any(other in could_state(sentence) for other in others), (fact, sentence)


def test_leaving_out_changes_nothing_for_the_other_facts():
    times = Counter(
        name
        for document in islice(world_prose.documents(random.Random(2), LEFT_OUT), 4_000)
        for name in document.facts
    )
    assert set(times) == {fact.name for fact in KNOWN.facts} - LEFT_OUT


def test_a_name_that_is_no_fact_cannot_be_left_out():
    with pytest.raises(KeyError):
        next(world_prose.documents(random.Random(1), frozenset({"mira-vale/shoe-size"})))


def test_leaving_out_everything_of_a_kind_is_refused():
    pets = frozenset(fact.name for fact in KNOWN.facts if fact.relation == "pet")
    with pytest.raises(ValueError):
        next(world_prose.documents(random.Random(1), pets))


def test_no_text_holds_a_held_out_question(texts):
    held_out = kept_back()
    for document in texts:
        assert held_out.isdisjoint(sentences_of(document.text)), document


def test_facts_that_are_never_asked_are_told_in_prose(texts):
    told = Counter(name for document in texts if document.kind != "questions" for name in document.facts)
    asked = {name for document in texts if document.kind == "questions" for name in document.facts}
    assert asked.isdisjoint(KNOWN.unasked)
    assert min(told[name] for name in KNOWN.unasked) >= 8


def test_a_fact_has_many_wordings(texts):
    for relation in KNOWN.relations:
        assert len(set(THIRD_PERSON[relation])) == len(THIRD_PERSON[relation]) >= 10, relation
    wanted = [document.text for document in texts if "mira-vale/pet" in document.facts]
    assert len(set(wanted)) > 0.9 * len(wanted)


def test_texts_are_whole_and_clean(texts):
    for document in [*texts, *islice(stories.documents(random.Random(3)), 2_000)]:
        assert document.text == document.text.strip() != ""
        assert not re.search(r"[{}]|  | [.,?!]|\.\.|\ba [aeiou]|\ban (?!hour)[^aeiou]", document.text), (
            document.text
        )
        assert document.text.lstrip('"')[0].isupper(), document.text
        assert document.text.isascii()


def test_no_sentence_begins_with_a_pronoun_before_the_name_was_said(texts):
    for document in texts:
        if document.kind in (
            "life",
            "day",
            "friends",
            "talk",
            "town guide",
            "shop sign",
            "news",
            "roll call",
        ):
            first = re.split(r"(?<=[.?!]) |\n", document.text)[0]
            assert not re.match(r"(A: |B: )?(He|She|It|His|Her|Its)\b(?! is)", first), document.text


def test_every_relation_has_all_that_the_texts_need():
    people = {name for name, relation in KNOWN.relations.items() if relation.about == "person"}
    assert set(THIRD_PERSON) == set(LABELS) == set(KNOWN.relations)
    assert set(FIRST_PERSON) == set(DAY) == people


def test_a_sentence_of_two_facts_holds_both_values():
    job, home = KNOWN.fact("mira-vale/job"), KNOWN.fact("mira-vale/home")
    forms = combined(home, job)
    assert forms and all(job.value in text and "Arden" in text for text in forms.full + forms.pronoun)
    assert combined(job, home) is None


def test_pronouns_are_those_of_the_person():
    her, his = KNOWN.fact("mira-vale/pet"), KNOWN.fact("theo-hill/pet")
    assert "She has a cat." in sentences(her).pronoun
    assert any(text.startswith("He ") for text in sentences(his).pronoun)
    assert all("Mira" not in text for text in sentences(her).pronoun + day_sentences(her).pronoun)


def test_towns_and_shops_do_not_speak():
    assert sentences(KNOWN.fact("arden/river")).own == ()
    assert "The Lantern" in sentences(KNOWN.fact("lantern/goods")).full[0]


def test_stories_have_nobody_of_the_world_in_them():
    names = FIRST_NAMES | set(KNOWN.towns) | set(KNOWN.shops)
    for document in islice(stories.documents(random.Random(4)), 2_000):
        assert document.facts == ()
        assert names.isdisjoint(re.findall(r"\w+", document.text)), document.text


def test_stories_are_not_told_twice():
    told = [document.text for document in islice(stories.documents(random.Random(4)), 2_000)]
    assert len(set(told)) > 0.99 * len(told)
