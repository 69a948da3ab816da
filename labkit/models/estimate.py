"""What a model is and what it takes, before a byte of its weights is downloaded. Taught in chapters 2 and 6.

`estimate` puts together what `labkit.estimating` computes. Where llama.cpp itself can say (which types its
quantization chooses, how large its buffers are), it is asked, and `how` says which figure came from where.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.file_size import FileSize, file_size
from labkit.estimating.gguf_encoding import has_vocabulary
from labkit.estimating.kv_cache import kv_bytes_per_token, kv_types
from labkit.estimating.memory import estimate_memory, largest_context
from labkit.estimating.quantization import (
    Fallback,
    bits_per_weight,
    fallbacks,
    quantization_name,
    quantized,
)
from labkit.models.quantization_sizes import QuantizationSizes, quantization_sizes
from labkit.models.source import Source, SourceLike, open_source

if TYPE_CHECKING:
    from labkit.tables import Table

DEFAULT_QUANT = "Q4_K_M"
_ASKED = "asked llama.cpp"
_FORMULA = "formula"
_HEADER = "the file's own header"
_UNQUANTIZED = ("F32", "F16", "BF16")
_MOST_CONTEXT = 2**31 - 1
_BUFFERS = ("kv_bytes", "compute_bytes", "output_bytes")
_RESIDENT = (
    "resident_bytes",
    "file_backed_bytes",
    "private_bytes",
    "compute_touched_bytes",
    "repacked_bytes",
)
_MEMORY = (*_BUFFERS, "total_bytes", "gpu_bytes", *_RESIDENT)


@dataclass(frozen=True, repr=False)
class Estimate:
    """What a model takes with these settings. Bytes throughout.

    Attributes
    ----------
    title, read, quantization : the model, what was read of it, and the mixture of types estimated.
    context, kv_type_k, kv_type_v, parallel, flash_attention, gpu_layers : the settings; `flash_attention` is
        what llama.cpp decided, or would by default.
    parameters, parameters_active : in all; those that take part in one token.
    parameters_by_part : embedding, attention, ffn, experts, norms, output.
    tensor_bytes : of the weights as stored, without padding.
    file_bytes, file_bytes_low, file_bytes_high : of the GGUF file; low < high where its tokenizer is unknown.
    bits_per_weight : tensor_bytes * 8 / numbers stored.
    fallbacks : tensors whose rows do not fit the mixture's type.
    kv_bytes_per_token : while no sliding window is full.
    kv_bytes, compute_bytes, output_bytes : the buffers of a context.
    total_bytes : weights, all buffers and llama.cpp's book-keeping, in RAM and on the GPU together.
    gpu_bytes : what of it lies on the GPU.
    resident_bytes : what a monitor shows in RAM while the model answers, on this processor: without the part
        of the compute buffer that is never touched, with the copies that llama.cpp makes of some weights.
    file_backed_bytes, private_bytes : the resident bytes, divided: pages of the model file, and the rest.
    compute_touched_bytes, repacked_bytes : that part of the compute buffer, and those copies.
    context_length : tokens that the model itself was made for; 0 when it does not say.
    memory_allowed_bytes : what this process may use of this machine's RAM.
    largest_context : tokens that fit into it with these settings; 0 when not even the weights do.
    how : figure → where it comes from.
    notes : sentences for a reader.
    """

    title: str
    read: str
    quantization: str
    context: int
    kv_type_k: str
    kv_type_v: str
    parallel: int
    flash_attention: bool
    gpu_layers: int
    parameters: int
    parameters_active: int
    parameters_by_part: dict[str, int]
    tensor_bytes: int
    file_bytes: int
    file_bytes_low: int
    file_bytes_high: int
    bits_per_weight: float
    fallbacks: tuple[Fallback, ...]
    kv_bytes_per_token: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int
    total_bytes: int
    gpu_bytes: int
    resident_bytes: int
    file_backed_bytes: int
    private_bytes: int
    compute_touched_bytes: int
    repacked_bytes: int
    context_length: int
    memory_allowed_bytes: int
    largest_context: int
    how: dict[str, str]
    notes: tuple[str, ...]
    blueprint: Blueprint = field(repr=False)

    @functools.cached_property
    def quantizations(self) -> QuantizationSizes:
        """The model in each of llama.cpp's quantizations, from most bits to fewest, by the rules."""
        file = FileSize(self.file_bytes, self.file_bytes_low, self.file_bytes_high, False, "")
        return quantization_sizes(self.blueprint, file)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the figures at the top level."""
        out = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "blueprint"}
        out["fallbacks"] = [asdict(fallback) for fallback in self.fallbacks]
        out["quantizations"] = [asdict(row) for row in self.quantizations]
        out["notes"] = list(self.notes)
        return out

    def table(self) -> Table:
        """The figures in words, with where each comes from."""
        from labkit.models.estimate_table import estimate_table

        return estimate_table(self)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def estimate(
    source: SourceLike | Source,
    quant: str | None = None,
    *,
    context: int = 8192,
    kv_type: str | tuple[str, str] = "f16",
    parallel: int = 1,
    flash_attn: bool | None = None,
    gpu_layers: int = 0,
    ask_llama: bool = True,
) -> Estimate:
    """Parameters, file size, memory and the largest context of a model that need not be here.

    Parameters
    ----------
    source : a catalogue name, a `config.json`, a `.gguf` file, `owner/name` on the hub: see `open_source`.
    quant : such as `"Q4_K_M"`. None: the types of the file when it is a quantized GGUF, else Q4_K_M. Another
        quantization than a quantized file's own is computed as from its original.
    context : tokens, of all sequences together.
    kv_type : what the KV cache is stored in, or two for keys and values: `"q8_0"`, `"q8_0,f16"`.
    parallel : sequences at the same time.
    flash_attn : None leaves it to llama.cpp.
    gpu_layers : layers on the GPU; -1 for all.
    ask_llama : False: formulas alone, in milliseconds.

    Raises LabError when the source cannot be read, or a setting is not possible.
    """
    type_k, type_v = kv_types(kv_type)
    check_numbers(context=context, parallel=parallel)
    found = open_source(source, quant=quant)
    name, chosen, how = in_quantization(found, quant, ask_llama)
    settings: dict[str, Any] = {"type_k": type_k, "type_v": type_v, "parallel": parallel}
    gpu_layers = _layers_on_gpu(gpu_layers, chosen)
    told = _told_by_llama(chosen, context, settings | {"flash_attention": flash_attn}, gpu_layers, ask_llama)
    flash = bool(told.get("flash_attention", flash_attn is not False))
    settings |= {"flash_attention": flash, "gpu_layers": gpu_layers}
    memory = estimate_memory(chosen, context, **settings, **_this_machine(found, ask_llama), buffers=told)
    size, how["file_bytes"] = _file_size(found, chosen, name)
    how |= dict.fromkeys(_BUFFERS, _ASKED if told else _FORMULA)
    how |= {"kv_bytes_per_token": _FORMULA, "total_bytes": "the sum", "largest_context": _FORMULA}
    how |= dict.fromkeys(_RESIDENT, _FORMULA)
    allowed = limits.memory_allowed_bytes()
    return Estimate(
        title=found.title,
        read=found.read,
        quantization=name,
        context=context,
        kv_type_k=type_k,
        kv_type_v=type_v,
        parallel=parallel,
        flash_attention=flash,
        gpu_layers=gpu_layers,
        parameters=chosen.parameters,
        parameters_active=chosen.parameters_active,
        parameters_by_part=dict(chosen.parameters_by_part()),
        tensor_bytes=chosen.tensor_bytes,
        file_bytes=size.bytes,
        file_bytes_low=size.low,
        file_bytes_high=size.high,
        bits_per_weight=bits_per_weight(chosen),
        fallbacks=_fallbacks(found, chosen, name),
        kv_bytes_per_token=kv_bytes_per_token(chosen, type_k, type_v),
        **{name: getattr(memory, name) for name in _MEMORY},
        context_length=chosen.number("context_length", 0),
        memory_allowed_bytes=allowed,
        largest_context=longest_context(chosen, allowed, **settings),
        how=how,
        notes=(*chosen.notes, *_beyond(chosen, context), *_published_in_mxfp4(found, chosen)),
        blueprint=chosen,
    )


def _beyond(blueprint: Blueprint, context: int) -> tuple[str, ...]:
    own = blueprint.number("context_length", 0)
    return (f"The model itself was made for {own:,} tokens.",) if 0 < own < context else ()


def _published_in_mxfp4(found: Source, chosen: Blueprint) -> tuple[str, ...]:
    before, after = (any(t.type_name == "MXFP4" for t in b.tensors) for b in (found.blueprint, chosen))
    if not before or after:
        return ()
    return ("This model was published with its experts in MXFP4: `MXFP4_MOE` keeps them as they are.",)


def check_numbers(**numbers: int) -> None:
    """Raises LabError for what is no number of tokens or of sequences."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_CONTEXT:
            raise LabError(
                f"`{name}` must be a whole number from 1 to {_MOST_CONTEXT:,}, not {value!r:.40}.",
                "The usual values are context=8192 and parallel=1.",
            )


