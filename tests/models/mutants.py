"""Damaged GGUF files: what bad disks, cut downloads and ill will make of a good one."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from labkit.models.gguf import read_gguf_header

_NUMBERS = [0, 1, 2, 3, 7, 31, 255, 256, 65_535, 2**20, 2**31 - 1, 2**31, 2**32 - 1]
_LONG = [0, 1, 2**16, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
_KEYS = [
    b"llama.block_count",
    b"llama.context_length",
    b"llama.embedding_length",
    b"llama.feed_forward_length",
    b"llama.attention.head_count",
    b"llama.attention.head_count_kv",
    b"llama.rope.dimension_count",
    b"llama.attention.layer_norm_rms_epsilon",
    b"llama.vocab_size",
    b"general.file_type",
    b"tokenizer.ggml.bos_token_id",
    b"tokenizer.ggml.eos_token_id",
    b"tokenizer.ggml.unknown_token_id",
]


def mutants(original: bytes, n: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`n` damaged copies of a GGUF file, each with what was done to it."""
    rng = random.Random(seed)
    header_bytes = read_gguf_header(original).data_offset
    kinds = [
        _flip,
        _flip,
        _flip_many,
        _cut,
        _value,
        _value,
        _type,
        _long_number,
        _insert,
        _delete,
        _tensor,
        _data,
    ]
    for _ in range(n):
        data = bytearray(original)
        story = rng.choice(kinds)(data, header_bytes, rng)
        yield story, bytes(data)


def _flip(data: bytearray, header: int, rng: random.Random) -> str:
    at = rng.randrange(header)
    data[at] ^= 1 << rng.randrange(8)
    return f"bit flipped at byte {at}"


def _flip_many(data: bytearray, header: int, rng: random.Random) -> str:
    places = [rng.randrange(header) for _ in range(rng.randint(2, 30))]
    for at in places:
        data[at] = rng.randrange(256)
    return f"{len(places)} header bytes replaced"


def _cut(data: bytearray, header: int, rng: random.Random) -> str:
    at = rng.choice([rng.randrange(header), rng.randrange(len(data))])
    del data[at:]
    return f"cut at byte {at}"


def _value(data: bytearray, header: int, rng: random.Random) -> str:
    key = rng.choice(_KEYS)
    at = data.find(struct.pack("<Q", len(key)) + key)
    if at < 0:
        return _flip(data, header, rng)
    value = rng.choice(_NUMBERS)
    struct.pack_into("<I", data, at + 8 + len(key) + 4, value)
    return f"{key.decode()} set to {value}"


def _type(data: bytearray, header: int, rng: random.Random) -> str:
    key = rng.choice(_KEYS)
    at = data.find(struct.pack("<Q", len(key)) + key)
    if at < 0:
        return _flip(data, header, rng)
    kind = rng.choice([4, 5, 6])
    struct.pack_into("<I", data, at + 8 + len(key), kind)
    return f"type of {key.decode()} set to {kind}"


def _long_number(data: bytearray, header: int, rng: random.Random) -> str:
    at, value = rng.randrange(8, header - 8), rng.choice(_LONG)
    struct.pack_into("<Q", data, at, value)
    return f"64-bit number {value} at byte {at}"


def _insert(data: bytearray, header: int, rng: random.Random) -> str:
    at, n = rng.randrange(header), rng.choice([1, 4, 8, 32, 500])
    data[at:at] = rng.randbytes(n)
    return f"{n} bytes inserted at {at}"


def _delete(data: bytearray, header: int, rng: random.Random) -> str:
    at, n = rng.randrange(header), rng.choice([1, 4, 8, 32, 500])
    del data[at : at + n]
    return f"{n} bytes deleted at {at}"


def _tensor(data: bytearray, header: int, rng: random.Random) -> str:
    """Another shape or number format for one tensor."""
    names = [b"token_embd.weight", b"output.weight", b"output_norm.weight", b"blk.0.attn_k.weight"]
    name = rng.choice(names)
    at = data.find(struct.pack("<Q", len(name)) + name)
    if at < 0:
        return _flip(data, header, rng)
    at += 8 + len(name)
    (n_dims,) = struct.unpack_from("<I", data, at)
    which = rng.randrange(n_dims + 2)
    if which < n_dims:
        value = rng.choice([1, 2, 32, 64, 127, 128, 256, 2**31, 2**62])
        struct.pack_into("<Q", data, at + 4 + 8 * which, value)
        return f"dimension {which} of {name.decode()} set to {value}"
    if which == n_dims:
        kind = rng.choice([*range(45), 999])
        struct.pack_into("<I", data, at + 4 + 8 * n_dims, kind)
        return f"{name.decode()} declared as type {kind}"
    struct.pack_into("<Q", data, at + 8 + 8 * n_dims, rng.choice(_LONG))
    return f"offset of {name.decode()} changed"


def _data(data: bytearray, header: int, rng: random.Random) -> str:
    for _ in range(1000):
        data[rng.randrange(header, len(data))] = rng.randrange(256)
    return "1000 bytes of the weights replaced"
