"""The memory that a model takes on this machine, beside what the formulas and llama.cpp say.

Each run is a fresh process: what it has more at its peak than before the load is the model's. llama.cpp
writes zeros into the whole KV cache when it makes it, so all of it is resident before any token; the compute
buffer is only reserved then, and becomes resident where the computation touches it. Taught in chapter 6.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit import limits, settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.kv_cache import N_UBATCH, check_kv_type, kv_bytes
from labkit.estimating.memory import estimate_memory
from labkit.measuring.bench import resolve_model
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.memory_record import MemoryRecord
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.gguf import GGUFHeader, read_gguf_header
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile, twin_notice
from labkit.progress_bar import ProgressBar
from labkit.tables import Table
from labkit.units import MIB, format_bytes

_LONGEST_CONTEXT = 2**24
#: `LABKIT_QUICK=1` keeps the first and the last context, and no context above this
_QUICK_LONGEST = 4096


@dataclass(frozen=True)
class LlamaBuffers:
    """The buffers that llama.cpp reports, in bytes, exact to 5 kB each."""

    model_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int


@dataclass(frozen=True, repr=False)
class MemoryRun(Result):
    """One run: what the process took beyond what it had before the load."""

    resident_bytes: int
    """At the peak, all of it."""
    private_bytes: int
    """At the end: the process's own, above all cache and computation; with `mmap=False` the weights too."""
    file_backed_bytes: int
    """At the end: pages of the mapped model file. The system can drop and re-read them."""
    load_bytes: int
    """More after loading the model: weights and vocabulary."""
    context_bytes: int
    """More after making the context: the KV cache, and a little book-keeping."""
    prompt_bytes: int
    """More after a prompt and one more token: what the computation touched of its buffer."""
    predicted_kv_bytes: int
    """The KV cache by `kv_bytes`."""
    predicted_resident_bytes: int
    """All of it by `estimate_memory`."""
    buffers: LlamaBuffers
    settings: dict[str, Any]
    """context (tokens), kv_type, fill, mmap, threads, and llama.cpp's load_mode and flash_attention."""
    model: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def title(self) -> str:
        set_to = self.settings
        how = f"{set_to['context']:,} tokens of context, cache in {set_to['kv_type']}"
        return f"Memory of {_name(self.model)} with {how}"

    def rows(self) -> list[Row]:
        buffers = self.buffers
        computed = self.settings["fill"]
        return [
            Row("Loading the model added", self.load_bytes, "bytes"),
            Row("Making the context added", self.context_bytes, "bytes"),
            Row("Reserved for the computation", buffers.compute_bytes, "bytes", detail=not computed),
            *([Row("Touched by the computation", self.prompt_bytes, "bytes")] if computed else []),
            Row("Resident in all, at the peak", self.resident_bytes, "bytes"),
            Row("KV cache by the formula", self.predicted_kv_bytes, "bytes"),
            Row("KV cache, as llama.cpp reports it", buffers.kv_bytes, "bytes", detail=True),
            Row("Resident in all, predicted", self.predicted_resident_bytes, "bytes", detail=True),
            Row("At the end: the process's own", self.private_bytes, "bytes", detail=True),
            Row("At the end: pages of the model file", self.file_backed_bytes, "bytes", detail=True),
            Row("Reserved for the weights", buffers.model_bytes, "bytes", detail=True),
            Row("Reserved for the scores of one token", buffers.output_bytes, "bytes", detail=True),
        ]

    def notes(self) -> list[str]:
        lines = [
            f"Measured in a process of its own on {self.date[:10]}; what it had before the load is left out."
        ]
        return [*_notice(self.model), *lines]


