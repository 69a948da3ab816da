"""How many bytes of a GGUF file are not weights: the tokenizer and the other keys, for known tokenizers."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.facts.files import records
from labkit.facts.records import Confidence


@dataclass(frozen=True)
class TokenizerRow:
    """One published file, from whose size that of its tokenizer follows.

    Attributes
    ----------
    id, name : such as `"qwen3"`, Qwen 3.
    architectures : llama.cpp's names of those that come with this tokenizer.
    vocab_size : rows of the embedding matrix.
    bytes : all keys and values of the header, the tokenizer's among them.
    model : id in architectures.csv of the model whose file was taken: `repo`, `filename`, its mixture
        `quantization` (with or without `importance_matrix`), and its size `file_bytes`.
    source, read_on, confidence : where the size was read, when, and how far to trust the row.
    """

    id: str
    name: str
    architectures: tuple[str, ...]
    vocab_size: int
    bytes: int
    model: str
    repo: str
    filename: str
    quantization: str
    importance_matrix: bool
    file_bytes: int
    source: str
    read_on: str
    confidence: Confidence


def tokenizers() -> tuple[TokenizerRow, ...]:
    """All rows of tokenizers.csv."""
    return records("tokenizers", TokenizerRow)


def known_tokenizers(architecture: str, vocab_size: int) -> tuple[TokenizerRow, ...]:
    """The tokenizers that a model of this architecture and vocabulary may have; often one, else none."""
    return tuple(
        row for row in tokenizers() if architecture in row.architectures and row.vocab_size == vocab_size
    )