def _layers_on_gpu(gpu_layers: int, blueprint: Blueprint) -> int:
    if isinstance(gpu_layers, bool) or not isinstance(gpu_layers, int) or gpu_layers < -1:
        raise LabError(
            f"`gpu_layers` must be a whole number from -1 up, not {gpu_layers!r:.40}.",
            "0 is none, -1 is all of them.",
        )
    everything = blueprint.n_layers + 1  # llama.cpp counts the output as one more
    return everything if gpu_layers == -1 else min(gpu_layers, everything)


# ---------------------------------------------------------------- the quantization


def in_quantization(
    found: Source, quant: str | None, ask_llama: bool
) -> tuple[str, Blueprint, dict[str, str]]:
    """The name of the mixture, the model in its types, and where they come from."""
    own = _own_quantization(found)
    wanted = quantization_name(quant) if quant is not None else own or DEFAULT_QUANT
    figures = ("tensor_bytes", "bits_per_weight", "fallbacks")
    if found.kind == "file header" and wanted == own:
        return own, found.blueprint, dict.fromkeys(("parameters", *figures), _HEADER)
    how = {"parameters": _FORMULA if found.kind == "configuration" else _HEADER}
    chosen = quantized(found.blueprint, wanted)
    told = _types_by_llama(found.blueprint, wanted) if ask_llama else None
    if told is None:
        return wanted, chosen, how | dict.fromkeys(figures, _FORMULA)
    return wanted, replace(chosen, tensors=told.tensors), how | dict.fromkeys(figures, _ASKED)


