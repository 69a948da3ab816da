"""What the generators make: documents to read, conversations to learn from, cases to be tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A text of the training data.

    Attributes
    ----------
    text : what a model reads; it has no markers for its start and end.
    kind : which generator wrote it, such as `"letter"` or `"sum"`.
    facts : names of the world's facts that it states, so that one can ask which document taught an answer.
    """

    text: str
    kind: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """Questions and answers in turns: (user, assistant, user, assistant, …).

    Attributes
    ----------
    turns : an even number of texts; fine-tuning learns the answers, not the questions.
    kind : as in `Document`.
    facts : as in `Document`.
    """

    turns: tuple[str, ...]
    kind: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One held-out question: none of the training texts holds it.

    Attributes
    ----------
    prompt : what is asked. With `chat`, it goes through the chat template; else the model continues it.
    correct : says whether a reply is right.
    answer : a right reply, to be shown.
    kind : which capability it tests.
    chat : True for a question to an instruct model.
    max_tokens : how long a reply may get.
    """

    prompt: str
    correct: Callable[[str], bool]
    answer: str
    kind: str
    chat: bool = True
    max_tokens: int = 24
