"""Speed and memory of a model on this machine, by `llama-bench`'s definition.

* pp (prompt processing): `prompt` random tokens, in batches; tokens divided by the time of all of them.
* tg (text generation): `generate` random tokens one by one, waiting for each; no sampler inside the timing.
* Each test has a context of its own size, a warm-up that does not count, and an empty cache before each run.
* The figure is the mean over the runs, with the sample standard deviation; the median stands beside it.

Source: tools/llama-bench/llama-bench.cpp in llama.cpp. It all happens in a fresh process, so that the memory
is the model's alone and a model that crashes harms nobody. Taught in chapter 19.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import limits, settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.kv_cache import check_kv_type, kv_bytes_per_token
from labkit.estimating.speed import weight_bytes_per_token
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.record import BenchRecord
from labkit.measuring.results import Result, Row, Spread, now_utc
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile, twin_notice
from labkit.progress_bar import ProgressBar
from labkit.units import MIB

#: `LABKIT_QUICK=1` caps the sizes at these
_QUICK = {"prompt": 128, "generate": 16, "repetitions": 2}

#: Below this share of the processor time asked for, other programs slowed the run.
_DISTURBED = 0.9


@dataclass(frozen=True)
class MemoryUse:
    """Memory of the process that ran the model, in bytes: the largest reading over the run."""

    resident_bytes: int
    private_bytes: int
    """The process's own: KV cache, compute buffers, Python."""
    file_backed_bytes: int
    """Pages of files: the mapped model, program code. The system can drop and re-read them."""
    peak_bytes: int
    before_load_bytes: int
    """Resident before there was a model: Python with llama.cpp."""
    model_bytes: int
    """Weights, as llama.cpp reports its buffers; likewise the next three, for the context of `settings`."""
    kv_bytes: int
    compute_bytes: int
    output_bytes: int
    gpu_bytes: int | None
    """GPU memory of the process; None without an NVIDIA GPU or a GPU build."""


