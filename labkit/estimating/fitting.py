"""Does a model fit into so much memory, and if not, with which settings would it? Taught in chapters 2 and 6.

The settings are tried in an order that costs the user least: as asked on the GPU, split between GPU and RAM,
in RAM alone; then with a cache of 8 bits; then with half the context, and so on; then in fewer bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.memory import MemoryEstimate, estimate_memory
from labkit.estimating.quantization import quantized
from labkit.units import GIB

#: left free on a graphics card, as llama.cpp's own `--fit` does: the driver and the screen need some
GPU_RESERVE_BYTES = GIB
#: no shorter context is proposed: it holds a question and an answer, and little more
_SHORTEST_CONTEXT = 2048
#: fewer bits, from the harmless to the last resort
_LADDER = ("Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")

Place = Literal["GPU", "GPU and RAM", "RAM"]


@dataclass(frozen=True)
class Room:
    """Bytes that a model may take: of RAM, and of the graphics cards' memory (0 without one)."""

    ram_bytes: int
    vram_bytes: int = 0

    @property
    def usable_vram_bytes(self) -> int:
        """What is left of the cards' memory after llama.cpp's reserve."""
        return max(0, self.vram_bytes - GPU_RESERVE_BYTES)


@dataclass(frozen=True)
class Settings:
    """How a model is run. `quant` names the mixture of types, `gpu_layers` the layers on the GPU."""

    quant: str
    context: int
    type_k: str = "f16"
    type_v: str = "f16"
    gpu_layers: int = 0


@dataclass(frozen=True)
class Fit:
    """Whether a model fits, with which settings, and what it then takes.

    Attributes
    ----------
    verdict : "fits" as asked; "fits with" other settings; "does not fit" with any that were tried.
    settings : those that fit; where none do, the ones that take least.
    changes : what differs from what was asked, in words.
    place : where the model lies.
    memory : what it takes with `settings`.
    asked : what it would take as asked, in RAM.
    short_bytes : what is missing in the best attempt; 0 when it fits.
    blueprint : the model in the types of `settings.quant`.
    """

    verdict: Literal["fits", "fits with", "does not fit"]
    settings: Settings
    changes: tuple[str, ...]
    place: Place
    memory: MemoryEstimate
    asked: MemoryEstimate
    short_bytes: int
    blueprint: Blueprint


def memory_of(blueprint: Blueprint, settings: Settings) -> MemoryEstimate:
    """What a model takes with these settings. Raises LabError when they are not possible."""
    return estimate_memory(
        blueprint,
        settings.context,
        type_k=settings.type_k,
        type_v=settings.type_v,
        gpu_layers=settings.gpu_layers,
    )


def fit_into(blueprint: Blueprint, wanted: Settings, room: Room) -> Fit:
    """The first settings with which the model fits into `room`.

    Parameters
    ----------
    blueprint : in the types of `wanted.quant`.
    wanted : as asked; `gpu_layers` is found here. A context beyond the model's own length is cut to that.

    Raises LabError when `wanted` is not possible for this model.
    """
    own_length = blueprint.number("context_length", 0)
    context = min(wanted.context, own_length) if own_length else wanted.context
    wanted = replace(wanted, context=context, gpu_layers=0)
    asked = memory_of(blueprint, wanted)
    best: Fit | None = None
    for candidate, settings in _candidates(blueprint, wanted):
        try:
            fit = _in_room(candidate, settings, wanted, asked, room)
        except LabError:  # heads too short for blocks of 32, for example
            continue
        if not fit.short_bytes:
            return fit
        if best is None or fit.short_bytes < best.short_bytes:
            best = fit
    assert best is not None  # the first candidate is what was asked, and that was possible
    return best


def _candidates(blueprint: Blueprint, wanted: Settings) -> Iterator[tuple[Blueprint, Settings]]:
    """The model with settings to try, the least change first."""
    for quant, candidate in _smaller(blueprint, wanted.quant):
        context = wanted.context
        while True:
            yield candidate, replace(wanted, quant=quant, context=context)
            if wanted.type_k == wanted.type_v == "f16":
                eight = {"type_k": "q8_0", "type_v": "q8_0"}
                yield candidate, replace(wanted, quant=quant, context=context, **eight)
            if context <= _SHORTEST_CONTEXT:
                break
            context = max(_SHORTEST_CONTEXT, context // 2)


def _smaller(blueprint: Blueprint, quant: str) -> Iterator[tuple[str, Blueprint]]:
    """The model as it is, then in the quantizations of the ladder that make it smaller."""
    yield quant, blueprint
    smallest = blueprint.tensor_bytes
    for name in _LADDER:
        try:
            candidate = quantized(blueprint, name)
        except LabError:
            continue
        if candidate.tensor_bytes < 0.98 * smallest:
            smallest = candidate.tensor_bytes
            yield name, candidate


def _in_room(
    blueprint: Blueprint, settings: Settings, wanted: Settings, asked: MemoryEstimate, room: Room
) -> Fit:
    """With as many layers on the GPU as fit there, the rest in RAM."""
    everything = blueprint.n_layers + 1
    n_layers = _layers_for_gpu(blueprint, settings, room.usable_vram_bytes)
    settings = replace(settings, gpu_layers=n_layers)
    memory = memory_of(blueprint, settings)
    short = max(0, memory.cpu_bytes - room.ram_bytes)
    place: Place = "GPU" if n_layers == everything else "GPU and RAM" if n_layers else "RAM"
    changes = _changes(settings, wanted)
    if place == "GPU and RAM":
        changes = (*changes, f"{n_layers} of {everything} layers on GPU")
    verdict: Literal["fits", "fits with", "does not fit"]
    verdict = "does not fit" if short else "fits with" if changes else "fits"
    return Fit(verdict, settings, changes, place, memory, asked, short, blueprint)


def _layers_for_gpu(blueprint: Blueprint, settings: Settings, vram_bytes: int) -> int:
    """The most layers whose weights, cache and buffers fit into the GPU's memory."""
    low, high = 0, blueprint.n_layers + 1  # llama.cpp counts the output as one more
    if vram_bytes <= 0:
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if memory_of(blueprint, replace(settings, gpu_layers=middle)).gpu_bytes <= vram_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def _changes(settings: Settings, wanted: Settings) -> tuple[str, ...]:
    changes = []
    if settings.quant != wanted.quant:
        changes.append(settings.quant)
    if settings.context != wanted.context:
        changes.append(f"{settings.context:,} tokens")
    if (settings.type_k, settings.type_v) != (wanted.type_k, wanted.type_v):
        changes.append(f"{settings.type_k} cache")
    return tuple(changes)
