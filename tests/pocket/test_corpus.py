"""The streams that models read: the same at every call, in the order and the shares that they promise."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from labkit.pocket import corpus


def test_the_curriculum_is_echoes_a_mixture_drills_and_the_mixture_again():
    scale = 0.01
    read = list(islice(corpus.curriculum(scale=scale), 3000))
    parts = []
    for characters in (corpus._FEW_ECHOES, corpus._MANY_ECHOES, corpus._MIXTURE, corpus._DRILLS):
        part = []
        while sum(len(document.text) for document in part) < scale * characters:
            part.append(read.pop(0))
        parts.append(part)
    few, many, first, drills = parts
    assert {document.kind for document in (*few, *many)} == {"echo"}
    assert len({word for each in few for word in each.text.split()}) < 100
    assert len({word for each in many for word in each.text.split()}) > 200
    assert {document.kind for document in drills} == {"echo", "recall-drill", "sum-drill"}
    mixture = [*first, *read]
    assert read
    assert mixture == list(islice(corpus.documents(), len(mixture)))


def test_letters_are_learned_from_drills_among_questions_with_fewer_drills_later():
    scale = 0.05
    read = list(islice(corpus.choice_curriculum(scale=scale), 2500))
    parts = []
    for characters in (corpus._BARE_DRILLS, corpus._MARKED_DRILLS):
        part = []
        while sum(map(corpus._length, part)) < scale * characters:
            part.append(read.pop(0))
        parts.append(part)
    for part, first, shares in zip(
        (*parts, read),
        ("A ", "A) ", "A) "),
        (corpus._SHARES_FIRST, corpus._SHARES_FIRST, corpus._SHARES_AFTER),
        strict=True,
    ):
        drills = [talk for talk in part if talk.kind == "choice-drill"]
        assert all(talk.turns[0].startswith(first) for talk in drills)
        assert any(talk.kind.endswith("-steps") for talk in part)
        share = sum(map(corpus._length, drills)) / sum(map(corpus._length, part))
        assert share == pytest.approx(shares["drills"], abs=0.02)


@pytest.mark.parametrize(
    "stream", [corpus.curriculum, corpus.choice_curriculum, corpus.documents, corpus.conversations]
)
def test_a_seed_gives_one_stream(stream):
    assert list(islice(stream(3), 300)) == list(islice(stream(3), 300))
    assert list(islice(stream(3), 300)) != list(islice(stream(4), 300))


def test_the_mixture_keeps_its_shares():
    for shares in (
        corpus.DOCUMENT_SHARES,
        corpus.CONVERSATION_SHARES,
        corpus.DRILL_SHARES,
        corpus._SHARES_FIRST,
        corpus._SHARES_AFTER,
    ):
        assert sum(shares.values()) == pytest.approx(1)
    documents = list(islice(corpus.documents(), 6000))
    size = Counter[str]()
    for each in documents:
        size[each.kind] += len(each.text)
    recall = size["recall"] + size["echo"]
    assert recall / size.total() == pytest.approx(corpus.DOCUMENT_SHARES["recall"], abs=0.01)
