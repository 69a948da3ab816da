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


@pytest.mark.parametrize("stream", [corpus.curriculum, corpus.documents, corpus.conversations])
def test_a_seed_gives_one_stream(stream):
    assert list(islice(stream(3), 300)) == list(islice(stream(3), 300))
    assert list(islice(stream(3), 300)) != list(islice(stream(4), 300))


def test_the_mixture_keeps_its_shares():
    for shares in (corpus.DOCUMENT_SHARES, corpus.CONVERSATION_SHARES, corpus.DRILL_SHARES):
        assert sum(shares.values()) == pytest.approx(1)
    documents = list(islice(corpus.documents(), 6000))
    size = Counter[str]()
    for each in documents:
        size[each.kind] += len(each.text)
    recall = size["recall"] + size["echo"]
    assert recall / size.total() == pytest.approx(corpus.DOCUMENT_SHARES["recall"], abs=0.01)
