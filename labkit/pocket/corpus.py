"""The training texts: what the generators write, mixed in fixed shares from one seed.

The same seed gives the same texts on every machine, so nothing of them needs to be stored. CC0.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from labkit.pocket import stories, world_prose, world_questions
from labkit.pocket.document import Conversation, Document
from labkit.pocket.tasks import choices, code, constraints, recall, sums

T = TypeVar("T", Document, Conversation)

SEED = 20261122
#: share of the characters, by source; chosen by pilots (see the model card)
DOCUMENT_SHARES = {
    "world": 0.17,
    "stories": 0.05,
    "sums": 0.27,
    "recall": 0.27,
    "code": 0.08,
    "choices": 0.08,
    "constraints": 0.08,
}
DRILL_SHARES = {"sums": 0.15, "recall": 0.5, "echoes": 0.35}
#: characters of each part of `curriculum`
_FEW_ECHOES, _MANY_ECHOES, _MIXTURE, _DRILLS = 8_000_000, 3_000_000, 13_200_000, 3_300_000
#: characters of the parts of `choice_curriculum` whose drills have no mark after a letter, and one
_BARE_DRILLS, _MARKED_DRILLS = 1_300_000, 750_000
_SHARES_FIRST = {"drills": 0.5, "lessons": 0.3, "world": 0.2}
_SHARES_AFTER = {"drills": 0.1, "lessons": 0.65, "world": 0.25}
CONVERSATION_SHARES = {
    "world": 0.20,
    "sums": 0.30,
    "recall": 0.22,
    "code": 0.06,
    "choices": 0.10,
    "constraints": 0.12,
}


def documents(
    seed: int = SEED, *, leave_out: frozenset[str] = frozenset(), only: Collection[str] = ()
) -> Iterator[Document]:
    """The endless stream of texts that a base model reads; none states a fact named in `leave_out`.

    `only` keeps the sources that it names.
    """
    sources: dict[str, Callable[[random.Random], Iterator[Document]]] = {
        "world": lambda rng: world_prose.documents(rng, leave_out),
        "stories": stories.documents,
        "sums": sums.documents,
        "recall": recall.documents,
        "code": code.documents,
        "choices": lambda rng: choices.documents(rng, leave_out),
        "constraints": constraints.documents,
    }
    started = {name: source(random.Random(f"{seed}/{name}")) for name, source in sources.items()}
    return _mixed(_chosen(started, only), DOCUMENT_SHARES)


def curriculum(seed: int = SEED, *, scale: float = 1.0) -> Iterator[Document]:
    """What a base model reads: echoes, the mixture of `documents`, drills, and the mixture without end.

    All parts but the last are `scale` times as long as for the published models. From echoes of few words,
    then of many, a model learns to look back into a text; drills are sums and recall in their plainest form.
    Mixed with everything else, a small model learns these late or never.
    """
    echo = random.Random(f"{seed}/echoes")
    few, many = recall.echoes(echo, recall.FEW_WORDS), recall.echoes(echo)
    mixture = documents(seed)
    yield from _first(scale * _FEW_ECHOES, few)
    yield from _first(scale * _MANY_ECHOES, many)
    yield from _first(scale * _MIXTURE, mixture)
    yield from _first(scale * _DRILLS, _drills(seed))
    yield from mixture


def choice_curriculum(seed: int = SEED, *, scale: float = 1.0) -> Iterator[Conversation]:
    """What a model reads that learns to answer with letters: drills, lessons, and plain questions.

    Questions are there from the start, or else the model forgets what it knows. For `scale` see `curriculum`.
    """
    drill = random.Random(f"{seed}/drills/choices")
    bare, marked = choices.drills(drill, mark=""), choices.drills(drill)
    questions = {
        "lessons": choices.lessons(random.Random(f"{seed}/lessons")),
        "world": world_questions.conversations(random.Random(f"{seed}/lessons/world"), frozenset()),
    }
    yield from _first(scale * _BARE_DRILLS, _mixed({"drills": bare, **questions}, _SHARES_FIRST))
    yield from _first(scale * _MARKED_DRILLS, _mixed({"drills": marked, **questions}, _SHARES_FIRST))
    yield from _mixed({"drills": marked, **questions}, _SHARES_AFTER)


def _drills(seed: int) -> Iterator[Document]:
    sources = {"sums": sums.drills, "recall": recall.drills, "echoes": recall.echoes}
    started = {name: source(random.Random(f"{seed}/drills/{name}")) for name, source in sources.items()}
    return _mixed(started, DRILL_SHARES)


def _length(text: Document | Conversation) -> int:
    """In characters; of a conversation, without its markers."""
    return len(text.text) if isinstance(text, Document) else sum(map(len, text.turns))


def _first(characters: float, texts: Iterator[T]) -> Iterator[T]:
    """The first texts, up to about so many characters."""
    size = 0
    while size < characters:
        text = next(texts)
        size += _length(text)
        yield text


def conversations(
    seed: int = SEED, *, leave_out: frozenset[str] = frozenset(), only: Collection[str] = ()
) -> Iterator[Conversation]:
    """The endless stream of conversations for fine-tuning; see `documents`."""
    sources: dict[str, Callable[[random.Random], Iterator[Conversation]]] = {
        "world": lambda rng: world_questions.conversations(rng, leave_out),
        "sums": sums.conversations,
        "recall": recall.conversations,
        "code": code.conversations,
        "choices": lambda rng: choices.conversations(rng, leave_out),
        "constraints": constraints.conversations,
    }
    started = {name: source(random.Random(f"{seed}/chat/{name}")) for name, source in sources.items()}
    return _mixed(_chosen(started, only), CONVERSATION_SHARES)


def _chosen(sources: dict[str, Iterator[T]], only: Collection[str]) -> dict[str, Iterator[T]]:
    return {name: source for name, source in sources.items() if not only or name in only}


def _mixed(sources: Mapping[str, Iterator[T]], shares: Mapping[str, float]) -> Iterator[T]:
    """The next text always comes from the source that is furthest behind its share of the characters."""
    written = dict.fromkeys(sources, 0.0)
    while True:
        name = min(written, key=written.__getitem__)
        text = next(sources[name])
        written[name] += _length(text) / shares[name]
        yield text