@dataclass(frozen=True, repr=False)
class BenchResult(Result):
    """What `bench` measured."""

    pp_tokens_per_s: Spread
    """Prompt processing speed, tokens/s."""
    tg_tokens_per_s: Spread
    """Generation speed, tokens/s."""
    ttft_s: float | None
    """Median seconds from a text of `settings["ttft_prompt_tokens"]` tokens to the first token of the answer;
    None when the file has no tokenizer."""
    memory: MemoryUse
    settings: dict[str, Any]
    model: dict[str, Any]
    """name, path, sha256, bytes, source, random_weights, and what the header tells."""
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    @property
    def random_weights(self) -> bool:
        """True when the model is the stand-in with random weights, or a twin."""
        return bool(self.model.get("random_weights"))

    @property
    def twin_of(self) -> str:
        """For a twin, the model whose speed this is; else empty."""
        return str(self.model.get("twin_of") or "")

    def title(self) -> str:
        stand_in = ", RANDOM WEIGHTS (a stand-in that writes nonsense)" if self.random_weights else ""
        name = self.model["name"] + stand_in
        if self.twin_of:
            name = f"{self.twin_of}, measured on a twin (random weights, real speed),"
        runs_on = self.settings["runs_on"]
        where = f"{self.settings['threads']} threads" if runs_on == "CPU" else f"layers on {runs_on}"
        return f"{name} on {self.machine.cpu}, {where}"

    def rows(self) -> list[Row]:
        memory, set_to = self.memory, self.settings
        return [
            Row(f"Prompt processing, {set_to['prompt']} tokens", self.pp_tokens_per_s, "tokens/s"),
            Row(f"Generation, {set_to['generate']} tokens", self.tg_tokens_per_s, "tokens/s"),
            Row(f"Time to first token, prompt of {set_to['ttft_prompt_tokens']}", self.ttft_s, "s"),
            Row("Peak memory", memory.peak_bytes, "bytes"),
            *([Row("GPU memory", memory.gpu_bytes, "bytes")] if memory.gpu_bytes is not None else []),
            # What is reserved counts only once it is used: these do not add up to the peak.
            Row("Memory at the end (resident)", memory.resident_bytes, "bytes", detail=True),
            Row("  of it the process's own", memory.private_bytes, "bytes", detail=True),
            Row(
                "  of it pages of files, the model above all", memory.file_backed_bytes, "bytes", detail=True
            ),
            Row("Reserved for the weights", memory.model_bytes, "bytes", detail=True),
            Row(
                f"Reserved to look back on {set_to['context']:,} tokens (KV cache)",
                memory.kv_bytes,
                "bytes",
                detail=True,
            ),
            Row("Reserved for the computation", memory.compute_bytes, "bytes", detail=True),
        ]

    def notes(self) -> list[str]:
        wide = self.pp_tokens_per_s.wide or self.tg_tokens_per_s.wide
        range_shown = "; where the runs differ much, from the slowest to the fastest" if wide else ""
        lines = [f"Median ± standard deviation{range_shown}. Measured on {self.date[:10]}."]
        if self.random_weights:
            lines.insert(0, twin_notice(self.twin_of) if self.twin_of else RANDOM_WEIGHTS_NOTICE)
        lines = self.disturbances() + lines
        if self.settings.get("quick"):
            lines.insert(0, "Quick run (LABKIT_QUICK): fewer tokens and runs than usual.")
        return lines

    def disturbances(self) -> list[str]:
        """A sentence when other programs slowed the run."""
        on_processor = self.settings["runs_on"] == "CPU"  # else the threads wait for the GPU, asleep
        return disturbances(self.settings["processor_share"]) if on_processor else []

    def record(self) -> str:
        """The figures in one line of text, to paste into an answer. `BenchRecord.parse` reads it back."""
        record = BenchRecord(
            tg_values=tuple(self.tg_tokens_per_s.values),
            pp_values=tuple(self.pp_tokens_per_s.values),
            peak_mib=self.memory.peak_bytes / MIB,
            model=self.model["name"],
            sha12=self.model["sha256"][:12],
            date=self.date[:10],
            random_weights=self.random_weights,
        )
        return str(record)


def disturbances(processor_share: float | None) -> list[str]:
    """A sentence when a measurement got too little of the processor time that its threads asked for."""
    if processor_share is None or processor_share >= _DISTURBED:
        return []
    return [
        f"Disturbed: this run got {processor_share:.0%} of the processor time that its threads asked for. "
        "Close other programs and notebooks, then measure again."
    ]


def bench(
    model: ModelFile | str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    prompt: int = 512,
    generate: int = 128,
    repetitions: int = 5,
    context: int | None = None,
    gpu_layers: int | None = None,
    kv_type: str = "f16",
    flash_attention: bool | None = None,
    mmap: bool | None = None,
    show_progress: bool = True,
) -> BenchResult:
    """Measure a model's speed and memory on this machine.

    Parameters
    ----------
    model : a fetched model, a catalogue name, or the path of a GGUF file. None: the course's small model.
    threads : None is one for each physical core that this process may use.
    prompt, generate : tokens processed in one run, as llama-bench's `-p` and `-n`.
    repetitions : runs of each test, as llama-bench's `-r`.
    context : tokens of context. None: as llama-bench, the size of each test; memory for prompt + generate.
    gpu_layers : layers to put on the GPU. None: all, if there is one.
    kv_type : what the KV cache stores keys and values in, as llama-bench's `-ctk` and `-ctv`: "q8_0", "q4_0".
    flash_attention, mmap : as llama-bench's `-fa` and `-mmp`. None leaves the choice to llama.cpp.

    Raises LabError with a sentence when the file is damaged, the context does not fit the memory, or
    llama.cpp fails; the calling process is safe from all of it.
    """
    sizes = {"prompt": prompt, "generate": generate, "repetitions": repetitions}
    threads = limits.default_threads() if threads is None else threads
    check_sizes(sizes | {"threads": threads}, context)
    check_kv_type(kv_type)
    if settings.quick():
        sizes = {name: min(size, _QUICK[name]) for name, size in sizes.items()}
    file = resolve_model(model)
    facts = _header_facts(file)
    job = {
        **sizes,
        "path": str(file.path),
        "threads": threads,
        "context": context,
        "gpu_layers": -1 if gpu_layers is None else gpu_layers,
        "kv_type": kv_type,
        "flash_attention": flash_attention,
        "mmap": mmap,
    }
    here = machine()
    title = f"Measuring {file.name}" + (" (random weights)" if file.random_weights else "")
    with ProgressBar(None, title=title, show=show_progress) as bar:

        def show(done: int, of: int, text: str) -> None:
            bar.set(done, total=of)
            bar.message(text)

        answer = run_child("labkit.measuring._bench_child", job, show)
    ttft = answer["ttft_s"]
    return BenchResult(
        pp_tokens_per_s=Spread.of(answer["pp_tokens_per_s"]),
        tg_tokens_per_s=Spread.of(answer["tg_tokens_per_s"]),
        ttft_s=Spread.of(ttft).median if ttft else None,
        memory=MemoryUse(**answer["memory"]),
        settings={
            **sizes,
            "threads": threads,
            "gpu_layers": job["gpu_layers"],
            "quick": settings.quick(),
            **answer["settings"],
        },
        model=file.to_dict() | facts,
        machine=here,
        versions=versions() | {"ggml": answer["ggml"]},
    )


