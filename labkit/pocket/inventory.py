"""What the training data consists of, counted; a sample of it; and the held-out questions. For authors:

    python -m labkit.pocket.inventory

writes `data.csv`, `sample.txt` and `held-out.jsonl` beside the models. It needs the `train` extra, and
`training.json`, which says how many tokens each model has read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.facts import files
from labkit.models.embedded import pocket_dir
from labkit.pocket import corpus
from labkit.pocket.document import Conversation, Document
from labkit.pocket.provenance import as_text
from labkit.pocket.tokenizer import IM_END, IM_START
from labkit.progress_bar import ProgressBar

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: stream → the model that reads it from its start
READERS = {"documents": "pocket-base", "conversations": "pocket-instruct", "lessons": "pocket-choice"}
_SAMPLE_DOCUMENTS, _SAMPLE_CONVERSATIONS, _SAMPLE_LESSONS = 120, 60, 20
_AT_ONCE = 1000


@dataclass
class Kind:
    """A row of `datasets/pocket/data.csv`: the texts of one kind in a stream, as far as its model reads.

    `characters` and `tokens` are sums over these texts; a conversation's include its chat markers.
    """

    stream: str
    kind: str
    texts: int
    characters: int
    tokens: int


def kinds() -> tuple[Kind, ...]:
    """The rows of `data.csv`."""
    return files.records("pocket/data", Kind)


def count_kinds(stream: str, n_tokens: int, tokenizer: Tokenizer) -> list[Kind]:
    """The first texts of a stream, up to `n_tokens` tokens, counted by kind; the largest kind first."""
    texts = _texts(stream)
    found: dict[str, Kind] = {}
    read = 0
    with ProgressBar(n_tokens, "token", f"Counting the {stream}") as bar:
        for kind, text, tokens in _counted(texts, tokenizer):
            row = found.setdefault(kind, Kind(stream, kind, 0, 0, 0))
            row.texts += 1
            row.characters += len(text)
            row.tokens += tokens
            read += tokens
            if read >= n_tokens:
                break
            bar.set(read)
    return sorted(found.values(), key=lambda row: -row.tokens)


def _texts(stream: str) -> Iterator[Document] | Iterator[Conversation]:
    if stream == "documents":
        return corpus.curriculum()
    return corpus.conversations() if stream == "conversations" else corpus.choice_curriculum()


def _counted(
    texts: Iterator[Document] | Iterator[Conversation], tokenizer: Tokenizer
) -> Iterator[tuple[str, str, int]]:
    """(kind, text as a model reads it, tokens with the one that ends it)."""
    while some := list(islice(texts, _AT_ONCE)):
        read = [item.text if isinstance(item, Document) else _chat(item) for item in some]
        encoded = tokenizer.encode_batch_fast(read, add_special_tokens=False)
        for item, text, ids in zip(some, read, encoded, strict=True):
            yield item.kind, text, len(ids) + 1


def _chat(talk: Conversation) -> str:
    """A conversation between ChatML's markers, as fine-tuning reads it."""
    return "\n".join(
        f"{IM_START}{'assistant' if n % 2 else 'user'}\n{turn}{IM_END}" for n, turn in enumerate(talk.turns)
    )


def sample() -> str:
    """The first texts of each stream, with their kinds and the facts that they state."""
    streams = (
        ("documents", corpus.documents(), _SAMPLE_DOCUMENTS),
        ("conversations", corpus.conversations(), _SAMPLE_CONVERSATIONS),
        ("lessons", corpus.choice_curriculum(), _SAMPLE_LESSONS),
    )
    parts = []
    for stream, texts, n in streams:
        for number, item in enumerate(islice(texts, n), 1):
            states = f", states {', '.join(item.facts)}" if item.facts else ""
            parts.append(f"--- {stream}, no. {number}: {item.kind}{states}\n{as_text(item)}\n")
    return "\n".join(parts)


def held_out_lines() -> str:
    """The held-out questions as JSON lines, with a right answer each; the judge is the generator's."""
    from labkit.pocket.scores import held_out_cases

    keys = ("kind", "chat", "prompt", "answer", "max_tokens")
    lines = [
        json.dumps({key: getattr(case, key) for key in keys}, ensure_ascii=False) for case in held_out_cases()
    ]
    return "\n".join(lines) + "\n"


def write() -> None:
    """Writes the three files. Raises LabError when the models have not been trained."""
    from labkit.pocket.tokenizer import load_tokenizer

    folder = pocket_dir()
    try:
        training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        lengths = {stream: training[model]["tokens"] for stream, model in READERS.items()}
        tokenizer = load_tokenizer(folder / "tokenizer.json")
    except (OSError, KeyError, ImportError) as error:
        raise LabError(
            f"The training's record or its tokenizer is missing in {folder} ({error}).",
            "Train the models first: `make pocket`.",
        ) from None
    rows = [row for stream, n in lengths.items() for row in count_kinds(stream, n, tokenizer)]
    files.write_records("pocket/data", rows)
    (folder / "sample.txt").write_text(sample(), encoding="utf-8", newline="\n")
    (folder / "held-out.jsonl").write_text(held_out_lines(), encoding="utf-8", newline="\n")


def main() -> int:
    try:
        write()
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
