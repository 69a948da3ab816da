"""Will this context fit? Asked before llama.cpp allocates it: the system's answer is to kill the kernel."""

from __future__ import annotations

import re
from pathlib import Path

from labkit.errors import LabError
from labkit.limits import memory_available_bytes
from labkit.models import native
from labkit.models.buffers import parse_buffers
from labkit.models.gguf import GGUFHeader
from labkit.units import MIB, format_bytes

#: what the rest of the notebook may still need
_RESERVE_BYTES = 64 * MIB
_BYTES_F16 = 2
_U_BATCH = 512
#: llama.cpp's book-keeping for one cell of the cache (position, shift, sequences), outside its buffers
_BYTES_PER_CELL = 64
#: longer contexts are extrapolated: the book-keeping is allocated even when the buffers are not
_LONGEST_TRIED = 65_536


def require_memory(path: Path, header: GGUFHeader, context: int, threads: int) -> None:
    """Raises LabError when a context of `context` tokens does not fit into the memory that is free.

    A bound from the header settles most cases. Where it comes near, llama.cpp itself computes the exact
    sizes, without allocating them (`no_alloc`).
    """
    available = memory_available_bytes()
    if _upper_bound(header, context) < available / 2:
        return
    base, slope = _line(path, context, threads)
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


def _upper_bound(header: GGUFHeader, context: int) -> float:
    """KV cache of all layers at full length (16 bits per value), and the compute buffer, in bytes."""
    cells = -(-context // 256) * 256
    try:
        head_dim = header.head_dim
        value_dim = header.number("attention.value_length", default=head_dim)
        kv_heads = sum(header.per_layer("attention.head_count_kv", default=header.n_heads))
        feed_forward = max(header.per_layer("feed_forward_length", default=4 * header.n_embd))
        width = header.vocabulary_size + 3 * feed_forward + 8 * header.n_embd
    except LabError:
        return float("inf")
    kv = cells * kv_heads * (head_dim + value_dim) * _BYTES_F16
    return kv + cells * _BYTES_PER_CELL + 4 * _U_BATCH * (width + cells)


def _exact(path: Path, context: int, threads: int) -> float:
    """llama.cpp's own figure in bytes. 0 when it cannot say: then the real attempt will."""
    lib = native.llama()
    mark = native.log.mark()
    model_p = native.open_model(path, allocate=False)
    if model_p is None:
        return 0.0
    ctx_p = native.open_context(model_p, context=context, threads=threads)
    if ctx_p is not None:
        lib.llama_free(ctx_p)
    lib.llama_model_free(model_p)
    text = native.log.since(mark)
    caches = re.findall(r"size = +([\d.]+) MiB \( *\d+ cells", text)
    buffers = parse_buffers(text)
    return sum(map(float, caches)) * MIB + buffers["compute_bytes"] + buffers["output_bytes"]


def _line(path: Path, context: int, threads: int) -> tuple[float, float]:
    """(bytes, bytes per token) of the straight line on which the need for memory lies near `context`."""
    large = min(context, _LONGEST_TRIED)
    small = max(256, large // 2)
    at_small, at_large = (_exact(path, n, threads) for n in (small, large))
    slope = (at_large - at_small) / (large - small) if large > small else 0.0
    return at_large - slope * large, slope + _BYTES_PER_CELL
