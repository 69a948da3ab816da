"""What llama.cpp itself says a context takes, without allocating it and without the weights.

A file that is only a header is loaded with `no_alloc`: llama.cpp plans every buffer and fills none. It tells
their sizes in its log, in MiB with two decimals, so they are exact to 5 kB; its function with exact bytes
(`llama_get_memory_breakdown`) is C++ and no part of the Python binding. Where a formula agrees to that
precision, its exact figure is given. Taught in chapter 6.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.compute_buffer import output_bytes
from labkit.estimating.kv_cache import N_UBATCH, check_kv_type, kv_bytes
from labkit.models.buffers import parse_buffers, parse_buffers_by_device, uses_flash_attention
from labkit.models.gguf import read_gguf_header
from labkit.models.header_only import write_header_only
from labkit.models.llama_worker import ask_llama
from labkit.units import MIB

#: `size =   22.50 MiB (  1024 cells, ...`: a cache, or the states of recurrent layers
_CACHE = re.compile(r"size = +([\d.]+) MiB \( *\d+ cells")


def buffers_by_llama(
    model: Blueprint | Path | str,
    context: int,
    *,
    type_k: str = "f16",
    type_v: str = "f16",
    flash_attention: bool | None = None,
    parallel: int = 1,
    gpu_layers: int = 0,
    n_ubatch: int = N_UBATCH,
    kv_unified: bool = False,
) -> dict[str, Any]:
    """Bytes of the buffers of one context, as llama.cpp plans them: some ten milliseconds a question.

    Parameters are those of `kv_cache.kv_bytes`; `model` may be a GGUF file, of which the header is read;
    `flash_attention=None` leaves it to llama.cpp; `gpu_layers` go to the GPU, if this build has one.

    Returns `kv_bytes`, `compute_bytes` and `output_bytes`; `compute_bytes_by_device`, a dict; and
    `flash_attention`, as llama.cpp decided. Raises LabError when llama.cpp refuses the model or the context.
    """
    settings: dict[str, Any] = {
        "context": context,
        "type_k": type_k,
        "type_v": type_v,
        "flash_attention": flash_attention,
        "parallel": parallel,
        "n_ubatch": n_ubatch,
        "kv_unified": kv_unified,
    }
    blueprint = model if isinstance(model, Blueprint) else read_gguf_header(Path(model)).blueprint()
    log = _plan(blueprint, settings, gpu_layers)
    told, buffers, flash = _caches(log), parse_buffers(log), uses_flash_attention(log)
    kv = _computed_kv_bytes(blueprint, {**settings, "flash_attention": flash})
    return {
        "kv_bytes": _exact(sum(told), kv, lines=len(told)),
        "compute_bytes": buffers["compute_bytes"],
        "output_bytes": _exact(buffers["output_bytes"], output_bytes(blueprint, parallel)),
        "compute_bytes_by_device": {
            device: sizes["compute_bytes"]
            for device, sizes in parse_buffers_by_device(log).items()
            if "compute_bytes" in sizes
        },
        "flash_attention": flash,
    }


def reported_kv_bytes(blueprint: Blueprint, **settings: Any) -> list[int]:
    """The caches that llama.cpp prints, each rounded to 0.01 MiB. Settings as for `kv_cache.kv_bytes`."""
    return _caches(_plan(blueprint, settings, gpu_layers=0))


def _caches(log: str) -> list[int]:
    return [round(float(mib) * MIB) for mib in _CACHE.findall(log)]


def _plan(blueprint: Blueprint, settings: dict[str, Any], gpu_layers: int) -> str:
    """llama.cpp's log of the model and the context, neither allocated."""
    _require_possible(settings)
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        path = write_header_only(_without_tokenizer(blueprint), Path(folder) / "header.gguf")
        reply = ask_llama({"path": str(path), "gpu_layers": gpu_layers, "context": settings})
    if "problem" in reply:
        raise LabError(
            f"llama.cpp refuses {blueprint.title or 'this model'} with a context of "
            f"{settings['context']:,} tokens: {reply['problem'] or 'it gives no reason'}.",
            "Choose other settings or another model.",
        )
    return reply["log"]


def _computed_kv_bytes(blueprint: Blueprint, settings: dict[str, Any]) -> int | None:
    try:
        return kv_bytes(blueprint, settings.pop("context"), **settings)
    except LabError:
        return None


def _exact(told: int, computed: int | None, lines: int = 1) -> int:
    """Each line is rounded to 0.01 MiB; where the formula agrees with that, it has the exact figure."""
    agree = computed is not None and abs(computed - told) <= 0.006 * MIB * max(1, lines)
    return computed if agree else told


def _without_tokenizer(blueprint: Blueprint) -> Blueprint:
    """A vocabulary takes most of the time to load, and changes no buffer."""
    metadata = {key: value for key, value in blueprint.metadata.items() if not key.startswith("tokenizer.")}
    metadata[f"{blueprint.architecture}.vocab_size"] = blueprint.vocabulary_size
    return replace(blueprint, metadata=metadata)


def _require_possible(settings: dict[str, Any]) -> None:
    """llama.cpp takes 32-bit numbers and known types; anything else would stop the worker for nothing."""
    for name in ("context", "parallel", "n_ubatch"):
        value = settings.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**31:
            raise LabError(f"{name}={value!r} is not possible.", "Give a whole number, such as 4096.")
    check_kv_type(settings["type_k"])
    check_kv_type(settings["type_v"])
