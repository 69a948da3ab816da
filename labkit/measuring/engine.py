"""llama.cpp's own C functions, as `llama-bench` calls them: load, context, prompt, generation.

`llama_cpp.Llama` adds work of its own to each token (sampling, copies of all scores), which a measurement of
the model must not count. This module is used in a child process only: it may be killed without harm.
"""

from __future__ import annotations

import ctypes
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.estimating.kv_cache import N_BATCH
from labkit.models import native
from labkit.models.buffers import uses_flash_attention
from labkit.models.native import ggml_function

if TYPE_CHECKING:
    import numpy as np


class Engine:
    """One model, loaded as llama-bench loads it.

    Raises LabError when llama.cpp refuses the file, or the model does not write text.
    """

    def __init__(
        self, path: Path, *, threads: int, gpu_layers: int = -1, mmap: bool | None = None, seed: int = 0
    ) -> None:
        self.llama = native.llama()
        self.threads = threads
        self._random = random.Random(seed)
        self._log_start = native.log.mark()
        self.model = native.open_model(path, gpu_layers=gpu_layers, mmap=mmap)
        if not self.model:
            raise LabError(
                f"llama.cpp can't load {path.name}: {_reason(self._log_start)}.",
                "Fetch the file again, or choose another model.",
            )
        has_encoder = self.llama.llama_model_has_encoder(self.model)
        if has_encoder or not self.llama.llama_model_has_decoder(self.model):
            raise LabError(
                f"{path.name} does not write text token by token.",
                "Choose a model that does: an embedding or translation model has no generation speed.",
            )
        self.vocab = self.llama.llama_model_get_vocab(self.model)
        self.n_vocab = self.llama.llama_vocab_n_tokens(self.vocab)
        self.load_log = native.log.since(self._log_start)

    def context(
        self,
        n_ctx: int,
        *,
        kv_type: str = "f16",
        flash_attention: bool | None = None,
        sequences: int = 1,
        beside: Context | None = None,
    ) -> Context:
        """A context of `n_ctx` tokens, its cache stored as `kv_type`. None leaves a choice to llama.cpp.

        It holds so many `sequences`, each of `n_ctx` tokens. `beside` is another context that takes turns
        with this one, so both use the same threads.
        """
        return Context(self, n_ctx, kv_type, flash_attention, sequences, beside)

    def random_tokens(self, n: int) -> list[int]:
        """`n` random token ids, the first one BOS where the model wants it: what llama-bench feeds."""
        tokens = [self._random.randrange(self.n_vocab) for _ in range(n)]
        if self.llama.llama_vocab_get_add_bos(self.vocab):
            tokens[0] = self.llama.llama_vocab_bos(self.vocab)
        return tokens

    def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """Text → token ids, with what the model wants around it; none when its file has no tokenizer.

        `special` reads markers such as `<|im_start|>` as the one token they stand for.
        """
        if self.llama.llama_vocab_type(self.vocab) == self.llama.LLAMA_VOCAB_TYPE_NONE:
            return []
        raw = text.encode("utf-8", errors="replace")
        room = (self.llama.llama_token * (len(raw) + 8))()
        n = self.llama.llama_tokenize(self.vocab, raw, len(raw), room, len(room), True, special)
        return list(room[: max(0, n)])

    def settings(self) -> dict[str, Any]:
        """How llama.cpp resolved what was left to it ("auto"), read from its log."""
        log = native.log.since(self._log_start)
        load_mode = re.findall(r"load_mode = (\w+)", log)
        return {
            "load_mode": load_mode[-1] if load_mode else "",
            "flash_attention": "enabled" if uses_flash_attention(log) else "disabled",
        }

    def close(self) -> None:
        self.llama.llama_model_free(self.model)


