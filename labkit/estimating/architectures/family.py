"""What an architecture is: a row of building blocks, and GGUF keys of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labkit.estimating.architectures.blocks import Block, Named, Switch
from labkit.estimating.architectures.hf_config import HFConfig
from labkit.estimating.architectures.metadata import common_keys

Keys = Callable[[HFConfig], dict[str, Any]]


def no_keys(config: HFConfig) -> dict[str, Any]:
    """None of its own."""
    return {}


def no_tensors(config: HFConfig) -> Iterator[Named]:
    """An architecture without tensors outside its layers, but for embedding, last norm and output."""
    return iter(())


@dataclass(frozen=True)
class Architecture:
    """One architecture of llama.cpp, and the Hugging Face classes that its converter takes for it.

    Attributes
    ----------
    name : llama.cpp's name, `general.architecture`.
    model_types : values of `model_type` in config.json; the first one's defaults hold for an unknown one.
    classes : values of `architectures` in config.json.
    layer : the building blocks of a layer, in a file's order.
    output_norm : is there a norm with weights after the last layer?
    output_norm_bias : does that norm have a bias?
    tied : is the output matrix always the embedding, whatever `tie_word_embeddings` says?
    output_bias : does the output matrix have a bias?
    derived : keys of config.json that follow from others in it, and stand over them.
    common : GGUF keys, without prefix: the usual ones, or the converter's own list for this architecture.
    keys : further keys of its own; they override the common ones.
    tables : tensors of positions, outside the layers.
    n_further_layers : layers after `num_hidden_layers`, for multi-token prediction.
    """

    name: str
    model_types: tuple[str, ...]
    classes: tuple[str, ...]
    layer: tuple[Block, ...]
    output_norm: bool = True
    output_norm_bias: bool = False
    tied: bool = False
    output_bias: Switch = False
    derived: Keys = no_keys
    common: Keys = common_keys
    keys: Keys = no_keys
    tables: Callable[[HFConfig], Iterator[Named]] = no_tensors
    n_further_layers: Callable[[HFConfig], int] = lambda config: 0
