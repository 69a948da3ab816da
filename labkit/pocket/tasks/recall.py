"""Recall: values are told, other sentences follow, then one of the values is asked for.

Held out are 10 % of the pairs of a key and its value. Taught in chapter 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from labkit.pocket.document import Case, Conversation, Document
from labkit.pocket.tasks.prose import ADJECTIVES, NOUNS, PLACES, VERBS, filler_sentence
from labkit.pocket.tasks.split import different, is_held_out
from labkit.pocket.tasks.words import CATEGORIES, NAMES

_KEYS = (
    "box", "lamp", "drawer", "basket", "cup", "bottle", "bag", "chest", "jar", "shelf", "desk", "clock",
    "mirror", "chair", "carpet", "bucket", "bowl", "barrel", "kettle", "pillow", "cabinet", "vase", "tin",
    "wallet", "purse", "plate", "candle", "ladder", "tent", "cart",
)  # fmt: skip
_WORDS = (
    "river", "moon", "stone", "cloud", "apple", "tiger", "silver", "garden", "winter", "piano", "bread",
    "island", "star", "snow", "forest", "honey", "flower", "pepper", "castle", "mountain", "button", "ribbon",
    "feather", "rocket", "butter", "pencil", "dragon", "window", "summer", "copper", "thunder", "planet",
    "salt", "sugar", "needle", "bell", "ocean", "sand", "gold", "rain",
)  # fmt: skip
_Form = tuple[str, tuple[str, ...], bool]
#: words of echoes: a small model learns to copy sooner where the same few words come again and again
FEW_WORDS = _KEYS + _WORDS
MANY_WORDS = tuple(
    sorted(
        {*FEW_WORDS, *NAMES, *ADJECTIVES, *NOUNS, *PLACES, *VERBS, *map(str, range(10, 100))}.union(
            *CATEGORIES.values()
        )
    )
)
#: how a value is told (and told again), how it is asked for, and whether it is a number
_FORMS: tuple[_Form, ...] = (
    (
        "The secret word of the {key} is {value}.",
        ("What is the secret word of the {key}?", "Which secret word does the {key} have?"),
        False,
    ),
    (
        "The password for the {key} is {value}.",
        ("What is the password for the {key}?", "Tell me the password for the {key}."),
        False,
    ),
    (
        "The {key} has the sign {value}.",
        ("Which sign does the {key} have?", "Tell me the sign of the {key}."),
        False,
    ),
    (
        "The code of the {key} is {value}.",
        ("What is the code of the {key}?", "Tell me the code of the {key}."),
        True,
    ),
    (
        "The number of the {key} is {value}.",
        ("What is the number of the {key}?", "Which number does the {key} have?"),
        True,
    ),
    (
        "The {key} costs {value} coins.",
        ("How many coins does the {key} cost?", "What does the {key} cost?"),
        True,
    ),
)
_ONLY_VALUE = " Say only the value."
#: what echoes are made of: so many words that one rarely stands in two neighbouring echoes
_ECHO_WORDS = sorted(
    {*_KEYS, *_WORDS, *NAMES, *ADJECTIVES, *NOUNS, *PLACES, *VERBS, *map(str, range(10, 100))}.union(
        *CATEGORIES.values()
    )
)


@dataclass(frozen=True)
class Recall:
    """A text with a value hidden in it.

    Attributes
    ----------
    text : the sentences, with the value and its distractors among them.
    question : asks for the value.
    answer : a sentence with the value.
    value : what must be recalled: a word or a two-digit number.
    others : questions for the distractors, each with its answer and value.
    """

    text: str
    question: str
    answer: str
    value: str
    others: tuple[tuple[str, str, str], ...] = ()


def estimate_tokens(text: str) -> int:
    """About as many tokens as the pocket tokenizer needs: one a word, a full stop, a digit."""
    return len(re.findall(r"[^\W\d]+|\d|[.?]", text))


def recall_text(
    rng: Random,
    filler_tokens: int,
    *,
    before_tokens: int = 0,
    n_distractors: int = 3,
    count_tokens: Callable[[str], int] = estimate_tokens,
    held_out: bool = False,
) -> Recall:
    """A text in which a value stands `filler_tokens` before the question.

    Parameters
    ----------
    filler_tokens : tokens of sentences between the value and the question, about.
    before_tokens : tokens of sentences before the value, about. Distractors lie on both sides.
    n_distractors : other keys with other values in the same text, told in the same words (at most 29).
    count_tokens : how many tokens a sentence has; an estimate where not given.
    held_out : takes a pair of key and value that no training text holds.

    Taught in chapter 7.
    """
    form = rng.choice(_FORMS)
    pairs = _pairs(rng, n_distractors + 1, is_number=form[2], held_out=held_out)
    told = [_told(rng, form, key, value) for key, value in pairs]
    before, after = [], [told[0][1]]
    for sentence in (answer for _, answer, _ in told[1:]):
        (before if rng.random() * (before_tokens + filler_tokens + 1) < before_tokens else after).append(
            sentence
        )
    _fill(rng, before, before_tokens, count_tokens, first=0)
    _fill(rng, after, filler_tokens + count_tokens(told[0][1]), count_tokens, first=1)
    return Recall(" ".join(before + after), *told[0], tuple(told[1:]))


def _pairs(rng: Random, n: int, *, is_number: bool, held_out: bool) -> list[tuple[str, str]]:
    """Keys and values, all different. Only the first may be, and then is, a held-out pair."""
    pairs: list[tuple[str, str]] = []
    while len(pairs) < n:
        key = rng.choice(_KEYS)
        value = str(10 + int(rng.random() * 90)) if is_number else rng.choice(_WORDS)
        if any(key == told or value == other for told, other in pairs):
            continue
        if is_held_out(f"recall {key} {value}") == (held_out and not pairs):
            pairs.append((key, value))
    return pairs


def _told(rng: Random, form: _Form, key: str, value: str) -> tuple[str, str, str]:
    """A question for the value, the sentence that tells it, the value."""
    statement, questions, _ = form
    return rng.choice(questions).format(key=key), statement.format(key=key, value=value), value


def _fill(
    rng: Random, sentences: list[str], n_tokens: int, count_tokens: Callable[[str], int], *, first: int
) -> None:
    """Adds sentences at random places from index `first` on, up to about `n_tokens` in all."""
    missing = n_tokens - sum(map(count_tokens, sentences))
    filler = []
    while missing > 0:
        filler.append(filler_sentence(rng))
        missing -= count_tokens(filler[-1])
    mixed = sentences[first:] + filler
    rng.shuffle(mixed)
    sentences[first:] = mixed


def _training_text(rng: Random) -> Recall:
    longest = rng.choice((20, 20, 30, 30, 60, 120, 200, 250))
    after = rng.randrange(15, longest + 1)
    before = rng.randrange(0, 260 - after) if rng.random() < 0.3 else 0
    return recall_text(rng, after, before_tokens=before, n_distractors=rng.randrange(1, 6))


def echoes(rng: Random, words: Sequence[str] = MANY_WORDS) -> Iterator[Document]:
    """Without end: words in no order, said again. What a model learns first on the way to recall."""
    while True:
        line = " ".join(rng.choice(words) for _ in range(rng.randrange(4, 30)))
        yield Document("\n".join([line] * rng.choice((2, 2, 3))), "echo")


def drills(rng: Random) -> Iterator[Document]:
    """Without end: values told with nothing between them, then all of them told again or asked for."""
    while True:
        form = rng.choice(_FORMS)
        pairs = _pairs(rng, rng.randrange(2, 9), is_number=form[2], held_out=False)
        told = [_told(rng, form, key, value) for key, value in pairs]
        text = " ".join(answer for _, answer, _ in told)
        rng.shuffle(told)
        yield Document(text + _asked_or_told(rng, told), "recall-drill")


def _asked_or_told(rng: Random, told: list[tuple[str, str, str]]) -> str:
    """What ends a document: the values told again, or questions for them with their answers."""
    if rng.random() < 0.5:
        return " " + " ".join(answer for _, answer, _ in told)
    return "".join(f"\nQuestion: {question}\nAnswer: {answer}" for question, answer, _ in told)


def documents(rng: Random) -> Iterator[Document]:
    """Without end: a text with values in it, then questions for some of them, or the values again."""
    said_again = echoes(rng)
    while True:
        if rng.random() < 0.5:
            yield next(said_again)
            continue
        recall = _training_text(rng)
        asked = _asked(rng, recall)
        yield Document(recall.text + _asked_or_told(rng, asked), "recall")


def conversations(rng: Random) -> Iterator[Conversation]:
    """Without end: a text and a question, then questions for other values of the text."""
    while True:
        recall = _training_text(rng)
        turns: list[str] = []
        for question, answer, value in _asked(rng, recall):
            short = rng.random() < 0.2
            turns += [question + _ONLY_VALUE, value] if short else [question, answer]
        gap = " " if rng.random() < 0.5 else "\n"
        yield Conversation((recall.text + gap + turns[0], *turns[1:]), "recall")


def _asked(rng: Random, recall: Recall) -> list[tuple[str, str, str]]:
    asked = [(recall.question, recall.answer, recall.value), *recall.others]
    rng.shuffle(asked)
    return asked[: rng.randrange(2, 7)]


def _says(value: str) -> Callable[[str], bool]:
    """Whether a reply holds the value and no other one that recall uses."""
    known = {*_WORDS, *(str(number) for number in range(10, 100))}

    def correct(reply: str) -> bool:
        return {word for word in re.findall(r"\w+", reply.casefold()) if word in known} == {value}

    return correct


def held_out(n: int, seed: int, filler_tokens: int = 150) -> list[Case]:
    """`n` texts with a question for a value told about `filler_tokens` earlier."""
    rng = Random(seed)

    def draw(kind: str) -> Case:
        recall = recall_text(rng, filler_tokens, n_distractors=rng.randrange(2, 5), held_out=True)
        return Case(f"{recall.text} {recall.question}", _says(recall.value), recall.answer, kind)

    return different(n, [f"recall-{filler_tokens}"], draw)
