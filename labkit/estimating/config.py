"""From a Hugging Face `config.json` to a blueprint: the keys and tensors of the GGUF file to come.

The result is what llama.cpp's own converter writes as F16, without the tokenizer. Taught in chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.estimating.architectures.blocks import is_on
from labkit.estimating.architectures.family import Architecture
from labkit.estimating.architectures.hf_config import HFConfig, shown
from labkit.estimating.architectures.hf_defaults import DEFAULTS
from labkit.estimating.architectures.table import BY_CLASS, BY_MODEL_TYPE
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.gguf_types import GGML_TYPES

#: names under which a config.json with pictures or sound keeps its language model
_NESTED_KEYS = ("text_config", "llm_config", "lm_config", "language_config")
#: a file of its own never leaves these out; a language model within another does where the class's values fit
_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
_RECURRENT = ("mamba", "rwkv", "jamba", "hybrid", "recurrent", "lfm2", "falcon_h1", "nemotron_h", "bamba")
_RECURRENT += ("zamba", "qwen3_next", "qwen3_5", "kimi_linear", "plamo2", "xlstm", "minimaxtext01")
_CURE = "Give a GGUF file of the model in place of its config.json: its header says everything."
_F16_FILE, _MXFP4_FILE = 1, 38
_MXFP4 = next(tensor_type for tensor_type in GGML_TYPES.values() if tensor_type.name == "MXFP4")


def supported_model_types() -> tuple[str, ...]:
    """Every `model_type` of a config.json that can be read, in alphabetical order."""
    return tuple(sorted(BY_MODEL_TYPE))


def blueprint_from_config(config: Mapping[str, Any], title: str = "") -> Blueprint:
    """The GGUF file that llama.cpp's converter would write for this configuration.

    Parameters
    ----------
    config : the content of a Hugging Face `config.json`. Of a model that also sees or hears, the language
        model (`text_config`) is taken.
    title : what to call the model.

    Raises LabError, with a sentence, when a key is missing or has an impossible value, and for architectures
    that are not made of the blocks known here. Taught in chapter 2.
    """
    if not isinstance(config, Mapping):
        raise LabError("A config.json must hold an object with keys.", "Check the file.")
    text_config, nested = _language_model(config)
    family = _family(text_config, config)
    model_type = text_config.get("model_type")
    if not (isinstance(model_type, str) and model_type in DEFAULTS):
        model_type = family.model_types[0]
    defaults = DEFAULTS.get(model_type, {})
    if not nested:
        defaults = {key: value for key, value in defaults.items() if key not in _SIZES}
    hf = HFConfig({**text_config, "model_type": model_type}, defaults)
    hf = hf.with_keys(family.derived(hf))
    keeps_mxfp4 = hf.table("quantization_config").get("quant_method") == "mxfp4" and bool(hf.n_experts)
    tensors = tuple(_tensors(family, hf, "MXFP4" if keeps_mxfp4 else "F16"))
    metadata = _metadata(family, hf, title, _MXFP4_FILE if keeps_mxfp4 else _F16_FILE)
    return Blueprint(metadata, tensors, title or family.name, _notes(text_config, family, nested))


def _language_model(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The keys of the language model over those of the whole, and whether they were nested."""
    for key in _NESTED_KEYS:
        inner = config.get(key)
        if isinstance(inner, Mapping):
            return {**config, "model_type": None, **inner}, True
    return config, False


