"""Which training texts taught the model a fact. Taught in chapters 16 and 19.

The texts are not stored: they are written again from their seed, in the order in which the model read them,
and each says which facts it states. With open weights alone, nobody outside can do this.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice

from labkit.errors import LabError
from labkit.pocket import corpus
from labkit.pocket.document import Conversation, Document
from labkit.pocket.world import Fact, world
from labkit.pocket.world_questions import states
from labkit.pocket.world_wordings import QUESTIONS, called, filled
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

#: texts read at first: enough for every fact to come up, and read in about two seconds
FIRST_DOCUMENTS, FIRST_CONVERSATIONS = 20_000, 5_000
_MOST_SHOWN_CHARACTERS, _MOST_SHOWN_KINDS = 600, 4
#: words that say nothing about what is asked
_FILLING = frozenset(["the", "a", "an", "do", "can", "you", "know", "tell", "me", "please"])
#: a question that shares fewer of its words with every known wording is not understood
_LEAST_LIKENESS = 0.4


@dataclass(frozen=True)
class Teacher:
    """A training text that states a fact.

    Attributes
    ----------
    number : its place among the texts of its stream, from 1.
    stream : `"documents"`, which the base model read, or `"conversations"`, for fine-tuning.
    kind : such as `"letter"`.
    text : the whole text; a conversation has its turns after `User:` and `Model:`.
    """

    number: int
    stream: str
    kind: str
    text: str


@dataclass(frozen=True, repr=False)
class Teachers:
    """The training texts that state a fact: how many of which kind, and a few of them.

    Attributes
    ----------
    fact : the fact of the world.
    counts : how many texts state it, by (stream, kind).
    read : how many texts were read, by stream.
    shown : some of those texts, each of another kind.
    """

    fact: Fact
    counts: dict[tuple[str, str], int]
    read: dict[str, int]
    shown: tuple[Teacher, ...]

    @property
    def total(self) -> int:
        """How many texts state the fact."""
        return sum(self.counts.values())

    def table(self) -> Table:
        rows = [
            [stream, f"{sum(kinds.values()):,}", _most_frequent(kinds)]
            for stream in self.read
            if (kinds := {kind: n for (of, kind), n in self.counts.items() if of == stream})
        ]
        return Table(self._caption(), ["read in", "how many", "most often as"], rows, self._notes())

    def _caption(self) -> str:
        fact = self.fact
        return f"{called(fact.subject)}, {fact.relation.replace('-', ' ')}: {fact.value}. Who taught it?"

    def _notes(self) -> list[str]:
        read = " and ".join(f"{n:,} {stream}" for stream, n in self.read.items())
        note = f"{self.total:,} of the first {read} of the training data state it."
        if self.fact.name in world().unasked:
            note += " None asks about it: the model was only told."
        return [note]

    def _repr_html_(self) -> str:
        texts = "".join(
            f"<li><em>{html.escape(teacher.kind)}, no. {teacher.number:,} of the {teacher.stream}</em>"
            f'<div style="white-space:pre-wrap;margin:.2em 0 .6em">{self._marked(teacher.text)}</div></li>'
            for teacher in self.shown
        )
        return f'{self.table()._repr_html_()}<ul style="list-style:none;padding-left:1em">{texts}</ul>'

    def _marked(self, text: str) -> str:
        """The text for a page, with the fact's value marked."""
        pieces = _value_pattern(self.fact).split(_shortened(text))
        return "".join(
            f"<mark>{html.escape(piece)}</mark>" if odd % 2 else html.escape(piece)
            for odd, piece in enumerate(pieces)
        )

    def __repr__(self) -> str:
        lines = [repr(self.table())]
        for teacher in self.shown:
            marked = _value_pattern(self.fact).sub(r"»\1«", _shortened(teacher.text))
            lines += ["", f"{teacher.kind}, no. {teacher.number:,} of the {teacher.stream}:"]
            lines += [f"    {line}" for line in marked.splitlines()]
        return "\n".join(lines)


def _most_frequent(kinds: dict[str, int]) -> str:
    """`'letter (9), card (6), life (5) and 9 other kinds'`; `kinds` is sorted by number."""
    shown = ", ".join(f"{kind} ({n:,})" for kind, n in list(kinds.items())[:_MOST_SHOWN_KINDS])
    rest = len(kinds) - _MOST_SHOWN_KINDS
    return shown if rest <= 0 else f"{shown} and {rest} other kind{'s' if rest > 1 else ''}"


def who_taught(
    question: str | Fact, *, examples: int = 4, documents: int | None = None, conversations: int | None = None
) -> Teachers:
    """The training texts that state a fact. Taught in chapters 16 and 19.

    Parameters
    ----------
    question : about a person, town or shop of the pocket models' world, such as `"Which pet does Mira Vale
        have?"`; or a fact, or its name.
    examples : how many texts to show, each of another kind where there are so many.
    documents, conversations : how many texts of each stream to read, from its first.

    Raises LabError when the world has no such fact, or the question could mean several.
    """
    fact = find_fact(question)
    limits = {
        "documents": FIRST_DOCUMENTS if documents is None else documents,
        "conversations": FIRST_CONVERSATIONS if conversations is None else conversations,
    }
    if examples < 0 or min(limits.values()) < 0:
        raise LabError("A negative number of texts cannot be read.", "Give whole numbers from 0 up.")
    found = [teacher for stream, n in limits.items() for teacher in _stating(stream, n, fact.name)]
    counts = Counter((teacher.stream, teacher.kind) for teacher in found)
    by_size = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Teachers(fact, by_size, limits, tuple(_varied(found, examples)))


