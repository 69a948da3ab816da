"""Token ids on disk, and the batches that training takes from them.

A stream is one row of ids: each text after an end-of-text token. For fine-tuning, the highest bit of an id
says that it is learned: it belongs to an answer. Needs NumPy only, apart from the tokenizer passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.pocket.document import Conversation, Document
from labkit.pocket.tokenizer import END_OF_TEXT_ID, IM_END, IM_START
from labkit.progress_bar import ProgressBar

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TEXTS_AT_ONCE = 2000


def write_texts(path: Path, texts: Iterable[Document], tokenizer: Tokenizer, n_tokens: int) -> None:
    """Stores the first `n_tokens` ids of the texts, each after an end-of-text token, as uint16."""
    _write(path, ([(ids, False)] for ids in _encoded(tokenizer, (text.text for text in texts))), n_tokens)


def write_conversations(
    path: Path, talks: Iterable[Conversation], tokenizer: Tokenizer, n_tokens: int
) -> None:
    """As `write_texts`, in the chat template; `LEARN` marks the ids of answers with their end."""
    _write(path, (_parts(talk, tokenizer) for talk in talks), n_tokens)


#: highest bit of a stored id: training learns to predict it
LEARN = np.uint16(1 << 15)


def _parts(talk: Conversation, tokenizer: Tokenizer) -> list[tuple[list[int], bool]]:
    parts = []
    for turn, text in enumerate(talk.turns):
        if turn % 2 == 0:
            start = "\n" if turn else ""
            shown = f"{start}{IM_START}user\n{text}{IM_END}\n{IM_START}assistant\n"
            parts.append((shown, False))
        else:
            parts.append((f"{text}{IM_END}", True))
    encoded = tokenizer.encode_batch([text for text, _ in parts], add_special_tokens=False)
    return [(item.ids, learn) for item, (_, learn) in zip(encoded, parts, strict=True)]


def _encoded(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[list[int]]:
    texts = iter(texts)
    while batch := list(islice(texts, _TEXTS_AT_ONCE)):
        for item in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield item.ids


def _write(path: Path, items: Iterable[list[tuple[list[int], bool]]], n_tokens: int) -> None:
    part = path.with_suffix(".part")
    written = 0
    with part.open("wb") as file, ProgressBar(n_tokens, "token", f"Writing {path.name}") as bar:
        for item in items:
            ids = np.concatenate(
                [
                    np.array([END_OF_TEXT_ID], np.uint16),
                    *(np.array(ids, np.uint16) | (LEARN if learn else np.uint16(0)) for ids, learn in item),
                ]
            )
            file.write(ids[: n_tokens - written].tobytes())
            written += len(ids)
            bar.set(min(written, n_tokens))
            if written >= n_tokens:
                break
    part.replace(path)


def batch(stream: np.ndarray, step: int, rows: int, length: int) -> np.ndarray:
    """Rows of `length` + 1 ids for a step: the stream in order, and from its start again when it ends.

    Returns shape (rows, length + 1), int64. Neighbouring rows overlap by one id: target in one, input in the
    other.
    """
    places = (step * rows * length + np.arange(rows) * length) % (len(stream) - length)
    return np.stack([stream[place : place + length + 1] for place in places]).astype(np.int64)
