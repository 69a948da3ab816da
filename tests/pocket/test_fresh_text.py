"""The course's own text for perplexity: the generators' work, and none of the training texts."""

from __future__ import annotations

import random
from itertools import islice

from labkit.measuring.quality_text import text_of
from labkit.pocket import stories, world_prose
from labkit.pocket.corpus import SEED
from labkit.pocket.fresh_text import fresh_documents, fresh_text


def test_the_file_is_what_the_generators_write() -> None:
    assert text_of(None).content == fresh_text().removesuffix("\n")


def test_its_documents_are_not_in_the_training_texts() -> None:
    fresh = set(fresh_documents())
    assert len(fresh) == len(fresh_documents()) > 50
    for name, source in (("world", world_prose.documents), ("stories", stories.documents)):
        read = {document.text for document in islice(source(random.Random(f"{SEED}/{name}")), 20_000)}
        assert not fresh & read
