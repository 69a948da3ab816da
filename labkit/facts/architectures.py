"""The hyperparameters of published models: enough to rebuild the part of `config.json` that fixes their size.

Taught in chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from labkit.facts.files import problem, records
from labkit.facts.records import Confidence, find_record, licences

#: columns that have the name of their key in a `config.json`
_KEYS = (
    "model_type",
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "tie_word_embeddings",
    "max_position_embeddings",
    "sliding_window",
)


@dataclass(frozen=True)
class ArchitectureRow:
    """A published model's shape and its published number of parameters.

    Attributes
    ----------
    id, name, family, developer : such as `"llama-3.1-8b"`, Llama 3.1 8B, Llama, Meta.
    hub_repo : the repository on the hub whose weights the row describes, such as `"meta-llama/Llama-3.2-1B"`.
    licence : id in licences.csv; empty where the licence is not in that table.
    model_type ... sliding_window : keys of a Hugging Face `config.json` (sizes in values, heads and tokens).
        `head_dim` is None for models with latent attention (MLA); their sizes are in `other_keys`.
        `sliding_window` is what `config.json` says, whether or not an engine makes use of it.
    other_keys : further keys of `config.json` that matter to the model's size: experts, latent attention,
        biases, rotary scaling.
    parameters : the published number of parameters, without tables that are computed; None if none was found.
    parameters_rounded_to : the unit to which it was rounded; None for an exact count.
    parameters_source, notes : who counted, and why others count differently.
    source, read_on, confidence : where the shape was read, when, and how far to trust the row.
    """

    id: str
    name: str
    family: str
    developer: str
    hub_repo: str
    licence: str
    model_type: str
    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int | None
    vocab_size: int
    tie_word_embeddings: bool
    max_position_embeddings: int
    sliding_window: int | None
    other_keys: dict[str, Any]
    parameters: int | None
    parameters_rounded_to: int | None
    parameters_source: str
    notes: str
    source: str
    read_on: str
    confidence: Confidence

    def config(self) -> dict[str, Any]:
        """A mapping like the model's `config.json`, for `labkit.estimating.config.blueprint_from_config`."""
        head_dim = {} if self.head_dim is None else {"head_dim": self.head_dim}
        return {key: getattr(self, key) for key in _KEYS} | head_dim | self.other_keys


@dataclass(frozen=True)
class GGUFSize:
    """What a published GGUF file takes, as the hub says.

    Attributes
    ----------
    architecture : id in architectures.csv.
    repo, revision, filename : where the hub has it; `revision` is empty when it was not stated.
    quantization : llama-quantize's name, such as `"Q4_K_M"`.
    bytes : size of the file, with its header and tokenizer.
    same_rules : has every tensor the type that today's llama-quantize chooses without an importance matrix?
        Found by comparing files that have the same header but for a few bytes.
    note : why not, where the answer is no.
    source, read_on, confidence : what was read, when, and how far to trust the row.
    """

    architecture: str
    repo: str
    revision: str
    filename: str
    quantization: str
    bytes: int
    same_rules: Literal["yes", "no", "unknown"]
    note: str
    source: str
    read_on: str
    confidence: Confidence


def architectures() -> tuple[ArchitectureRow, ...]:
    """All rows of architectures.csv, family by family. Raises LabError when one names an unknown licence."""
    rows = records("architectures", ArchitectureRow)
    known = {row.id for row in licences()}
    for row in rows:
        if row.licence and row.licence not in known:
            raise problem("architectures", f"licences.csv has no licence {row.licence!r}.", row=row.id)
    return rows


def find_architecture(name: str) -> ArchitectureRow:
    """The row with this id, such as `"qwen3-8b"`. Raises LabError with the nearest ids when there is none."""
    known = {row.id: row for row in architectures()}
    return find_record("architecture", name, known, "`labkit.facts.architectures()`")


def gguf_sizes() -> tuple[GGUFSize, ...]:
    """Sizes of published GGUF files, model by model, to hold an estimate against."""
    return records("gguf_sizes", GGUFSize)
