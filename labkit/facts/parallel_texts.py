"""The same sentences in several languages, and how many tokens published tokenizers cut them into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from labkit.facts.files import records
from labkit.facts.records import Confidence


@dataclass(frozen=True)
class ParallelText:
    """One sentence in one language.

    Attributes
    ----------
    id : such as `"hi-07"`: language, and number of the sentence.
    sentence : from 1; the same number says the same in each language.
    language, name, script : code by ISO 639-1, English name, and what it is written in.
    """

    id: str
    sentence: int
    language: str
    name: str
    script: str
    text: str
    source: str
    read_on: str


@dataclass(frozen=True)
class TokenCount:
    """A recorded count: the tokens of all sentences in one language, without a marker for the start.

    Attributes
    ----------
    tokenizer, name : id and name for people, such as `"gemma-3"`, Gemma 3.
    vocab_size : its tokens for text, markers not counted.
    language, tokens : code as in `ParallelText`, and the sum over its sentences.
    texts_sha256 : first 16 digits of `texts_digest` of the sentences that were counted.
    source : where the tokenizer was taken from; `read_on` is the day of the count.
    """

    id: str
    tokenizer: str
    name: str
    vocab_size: int
    language: str
    tokens: int
    texts_sha256: str
    source: str
    read_on: str
    confidence: Confidence


def parallel_texts() -> tuple[ParallelText, ...]:
    """All sentences, language by language, English first."""
    return records("parallel_texts", ParallelText)


def languages() -> dict[str, tuple[ParallelText, ...]]:
    """English name of a language → its sentences in order."""
    found: dict[str, list[ParallelText]] = {}
    for row in parallel_texts():
        found.setdefault(row.name, []).append(row)
    return {name: tuple(sorted(rows, key=lambda row: row.sentence)) for name, rows in found.items()}


def texts_digest(sentences: list[str]) -> str:
    """First 16 digits of the SHA-256 of the sentences, one a line: it shows when a count is out of date."""
    return hashlib.sha256("\n".join(sentences).encode("utf-8")).hexdigest()[:16]


def token_counts() -> tuple[TokenCount, ...]:
    """All recorded counts."""
    return records("token_counts", TokenCount)
