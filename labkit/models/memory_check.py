"""Will this context fit? Asked before llama.cpp allocates it: the system's answer is to kill the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.estimating.kv_cache import kv_bytes, padded
from labkit.limits import memory_available_bytes
from labkit.models.buffers_by_llama import buffers_by_llama
from labkit.models.gguf import GGUFHeader
from labkit.units import MIB, format_bytes

#: what the rest of the notebook may still need
_RESERVE_BYTES = 64 * MIB
_U_BATCH = 512
#: llama.cpp's book-keeping for one cell of the cache (position, shift, sequences), outside its buffers
_BYTES_PER_CELL = 64
#: longer contexts are extrapolated: the book-keeping is allocated even when the buffers are not
_LONGEST_TRIED = 65_536


def require_memory(
    path: Path,
    header: GGUFHeader,
    context: int,
    *,
    kv_type: str = "f16",
    flash_attention: bool | None = None,
) -> None:
    """Raises LabError when a context of `context` tokens does not fit into the memory that is free.

    A bound from the header settles most cases. Where it comes near, llama.cpp itself computes the exact
    sizes, without allocating them (`no_alloc`).
    """
    available = memory_available_bytes()
    # Without flash attention the scores of all pairs of tokens are kept: the bound knows nothing of them.
    if flash_attention is not False and _upper_bound(header, context, kv_type) < available / 2:
        return
    settings = {"type_k": kv_type, "type_v": kv_type, "flash_attention": flash_attention}
    base, slope = _line(path, context, settings)
    needed = base + slope * context
    if needed + _RESERVE_BYTES <= available:
        return
    fits = int((available - _RESERVE_BYTES - base) / slope) // 256 * 256 if slope > 0 else 0
    first = f"Ask for a shorter one: about {fits:,} tokens fit." if fits > 0 else "Close other programs."
    raise LabError(
        f"A context of {context:,} tokens needs {format_bytes(needed)} for the KV cache and the computation, "
        f"but only {format_bytes(available)} of memory are free here.",
        f"{first} Or choose a smaller model.",
    )


def _upper_bound(header: GGUFHeader, context: int, kv_type: str) -> float:
    """Bytes of the KV cache, exact, and a generous compute buffer; infinite when the header does not tell."""
    try:
        kv = kv_bytes(header, context, type_k=kv_type, type_v=kv_type)
        feed_forward = max(header.per_layer("feed_forward_length", default=4 * header.n_embd))
        width = header.vocabulary_size + 3 * feed_forward + 8 * header.n_embd
    except LabError:
        return float("inf")
    cells = padded(context)
    return kv + cells * _BYTES_PER_CELL + 4 * _U_BATCH * (width + cells)


def _exact(path: Path, context: int, settings: dict[str, Any]) -> int:
    """llama.cpp's own figure in bytes. 0 when it cannot say: then the real attempt will."""
    try:
        told = buffers_by_llama(path, context, **settings)
    except LabError:
        return 0
    return told["kv_bytes"] + told["compute_bytes"] + told["output_bytes"]


def _line(path: Path, context: int, settings: dict[str, Any]) -> tuple[float, float]:
    """(bytes, bytes per token) of the straight line on which the need for memory lies near `context`."""
    large = min(context, _LONGEST_TRIED)
    small = max(256, large // 2)
    at_small, at_large = (_exact(path, n, settings) for n in (small, large))
    slope = (at_large - at_small) / (large - small) if large > small else 0.0
    return at_large - slope * large, slope + _BYTES_PER_CELL
