"""Will it run here? Every model of the catalogue against this machine. Taught in chapters 2, 6 and 19.

Memory is computed, speed is predicted from the memory's bandwidth and labelled so, or measured with a twin:
a file of the same architecture with random weights. What counts is the memory that this process is allowed,
not what the host has.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.fitting import Room, Settings, fit_into
from labkit.estimating.kv_cache import kv_types
from labkit.estimating.memory import MemoryEstimate
from labkit.estimating.quantization import quantization_name
from labkit.estimating.speed import (
    LEAST_SHARE,
    MOST_SHARE,
    kv_bytes_read,
    predicted_speed,
    weight_bytes_per_token,
)
from labkit.measuring.bandwidth import memory_bandwidth
from labkit.measuring.bench import disturbances
from labkit.measuring.fit_table import FitRow, FitTable, Speed
from labkit.measuring.gpu import GPU, gpus
from labkit.models import embedded
from labkit.models.catalogue import catalogue
from labkit.models.estimate import check_numbers, in_quantization, longest_context
from labkit.models.source import Source, SourceLike, open_source
from labkit.units import format_bytes


def fit(
    models: SourceLike | Sequence[SourceLike] | None = None,
    quant: str | None = None,
    context: int = 8192,
    kv_type: str | tuple[str, str] = "f16",
    measure: bool = False,
    *,
    memory_bytes: int | None = None,
    vram_bytes: int | None = None,
    show_progress: bool = True,
) -> FitTable:
    """Which models run on this machine, in how much memory, how fast, and under which licence.

    Parameters
    ----------
    models : names, paths, repositories, as `lk.estimate` takes them, or one of them. None: the catalogue.
        `"all"`: the published models of `datasets/architectures.csv` too.
    quant : None is each file's own quantization, or Q4_K_M where there is no file.
    context, kv_type : as asked; where that does not fit, less is tried.
    measure : True measures each model that fits with a twin, which takes a minute each and disk space.
    memory_bytes, vram_bytes : of another machine: what if?

    Raises LabError when a setting is not possible. A model that cannot be read gets a row that says why.
    """
    what_if = memory_bytes is not None or vram_bytes is not None
    room = _room(memory_bytes, vram_bytes) if what_if else this_room()
    type_k, type_v = kv_types(kv_type)
    check_numbers(context=context)
    quant = None if quant is None else quantization_name(quant)
    if measure and what_if:
        raise LabError("Another machine can't be measured here.", "Leave out `measure`, or the memory.")
    rate = Rate([] if what_if else gpus(), show_progress)
    rows = []
    for source in _sources(models):
        rows.append(_row(source, quant, Settings("", context, type_k, type_v), room, rate, measure))
    return FitTable(
        rows=tuple(rows),
        room=room,
        available_bytes=limits.memory_available_bytes(),
        what_if=what_if,
        context=context,
        kv_type=type_k if type_k == type_v else f"{type_k},{type_v}",
        notes=tuple(_notes(rows, room, what_if, rate)),
    )


def this_room() -> Room:
    """The RAM that this process is allowed, and the graphics cards' memory."""
    return Room(limits.memory_allowed_bytes(), sum(gpu.vram_bytes for gpu in gpus()))