@dataclass(frozen=True, repr=False)
class MemoryComparison(Result):
    """Runs of one model at several contexts and types of cache."""

    runs: list[MemoryRun]
    date: str = field(default_factory=now_utc)

    def run(self, context: int, kv_type: str = "f16") -> MemoryRun:
        """The run with that context and type. Raises LabError when it was not measured."""
        for run in self.runs:
            if (run.settings["asked_context"], run.settings["kv_type"]) == (context, kv_type.lower()):
                return run
        raise LabError(
            f"No run with {context:,} tokens and a cache in {kv_type} was measured.",
            f"Ask for one of: {', '.join(_what(run) for run in self.runs)}.",
        )

    def record(self) -> str:
        """The f16 readings in one line, to paste into an answer. `MemoryRecord.parse` reads it back."""
        plain = sorted(
            (run.settings["asked_context"], run.resident_bytes / MIB)
            for run in self.runs
            if run.settings["kv_type"] == "f16"
        )
        if not plain:
            raise LabError("Nothing was measured with an f16 cache.", "Measure with `kv_types=('f16',)`.")
        shape = self.runs[0].model
        return str(
            MemoryRecord(
                readings=tuple(plain),
                layers=shape["layers"],
                heads=shape["heads"],
                kv_heads=shape["kv_heads"],
                head_size=shape["head_size"],
                date=self.date[:10],
            )
        )

    def title(self) -> str:
        return f"KV cache of {_name(self.runs[0].model)}: predicted, reported, measured"

    def rows(self) -> list[Row]:
        return [Row(f"Measured: {_what(run)}", run.context_bytes, "bytes") for run in self.runs]

    def table(self) -> Table:
        cells = [
            (
                f"{run.settings['context']:,}",
                run.settings["kv_type"],
                format_bytes(run.predicted_kv_bytes),
                format_bytes(run.buffers.kv_bytes),
                format_bytes(run.context_bytes),
                format_bytes(run.resident_bytes),
            )
            for run in self.runs
        ]
        columns = (
            "Context, tokens",
            "Cache in",
            "Predicted cache",
            "llama.cpp reports",
            "Memory grew by",
            "In all, with the model",
        )
        return Table(self.title(), columns, cells, self.notes())

    def __repr__(self) -> str:
        return repr(self.table())

    def notes(self) -> list[str]:
        lines = [
            'Each run is a process of its own. "Memory grew by" is what making the context added: the cache, '
            "and a few MiB of book-keeping.",
            f"Measured on {self.date[:10]}.",
        ]
        return [*_notice(self.runs[0].model), *lines]

    def to_frame(self) -> Any:
        """A pandas table, a row per run, sizes in bytes."""
        import pandas as pd

        return pd.DataFrame(
            {
                "context": run.settings["context"],
                "kv_type": run.settings["kv_type"],
                "predicted_kv_bytes": run.predicted_kv_bytes,
                "reported_kv_bytes": run.buffers.kv_bytes,
                "context_bytes": run.context_bytes,
                "resident_bytes": run.resident_bytes,
            }
            for run in self.runs
        )


def measure_memory(
    model: ModelFile | str | os.PathLike[str] | None = None,
    *,
    context: int = 512,
    kv_type: str = "f16",
    fill: bool = True,
    mmap: bool = True,
    flash_attention: bool | None = None,
    threads: int | None = None,
) -> MemoryRun:
    """Measure the memory that a model takes, in a process of its own, on the CPU.

    Parameters
    ----------
    model : a fetched model, a catalogue name, or the path of a GGUF file. None: the course's small model.
    context : tokens of context.
    kv_type : what the KV cache stores keys and values in: "f16", "q8_0", "q4_0" ...
    fill : process a prompt of up to 512 tokens and one more, as a chat would; else only make the context.
    mmap : map the file, as llama.cpp does by itself; False reads it into memory.
    flash_attention : None leaves it to llama.cpp.
    threads : None is one for each physical core that this process may use.

    Raises LabError when the context does not fit the memory, or llama.cpp fails; the calling process is safe.
    Taught in chapter 6.
    """
    file = resolve_model(model)
    header = read_gguf_header(file.path)
    job = {
        "path": str(file.path),
        "context": _checked(context),
        "kv_type": check_kv_type(kv_type),
        "fill": bool(fill),
        "prompt": min(N_UBATCH, context - 1),
        "mmap": bool(mmap),
        "flash_attention": flash_attention,
        "threads": threads or limits.default_threads(),
    }
    answer = run_child("labkit.measuring._memory_child", job)
    predicted = _predicted(header, job, answer.pop("cpu_features"))
    buffers, set_to = LlamaBuffers(**answer.pop("buffers")), answer.pop("settings")
    asked = {name: job[name] for name in ("kv_type", "fill", "mmap", "threads")}
    return MemoryRun(
        **answer,
        predicted_kv_bytes=kv_bytes(header, context, type_k=kv_type, type_v=kv_type),
        predicted_resident_bytes=predicted,
        buffers=buffers,
        settings={**set_to, **asked, "asked_context": context},
        model=file.to_dict() | _shape(header),
        machine=machine(),
        versions=versions(),
    )