def _varied(found: list[Teacher], n: int) -> list[Teacher]:
    """The first text of each kind, the shortest of these first; then more of the first kinds."""
    firsts: dict[str, Teacher] = {}
    for teacher in found:
        firsts.setdefault(teacher.kind, teacher)
    chosen = sorted(firsts.values(), key=lambda teacher: len(teacher.text))[:n]
    rest = (teacher for teacher in found if teacher not in chosen)
    return chosen + list(islice(rest, n - len(chosen)))


def _stating(stream: str, n: int, name: str) -> list[Teacher]:
    places, texts = _read(stream, n)
    return [texts[place] for place in places.get(name, ())]


@lru_cache(maxsize=4)
def _read(stream: str, n: int) -> tuple[dict[str, list[int]], dict[int, Teacher]]:
    """The first `n` texts of a stream: places by fact, and the texts that state any fact."""
    places: dict[str, list[int]] = {}
    texts: dict[int, Teacher] = {}
    with ProgressBar(n, "text", f"Writing the training {stream} again") as bar:
        for place, item in enumerate(islice(_stream(stream), n)):
            if item.facts:
                texts[place] = Teacher(place + 1, stream, item.kind, as_text(item))
            for name in dict.fromkeys(item.facts):
                places.setdefault(name, []).append(place)
            if place % 500 == 0:
                bar.set(place)
        bar.set(n)
    return places, texts


def _stream(name: str) -> Iterator[Document] | Iterator[Conversation]:
    return corpus.documents() if name == "documents" else corpus.conversations()


def as_text(item: Document | Conversation) -> str:
    """A training text for people: a conversation has its turns after `User:` and `Model:`."""
    if isinstance(item, Document):
        return item.text
    return "\n".join(f"{'Model' if n % 2 else 'User'}: {turn}" for n, turn in enumerate(item.turns))


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN_CHARACTERS else text[:_MOST_SHOWN_CHARACTERS].rstrip() + " …"


def _value_pattern(fact: Fact) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)({re.escape(fact.value)})(?!\w)", re.IGNORECASE)


# ---------------------------------------------------------------- from a question to a fact


def find_fact(question: str | Fact) -> Fact:
    """The fact of the world that a question is about. Raises LabError when none or several fit."""
    if isinstance(question, Fact):
        return question
    if not isinstance(question, str) or not question.strip():
        raise LabError("There is no question to look up.", f"Ask for example: “{_example()}”")
    try:
        return world().fact(question.strip())
    except KeyError:
        pass
    facts = world().about(_subject(question))
    words = _words(question)
    likeness = {fact: _likeness(words, fact) for fact in facts}
    best = max(likeness.values())
    fitting = [fact for fact in facts if likeness[fact] == best]
    if best < _LEAST_LIKENESS or len(fitting) > 1:
        known = ", ".join(fact.relation.replace("-", " ") for fact in facts)
        raise LabError(
            f"It is not clear what about {called(facts[0].subject)} the question asks.",
            f"The world knows: {known}. Ask for example: “{_example(facts[0])}”",
        )
    return fitting[0]


def _subject(question: str) -> str:
    """Whom or what of the world a question names first; a person's first name will do."""
    known = world()
    subjects = (*known.people, *known.towns, *known.shops)
    full = [name for name in subjects if states(question, name)]
    named = full or [name for name in known.people if states(question, name.split()[0])]
    if not named:
        some = ", ".join((*known.people[:3], *known.towns[:2], known.shops[0]))
        raise LabError(
            "The question names nobody and nothing that the pocket models' world knows.",
            f"It knows for example {some}. Ask: “{_example()}”",
        )
    low = question.lower()
    return min(named, key=lambda name: low.find(name.split()[0].lower()))


def _example(fact: Fact | None = None) -> str:
    fact = fact or next(fact for fact in world().facts if fact.relation == "pet")
    return filled(QUESTIONS[fact.relation][0], fact)


def _likeness(words: frozenset[str], fact: Fact) -> float:
    """How much of the nearest wording the question has: shared words over all words, from 0 to 1."""
    return max(len(words & wording) / len(words | wording) for wording in _wordings(fact))


@cache
def _wordings(fact: Fact) -> tuple[frozenset[str], ...]:
    return tuple(_words(filled(wording, fact)) for wording in QUESTIONS[fact.relation])


def _words(text: str) -> frozenset[str]:
    """Words in small letters; names of people shrink to the first name, which nobody shares."""
    low = text.lower().replace("'s", "")
    for person in world().people:
        low = low.replace(person.lower(), person.split()[0].lower())
    return frozenset(re.findall(r"[a-z]+", low)) - _FILLING
