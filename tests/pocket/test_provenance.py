"""Who taught a fact: the training texts are written again, and the right ones are found."""

from __future__ import annotations

from itertools import islice

import pytest

import labkit as lk
from labkit.errors import LabError
from labkit.pocket import corpus
from labkit.pocket.provenance import Teachers, find_fact, who_taught
from labkit.pocket.world import world
from labkit.pocket.world_questions import states
from labkit.pocket.world_wordings import QUESTIONS, filled

N_DOCUMENTS, N_CONVERSATIONS = 3000, 1500


def taught(question: str, **more: int) -> Teachers:
    return who_taught(question, documents=N_DOCUMENTS, conversations=N_CONVERSATIONS, **more)


@pytest.mark.parametrize("relation", QUESTIONS)
def test_every_wording_finds_its_fact(relation: str) -> None:
    for fact in (fact for fact in world().facts if fact.relation == relation):
        for wording in QUESTIONS[relation]:
            assert find_fact(filled(wording, fact)) == fact
            if fact.subject in world().people:
                assert find_fact(filled(wording, fact, fact.subject.split()[0]).lower()) == fact


def test_a_fact_and_its_name_do_as_well() -> None:
    fact = world().facts[7]
    assert find_fact(fact) == find_fact(fact.name) == find_fact(f" {fact.name} ") == fact


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "no question"),
        ("What is the capital of France?", "names nobody"),
        ("What is Bob Smith's job?", "names nobody"),
        ("Tell me about Mira Vale.", "not clear"),
        ("nobody/pet", "names nobody"),
    ],
)
def test_what_cannot_be_looked_up_gets_a_sentence_with_an_example(question: str, says: str) -> None:
    with pytest.raises(LabError, match=says) as caught:
        who_taught(question)
    example = caught.value.cure.rsplit("“", 1)[1].rstrip("”")
    assert find_fact(example) in world().facts


def test_all_texts_that_state_the_fact_are_counted() -> None:
    found = taught("Which pet does Mira Vale have?", examples=10_000)
    streams = {
        "documents": list(islice(corpus.documents(), N_DOCUMENTS)),
        "conversations": list(islice(corpus.conversations(), N_CONVERSATIONS)),
    }
    expected = {
        (stream, number)
        for stream, items in streams.items()
        for number, item in enumerate(items, 1)
        if found.fact.name in item.facts
    }
    assert {(teacher.stream, teacher.number) for teacher in found.shown} == expected
    assert found.total == len(expected) == sum(found.counts.values()) >= 5
    for teacher in found.shown:
        item = streams[teacher.stream][teacher.number - 1]
        assert item.kind == teacher.kind
        assert teacher.text == getattr(item, "text", teacher.text)
        assert states(teacher.text, found.fact.value)


def test_the_examples_are_of_different_kinds() -> None:
    found = taught("Where does Mira Vale live?", examples=3)
    assert len(found.shown) == 3 == len({teacher.kind for teacher in found.shown})
    assert taught("Where does Mira Vale live?", examples=0).shown == ()


def test_a_fact_that_is_never_asked_is_told_all_the_same() -> None:
    fact = world().fact(min(world().unasked))
    found = taught(fact.name, examples=10_000)
    assert found.total and "was only told" in repr(found)
    asked = {filled(wording, fact) for wording in QUESTIONS[fact.relation]}
    assert not any(question in teacher.text for question in asked for teacher in found.shown)
    assert "was only told" not in repr(
        taught(next(f for f in world().facts if f.name not in world().unasked))
    )


def test_the_value_is_marked_and_the_page_is_safe() -> None:
    found = taught("Which pet does Mira Vale have?", examples=20)
    page, text = found._repr_html_(), repr(found)
    assert "<mark>" in page and "»" in text
    assert page.count("<mark>") == text.count("»") >= len(found.shown)
    odd = type(found.shown[0])(1, "documents", "note", "a <b>cat</b> & a cat")
    shown = Teachers(found.fact, found.counts, found.read, (odd,))._repr_html_()
    assert "<b>" not in shown.split("<ul", 1)[1] and "&lt;b&gt;<mark>cat</mark>&lt;/b&gt; &amp;" in shown


def test_a_second_question_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    taught("Which pet does Mira Vale have?")
    monkeypatch.setattr(corpus, "documents", _unwanted)
    monkeypatch.setattr(corpus, "conversations", _unwanted)
    assert taught("Where does Mira Vale live?").total
    with pytest.raises(AssertionError, match="again"):
        who_taught("Where does Mira Vale live?", documents=N_DOCUMENTS + 1, conversations=0)


def _unwanted() -> None:
    raise AssertionError("the texts are read again")


def test_negative_numbers_get_a_sentence() -> None:
    for wrong in ({"documents": -1}, {"conversations": -1}, {"examples": -1}):
        with pytest.raises(LabError, match="negative"):
            who_taught("Which pet does Mira Vale have?", **wrong)


def test_the_default_is_enough_for_every_fact() -> None:
    """Each fact comes up often among the texts that a learner's cell reads."""
    totals = {fact.name: who_taught(fact, examples=1).total for fact in world().facts}
    assert min(totals.values()) >= 5, min(totals, key=totals.__getitem__)


def test_the_course_has_it_at_hand() -> None:
    assert lk.who_taught is who_taught