def _types_by_llama(blueprint: Blueprint, quant: str) -> Blueprint | None:
    """None when llama.cpp is not here, or does not take this model: the rules remain."""
    from labkit.models.engine import quantized_by_llama

    try:
        return quantized_by_llama(blueprint, quant)
    except LabError:
        return None


def _own_quantization(found: Source) -> str:
    """The mixture of a quantized file, or of the catalogue's file; "" for an unquantized or unknown one."""
    try:
        name = quantization_name(found.quantization) if found.quantization else ""
    except LabError:
        name = found.quantization  # a mixture that llama-quantize of today does not make
    return "" if name in _UNQUANTIZED else name


def _fallbacks(found: Source, chosen: Blueprint, name: str) -> tuple[Fallback, ...]:
    """What fell back in the mixture: what its rules say, where the tensor is stored that way."""
    try:
        by_rules = fallbacks(found.blueprint, name)
    except LabError:  # a mixture that llama-quantize of today does not make
        return ()
    stored = {tensor.name: tensor.type_name for tensor in chosen.tensors}
    return tuple(fallback for fallback in by_rules if stored.get(fallback.tensor) == fallback.got)


def _file_size(found: Source, chosen: Blueprint, name: str) -> tuple[FileSize, str]:
    if found.file_bytes is not None and name == _own_quantization(found):
        where = "the file itself" if found.kind == "file header" else "the catalogue"
        return _exactly(found.file_bytes, where), where
    size = file_size(chosen)
    return size, size.how


def _exactly(n_bytes: int, how: str) -> FileSize:
    return FileSize(n_bytes, n_bytes, n_bytes, True, how)


# ---------------------------------------------------------------- the memory


def _told_by_llama(
    blueprint: Blueprint, context: int, settings: dict[str, Any], gpu_layers: int, ask_llama: bool
) -> dict[str, Any]:
    """llama.cpp's own buffers; nothing when it is not here, or does not take this model."""
    if not ask_llama:
        return {}
    from labkit.models.buffers_by_llama import buffers_by_llama

    try:
        return buffers_by_llama(blueprint, context, **settings, gpu_layers=gpu_layers)
    except LabError:
        return {}


def _this_machine(found: Source, ask_llama: bool) -> dict[str, Any]:
    """What the resident size depends on besides the model: the processor, and a tokenizer to keep."""
    has_tokenizer = found.kind != "file header" or has_vocabulary(found.blueprint.metadata)
    if not ask_llama:
        return {"vocabulary": has_tokenizer}
    from labkit.models.native import cpu_features

    try:
        return {"vocabulary": has_tokenizer, "cpu_features": cpu_features()}
    except LabError:  # llama.cpp is not here: a usual processor is assumed
        return {"vocabulary": has_tokenizer}


def longest_context(
    blueprint: Blueprint, ram_bytes: int, gpu_bytes: int | None = None, **settings: Any
) -> int:
    """As `largest_context`, but no longer than the model itself was made for."""
    own = blueprint.number("context_length", 0)
    if own:
        memory = estimate_memory(blueprint, own, **settings)
        if memory.cpu_bytes <= ram_bytes and (gpu_bytes is None or memory.gpu_bytes <= gpu_bytes):
            return own
    fits = largest_context(blueprint, ram_bytes, gpu_bytes=gpu_bytes, **settings)
    return min(fits, own or fits)
