"""A GGUF header as bytes, made from a blueprint: metadata, then each tensor's name, shape, type and offset.

Format: ggml-org/ggml, docs/gguf.md. `models.header_only` writes it to a file. Taught in chapter 7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint
from labkit.estimating.gguf_array import GGUFArray
from labkit.estimating.gguf_types import GGML_TYPES, HEADER_LIMIT_BYTES, SCALARS, TYPE_ARRAY, TYPE_STRING
from labkit.units import format_bytes

_U32, _I32, _F32, _BOOL, _U64, _I64 = 4, 5, 6, 7, 10, 11
_DEFAULT_ALIGNMENT = 32
#: llama.cpp's GGML_MAX_NAME and GGML_MAX_DIMS: it stops at more
_LONGEST_NAME_BYTES, _MOST_DIMENSIONS = 63, 4
_LONGEST_FILE_BYTES = 1 << 62
#: magic, version, and the two counts
_FIXED_BYTES = 24
_CURE = "Check the numbers of the model's configuration."

#: Keys that llama.cpp reads as floats: it refuses a whole number there. From gguf-py's gguf_writer.py.
_FLOAT_KEY_ENDINGS = (
    "_epsilon",
    "_scale",
    ".scale",
    "_softcapping",
    ".freq_base",
    ".freq_base_swa",
    ".clamp_kqv",
    ".max_alibi_bias",
    ".scale_linear",
    ".scaling.alpha",
    ".scaling.factor",
    ".scaling.attn_factor",
    ".scaling.yarn_attn_factor",
    ".scaling.yarn_beta_fast",
    ".scaling.yarn_beta_slow",
    ".scaling.yarn_ext_factor",
    ".scaling.yarn_log_multiplier",
    ".hyper_connection.epsilon",
    ".hyper_connection.magnitude",
)
#: The one whole number with such an ending.
_NOT_FLOATS = ("clip.vision.projector.scale_factor",)
_TYPE_IDS = {tensor_type.name: type_id for type_id, tensor_type in GGML_TYPES.items()}


def header_bytes(blueprint: Blueprint) -> bytes:
    """The header, padded to where the weights begin; tensors in the blueprint's order and types.

    Without a vocabulary in the metadata, `tokenizer.ggml.model` becomes "none" and the number of tokens is
    given instead: then llama.cpp loads it all the same. Keys of a file in several parts are left out.

    Raises LabError for names, shapes and values that a GGUF file cannot hold.
    """
    metadata = _with_vocabulary(blueprint)
    alignment = _alignment(metadata)
    out = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(blueprint.tensors), len(metadata)))
    for key, value in metadata.items():
        out += _string(key) + _value(key, value)
    out += _tensor_infos(blueprint, alignment)
    out += bytes(_padded(len(out), alignment) - len(out))
    if len(out) > HEADER_LIMIT_BYTES:
        raise LabError(f"The header would take {format_bytes(len(out))}: no real model's does.", _CURE)
    return bytes(out)


def file_bytes(blueprint: Blueprint) -> int:
    """Length in bytes of the whole file: the header of `header_bytes`, and the tensors."""
    return len(header_bytes(blueprint)) + data_bytes(blueprint)


def data_bytes(blueprint: Blueprint) -> int:
    """Bytes of the tensors in a file, each padded to the alignment."""
    alignment = _alignment(blueprint.metadata)
    return sum(_padded(spec.n_bytes, alignment) for spec in blueprint.tensors)


def header_bytes_around(blueprint: Blueprint, metadata_bytes: int) -> int:
    """Length of the header if its keys and values take `metadata_bytes`, whatever they are."""
    alignment = _alignment(blueprint.metadata)
    return _padded(_FIXED_BYTES + metadata_bytes + len(_tensor_infos(blueprint, alignment)), alignment)


def has_vocabulary(metadata: Mapping[str, Any]) -> bool:
    """Are the tokens themselves there, not just their number?"""
    tokens = metadata.get("tokenizer.ggml.tokens")
    return isinstance(tokens, Sequence) and not isinstance(tokens, str) and len(tokens) > 0


def _with_vocabulary(blueprint: Blueprint) -> Mapping[str, Any]:
    metadata = {key: value for key, value in blueprint.metadata.items() if not key.startswith("split.")}
    if has_vocabulary(metadata):
        return metadata
    metadata["tokenizer.ggml.model"] = "none"
    key = f"{blueprint.architecture}.vocab_size"
    if key not in metadata:
        metadata[key] = next((t.shape[-1] for t in blueprint.tensors if t.name == "token_embd.weight"), 0)
    return metadata


def _alignment(metadata: Mapping[str, Any]) -> int:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 8 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise LabError(f"A GGUF file cannot have the alignment {alignment!r:.40}.", _CURE)
    return alignment


def _padded(n_bytes: int, alignment: int) -> int:
    return -(-n_bytes // alignment) * alignment


def _tensor_infos(blueprint: Blueprint, alignment: int) -> bytes:
    """Name, shape, type and offset of each tensor."""
    out, offset, names = bytearray(), 0, set()
    for spec in blueprint.tensors:
        if spec.name in names:
            raise LabError(f"The model has the tensor {spec.name:.80} twice.", _CURE)
        names.add(spec.name)
        _check_tensor(spec.name, spec.shape, spec.type_name)
        out += _string(spec.name) + struct.pack(
            f"<I{len(spec.shape)}QIQ", len(spec.shape), *spec.shape, _TYPE_IDS[spec.type_name], offset
        )
        offset += _padded(spec.n_bytes, alignment)
        if offset >= _LONGEST_FILE_BYTES:
            raise LabError("The model is larger than any file can be.", _CURE)
    return bytes(out)


def _check_tensor(name: str, shape: tuple[int, ...], type_name: str) -> None:
    if not name or len(name.encode(errors="replace")) > _LONGEST_NAME_BYTES:
        raise LabError(f"A GGUF file cannot hold a tensor of the name {name!r:.80}.", _CURE)
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in shape)
    if not whole or not 1 <= len(shape) <= _MOST_DIMENSIONS:
        raise LabError(f"The tensor {name} cannot have the shape {shape!r:.80}.", _CURE)
    if type_name not in TYPES_BY_NAME:
        raise LabError(f"The tensor {name} has the unknown type {type_name!r:.40}.", _CURE)
    block = TYPES_BY_NAME[type_name].block_elements
    if shape[0] % block:
        raise LabError(
            f"{type_name} cannot store the tensor {name}: its rows of {shape[0]:,} values are no whole "
            f"blocks of {block}.",
            _CURE,
        )
    if max(shape) >= _LONGEST_FILE_BYTES:
        raise LabError(f"The tensor {name} is larger than any file can be.", _CURE)


def _string(text: str) -> bytes:
    data = text.encode(errors="replace")
    return struct.pack("<Q", len(data)) + data


def _value(key: str, value: Any) -> bytes:
    """Type and value. The reader drops the width of whole numbers: they get the one that llama.cpp reads."""
    try:
        if isinstance(value, GGUFArray):
            type_id, count, data = value.raw
            return struct.pack("<IIQ", TYPE_ARRAY, type_id, count) + data
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return struct.pack("<I", TYPE_ARRAY) + b"".join(_array(key, list(value)))
        type_id = _scalar_type(key, value)
        return struct.pack("<I", type_id) + _scalar(type_id, value)
    except (struct.error, OverflowError) as error:
        raise LabError(f"A GGUF file cannot hold {value!r:.40} for {key}.", _CURE) from error


def _array(key: str, values: list[Any]) -> Iterator[bytes]:
    """Type of the items, their number, the items. Whole numbers as gguf-py writes a list: signed, 32 bits."""
    types = {_scalar_type(key, value) for value in values}
    if not values:
        type_id = _I32
    elif TYPE_STRING in types or _BOOL in types:
        type_id = types.pop() if len(types) == 1 else -1
    elif _F32 in types:
        type_id = _F32
    else:
        type_id = _I32 if all(-(2**31) <= value < 2**31 for value in values) else _U64
    if type_id < 0:
        raise LabError(f"The list {key} mixes kinds of values.", _CURE)
    yield struct.pack("<IQ", type_id, len(values))
    for value in values:
        yield _scalar(type_id, value)


def _scalar_type(key: str, value: Any) -> int:
    if isinstance(value, str):
        return TYPE_STRING
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, float) or (isinstance(value, int) and _is_float_key(key)):
        return _F32
    if isinstance(value, int):
        if value < 0:
            return _I32 if value >= -(2**31) else _I64
        return _U32 if value < 2**32 else _U64
    raise LabError(f"A GGUF file cannot hold {value!r:.40} for {key}.", _CURE)


def _is_float_key(key: str) -> bool:
    return key.endswith(_FLOAT_KEY_ENDINGS) and key not in _NOT_FLOATS


def _scalar(type_id: int, value: Any) -> bytes:
    return _string(value) if type_id == TYPE_STRING else struct.pack(SCALARS[type_id][0], value)
