"""The speed of a model that is not here, measured on its twin. Taught in chapters 2 and 3.

A model that fits is measured whole. Of a larger one, two shallow twins are measured in turn: the layers are
alike, so the time for a token is a + b · layers (a: embedding and output), and the straight line through both
gives the whole model's. Where layers differ, each counts by the bytes of it that a token reads.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from labkit import limits, settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import file_bytes
from labkit.estimating.gguf_types import FILE_TYPES
from labkit.estimating.kv_cache import check_kv_type
from labkit.estimating.memory import estimate_memory
from labkit.estimating.shallow import layer_tensors, main_layers
from labkit.estimating.speed import weight_bytes_per_token
from labkit.measuring.bench import MemoryUse, bench, check_sizes
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.results import Result, Row, Spread, now_utc
from labkit.measuring.twin_depths import cache_warning, choose_depths, fits_whole
from labkit.models.twin import shallow_twin, twin_blueprint, twin_of_blueprint
from labkit.progress_bar import ProgressBar

if TYPE_CHECKING:
    from labkit.models.source import Source, SourceLike

#: `LABKIT_QUICK=1` caps the sizes at these
_QUICK = {"prompt": 128, "generate": 16, "repetitions": 2}


@dataclass(frozen=True, repr=False)
class TwinSpeed(Result):
    """What `bench_twin` found."""

    pp_tokens_per_s: Spread
    """Prompt processing speed of the whole model, tokens/s."""
    tg_tokens_per_s: Spread
    """Generation speed of the whole model, tokens/s."""
    memory_bytes: int
    """What the whole model takes of RAM and of the GPU's memory: measured, or computed when extrapolated."""
    depths: list[int]
    """Layers of the twins that were measured: the model's own number, or two smaller ones."""
    twin_bytes: list[int]
    """Sizes of their files."""
    model: dict[str, Any]
    """title, quantization, architecture, parameters, parameters_active, layers, file_bytes."""
    warnings: list[str]
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    @property
    def is_extrapolated(self) -> bool:
        return len(self.depths) > 1

    @property
    def how(self) -> str:
        """How the speeds came about, in words."""
        return "extrapolated from 2 depths" if self.is_extrapolated else "measured on a twin"

    def title(self) -> str:
        runs_on = self.settings["runs_on"]
        where = f"{self.settings['threads']} threads" if runs_on == "CPU" else f"layers on {runs_on}"
        return f"{self.model['title']}, {self.how}, on {self.machine.cpu}, {where}"

    def rows(self) -> list[Row]:
        set_to = self.settings
        computed = " (computed)" if self.is_extrapolated else ""
        return [
            Row(f"Prompt processing, {set_to['prompt']} tokens", self.pp_tokens_per_s, "tokens/s"),
            Row(f"Generation, {set_to['generate']} tokens", self.tg_tokens_per_s, "tokens/s"),
            Row(f"Memory that the model takes{computed}", self.memory_bytes, "bytes"),
            Row("How the speeds were found", self.how),
            Row("Size of the model's file", self.model["file_bytes"], "bytes", detail=True),
            Row("Layers of the model", str(self.model["layers"]), detail=True),
            Row("Layers measured", " and ".join(map(str, self.depths)), detail=True),
        ]

    def notes(self) -> list[str]:
        lines = [
            *self.warnings,
            "No weights of the model were used: a twin has its architecture, sizes and tensor types, and "
            "random weights. Its speed and its memory are real; what it writes is noise.",
        ]
        if self.is_extrapolated:
            first, second = self.depths
            lines.append(
                f"Twins with {first} and {second} of the {self.model['layers']} layers were measured in "
                "turn; the speed is that of the straight line through both, the ± its scatter between rounds."
            )
        if self.settings.get("quick"):
            lines.insert(0, "Quick run (LABKIT_QUICK): fewer tokens and runs than usual.")
        return [*lines, f"Median ± standard deviation. Measured on {self.date[:10]}."]


def bench_twin(
    source: SourceLike | Source,
    quant: str | None = None,
    *,
    context: int | None = None,
    threads: int | None = None,
    prompt: int = 512,
    generate: int = 128,
    repetitions: int = 5,
    gpu_layers: int | None = None,
    kv_type: str = "f16",
    flash_attention: bool | None = None,
    depths: tuple[int, int] | None = None,
    show_progress: bool = True,
) -> TwinSpeed:
    """How fast a model would run here, and what memory it would take, before it is downloaded.

    Parameters
    ----------
    source, quant : as for `twin`: which model, in which quantization.
    context : tokens of context. None: as llama-bench, the size of each test.
    threads, prompt, generate, repetitions, gpu_layers, kv_type, flash_attention : as for `bench`.
    depths : measure two twins of so many layers, even if the whole would fit. None: labkit chooses.

    Raises LabError when the source cannot be read, no twin fits the disk and the memory, or llama.cpp fails.
    Taught in chapters 2 and 3.
    """
    sizes = {"prompt": prompt, "generate": generate, "repetitions": repetitions}
    threads = limits.default_threads() if threads is None else threads
    check_sizes(sizes | {"threads": threads}, context)
    check_kv_type(kv_type)
    if settings.quick():
        sizes = {name: min(size, _QUICK[name]) for name, size in sizes.items()}
    whole = twin_blueprint(source, quant)
    job = {
        **sizes,
        "threads": threads,
        "context": context,
        "gpu_layers": gpu_layers,
        "kv_type": kv_type,
        "flash_attention": flash_attention,
    }
    if depths is None and fits_whole(whole):
        return _measured(whole, job, show_progress)
    return _extrapolated(whole, depths or choose_depths(whole), job, show_progress)


