"""Bytes of the KV cache, as llama.cpp allocates it. Taught in chapter 6.

For every token in the context, every layer that attends keeps one key vector and one value vector for each of
its key/value heads:

    bytes = sum over layers of  cells · n_kv_heads · (key_dim · bytes_k + value_dim · bytes_v)

* cells: the context, rounded up to 256. A layer whose window slides holds the window and one batch more.
* Multi-head latent attention (DeepSeek) keeps one compressed vector for all heads, and no values.
* Recurrent layers keep a state of fixed size for each sequence.

Source: `create_memory` in src/llama-model.cpp, src/llama-kv-cache*.cpp and src/llama-memory-*.cpp in the
llama.cpp of llama-cpp-python 0.3.36. Tests compare the figures with what that library reports.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME
from labkit.estimating.gguf_types import TensorType
from labkit.estimating.hyperparameters import MOST_LAYERS, Hyperparameters
from labkit.estimating.recurrent_state import RECURRENT, recurrent_layers, state_bytes_per_layer
from labkit.estimating.sliding_window import layer_windows

#: what llama.cpp's tools take for the cache: `--cache-type-k`, `--cache-type-v`
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")

#: tokens that llama.cpp's tools take at once, and compute at once
N_BATCH, N_UBATCH = 2048, 512

#: llama.cpp rounds the cells of a cache up to a multiple of this
_PADDING = 256
_MOST_SEQUENCES = 256

#: they write no text token by token, so they keep nothing
_WITHOUT_CACHE = frozenset(
    [
        "bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "eurobert",
        "modern-bert",
        "gemma-embedding",
        "wavtokenizer-dec",
        "dream",
        "llada",
        "llada-moe",
        "rnd1",
    ]
)
#: caches of kinds of their own
_UNKNOWN = frozenset(
    [
        "minimax-m3",
        "glm5-next",
        "hy_v4",
        "dots3note",
        "deepseek4",
        "dflash",
        "gemma4-assistant",
        "qwen4exp",
        "kimi-k3",
        "graniteswitch",
        "t5",
        "t5encoder",
    ]
)
#: a second cache beside the first: the keys of the indexer that picks the tokens to attend to
_WITH_INDEXER = frozenset({"deepseek32", "glm-dsa"})


@dataclass(frozen=True)
class KVLayer:
    """What one layer caches for one token.

    Attributes
    ----------
    layer : its number, from 0.
    n_kv_heads : key/value heads; 1 with multi-head latent attention.
    key_dim, value_dim : numbers in one head's key and value; `value_dim` 0 where only keys are kept.
    window : tokens that it can look back on; None for all.
    """

    layer: int
    n_kv_heads: int
    key_dim: int
    value_dim: int
    window: int | None = None

    @property
    def key_row(self) -> int:
        """Numbers in the keys of all heads."""
        return self.n_kv_heads * self.key_dim

    @property
    def value_row(self) -> int:
        return self.n_kv_heads * self.value_dim


def kv_layers(blueprint: Hyperparameters) -> tuple[KVLayer, ...]:
    """The layers that keep keys and values, with the shape of what they keep.

    Raises LabError when the description lacks a key, or llama.cpp keeps for this architecture a cache of a
    kind that is not known here.
    """
    if blueprint.architecture in _WITHOUT_CACHE | RECURRENT:
        return ()
    if blueprint.architecture in _UNKNOWN:
        raise LabError(
            f"The cache of the architecture {blueprint.architecture} follows rules of its own, which labkit "
            "does not know.",
            "Choose another model; or load this one, and read from `model.buffers` what llama.cpp took.",
        )
    shape = _Shape(blueprint)
    layers = tuple(shape.layer(index) for index in range(shape.n_attending) if shape.attends[index])
    if blueprint.architecture in _WITH_INDEXER:
        key_dim = blueprint.number("attention.indexer.key_length")
        layers += tuple(
            KVLayer(index, 1, key_dim, 0) for index in range(shape.n_layers) if shape.indexer[index]
        )
    return layers


class _Shape:
    """What the hyperparameters say about each layer."""

    def __init__(self, model: Hyperparameters) -> None:
        if model.n_layers > MOST_LAYERS:
            raise LabError(
                f"The model's description asks for {model.n_layers:,} layers.",
                "No real model has so many: check the file, or choose another model.",
            )
        drafting = model.number("nextn_predict_layers", 0)
        loops = model.number("num_loops", 1) if model.architecture == "nanbeige" else 1
        # A file that holds nothing but drafting layers uses those.
        self.n_layers = (model.n_layers - drafting if drafting < model.n_layers else model.n_layers) * loops
        heads = model.per_layer("attention.head_count", default=0)
        grouped = f"{model.architecture}.attention.head_count_kv" in model.metadata
        self.kv_heads = model.per_layer("attention.head_count_kv") if grouped else heads
        if min(len(heads), len(self.kv_heads)) < model.n_layers:
            raise LabError(
                "The model's description does not say for every layer how many heads it has.",
                "Check the file, or choose another model.",
            )
        self.kv_heads = self.kv_heads[: self.n_layers // loops] * loops
        self.windows = layer_windows(model, self.n_layers)
        self.attends = self._attends(model)
        self.n_attending = _n_with_own_cache(model, self.n_layers)
        self.indexer = [True] * self.n_layers
        if f"{model.architecture}.attention.indexer.types" in model.metadata:
            self.indexer = [bool(kind) for kind in model.per_layer("attention.indexer.types")]
        default = model.n_embd // heads[0] if heads[0] else 0
        self.key_dim = model.number("attention.key_length", default) if heads[0] else 0
        self.value_dim = model.number("attention.value_length", default) if heads[0] else 0
        self.window_key_dim = model.number("attention.key_length_swa", self.key_dim)
        self.window_value_dim = model.number("attention.value_length_swa", self.value_dim)
        # Multi-head latent attention: the keys hold the values too.
        self.keys_only = bool(model.number("attention.key_length_mla", 0))

    def _attends(self, model: Hyperparameters) -> list[bool]:
        if model.architecture == "falcon-h1":  # each of its layers does both
            return [True] * self.n_layers
        return [not state for state in recurrent_layers(model, self.n_layers, self.kv_heads)]

    def layer(self, index: int) -> KVLayer:
        window = self.windows[index]
        key_dim, value_dim = self.key_dim, self.value_dim
        if window is not None:
            key_dim, value_dim = self.window_key_dim, self.window_value_dim
        return KVLayer(index, self.kv_heads[index], key_dim, 0 if self.keys_only else value_dim, window)


def _n_with_own_cache(model: Hyperparameters, n_layers: int) -> int:
    """The first so many layers have a cache; the ones after them read a cache of these."""
    if model.architecture == "gemma3n":
        return min(n_layers, 20)
    if model.architecture == "gemma4":
        return max(0, n_layers - model.number("attention.shared_kv_layers", 0))
    return n_layers


def kv_bytes_per_token(blueprint: Hyperparameters, type_k: str = "f16", type_v: str = "f16") -> int:
    """Bytes that one more token takes, over all layers, while no window is full.

    Raises LabError as `kv_bytes` does.
    """
    return sum(row_bytes(layer, type_k, type_v) for layer in kv_layers(blueprint))


def kv_bytes(
    blueprint: Hyperparameters,
    context: int,
    *,
    type_k: str = "f16",
    type_v: str = "f16",
    parallel: int = 1,
    n_ubatch: int = N_UBATCH,
    swa_full: bool = False,
    flash_attention: bool = True,
    kv_unified: bool = False,
    from_layer: int = 0,
) -> int:
    """Bytes of the whole cache for a context of `context` tokens, with the states of recurrent layers.

    Parameters
    ----------
    blueprint : the model; its header is enough.
    context : tokens in all. Several sequences share them, as with llama.cpp's `-c`.
    type_k, type_v : what keys and values are stored in: one of `KV_TYPES`.
    parallel : sequences, as with llama.cpp's `-np`. Each gets its share of the cells.
    n_ubatch : tokens computed at once; a sliding window holds so many more.
    swa_full : whole caches for sliding windows too; llama.cpp's tools do not, llama-cpp-python does.
    flash_attention : without it, values are stored as wide as the widest layer has them.
    kv_unified : one cache for all sequences, as llama-server has when it chooses the number of slots itself.
    from_layer : count only the layers from this one on, such as those on a GPU.

    Raises LabError when a number is not possible, a type does not exist or does not fit the heads, or the
    model's description lacks a key.
    """
    plan = _Plan(context, parallel, n_ubatch, swa_full, kv_unified)
    flash = flash_attention and blueprint.architecture != "grok"
    layers = kv_layers(blueprint)
    if not flash and _kv_type(type_v).block_elements > 1 and any(layer.value_dim for layer in layers):
        raise LabError(
            f"Values can be stored as {type_v} only with flash attention.", "Switch it on, or use f16 for V."
        )
    if check_kv_type(type_k) != check_kv_type(type_v) and blueprint.number("attention.key_length_mla", 0):
        raise LabError(
            "This model keeps keys and values in one (multi-head latent attention).",
            "Give both the same type.",
        )
    widest = max((layer.value_row for layer in layers), default=0)
    total = 0
    for layer in layers:
        row = row_bytes(layer, type_k, type_v)
        if not flash and layer.value_dim:
            row += (widest - layer.value_row) * _kv_type(type_v).block_bytes
        if layer.layer >= from_layer:
            total += plan.cells(layer.window) * row
    return total + plan.n_sequences * _state_bytes(blueprint, from_layer)


def _state_bytes(model: Hyperparameters, from_layer: int) -> int:
    """Bytes of the recurrent layers for one sequence."""
    if model.architecture in _WITHOUT_CACHE:
        return 0
    shape = _Shape(model)
    recurrent = recurrent_layers(model, shape.n_layers, shape.kv_heads)[from_layer:]
    return sum(recurrent) * state_bytes_per_layer(model) if any(recurrent) else 0


class _Plan:
    """How many cells a cache gets."""

    def __init__(self, context: int, parallel: int, n_ubatch: int, swa_full: bool, kv_unified: bool) -> None:
        for name, value in (("context", context), ("parallel", parallel), ("n_ubatch", n_ubatch)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise LabError(
                    f"{name}={value!r} is not possible.", "Give a whole number from 1 up, such as 4096."
                )
        if parallel > _MOST_SEQUENCES:
            raise LabError(
                f"llama.cpp holds at most {_MOST_SEQUENCES} sequences, not {parallel:,}.", "Ask for fewer."
            )
        self.n_sequences = parallel
        self._streams = 1 if kv_unified else parallel
        self.cells_per_stream = padded(padded(context) // self._streams)
        in_window = parallel if kv_unified else 1
        self._swa_full, self._windows = swa_full, in_window
        self._n_ubatch = min(context, N_BATCH, n_ubatch)

    def cells(self, window: int | None) -> int:
        """Tokens that a layer with that window keeps, of all sequences together."""
        cells = self.cells_per_stream
        if window is not None and not self._swa_full:
            cells = padded(min(cells, window * self._windows + self._n_ubatch))
        return cells * self._streams


def padded(tokens: int) -> int:
    """`tokens` rounded up to the multiple of 256 that llama.cpp allocates."""
    return -(-tokens // _PADDING) * _PADDING


def row_bytes(layer: KVLayer, type_k: str, type_v: str) -> int:
    """Bytes of one token in that layer. Raises LabError when the type does not exist or does not fit."""
    return _bytes(layer.n_kv_heads, layer.key_dim, type_k) + _bytes(layer.n_kv_heads, layer.value_dim, type_v)


def _bytes(n_heads: int, dim: int, type_name: str) -> int:
    kv_type = _kv_type(type_name)
    if dim % kv_type.block_elements:
        raise LabError(
            f"{type_name} stores numbers in blocks of {kv_type.block_elements}, but this model's heads hold "
            f"{dim}.",
            "Use f16 for this model's cache.",
        )
    return n_heads * dim // kv_type.block_elements * kv_type.block_bytes


def check_kv_type(name: object) -> str:
    """The name in lower case. Raises LabError when llama.cpp's tools take no such type for the cache."""
    wanted = name.lower() if isinstance(name, str) else ""
    if wanted in KV_TYPES:
        return wanted
    near = difflib.get_close_matches(wanted, KV_TYPES, n=2)
    did_you_mean = f"Did you mean {' or '.join(near)}? " if near else ""
    raise LabError(
        f"The KV cache can't be stored as {name!r:.40}.",
        f"{did_you_mean}Choose one of {', '.join(KV_TYPES)}.",
    )


def kv_types(kv_type: str | tuple[str, str]) -> tuple[str, str]:
    """Types of keys and values: `"q8_0"` → `("q8_0", "q8_0")`, `"q8_0,f16"` → `("q8_0", "f16")`.

    Raises LabError for other types, and for more than two.
    """
    parts = kv_type.split(",") if isinstance(kv_type, str) else kv_type
    if not isinstance(parts, (list, tuple)) or not 1 <= len(parts) <= 2 or not all(map(_is_text, parts)):
        raise LabError(
            f"{kv_type!r:.60} is no type of a KV cache.", 'Give one, such as "f16", or two: "q8_0,f16".'
        )
    types = [check_kv_type(part.strip()) for part in parts]
    return types[0], types[-1]


def _is_text(part: object) -> bool:
    return isinstance(part, str) and bool(part.strip())


def _kv_type(name: str) -> TensorType:
    return TYPES_BY_NAME[check_kv_type(name).upper()]
