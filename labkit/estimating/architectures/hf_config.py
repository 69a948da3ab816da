"""Reads the keys of a Hugging Face `config.json`, and says in a sentence what is wrong with one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.hf_defaults import AUTO
from labkit.estimating.hyperparameters import MOST_EXPERTS, MOST_LAYERS

#: sizes are 32-bit numbers in a GGUF file and in llama.cpp
_MOST = 2**31 - 1

_CURE = "Check config.json against the model's page, or give a GGUF file of the model."
_REQUIRED: Any = object()


class HFConfig:
    """The keys of one language model, with the values that Hugging Face's class assumes where one is missing.

    A key that is there with the value null has no value, whatever the class assumes. Every reader raises
    LabError for a value of another kind.
    """

    def __init__(self, values: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> None:
        self._values = values
        self._defaults = defaults or {}

    def with_keys(self, keys: Mapping[str, Any]) -> HFConfig:
        """The same with these keys over its own."""
        return HFConfig({**self._values, **keys}, self._defaults)

    def get(self, *keys: str) -> Any:
        """The value of the first of these keys that has one, else the class's default, else None."""
        stated = [self._values[key] for key in keys if key in self._values]
        if not stated:
            stated = [self._defaults[key] for key in keys if key in self._defaults]
        return next((value for value in stated if value is not None), None)

    def integer(self, *keys: str, default: Any = _REQUIRED, least: int = 1, most: int = _MOST) -> Any:
        """A whole number from `least` to `most` under the first of these keys that has a value."""
        value = self.get(*keys)
        if value is None and default is not _REQUIRED:
            return default
        self._demand(value, keys[0], isinstance(value, int) and not isinstance(value, bool), "a whole number")
        if not least <= value <= most:
            raise LabError(
                f"config.json says {keys[0]} = {shown(value)}; it must lie between {least} and {most:,}.",
                _CURE,
            )
        return value

    def integer_of_all_layers(self, *keys: str) -> int:
        """A whole number, also where it stands in a list, once for each layer."""
        value = self.get(*keys)
        if isinstance(value, list | tuple) and value and all(entry == value[0] for entry in value):
            return HFConfig({keys[0]: value[0]}).integer(keys[0])
        return self.integer(*keys)

    def number(self, *keys: str, default: Any = _REQUIRED, above: float = -math.inf) -> Any:
        """A finite number greater than `above`, as a float."""
        value = self.get(*keys)
        if value is None and default is not _REQUIRED:
            return default
        return finite(value, keys[0], above)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self.get(key)
        if value is None:
            return default
        self._demand(value, key, isinstance(value, bool), "true or false")
        return value

    def text(self, *keys: str, default: str = "") -> str:
        """A string."""
        value = self.get(*keys)
        if value is None:
            return default
        self._demand(value, keys[0], isinstance(value, str), "text")
        return value

    def table(self, *keys: str) -> Mapping[str, Any]:
        """An object; empty when it is missing."""
        value = self.get(*keys)
        if value is None:
            return {}
        self._demand(value, keys[0], isinstance(value, Mapping), "an object with keys")
        return value

    def per_layer(self, key: str) -> Sequence[Any] | None:
        """A list with one entry for each layer, longer ones cut; None when it is missing."""
        value = self.get(key)
        if value is None:
            return None
        self._demand(value, key, isinstance(value, Sequence) and not isinstance(value, str), "a list")
        if len(value) < self.n_layers:
            raise LabError(
                f"config.json lists {len(value)} {key} for {self.n_layers} layers.",
                _CURE,
            )
        return value[: self.n_layers]

    @staticmethod
    def _demand(value: Any, key: str, fits: bool, kind: str) -> None:
        if value is None:
            raise LabError(f"config.json has no {key}.", _CURE)
        if not fits:
            raise LabError(f"config.json says {key} = {shown(value)}, which is not {kind}.", _CURE)

    # The names that nearly all classes share. Source: the configuration classes of transformers.

    @property
    def n_layers(self) -> int:
        return self.integer("num_hidden_layers", "n_layer", "n_layers", "num_layers", most=MOST_LAYERS)

    @property
    def n_embd(self) -> int:
        return self.integer("hidden_size", "n_embd", "d_model")

    @property
    def n_heads(self) -> int:
        return self.integer("num_attention_heads", "n_head", "n_heads")

    @property
    def n_kv_heads(self) -> int:
        """Key/value heads: as many as query heads where the key is missing."""
        n_heads = self.n_heads
        n_kv_heads = self.integer("num_key_value_heads", default=n_heads)
        if n_heads % n_kv_heads and "num_key_value_heads" not in self._values:
            return n_heads  # the class's default was made for another number of heads
        if n_heads % n_kv_heads:
            raise LabError(
                f"config.json says {n_heads} attention heads and {n_kv_heads} key/value heads: "
                "the first must be a multiple of the second.",
                _CURE,
            )
        return n_kv_heads

    @property
    def head_dim(self) -> int:
        """Length of one head: hidden_size / num_attention_heads where the key is missing."""
        if self.states_head_dim and self.get("head_dim") != AUTO:
            head_dim = self.integer("head_dim")
        else:
            if self.n_embd % self.n_heads:
                raise LabError(
                    f"config.json says hidden_size = {self.n_embd} and {self.n_heads} attention heads: "
                    "they don't divide, and there is no head_dim.",
                    _CURE,
                )
            head_dim = self.n_embd // self.n_heads
        if head_dim % 2:
            raise LabError(
                f"The heads of this config.json are {head_dim} long; rotary positions need an even length.",
                _CURE,
            )
        return head_dim

    @property
    def states_head_dim(self) -> bool:
        """Does Hugging Face's class have a `head_dim`? Then the converter writes it down."""
        return self.get("head_dim") is not None

    @property
    def n_ff(self) -> int:
        """Width of a dense FFN."""
        return self.integer("intermediate_size")

    @property
    def context_length(self) -> int:
        return self.integer("max_position_embeddings", "n_positions", "n_ctx")

    @property
    def n_vocab(self) -> int:
        return self.integer("vocab_size")

    @property
    def n_experts(self) -> int:
        """Routed experts in a layer; 0 for a dense model."""
        return self.integer(
            *("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
            default=0,
            least=0,
            most=MOST_EXPERTS,
        )

    @property
    def n_experts_used(self) -> int:
        """Routed experts that a token uses."""
        used = self.integer_of_all_layers(
            "num_experts_per_tok",
            "num_experts_per_token",
            "experts_per_token",
            "moe_k",
            "moe_topk",
            "top_k_experts",
        )
        if used > self.n_experts:
            raise LabError(
                f"config.json says that each token uses {used} of {self.n_experts} experts.",
                _CURE,
            )
        return used


def finite(value: Any, key: str, above: float = -math.inf) -> float:
    """`value` as a float. Raises LabError, naming `key`, when it is no finite number above `above`."""
    if value is None:
        raise LabError(f"config.json has no {key}.", _CURE)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise LabError(f"config.json says {key} = {shown(value)}, which is not a finite number.", _CURE)
    if number <= above:
        raise LabError(f"config.json says {key} = {shown(value)}; it must be more than {above:g}.", _CURE)
    return number


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: short, whatever it is."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    return f"{value!r:.40}"