def _room(memory_bytes: int | None, vram_bytes: int | None) -> Room:
    for name, value in (("memory_bytes", memory_bytes), ("vram_bytes", vram_bytes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise LabError(f"`{name}` must be a number of bytes, not {value!r:.40}.", "8 GiB are 8 * 2**30.")
    ram = limits.memory_allowed_bytes() if memory_bytes is None else memory_bytes
    return Room(ram, vram_bytes or 0)


def _sources(models: SourceLike | Sequence[SourceLike] | None) -> list[Any]:
    if models is None:
        return list(catalogue())
    if isinstance(models, str) and models == "all":
        from labkit.facts.architectures import architectures

        return [*catalogue(), *(row.id for row in architectures())]
    if isinstance(models, (list, tuple)):
        return list(models)
    return [models]


def _row(source: Any, quant: str | None, wanted: Settings, room: Room, rate: Rate, measure: bool) -> FitRow:
    name, title, licence = naming(source)
    try:
        found = open_source(source, quant=quant)
        mixture, blueprint, _ = in_quantization(found, quant, ask_llama=False)
        fit = fit_into(blueprint, replace(wanted, quant=mixture), room)
    except LabError as error:
        return FitRow(name, title, licence, problem=error.what.splitlines()[0])
    row = FitRow(name, found.title, licence, mixture, fit.asked.total_bytes, fit)
    if fit.verdict == "does not fit":
        return row
    settings = fit.settings
    longest = longest_context(
        fit.blueprint,
        room.ram_bytes,
        room.usable_vram_bytes if settings.gpu_layers else None,
        type_k=settings.type_k,
        type_v=settings.type_v,
        gpu_layers=settings.gpu_layers,
    )
    if measure:
        return replace(row, largest_context=longest, speed=rate.measured(found, settings))
    speed = rate.predicted(fit.blueprint, settings, fit.memory)
    return replace(row, largest_context=longest, speed=speed)


def naming(source: Any) -> tuple[str, str, str]:
    """Name, title and licence of what was asked for, as far as the tables know it."""
    from labkit.facts.architectures import architectures
    from labkit.models.catalogue import CatalogueEntry

    if isinstance(source, str):
        known = [entry for entry in catalogue() if entry.name == source.strip().lower()]
        source = known[0] if known else source
    if isinstance(source, CatalogueEntry):
        return source.name, source.title, source.licence
    if isinstance(source, str) and source.strip().lower() in embedded.pocket_models():
        return source.strip().lower(), source.strip().lower(), embedded.POCKET_LICENCE
    row = next((r for r in architectures() if r.id == str(source).lower()), None)
    if row is not None:
        return row.id, row.name, row.licence
    if isinstance(source, (str, os.PathLike)):
        return str(source)[:60], str(source)[:60], ""
    title = getattr(source, "title", "") or "a configuration"
    return title, title, ""


class Rate:
    """Speeds on this machine. Its bandwidth is measured once, when the first speed is asked for."""

    def __init__(self, cards: Iterable[GPU], show_progress: bool = True) -> None:
        self.cards = list(cards)
        self.show_progress = show_progress
        self.remarks: list[str] = []

    @classmethod
    def here(cls) -> Rate:
        """With this machine's cards."""
        return cls(gpus())

    @functools.cached_property
    def bandwidth_bytes_per_s(self) -> float | None:
        """Of the RAM, measured; None when there is no room to measure it."""
        try:
            found = memory_bandwidth()
        except LabError as error:
            self.remarks.append(error.what)
            return None
        self.remarks += disturbances(found.processor_share)
        return found.bytes_per_s.median

    @property
    def gpu_bandwidth_bytes_per_s(self) -> float | None:
        """The slowest card's rated bandwidth: layers are spread over all of them."""
        rated = [card.bandwidth_bytes_per_s for card in self.cards]
        return min(filter(None, rated), default=None)

    def predicted(self, blueprint: Blueprint, settings: Settings, memory: MemoryEstimate) -> Speed | None:
        """tokens/s with a cache that is half full; None when a bandwidth is not known."""
        read = weight_bytes_per_token(blueprint)
        read += kv_bytes_read(blueprint, settings.context // 2, settings.type_k, settings.type_v)
        everything = settings.gpu_layers > blueprint.n_layers
        share = 1.0 if everything else memory.gpu_bytes / memory.total_bytes
        ram = self.bandwidth_bytes_per_s if share < 1 else None
        vram = self.gpu_bandwidth_bytes_per_s if share else None
        if (share < 1 and not ram) or (share and not vram):
            return None
        found = predicted_speed(read, ram, gpu_share=share, gpu_bandwidth_bytes_per_s=vram)
        return Speed(found.low, found.high, measured=False)

    def measured(self, found: Source, settings: Settings) -> Speed | None:
        """tokens/s of a twin; None, and a sentence in `remarks`, where none can be made."""
        from labkit.measuring.twin_speed import bench_twin

        try:
            result = bench_twin(
                found, settings.quant, gpu_layers=settings.gpu_layers, show_progress=self.show_progress
            )
        except LabError as error:
            self.remarks.append(f"{found.title} was not measured: {error.what}")
            return None
        if result.is_extrapolated:
            self.remarks.append(f"{found.title}: extrapolated from two shallow twins.")
        speed = result.tg_tokens_per_s.median
        return Speed(speed, speed, measured=True)


def _notes(rows: list[FitRow], room: Room, what_if: bool, rate: Rate) -> list[str]:
    notes = []
    if not what_if:
        available = limits.memory_available_bytes()
        total = limits.memory_total_bytes()
        if room.ram_bytes < total:
            notes.append(
                f"The machine has {format_bytes(total)}; this process may use {format_bytes(room.ram_bytes)}."
            )
        notes.append(
            f"Other programs use {format_bytes(max(0, room.ram_bytes - available))} of it now: "
            f"{format_bytes(available)} are free."
        )
        fitting = [row for row in rows if row.fit and not row.fit.short_bytes]
        waiting = [row.name for row in fitting if row.fit and row.fit.memory.cpu_bytes > available]
        if waiting:
            notes.append(f"Close other programs first for: {', '.join(waiting)}.")
    smallest = {", ".join(row.fit.changes): None for row in rows if row.fit and row.fit.short_bytes}
    if any(smallest):  # else a reader subtracts the memory from what a model needs, and gets another number
        notes.append(
            f"What does not fit is short by that much even with {' or '.join(filter(None, smallest))}."
        )
    if any(row.speed and not row.speed.measured for row in rows):
        notes.append(_basis(rows, rate))
    if any(row.fit and row.fit.settings.gpu_layers and not row.speed for row in rows):
        notes.append("Where layers lie on a graphics card of unknown bandwidth, no speed is predicted.")
    if any(row.speed and row.speed.measured for row in rows):
        notes.append("Measured with twins: the same architecture and types, random weights.")
    return notes + rate.remarks


def _basis(rows: list[FitRow], rate: Rate) -> str:
    """Where the predicted speeds come from."""
    places = {row.fit.place for row in rows if row.fit and row.speed}
    known = []
    if places != {"GPU"}:
        known.append(f"{(rate.bandwidth_bytes_per_s or 0) / 1e9:.3g} GB/s of RAM, measured here")
    if places != {"RAM"}:
        known.append(f"{(rate.gpu_bandwidth_bytes_per_s or 0) / 1e9:.3g} GB/s on the GPU, as it is rated")
    share = f"{LEAST_SHARE * 100:.0f} to {MOST_SHARE * 100:.0f} %"
    return (
        f"Predicted speeds are {share} of memory bandwidth ({'; '.join(known)}) over the bytes that a token "
        "reads. `labkit fit --measure` measures with twins."
    )