def _measured(whole: Blueprint, job: dict[str, Any], show_progress: bool) -> TwinSpeed:
    """The whole twin, as `bench` measures any model."""
    file = twin_of_blueprint(whole, show_progress=show_progress)
    result = bench(file, **job, show_progress=show_progress)
    return TwinSpeed(
        pp_tokens_per_s=result.pp_tokens_per_s,
        tg_tokens_per_s=result.tg_tokens_per_s,
        memory_bytes=_taken(result.memory),
        depths=[main_layers(whole)],
        twin_bytes=[file.bytes],
        model=_facts(whole),
        warnings=result.disturbances(),
        settings=result.settings,
        machine=result.machine,
        versions=result.versions,
    )


def _taken(memory: MemoryUse) -> int:
    """What the model added to its process at the peak, and on the GPU."""
    return memory.peak_bytes - memory.before_load_bytes + (memory.gpu_bytes or 0)


def _extrapolated(
    whole: Blueprint, depths: tuple[int, int], job: dict[str, Any], show_progress: bool
) -> TwinSpeed:
    """Two shallow twins in turn, and the straight line through them."""
    first, second = sorted(depths)
    if first == second:
        raise LabError("A straight line needs two different depths.", "Leave `depths` out, or give two.")
    shallow = [shallow_twin(whole, n) for n in (first, second)]
    files = [twin_of_blueprint(blueprint, show_progress=show_progress) for blueprint in shallow]
    here = machine()
    child_job = {
        **job,
        "paths": [str(file.path) for file in files],
        "gpu_layers": -1 if job["gpu_layers"] is None else job["gpu_layers"],
    }
    title = f"Measuring twins with {first} and {second} of {main_layers(whole)} layers"
    with ProgressBar(None, title=title, show=show_progress) as bar:

        def show(done: int, of: int, text: str) -> None:
            bar.set(done, total=of)
            bar.message(text)

        answer = run_child("labkit.measuring._twin_speed_child", child_job, show)
    works = [layer_work(blueprint) for blueprint in (*shallow, whole)]
    return TwinSpeed(
        pp_tokens_per_s=_on_the_line(answer["pp"], works),
        tg_tokens_per_s=_on_the_line(answer["tg"], works),
        memory_bytes=_memory(whole, job, answer),
        depths=[first, second],
        twin_bytes=[file.bytes for file in files],
        model=_facts(whole),
        warnings=_warnings(shallow, here, answer["settings"]["runs_on"]),
        settings={**child_job, "quick": settings.quick(), **answer["settings"]},
        machine=here,
        versions=versions() | {"ggml": answer["ggml"]},
    )


def layer_work(blueprint: Blueprint) -> float:
    """Bytes of the layers' weights that a token reads: layers that differ count by what they cost."""
    return weight_bytes_per_token(replace(blueprint, tensors=layer_tensors(blueprint)))


def _on_the_line(seconds: list[list[float]], works: list[float]) -> Spread:
    """tokens/s of the whole model, one value for each round in which both twins ran.

    `seconds` per token of the two twins, round by round; `works` of the two and of the whole model.
    """
    first, second, whole = works
    shallower, deeper = seconds
    if statistics.median(deeper) <= statistics.median(shallower):
        raise LabError(
            "The deeper twin was not slower than the shallow one: something else slowed the machine.",
            "Close other programs and notebooks, then measure again.",
        )
    lever = (whole - first) / (second - first)
    times = [a + (b - a) * lever for a, b in zip(shallower, deeper, strict=True)]
    # The whole model has more layers than either: where noise says it is faster, it is the noise.
    return Spread.of([1 / max(time, b) for time, b in zip(times, deeper, strict=True)])


def _memory(whole: Blueprint, job: dict[str, Any], answer: dict[str, Any]) -> int:
    """What the whole model would take, computed for the processor that the twins ran on."""
    on_cpu = answer["settings"]["runs_on"] == "CPU"
    context = job["context"] or job["prompt"] + job["generate"]
    estimate = estimate_memory(
        whole,
        context,
        type_k=job["kv_type"],
        type_v=job["kv_type"],
        gpu_layers=0 if on_cpu else (whole.n_layers + 1 if job["gpu_layers"] is None else job["gpu_layers"]),
        tokens=job["prompt"],
        cpu_features=answer["cpu_features"],
    )
    return estimate.resident_bytes + estimate.gpu_bytes


def _warnings(shallow: list[Blueprint], here: Machine, runs_on: str) -> list[str]:
    if runs_on != "CPU":
        return ["The speed is that of a machine whose GPU memory holds the whole model."]
    warning = cache_warning(shallow[0], here.last_level_cache_bytes)
    return [warning] if warning else []


def _facts(whole: Blueprint) -> dict[str, Any]:
    return {
        "title": whole.title,
        "quantization": FILE_TYPES.get(whole.metadata.get("general.file_type"), ""),
        "architecture": whole.architecture,
        "parameters": whole.parameters,
        "parameters_active": whole.parameters_active,
        "layers": main_layers(whole),
        "file_bytes": file_bytes(whole),
    }
