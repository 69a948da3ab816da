"""Many prompts at once: greedy answers, and how likely given continuations are. Taught in chapter 12.

One prompt of a small model leaves most of a processor idle. Here the prompts go through llama.cpp side by
side, each as a sequence with a cache of its own, so that two hundred short questions take a few seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.models import native

if TYPE_CHECKING:
    import numpy as np

    from labkit.models.loading import Model

#: tokens of one call of llama_decode, llama.cpp's own limit by default
_BATCH = 2048
_MOST_AT_ONCE = 32
#: tokens that all caches together may hold
_CELLS = 16_384
#: llama.cpp rounds the length of a cache up to a multiple of this
_CELLS_STEP = 256

OnDone = Callable[[int], None]


@dataclass
class _Sequence:
    """One prompt on its way: what has been read, and what has been written."""

    index: int
    prompt: Sequence[int]
    max_tokens: int
    written: list[int] = field(default_factory=list)
    ended: bool = False

    @property
    def cells(self) -> int:
        return len(self.prompt) + self.max_tokens


@dataclass(frozen=True)
class Written:
    """What a model wrote after a prompt. `ended`: it ended by itself, and was not cut off."""

    text: str
    ended: bool


def answer_all(
    model: Model,
    prompts: Sequence[Sequence[int]],
    max_tokens: Sequence[int],
    *,
    on_done: OnDone | None = None,
) -> list[str]:
    """The texts of `write_all`."""
    return [written.text for written in write_all(model, prompts, max_tokens, on_done=on_done)]


def write_all(
    model: Model,
    prompts: Sequence[Sequence[int]],
    max_tokens: Sequence[int],
    *,
    on_done: OnDone | None = None,
) -> list[Written]:
    """The most probable answer to each prompt, token by token.

    Parameters
    ----------
    prompts : token ids of each prompt, at least one; `Model.prompt_tokens` makes them.
    max_tokens : of each answer, at least 1.
    on_done : called with the number of prompts that are answered.

    An answer ends where the model ends it. Raises LabError when a prompt and its answer exceed the model's
    context.
    """
    answers = [Written("", False)] * len(prompts)
    done = 0
    for group in _groups(model, prompts, max_tokens):
        cells = max(map(_room, group)) * len(group)
        with _context(model, cells, sequences=len(group), shared=False) as run:
            _answer_group(model, run, group)
        for sequence in group:
            raw = b"".join(model.piece_bytes(token) for token in sequence.written)
            answers[sequence.index] = Written(raw.decode("utf-8", errors="replace"), sequence.ended)
        done += len(group)
        if on_done:
            on_done(done)
    return answers


def log_probabilities(
    model: Model, prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """The natural logarithm of the probability of each continuation after `prompt`: the sum over its tokens.

    The prompt, at least one token, is read once. Raises LabError when something has no tokens, or the prompt
    and a continuation exceed the model's context.
    """
    if not prompt or not all(continuations):
        raise LabError("The prompt or a continuation has no tokens.", "Give at least one token each.")
    totals: list[float] = []
    for start in range(0, len(continuations), _MOST_AT_ONCE):
        group = continuations[start : start + _MOST_AT_ONCE]
        for continuation in group:
            _require_room(model, len(prompt), len(continuation))
        totals += _log_probabilities_of_group(model, prompt, group)
    return totals


def _log_probabilities_of_group(
    model: Model, prompt: Sequence[int], group: Sequence[Sequence[int]]
) -> list[float]:
    cells = len(prompt) + sum(map(len, group))
    with _context(model, cells, sequences=len(group), shared=True) as run:
        after_prompt = run.decode([(token, at, 0, at + 1 == len(prompt)) for at, token in enumerate(prompt)])
        run.copy_first_to_all(len(group))
        rows = iter(
            run.decode(
                [
                    (token, len(prompt) + at, number, True)
                    for number, continuation in enumerate(group)
                    for at, token in enumerate(continuation[:-1])
                ]
            )
        )
        return [
            _log_share(after_prompt[0], continuation[0])
            + sum(_log_share(next(rows), token) for token in continuation[1:])
            for continuation in group
        ]


def _log_share(logits: np.ndarray, token: int) -> float:
    """The logarithm of a token's probability, from the scores of all, (n_vocab,)."""
    import numpy as np

    scores = logits.astype(np.float64)
    highest = scores.max()
    return float(scores[token] - highest - np.log(np.exp(scores - highest).sum()))


