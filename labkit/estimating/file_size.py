"""How long a GGUF file is: header, tokenizer, and tensors, each padded. Taught in chapter 2.

The tensors are most of it, and exactly known. The tokenizer is not in a `config.json`; it takes 20 to 65
bytes for each token of the vocabulary, which is nothing beside a large model and up to 3 % of a small one.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import data_bytes, file_bytes, has_vocabulary, header_bytes_around
from labkit.estimating.quantization import published_variants
from labkit.facts.tokenizers import known_tokenizers

#: Bytes of the header for each token. Seen in published files: 21 (Baichuan) to 65 (gpt-oss).
_BYTES_PER_TOKEN = (15, 75)
#: What publishers write differently around the same tokenizer: name, licence, chat template. At least so many
#: bytes, or the 0.1 % that a known tokenizer is good for.
_KEYS_VARY_BYTES, _KEYS_VARY_SHARE = 32 * 1024, 0.001
#: keys and chat template beside an unknown tokenizer
_MOST_KEYS_BYTES = 64 * 1024


@dataclass(frozen=True)
class FileSize:
    """Bytes of a file.

    Attributes
    ----------
    bytes : the size, or the middle of the range.
    low, high : the file is not smaller or larger than this; both equal `bytes` when it is exact.
    exact : True when everything in the file is known.
    how : where it comes from, as a phrase.
    """

    bytes: int
    low: int
    high: int
    exact: bool
    how: str


def file_size(blueprint: Blueprint, tokenizer_bytes: int | None = None) -> FileSize:
    """Size of the GGUF file with the blueprint's tensors as they are stored.

    Parameters
    ----------
    blueprint : from `quantization.quantized`, or of a file.
    tokenizer_bytes : bytes of all keys and values in the header, if you know them.

    It is exact when the tokenizer is in the metadata, as it is after reading a GGUF header; within 0.1 % for
    a tokenizer of tokenizers.csv or with `tokenizer_bytes`; else a range that contains it. The range also
    covers what publishers choose: an importance matrix, and the rules of the day (`published_variants`).

    Raises LabError for tensors that no file can hold.
    """
    if tokenizer_bytes is not None:
        if not isinstance(tokenizer_bytes, int) or tokenizer_bytes < 0:
            raise LabError(f"{tokenizer_bytes!r:.40} is no number of bytes.", "Give a whole number.")
        return _range(
            blueprint, tokenizer_bytes, tokenizer_bytes, _vary(blueprint), "the tokenizer's size, given"
        )
    if has_vocabulary(blueprint.metadata):
        n_bytes = file_bytes(blueprint)
        return FileSize(n_bytes, n_bytes, n_bytes, True, "the header, with its tokenizer")
    vocab_size = _vocab_size(blueprint)
    known = known_tokenizers(blueprint.architecture, vocab_size)
    if known:
        sizes = [row.bytes for row in known]
        names = " or ".join(row.name for row in known)
        return _range(blueprint, min(sizes), max(sizes), _vary(blueprint), f"the tokenizer of {names}")
    low, high = (vocab_size * n for n in _BYTES_PER_TOKEN)
    how = (
        f"an unknown tokenizer of {vocab_size:,} tokens: "
        f"{_BYTES_PER_TOKEN[0]} to {_BYTES_PER_TOKEN[1]} bytes for each"
    )
    return _range(blueprint, low, high, _MOST_KEYS_BYTES, how)


def _range(blueprint: Blueprint, low: int, high: int, spread: int, how: str) -> FileSize:
    """The file whose keys take `low` to `high` bytes, give or take `spread`."""
    tensors = data_bytes(blueprint)
    variants = [tensors, *(data_bytes(variant) for variant in published_variants(blueprint))]
    if len(variants) > 1:
        how += "; published files of this mixture differ in some tensors"
    return FileSize(
        tensors + header_bytes_around(blueprint, (low + high) // 2),
        min(variants) + header_bytes_around(blueprint, max(0, low - spread)),
        max(variants) + header_bytes_around(blueprint, high + spread),
        False,
        how,
    )


def _vary(blueprint: Blueprint) -> int:
    return max(_KEYS_VARY_BYTES, int(blueprint.tensor_bytes * _KEYS_VARY_SHARE))


def _vocab_size(blueprint: Blueprint) -> int:
    """Rows of the embedding; what the metadata say where there is none."""
    rows = [spec.shape[-1] for spec in blueprint.tensors if spec.name == "token_embd.weight"]
    return rows[0] if rows else blueprint.vocabulary_size