def resolve_model(model: ModelFile | str | os.PathLike[str] | None) -> ModelFile:
    """A model file from what a caller gave: None, a ModelFile, a catalogue name or a path.

    Raises LabError when there is no such file or name.
    """
    if isinstance(model, ModelFile):
        if model.twin_of and not model.path.exists():
            raise LabError(
                f"The twin of {model.twin_of} is no longer there: it was removed meanwhile.",
                "Run the cell that made it again: it is written in seconds.",
            )
        return model
    from labkit.models import download

    if model is None:
        return download.get_model()
    if not isinstance(model, (str, os.PathLike)):
        raise LabError(
            f"A model is a name, a path or what `lk.fetch` gives, not {type(model).__name__}.",
            "Type `lk.bench()` for the course's small model.",
        )
    text = os.fspath(model)
    looks_like_path = isinstance(model, os.PathLike) or text.lower().endswith(".gguf") or os.sep in text
    if looks_like_path or Path(text).is_file():
        return download.local_model(text)
    return download.fetch(text)


def check_sizes(numbers: dict[str, int], context: int | None) -> None:
    """All sizes must be whole numbers of at least 1 that llama.cpp can take."""
    largest = {"prompt": 2**20, "generate": 2**20, "repetitions": 1000, "threads": 512, "context": 2**24}
    for name, value in numbers.items() | ({"context": context}.items() if context is not None else set()):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest[name]:
            raise LabError(
                f"`{name}` must be a whole number from 1 to {largest[name]:,}, not {value!r}.",
                "Leave it out for the usual value.",
            )
    if context is not None and context < numbers["prompt"] + numbers["generate"]:
        raise LabError(
            f"A context of {context:,} tokens does not hold a prompt of {numbers['prompt']:,} and "
            f"{numbers['generate']:,} generated tokens.",
            "Choose a longer context, or a smaller `prompt` or `generate`.",
        )


def _header_facts(file: ModelFile) -> dict[str, Any]:
    """What the file's header says. Raises LabError when it is damaged."""
    from labkit.models.gguf import read_gguf_header

    header = read_gguf_header(file.path)
    try:
        kv_bytes = kv_bytes_per_token(header)
    except LabError:  # a cache of a kind of its own: the measurement itself needs no formula
        kv_bytes = 0
    return {
        "parameters": header.n_parameters,
        "quantization": header.quantization,
        "architecture": header.architecture,
        "weight_bytes_per_token": weight_bytes_per_token(header.blueprint()),
        "kv_bytes_per_token": kv_bytes,
    }