def _groups(
    model: Model, prompts: Sequence[Sequence[int]], max_tokens: Sequence[int]
) -> Iterator[list[_Sequence]]:
    """Prompts of like length together, as many as the caches may hold; the shortest first."""
    waiting = [
        _Sequence(index, prompt, limit)
        for index, (prompt, limit) in enumerate(zip(prompts, max_tokens, strict=True))
    ]
    for sequence in waiting:
        if not sequence.prompt or sequence.max_tokens < 1:
            raise LabError("A prompt has no tokens, or its answer none.", "Give at least one token each.")
        _require_room(model, len(sequence.prompt), sequence.max_tokens)
    waiting.sort(key=lambda sequence: sequence.cells)
    group: list[_Sequence] = []
    for sequence in waiting:
        if group and (len(group) == _MOST_AT_ONCE or (len(group) + 1) * _room(sequence) > _CELLS):
            yield group
            group = []
        group.append(sequence)
    if group:
        yield group


def _require_room(model: Model, prompt: int, answer: int) -> None:
    if prompt + answer > model.context:
        raise LabError(
            f"A prompt of {prompt:,} tokens and an answer of {answer:,} do not fit into a context of "
            f"{model.context:,}.",
            f"Load the model with `context={prompt + answer}` or more, or shorten the prompt.",
        )


def _room(sequence: _Sequence) -> int:
    return -(-sequence.cells // _CELLS_STEP) * _CELLS_STEP


@contextlib.contextmanager
def _context(model: Model, cells: int, *, sequences: int, shared: bool) -> Iterator[_Run]:
    """A context for `cells` tokens in all; it is freed in the end. `shared`: the sequences have one cache."""
    lib = native.llama()
    mark = native.log.mark()
    ctx_p = native.open_context(
        model.model_p, context=cells, threads=model.threads, parallel=sequences, kv_unified=shared
    )
    if ctx_p is None:
        raise LabError(
            f"llama.cpp makes no context for {sequences} prompts at once: "
            f"{native.log.reason(mark) or 'it gives no reason'}.",
            "Close other models and programs, then run it again.",
        )
    batch = lib.llama_batch_init(_BATCH, 0, 1)
    try:
        yield _Run(lib, ctx_p, batch, model.n_vocab)
    finally:
        lib.llama_batch_free(batch)
        lib.llama_free(ctx_p)


@dataclass
class _Run:
    """llama.cpp's context, and the batch that is filled again and again."""

    lib: Any
    ctx_p: Any
    batch: Any
    n_vocab: int

    def decode(self, entries: Sequence[tuple[int, int, int, bool]]) -> list[np.ndarray]:
        """Processes (token, position, sequence, scores wanted?); returns the scores, (n_vocab,) each."""
        import numpy as np

        rows: list[np.ndarray] = []
        for start in range(0, len(entries), _BATCH):
            part = entries[start : start + _BATCH]
            batch = self.batch
            batch.n_tokens = len(part)
            for i, (token, position, sequence, wanted) in enumerate(part):
                batch.token[i], batch.pos[i] = token, position
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
                batch.logits[i] = wanted
            mark = native.log.mark()
            if status := self.lib.llama_decode(self.ctx_p, batch):
                reason = native.log.reason(mark) or f"status {status}"
                raise LabError(f"llama.cpp could not process the prompts: {reason}.", "Load the model again.")
            for i, entry in enumerate(part):
                if entry[3]:
                    scores = self.lib.llama_get_logits_ith(self.ctx_p, i)
                    rows.append(np.ctypeslib.as_array(scores, shape=(self.n_vocab,)).copy())
        return rows

    def copy_first_to_all(self, sequences: int) -> None:
        """What the first sequence has read, the others now have read too."""
        memory = self.lib.llama_get_memory(self.ctx_p)
        for number in range(1, sequences):
            self.lib.llama_memory_seq_cp(memory, 0, number, -1, -1)


def _answer_group(model: Model, run: _Run, group: list[_Sequence]) -> None:
    """Reads all prompts, then writes one token of each answer at a time until all have ended."""
    entries = [
        (token, at, number, at == len(sequence.prompt) - 1)
        for number, sequence in enumerate(group)
        for at, token in enumerate(sequence.prompt)
    ]
    writing = list(enumerate(group))
    while writing:
        rows = run.decode(entries)
        entries, still = [], []
        for (number, sequence), logits in zip(writing, rows, strict=True):
            token = int(logits.argmax())
            if model.is_end(token):
                sequence.ended = True
                continue
            sequence.written.append(token)
            if len(sequence.written) < sequence.max_tokens:
                entries.append((token, len(sequence.prompt) + len(sequence.written) - 1, number, True))
                still.append((number, sequence))
        writing = still