def compare_memory(
    model: ModelFile | str | os.PathLike[str] | None = None,
    contexts: Sequence[int] = (512, 2048, 8192),
    kv_types: Sequence[str] = ("f16", "q8_0", "q4_0"),
    *,
    show_progress: bool = True,
) -> MemoryComparison:
    """Measure the memory of a model at each of the contexts, with each type of cache.

    Only the contexts are made, nothing is computed: that shows the cache alone, in about a second a run.
    With `LABKIT_QUICK=1` fewer contexts are measured. Raises LabError as `measure_memory` does.
    Taught in chapter 6.
    """
    contexts, kv_types = [_checked(n) for n in contexts], [check_kv_type(name) for name in kv_types]
    if not contexts or not kv_types:
        raise LabError("There is nothing to measure.", "Give at least one context and one type of cache.")
    if settings.quick():
        contexts = sorted({min(n, _QUICK_LONGEST) for n in (min(contexts), max(contexts))})
    file = resolve_model(model)
    runs = []
    with ProgressBar(
        len(contexts) * len(kv_types), "run", f"Memory of {file.twin_of or file.name}", show=show_progress
    ) as bar:
        for kv_type in kv_types:
            for context in contexts:
                runs.append(measure_memory(file, context=context, kv_type=kv_type, fill=False))
                bar.update()
    return MemoryComparison(runs)


def _name(model: dict[str, Any]) -> str:
    """What to call it: a twin by the model that it is the twin of."""
    if model["twin_of"]:
        return f"{model['twin_of']}, measured on a twin"
    return model["name"] + (" (random weights)" if model["random_weights"] else "")


def _notice(model: dict[str, Any]) -> list[str]:
    """What a reader must know of random weights; nothing for a real model."""
    if model["twin_of"]:
        return [twin_notice(model["twin_of"])]
    return [RANDOM_WEIGHTS_NOTICE] if model["random_weights"] else []


def _what(run: MemoryRun) -> str:
    return f"{run.settings['asked_context']:,} tokens in {run.settings['kv_type']}"


def _checked(context: object) -> int:
    if isinstance(context, int) and not isinstance(context, bool) and 1 < context <= _LONGEST_CONTEXT:
        return context
    raise LabError(
        f"A context of {context!r} tokens can't be measured.",
        f"Give whole numbers from 2 to {_LONGEST_CONTEXT:,}.",
    )


def _predicted(header: GGUFHeader, job: dict[str, Any], cpu_features: list[str]) -> int:
    """The resident bytes that `estimate_memory` expects of this run."""
    memory = estimate_memory(
        header.blueprint(),
        job["context"],
        type_k=job["kv_type"],
        type_v=job["kv_type"],
        flash_attention=job["flash_attention"] is not False,
        mmap=job["mmap"],
        tokens=job["prompt"],
        cpu_features=cpu_features,
        vocabulary="tokenizer.ggml.tokens" in header.metadata,
    )
    return memory.resident_bytes - (0 if job["fill"] else memory.compute_touched_bytes)


def _shape(header: GGUFHeader) -> dict[str, int]:
    return {
        "layers": header.n_layers,
        "heads": header.n_heads,
        "kv_heads": header.n_kv_heads,
        "head_size": header.head_dim,
    }