def _family(config: Mapping[str, Any], whole: Mapping[str, Any]) -> Architecture:
    """The architecture that `architectures` names, as for the converter, else the one of `model_type`."""
    classes = [_first_class(config), _first_class(whole)]
    types = [source.get("model_type") for source in (config, whole)]
    for name in classes:
        if name in BY_CLASS:
            return BY_CLASS[name]
    for model_type in types:
        if isinstance(model_type, str) and model_type in BY_MODEL_TYPE:
            return BY_MODEL_TYPE[model_type]
    named = next((name for name in (*types, *classes) if isinstance(name, str) and name), "")
    if not named:
        raise LabError(
            "This file names no model_type and no architectures, so it is not a model's config.json.", _CURE
        )
    if any(word in f"{types} {classes}".lower() for word in _RECURRENT):
        raise LabError(
            f"{shown(named)} is an architecture with recurrent layers, which labkit can't derive from a "
            "config.json.",
            _CURE,
        )
    raise LabError(f"labkit does not know the architecture {shown(named)}.", _CURE)


def _first_class(config: Mapping[str, Any]) -> str:
    classes = config.get("architectures")
    is_list = isinstance(classes, Sequence) and not isinstance(classes, str)
    return classes[0] if is_list and classes and isinstance(classes[0], str) else ""


def _notes(config: Mapping[str, Any], family: Architecture, nested: bool) -> tuple[str, ...]:
    notes = []
    if nested:
        notes.append("Only the language model is counted, not the part that sees or hears.")
    for name, known in ((config.get("model_type"), BY_MODEL_TYPE), (_first_class(config), BY_CLASS)):
        if isinstance(name, str) and name and name not in known and not nested:
            notes.append(f"labkit does not know {shown(name)}; it is taken for a {family.name}.")
    quantization = config.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, Mapping) else None
    if method not in (None, "mxfp4"):
        notes.append(f"The original is stored as {shown(method)}; a GGUF file of it starts at F16.")
    return tuple(notes)


def _metadata(family: Architecture, hf: HFConfig, title: str, file_type: int) -> dict[str, Any]:
    general = {
        "general.architecture": family.name,
        "general.type": "model",
        "general.name": title or family.name,
        "general.file_type": file_type,
        "general.quantization_version": 2,
        "tokenizer.ggml.model": "none",
    }
    keys = family.common(hf) | {"vocab_size": hf.n_vocab} | family.keys(hf)
    return general | {f"{family.name}.{key}": value for key, value in keys.items()}


def _tensors(family: Architecture, hf: HFConfig, expert_type: str) -> Iterator[TensorSpec]:
    yield _spec("token_embd.weight", (hf.n_embd, hf.n_vocab))
    for name, shape in family.tables(hf):
        yield _spec(name, shape)
    for layer in range(hf.n_layers + family.n_further_layers(hf)):
        for block in family.layer:
            for name, shape in block.tensors(hf, layer):
                yield _spec(f"blk.{layer}.{name}", shape, expert_type)
    if family.output_norm:
        yield _spec("output_norm.weight", (hf.n_embd,))
    if family.output_norm_bias:
        yield _spec("output_norm.bias", (hf.n_embd,))
    if not family.tied and not hf.flag("tie_word_embeddings"):
        yield _spec("output.weight", (hf.n_embd, hf.n_vocab))
    if is_on(family.output_bias, hf):
        yield _spec("output.bias", (hf.n_vocab,))


def _spec(name: str, shape: tuple[int, ...], expert_type: str = "F16") -> TensorSpec:
    """The converter stores vectors, norms, biases, routers and positions as F32, all else as F16.

    `expert_type` is the type of a stack of experts: one that comes as MXFP4 stays so.
    """
    if len(shape) < 2 or not name.endswith(".weight") or name.endswith("_norm.weight"):
        return TensorSpec(name, shape, "F32")
    if ".ffn_gate_inp" in name or name.startswith("position_embd."):
        return TensorSpec(name, shape, "F32")
    if "_exps." not in name or expert_type == "F16":
        return TensorSpec(name, shape, "F16")
    if shape[0] % _MXFP4.block_elements:
        raise LabError(
            f"MXFP4 stores rows in blocks of {_MXFP4.block_elements}, and {name} has rows of {shape[0]}.",
            "Check the sizes in config.json.",
        )
    return TensorSpec(name, shape, expert_type)
