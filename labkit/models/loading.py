"""Loading a model and using it. Taught in chapter 19.

Everything goes through llama.cpp's own functions, with the convention of its own tools: no full-size cache
for sliding windows, flash attention as llama.cpp decides, threads from what this process may use. Whatever
would crash the kernel (a closed model, a prompt that is too long, a context that does not fit, a damaged
file) raises a LabError instead.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labkit.errors import LabError
from labkit.limits import default_threads
from labkit.models import embedded, native
from labkit.models.buffers import parse_buffers
from labkit.models.catalogue import catalogue
from labkit.models.child_check import check_in_child
from labkit.models.gguf import GGUFHeader, read_gguf_header
from labkit.models.memory_check import require_memory
from labkit.models.model_file import ModelFile
from labkit.models.trust import file_sha256, is_known_to_load, remember_loads
from labkit.units import format_bytes, format_count

if TYPE_CHECKING:
    import numpy as np

    from labkit.models.generation import Generation

__all__ = ["Model", "NextToken", "close_all_models", "load_model"]

_open_models: weakref.WeakSet[Model] = weakref.WeakSet()
_BATCH = 512


@dataclass(frozen=True)
class NextToken:
    """One candidate for the next token: its text, and its probability from 0 to 1."""

    piece: str
    probability: float
    token: int


#: Parameters. The threads of a smaller model wait for each other longer than they compute: on busy cores two
#: were seen to take five times as long as one.
_TINY = 10_000_000


def load_model(
    model: ModelFile | str | Path,
    *,
    context: int = 2048,
    threads: int | None = None,
    gpu_layers: int | None = None,
) -> Model:
    """Loads a model into memory.

    Parameters
    ----------
    model : what `fetch`, `get_model` or `local_model` returned; or a catalogue name; or a GGUF file's path.
    context : tokens that fit into its memory, prompt and answer together.
    threads : None for one per physical core that this process may use; for a model of fewer than 10 million
        parameters, a single one.
    gpu_layers : layers on the GPU; None lets llama.cpp decide.

    A file whose hash is not in the catalogue is first tried in a process of its own. Raises LabError when it
    cannot be loaded, with llama.cpp's own reason, or when the context does not fit into memory.
    """
    file = as_model_file(model)
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise LabError(
            f"A context of {context!r} tokens is not possible.", "Give a whole number, such as 2048."
        )
    if threads is not None and threads < 1:
        raise LabError(f"{threads} threads are not possible.", "Give a whole number from 1 up, or None.")
    header = read_gguf_header(file.path)
    _require_trust(file, gpu_layers)
    n_threads = threads or (1 if header.n_parameters < _TINY else default_threads())
    require_memory(file.path, header, context)
    return Model(file, header, context=context, threads=n_threads, gpu_layers=gpu_layers)


def close_all_models() -> str:
    """Closes every model that is open in this process. Returns what was closed, in words."""
    models = [model for model in list(_open_models) if not model.closed]
    for model in models:
        model.close()
    if not models:
        return "No model was open."
    names = ", ".join(sorted({model.file.label for model in models}))
    return f"Closed {len(models)} model{'s' if len(models) > 1 else ''}: {names}."


class Model:
    """A loaded model. Made by `load_model`; use it in a `with` block, or call `close` to free its memory.

    Attributes
    ----------
    file : the ModelFile it was loaded from.
    header : what its GGUF header says.
    context : tokens that fit (llama.cpp rounds up to a multiple of 256).
    threads : threads used.
    buffers : bytes of memory by purpose: `model_bytes`, `kv_bytes`, `compute_bytes`, `output_bytes`.
    log : what llama.cpp wrote while loading.
    notes : sentences on what to know about this model here.
    """

    def __init__(
        self, file: ModelFile, header: GGUFHeader, *, context: int, threads: int, gpu_layers: int | None
    ) -> None:
        self._model_p: Any = None
        self._ctx_p: Any = None
        self._lock = threading.RLock()
        self._lib = native.llama()
        self.file, self.header, self.threads = file, header, threads
        mark = native.log.mark()
        self._model_p = native.open_model(file.path, gpu_layers=gpu_layers)
        if self._model_p is None:
            raise LabError(
                f"llama.cpp refuses {file.path.name}: {native.log.reason(mark) or 'it gives no reason'}.",
                "Download the file again, or choose another one.",
            )
        self._ctx_p = native.open_context(self._model_p, context=context, threads=threads)
        if self._ctx_p is None:
            reason = native.log.reason(mark)
            self.close()
            raise LabError(
                f"llama.cpp makes no context of {context:,} tokens for {file.path.name}: "
                f"{reason or 'it gives no reason'}.",
                "Ask for a shorter context, or choose a smaller model.",
            )
        self._vocab = self._lib.llama_model_get_vocab(self._model_p)
        self.n_vocab: int = self._lib.llama_vocab_n_tokens(self._vocab)
        self.context: int = self._lib.llama_n_ctx(self._ctx_p)
        self.log = native.log.since(mark)
        self.buffers = parse_buffers(self.log)
        self.notes = self._make_notes()
        _open_models.add(self)

    @property
    def closed(self) -> bool:
        return self._model_p is None

    @property
    def model_p(self) -> Any:
        """llama.cpp's pointer to the model. LabError when the model is closed."""
        self._require_open()
        return self._model_p

    @property
    def ctx_p(self) -> Any:
        """llama.cpp's pointer to the context. LabError when the model is closed."""
        self._require_open()
        return self._ctx_p

    def close(self) -> None:
        """Frees the memory. Closing twice does no harm."""
        with self._lock:
            if self._ctx_p is not None:
                self._lib.llama_free(self._ctx_p)
            if self._model_p is not None:
                self._lib.llama_model_free(self._model_p)
            self._ctx_p = self._model_p = None

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_lock", None) is not None and getattr(self, "_lib", None) is not None:
            self.close()

    def tokenize(self, text: str, *, special: bool = False, bos: bool = False) -> list[int]:
        """Text → token ids.

        `special` reads markers such as `<|im_start|>` as the one token they stand for; `bos` puts the token
        in front that the model's file asks for, if any. Raises LabError when the file has no tokenizer.
        """
        with self._lock:
            self._require_open()
            if self._lib.llama_vocab_type(self._vocab) == self._lib.LLAMA_VOCAB_TYPE_NONE:
                raise LabError(
                    f"{self.file.name} has no tokenizer, so it can't read text.",
                    "Measure its speed with `lk.bench`, or load another model.",
                )
            raw = text.encode("utf-8", errors="replace")
            room = len(raw) + 16
            for _ in range(2):
                tokens = (self._lib.llama_token * room)()
                n = self._lib.llama_tokenize(self._vocab, raw, len(raw), tokens, room, bos, special)
                if n >= 0:
                    return list(tokens[:n])
                room = -n
            raise LabError("The tokenizer of this model failed on the text.", "Choose another model.")

    def piece_bytes(self, token: int) -> bytes:
        """One token as bytes; a token may hold only part of a character."""
        with self._lock:
            self._require_open()
            if not 0 <= token < self.n_vocab:
                raise LabError(f"There is no token {token}.", f"Token ids go from 0 to {self.n_vocab - 1:,}.")
            room = 64
            for _ in range(2):
                buffer = ctypes.create_string_buffer(room)
                n = self._lib.llama_token_to_piece(self._vocab, token, buffer, room, 0, True)
                if n >= 0:
                    return buffer.raw[:n]
                room = -n
            return b""

    def pieces(self, text: str) -> list[str]:
        """The text cut into its tokens, each as text (`�` where a character spans two tokens)."""
        return [self.piece_bytes(token).decode("utf-8", errors="replace") for token in self.tokenize(text)]

    def next_token(self, text: str, top: int = 10) -> list[NextToken]:
        """The `top` most probable next tokens after `text`, most probable first. Taught on the start page."""
        from labkit.models.generation import probabilities

        with self._lock:
            tokens = self.prompt_tokens(text)
            shares = probabilities(self.logits_after(tokens))
            best = shares.argsort()[::-1][: max(1, top)]
            return [
                NextToken(self.piece_bytes(int(t)).decode("utf-8", "replace"), float(shares[t]), int(t))
                for t in best
            ]

    def generate(
        self,
        prompt: str,
        max_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        chat: bool = True,
        special: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Generation:
        """Writes an answer to `prompt`.

        Parameters
        ----------
        max_tokens : at most so many tokens.
        temperature : 0 always takes the most probable token (the same answer each time); more is more random.
        seed : start of the random numbers for temperatures above 0.
        chat : puts the prompt into the model's chat template; a model without one goes on with the text.
        special : reads markers such as `<|im_start|>` in the prompt as the one token they stand for, as
            `chat` does; for a prompt that already is in the template's form.
        on_text : called with each new piece of text.

        Raises LabError when the prompt is too long for the context, or the model is closed.
        """
        from labkit.models.generation import generate

        with self._lock:
            self._require_open()
            return generate(
                self,
                prompt,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                chat=chat,
                special=special,
                on_text=on_text,
            )

    def prompt_tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a prompt as the model wants them, at least one. LabError when they do not fit."""
        tokens = self.tokenize(text, special=special, bos=True)
        bos = self._lib.llama_vocab_bos(self._vocab)
        if tokens[:2] == [bos, bos]:  # the chat template wrote it too
            tokens = tokens[1:]
        if not tokens:
            tokens = [bos if 0 <= bos < self.n_vocab else 0]
        if len(tokens) >= self.context:
            raise LabError(
                f"The prompt has {len(tokens):,} tokens, but the context holds {self.context:,}, prompt and "
                "answer together.",
                f"Shorten the prompt, or load the model with `context={2 * len(tokens)}`.",
            )
        return tokens

    def logits_after(self, tokens: Sequence[int]) -> np.ndarray:
        """Scores of every next token after `tokens`, from an empty context: float32 (n_vocab,)."""
        with self._lock:
            self._require_open()
            self._lib.llama_memory_clear(self._lib.llama_get_memory(self._ctx_p), True)
            for start in range(0, len(tokens), _BATCH):
                self.decode(tokens[start : start + _BATCH])
            return self.logits()

    def decode(self, tokens: Sequence[int]) -> None:
        """Processes `tokens` after those that are there. Raises LabError when llama.cpp refuses."""
        mark = native.log.mark()
        array = (self._lib.llama_token * len(tokens))(*tokens)
        status = self._lib.llama_decode(self.ctx_p, self._lib.llama_batch_get_one(array, len(tokens)))
        if status == 1:
            raise LabError(
                "The context is full.", "Ask for fewer tokens, or load the model with a longer context."
            )
        if status:
            reason = native.log.reason(mark) or f"status {status}"
            raise LabError(f"llama.cpp could not process the tokens: {reason}.", "Load the model again.")

    def logits(self) -> np.ndarray:
        """Scores for the token after the last one processed: a copy, float32 (n_vocab,)."""
        import numpy as np

        scores = self._lib.llama_get_logits_ith(self.ctx_p, -1)
        return np.ctypeslib.as_array(scores, shape=(self.n_vocab,)).copy()

    def is_end(self, token: int) -> bool:
        """True for a token that ends an answer."""
        self._require_open()
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.context:,} tokens of context, {self.threads} threads"
        lines = [f"{self.file.label}: {state}"]
        if not self.closed:
            names = {"model_bytes": "model", "kv_bytes": "KV cache", "compute_bytes": "computation"}
            sizes = ", ".join(f"{label} {format_bytes(self.buffers[key])}" for key, label in names.items())
            lines.append(f"{format_count(self.header.n_parameters)} parameters; memory: {sizes}")
        return "\n".join(lines + self.notes)

    def _make_notes(self) -> list[str]:
        notes = [self.file.notice] if self.file.notice else []
        trained = self._lib.llama_model_n_ctx_train(self._model_p)
        if 0 < trained < self.context:
            notes.append(f"This model was trained on {trained:,} tokens; beyond that its answers fall apart.")
        if self._lib.llama_vocab_type(self._vocab) == self._lib.LLAMA_VOCAB_TYPE_NONE:
            notes.append("This file has no tokenizer: its speed can be measured, but it reads no text.")
        elif not self.header.has_chat_template:
            notes.append(
                "This file has no chat template: the model goes on with your text, and does not answer."
            )
        return notes

    def _require_open(self) -> None:
        if self._model_p is None:
            raise LabError(
                f"The model {self.file.name} is closed.", "Load it again: `model = lk.load_model(...)`."
            )


def as_model_file(model: ModelFile | str | Path) -> ModelFile:
    """The verified file of a ModelFile, a catalogue name or a path. Raises LabError when there is none."""
    from labkit.models.download import fetch, local_model

    if isinstance(model, ModelFile):
        return model
    if isinstance(model, str):
        looks_like_path = model.endswith(".gguf") or "/" in model or "\\" in model or Path(model).exists()
        return local_model(model) if looks_like_path else fetch(model)
    if isinstance(model, Path):
        return local_model(model)
    raise LabError(
        f"{type(model).__name__} is not a model.",
        "Give what `lk.get_model()` returned, a catalogue name, or a path.",
    )


def _require_trust(file: ModelFile, gpu_layers: int | None) -> None:
    """Hashes the file as it is now; an unknown one must first pass in a process of its own."""
    try:
        sha256 = file_sha256(file.path)
    except OSError as error:
        raise LabError(
            f"{file.path} cannot be read: {error.strerror or error}.", "Fetch it again."
        ) from error
    if file.sha256 and sha256 != file.sha256:
        raise LabError(
            f"{file.path.name} has changed since it was checked: its SHA-256 is another one now.",
            "Fetch it again, or call `lk.local_model(path)` if you changed it yourself.",
        )
    if embedded.is_embedded(sha256) or any(sha256 == entry.sha256 for entry in catalogue()):
        return
    engine = native.engine_name()
    if not is_known_to_load(file.path, sha256, engine):
        check_in_child(file.path, gpu_layers=gpu_layers)
        remember_loads(file.path, sha256, engine)
