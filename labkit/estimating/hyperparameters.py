"""The numbers that fix a model's shape, under the names that GGUF gives them. Taught in chapters 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from labkit.errors import LabError

#: llama.cpp's own limits: LLAMA_MAX_LAYERS and LLAMA_MAX_EXPERTS in src/llama-hparams.h. A damaged file may
#: claim four thousand million.
MOST_LAYERS = 512
MOST_EXPERTS = 1024


class Hyperparameters:
    """What `metadata` says about the shape of a model: keys as in GGUF, such as `llama.block_count`.

    The properties raise LabError when a key is missing or has a value of another kind.
    """

    metadata: Mapping[str, Any]
    #: how sentences begin that tell what is wrong, and the cure
    _what: ClassVar[str] = "The model's description"
    _cure: ClassVar[str] = "Check the file, or choose another model."

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture, such as `"llama"` or `"gemma3"`."""
        name = self.metadata.get("general.architecture")
        if not isinstance(name, str) or not name:
            raise LabError(f"{self._what} does not say which architecture its model has.", self._cure)
        return name

    @property
    def n_layers(self) -> int:
        return self.number("block_count")

    @property
    def n_embd(self) -> int:
        """Width of the residual stream."""
        return self.number("embedding_length")

    @property
    def n_heads(self) -> int:
        """Query heads; the most in any layer where layers differ."""
        return max(self.per_layer("attention.head_count"))

    @property
    def n_kv_heads(self) -> int:
        """Key/value heads; the most in any layer where layers differ."""
        return max(self.per_layer("attention.head_count_kv", default=self.n_heads))

    @property
    def head_dim(self) -> int:
        """Length of one head's key vector."""
        return self.number("attention.key_length", default=self.n_embd // max(1, self.n_heads))

    @property
    def context_length(self) -> int:
        """Tokens that the model was trained to look back on."""
        return self.number("context_length")

    @property
    def vocabulary_size(self) -> int:
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, Sequence) and not isinstance(tokens, str):
            return len(tokens)
        return self.number("vocab_size")

    def number(self, key: str, default: int | None = None) -> int:
        """The whole number under `{architecture}.{key}`."""
        full_key = f"{self.architecture}.{key}"
        value = self.metadata.get(full_key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        what = "has no" if value is None else f"has an odd value ({value!r:.40}) for"
        raise LabError(f"{self._what} {what} {full_key}.", self._cure)

    def per_layer(self, key: str, default: int | None = None) -> list[int]:
        """The whole numbers under `{architecture}.{key}`, one per layer; files store one or a list."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(value, Sequence) or isinstance(value, str):
            return [self.number(key, default)] * max(1, min(self.n_layers, MOST_LAYERS))
        numbers = list(value)
        if not numbers or not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise LabError(f"{self._what} has an odd list for {self.architecture}.{key}.", self._cure)
        return numbers
