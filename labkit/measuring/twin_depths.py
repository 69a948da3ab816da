"""How deep a twin can be here: the whole model, or which two depths of it. Taught in chapter 3."""

from __future__ import annotations

from labkit import limits, settings
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import data_bytes
from labkit.estimating.shallow import layer_period, main_layers, shallow
from labkit.measuring.hardware import last_level_cache_bytes
from labkit.models.made_files import MARGIN_BYTES
from labkit.models.storage import free_bytes
from labkit.models.twin import TWINS
from labkit.units import GIB, MIB, format_bytes

#: A twin up to this size is written and measured in minutes: no need to extrapolate, or the deeper of the
#: two.
_DEEP_BYTES = 2 * GIB
_DEEP_BYTES_QUICK = 512 * MIB
#: the deeper twin may be this many times as large as the other, even beyond that
_LEVER = 2.5
#: A twin this many times larger than the cache next to memory comes from memory for every token.
FAR_LARGER = 4
_CACHE_UNLESS_KNOWN = 64 * MIB
#: The most of the available memory that weights may take; llama.cpp may keep a second, rearranged copy of
#: them.
_MEMORY_SHARE = 0.35


def fits_whole(whole: Blueprint) -> bool:
    """Can the whole twin be written and measured here in minutes?"""
    return data_bytes(whole) <= min(_deep_bytes(), _most_bytes())


def choose_depths(whole: Blueprint) -> tuple[int, int]:
    """Two numbers of layers: the first a little larger than the cache asks for, the second what fits well.

    Both hold every kind of layer as often as the model does, where its kinds repeat. Raises LabError when the
    disk or the memory has no room for two.
    """
    total, period = main_layers(whole), layer_period(whole)
    depths = list(range(period, total + 1, period)) if 2 * period <= total else list(range(1, total + 1))
    sizes = {n: data_bytes(shallow(whole, n)) for n in depths}
    cache = last_level_cache_bytes() or _CACHE_UNLESS_KNOWN
    large = [n for n in depths if swept_bytes(shallow(whole, n)) >= FAR_LARGER * cache]
    first = large[0] if large else depths[0]
    deeper = [n for n in depths if n > first]
    # Twins of nearly the same size would tell little about a layer.
    enough = max(_deep_bytes(), _LEVER * sizes[first])
    most = _most_bytes()
    affordable = [n for n in deeper if sizes[n] <= min(enough, most - sizes[first])] or deeper[:1]
    if not affordable:
        raise LabError(
            f"{whole.title} has too few layers to tell its speed from a part of them.",
            "Measure it whole: `lk.bench(lk.twin(...))`.",
        )
    second = affordable[-1]
    needed = sizes[first] + sizes[second]
    if needed > most:
        raise LabError(
            f"Even twins with {first} and {second} of the {total} layers of {whole.title} take "
            f"{format_bytes(needed)}, and the disk and the memory here leave {format_bytes(most)} for them.",
            "Choose a smaller quantization or model, or use a larger machine.",
        )
    return first, second


def swept_bytes(blueprint: Blueprint) -> int:
    """Bytes of weights that a long answer reads again and again: all but an embedding that is looked up."""
    lookup = 0 if blueprint.tied_embeddings else blueprint.tensor("token_embd.weight").n_bytes
    return blueprint.tensor_bytes - lookup


def cache_warning(blueprint: Blueprint, cache_bytes: int | None) -> str:
    """A sentence when part of a shallow twin may stay in the processor's cache; else empty."""
    size = swept_bytes(blueprint)
    if cache_bytes is None:
        return "This machine does not tell the size of its cache: a twin may be too small for a fair reading."
    if size >= FAR_LARGER * cache_bytes:
        return ""
    return (
        f"The smaller twin reads {format_bytes(size)}, less than {FAR_LARGER} times the processor's cache "
        f"({format_bytes(cache_bytes)}). Part of it may stay there, and the model seem faster than it is."
    )


def _deep_bytes() -> int:
    return _DEEP_BYTES_QUICK if settings.quick() else _DEEP_BYTES


def _most_bytes() -> int:
    """What twins may take in all: of the cache's share of the disk, and of the memory."""
    free = free_bytes(TWINS.folder())
    kept = sum(path.stat().st_size for path in TWINS.folder().glob("*.gguf"))
    disk = TWINS.most_bytes() if free is None else free + kept - MARGIN_BYTES
    memory = int(limits.memory_available_bytes() * _MEMORY_SHARE)
    return min(disk, TWINS.most_bytes(), memory)
