"""A model's config.json: the lines that fix how many parameters it has, with what they mean.

Taught in chapter 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.estimating.blueprint import Blueprint
from labkit.facts.architectures import find_architecture
from labkit.tables import Table

if TYPE_CHECKING:
    from labkit.models.source import SourceLike

#: the keys that the count of a dense model needs, in the order in which chapter 2 explains them
MEANINGS = {
    "model_type": "the family: how the layers are built",
    "vocab_size": "tokens that the model knows",
    "hidden_size": "the width: numbers that stand for one token",
    "num_hidden_layers": "layers",
    "num_attention_heads": "query heads in each layer",
    "num_key_value_heads": "KV heads in each layer",
    "head_dim": "head size; where it is missing: width / query heads",
    "intermediate_size": "the width inside the feed-forward part",
    "tie_word_embeddings": "does the embedding serve as output matrix too?",
}


class ModelConfig(dict[str, Any]):
    """A `config.json` as a dictionary, which shows as a table of the lines that the count needs."""

    def table(self) -> Table:
        rows = [[key, _as_json(self[key]), meaning] for key, meaning in MEANINGS.items() if key in self]
        rest = [key for key in self if key not in MEANINGS]
        note = f"{len(rest)} more lines do not change the count." if rest else ""
        return Table("config.json", ["key", "value", "what it says"], rows, [note] if note else [])

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def model_config(source: SourceLike) -> ModelConfig:
    """The config of a model of `datasets/architectures.csv`, or of a dense model in a GGUF file.

    A GGUF file holds the same numbers under names of its own; they get the names of a `config.json` here.
    Raises LabError when there is no such model, or the file lacks one of the numbers.
    """
    if isinstance(source, str) and not source.endswith(".gguf"):
        return ModelConfig(find_architecture(source).config())
    from labkit.models.source import blueprint_of

    return ModelConfig(_config_of(blueprint_of(source)))


def _config_of(blueprint: Blueprint) -> dict[str, Any]:
    return {
        "model_type": blueprint.architecture,
        "vocab_size": blueprint.vocabulary_size,
        "hidden_size": blueprint.n_embd,
        "num_hidden_layers": blueprint.n_layers,
        "num_attention_heads": blueprint.n_heads,
        "num_key_value_heads": blueprint.n_kv_heads,
        "head_dim": blueprint.head_dim,
        "intermediate_size": blueprint.number("feed_forward_length"),
        "tie_word_embeddings": blueprint.tied_embeddings,
    }


def _as_json(value: Any) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