class Context:
    """A context of llama.cpp with a thread pool of its own, as llama-bench makes one for each test."""

    def __init__(
        self,
        engine: Engine,
        n_ctx: int,
        kv_type: str,
        flash_attention: bool | None,
        sequences: int = 1,
        beside: Context | None = None,
    ) -> None:
        self.engine = engine
        llama = self.llama = engine.llama
        log_start = native.log.mark()
        self._c = native.open_context(
            engine.model,
            context=n_ctx * sequences,
            parallel=sequences,
            threads=engine.threads,
            type_k=kv_type,
            type_v=kv_type,
            flash_attention=flash_attention,
        )
        self.log = native.log.since(log_start)
        if not self._c:
            raise LabError(
                f"llama.cpp can't make a context of {n_ctx:,} tokens for this model: {_reason(log_start)}.",
                "Choose a shorter context, or a smaller model.",
            )
        self.size: int = llama.llama_n_ctx(self._c)
        self._memory = llama.llama_get_memory(self._c)
        self._pool = beside._pool if beside else _ThreadPool(engine.threads)
        self._owns_pool = beside is None
        self._pool.attach(self._c)
        self.clear()

    def clear(self) -> None:
        """Forget all tokens."""
        self.llama.llama_memory_clear(self._memory, False)

    def prompt_ns(self, tokens: Sequence[int]) -> int:
        """Nanoseconds to process `tokens` in batches of 2048, with the wait for the last one."""
        batches = [self._batch(tokens[i : i + N_BATCH]) for i in range(0, len(tokens), N_BATCH)]
        decode, context = self.llama.llama_decode, self._c
        start = time.perf_counter_ns()
        for batch, _ in batches:
            if status := decode(context, batch):
                raise _decode_failed(status)
        self.llama.llama_synchronize(context)
        return time.perf_counter_ns() - start

    def generate_ns(self, tokens: Sequence[int]) -> int:
        """Nanoseconds to process `tokens` one by one, waiting for each, without sampling."""
        batches = [self._batch([token]) for token in tokens]
        decode, synchronize, context = self.llama.llama_decode, self.llama.llama_synchronize, self._c
        start = time.perf_counter_ns()
        for batch, _ in batches:
            if status := decode(context, batch):
                raise _decode_failed(status)
            synchronize(context)
        return time.perf_counter_ns() - start

    def scores(self, sequences: Sequence[Sequence[int]], start: int, wanted: int) -> np.ndarray:
        """Process tokens of several sequences at once, as many of each, from position `start` on.

        Gives the scores after the last `wanted` tokens of each: float32 (sequences, wanted, n_vocab). It is
        llama.cpp's own memory, which the next call overwrites.
        """
        import numpy as np

        llama, n_each = self.llama, len(sequences[0])
        total = n_each * len(sequences)
        names = [(llama.llama_seq_id * 1)(number) for number in range(len(sequences))]
        batch = llama.llama_batch(
            n_tokens=total,
            token=(llama.llama_token * total)(*[token for tokens in sequences for token in tokens]),
            pos=(llama.llama_pos * total)(*[*range(start, start + n_each)] * len(sequences)),
            n_seq_id=(ctypes.c_int32 * total)(*[1] * total),
            seq_id=(ctypes.POINTER(llama.llama_seq_id) * total)(
                *[name for name in names for _ in range(n_each)]
            ),
            logits=(ctypes.c_int8 * total)(*[*[0] * (n_each - wanted), *[1] * wanted] * len(sequences)),
        )
        if status := llama.llama_decode(self._c, batch):
            raise _decode_failed(status)
        if not wanted:
            return np.empty((len(sequences), 0, self.engine.n_vocab), np.float32)
        found = llama.llama_get_logits(self._c)
        if not found:
            raise LabError("This model gives no scores for tokens.", "Choose a model that writes text.")
        return np.ctypeslib.as_array(found, shape=(len(sequences), wanted, self.engine.n_vocab))

    def most_likely_next(self) -> int:
        """The token with the highest score after the last one processed."""
        sampler = self.llama.llama_sampler_init_greedy()
        try:
            return self.llama.llama_sampler_sample(sampler, self._c, -1)
        finally:
            self.llama.llama_sampler_free(sampler)

    def close(self) -> None:
        self.llama.llama_free(self._c)
        if self._owns_pool:
            self._pool.close()

    def _batch(self, tokens: Sequence[int]) -> tuple[Any, Any]:
        """A batch, and the array that it points into: both must live until it is processed."""
        array = (self.llama.llama_token * len(tokens))(*tokens)
        return self.llama.llama_batch_get_one(array, len(tokens)), array


class _ThreadPool:
    """ggml's thread pool, made once. Without one, builds that lack OpenMP start threads for every token.

    llama-cpp-python does not wrap these functions, so they are called through ctypes; where they are missing,
    this does nothing.
    """

    def __init__(self, threads: int) -> None:
        self._pool = None
        self._attach = ggml_function("llama_attach_threadpool")
        make, self._free = ggml_function("ggml_threadpool_new"), ggml_function("ggml_threadpool_free")
        fill = ggml_function("ggml_threadpool_params_init")
        if None in (self._attach, make, self._free, fill):
            return
        # The struct ggml_threadpool_params: a mask of 512 bytes and five numbers. ggml fills it itself, so
        # only its size matters here, and this is more than enough.
        params = ctypes.create_string_buffer(8192)
        fill.argtypes, fill.restype = [ctypes.c_void_p, ctypes.c_int], None
        fill(params, threads)
        make.argtypes, make.restype = [ctypes.c_void_p], ctypes.c_void_p
        self._free.argtypes, self._free.restype = [ctypes.c_void_p], None
        self._pool = make(params)

    def attach(self, context: Any) -> None:
        if self._pool:
            self._attach.argtypes, self._attach.restype = [ctypes.c_void_p] * 3, None
            self._attach(context, self._pool, None)

    def close(self) -> None:
        if self._pool:
            self._free(self._pool)
            self._pool = None


def _reason(log_mark: int) -> str:
    return native.log.reason(log_mark) or "it gave no reason"


def _decode_failed(status: int) -> LabError:
    if status == 1:
        return LabError(
            "The tokens do not fit the context.",
            "Choose a longer context, or a shorter prompt and generation.",
        )
    return LabError(
        f"llama.cpp could not process the tokens (its status: {status}).",
        "The file may be damaged. Fetch it again, or choose another model.",
    )
