"""The half of `labkit.measuring.quality` that runs the models, as a process of its own.

All models read the same part of the text side by side, at most 2048 tokens at a time, so that the scores of a
whole text are never in memory (a file of them for 300,000 tokens and a vocabulary of 128,000 takes 37 GiB).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from labkit.child_process import OnProgress, serve_job
from labkit.errors import LabError
from labkit.estimating.kv_cache import N_BATCH, N_UBATCH
from labkit.measuring.engine import Context, Engine
from labkit.measuring.quality_scores import Comparison, TokenScores, score_rows
from labkit.models.gguf import read_gguf_header
from labkit.models.memory_check import require_memory

#: Scores of all models that are in memory at a time, where one chunk does not take more.
_SCORES_BYTES = 512 * 2**20


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Perplexity of each model on the text; each but the first is compared with the first.

    `job`: text, models ({"path", "name"}), n_ctx (tokens of a chunk), most_chunks (or None), threads.
    """
    readers = [_Reader(model, job["threads"]) for model in job["models"]]
    tokens = _tokens(readers, job["text"])
    chunks = _chunks(tokens, job["n_ctx"], job["most_chunks"])
    together = _chunks_at_once(readers, job["n_ctx"], len(chunks))
    for reader in readers:
        reader.open(job["n_ctx"], together, readers[0])
    first = TokenScores(readers[0].name)
    scores = [first, *(Comparison(reader.name, first) for reader in readers[1:])]
    for done in range(0, len(chunks), together):
        report(done, len(chunks), "Reading")
        _read_chunks(readers, chunks[done : done + together], scores)
    return {
        "n_tokens": len(tokens),
        "n_chunks": len(chunks),
        "n_scored": sum(map(len, first.nll)),
        "scores": [each.to_dict() for each in scores],
    }


class _Reader:
    """One model that reads the text."""

    def __init__(self, model: dict[str, str], threads: int) -> None:
        self.name, self._path = model["name"], Path(model["path"])
        self.engine = Engine(self._path, threads=threads)
        llama = self.engine.llama
        adds_bos = llama.llama_vocab_get_add_bos(self.engine.vocab)
        self._bos = llama.llama_vocab_bos(self.engine.vocab) if adds_bos else None
        self._context: Context | None = None

    def open(self, n_ctx: int, sequences: int, first: _Reader) -> None:
        """Makes the context; `first` reads in turns with this one."""
        require_memory(self._path, read_gguf_header(self._path), n_ctx * sequences)
        self._context = self.engine.context(n_ctx, sequences=sequences, beside=first._context)

    def read(self, chunks: list[list[int]], start: int, wanted: int) -> np.ndarray:
        """Reads on in some chunks; the scores after the last `wanted` tokens, (chunks, wanted, n_vocab).

        BOS replaces the first token of a chunk, where the model wants it.
        """
        assert self._context
        if start == 0:
            self._context.clear()
            if self._bos is not None:
                chunks = [[self._bos, *tokens[1:]] for tokens in chunks]
        return self._context.scores(chunks, start, wanted)


def _tokens(readers: list[_Reader], text: str) -> list[int]:
    """The text's tokens, as the first model has them. LabError when another model has others."""
    first = readers[0]
    tokens = first.engine.tokenize(text, special=False)
    if not tokens:
        raise LabError(
            f"{first.name} has no tokenizer, so it can't read text.", "Choose a file with its tokenizer."
        )
    for other in readers[1:]:
        same_size = other.engine.n_vocab == first.engine.n_vocab
        if not same_size or other.engine.tokenize(text, special=False) != tokens:
            raise LabError(
                f"{other.name} and {first.name} cut the text into different tokens: their predictions can't "
                "be compared.",
                "Choose a baseline of the same model, such as its F16 file.",
            )
    return tokens


def _chunks(tokens: list[int], n_ctx: int, most_chunks: int | None) -> list[list[int]]:
    """The text in chunks of `n_ctx` tokens without overlap; what is left over at the end is not read."""
    if len(tokens) < 2 * n_ctx:
        shorter = len(tokens) // 2
        cure = f"Give a longer text, or shorter chunks: `n_ctx={shorter}` (--n-ctx)." if shorter >= 16 else ""
        raise LabError(
            f"The text has {len(tokens):,} tokens for this model, but two chunks of {n_ctx:,} are needed at "
            "least.",
            cure or "Give a longer text.",
        )
    chunks = [tokens[start : start + n_ctx] for start in range(0, len(tokens) - n_ctx + 1, n_ctx)]
    return chunks[:most_chunks]


def _chunks_at_once(readers: list[_Reader], n_ctx: int, n_chunks: int) -> int:
    """How many chunks are read in one call: as many as in `llama-perplexity`, where the memory allows it.

    A token's scores depend a little on what is computed with it, so the same calls give the same figures.
    """
    bytes_each = 4 * len(readers) * readers[0].engine.n_vocab * (n_ctx - n_ctx // 2)
    return max(1, min(N_BATCH // n_ctx, _SCORES_BYTES // bytes_each, n_chunks))


def _read_chunks(readers: list[_Reader], chunks: list[list[int]], scores: list[TokenScores]) -> None:
    """The second half of each chunk is scored: there every token has at least half a chunk before it.

    One chunk alone is read in parts of 512 tokens, as llama.cpp computes it, so that a long one takes no more
    memory than a short one.
    """
    n_ctx = len(chunks[0])
    first, step = n_ctx // 2, n_ctx if len(chunks) > 1 else N_UBATCH
    for start in range(0, n_ctx, step):
        end = min(start + step, n_ctx)
        wanted = max(0, end - max(start, first))
        found = [reader.read([chunk[start:end] for chunk in chunks], start, wanted) for reader in readers]
        for number, chunk in enumerate(chunks):
            targets = np.array(chunk[end - wanted + 1 : end + 1], int)  # none after a chunk's last token
            score_rows(scores, [rows[number, : len(targets)] for rows in found], targets)


if __name__ == "__main__":
    serve_job(measure)
