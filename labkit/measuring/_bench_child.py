"""The measuring half of `labkit.measuring.bench`, run as a process of its own."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.estimating.kv_cache import N_BATCH, N_UBATCH
from labkit.measuring.engine import Context, Engine
from labkit.measuring.gpu import ProcessGPUMemory
from labkit.measuring.llama_build import ggml_version, llama_build
from labkit.measuring.memory import memory_now
from labkit.models import native
from labkit.models.buffers import parse_buffers
from labkit.models.gguf import read_gguf_header
from labkit.models.memory_check import require_memory

#: A prompt's processing is timed above all; the time to the first token adds little to it and scatters alike.
_FIRST_TOKEN_RUNS = 3

#: What a reader could ask; repeated until it has the length wanted.
_PROMPT = (
    "A friend runs a small library in a town by the sea. She wants to know which language model she can run "
    "on the computer at the front desk, how fast it will answer, and what it may be used for. Explain it. "
)


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Load the model, time prompt and generation, then the way from a text to its first token."""
    path = Path(job["path"])
    n_ctx = job["context"] or job["prompt"] + job["generate"]
    how = {"kv_type": job["kv_type"], "flash_attention": job["flash_attention"]}
    require_memory(path, read_gguf_header(path), n_ctx, **how)
    return _Measurement(job, report).run(path, n_ctx)


class _Measurement:
    """One job: the tests on one loaded model, and what is watched meanwhile."""

    def __init__(self, job: dict[str, Any], report: OnProgress) -> None:
        self.prompt, self.generate, self.repetitions = job["prompt"], job["generate"], job["repetitions"]
        self.first_token_runs = min(self.repetitions, _FIRST_TOKEN_RUNS)
        self.job = job
        self.steps = _Steps(4 + 2 * self.repetitions + self.first_token_runs, report)
        self.memory = _Memory()
        self.share = _ProcessorShare(job["threads"])

    def run(self, path: Path, n_ctx: int) -> dict[str, Any]:
        runs_on = llama_build().runs_on if self.job["gpu_layers"] else "CPU"
        self.engine = Engine(
            path, threads=self.job["threads"], gpu_layers=self.job["gpu_layers"], mmap=self.job["mmap"]
        )
        self.steps.done("Model loaded")
        # Garbage collection inside a timed loop would be Python's time, not the model's.
        gc.collect()
        gc.disable()
        fixed = self.job["context"]
        pp = self.repeat("Prompt processing", fixed or self.prompt, self.process_prompt, self.process_prompt)
        tg = self.repeat("Generation", fixed or self.generate, self.one_token, self.generate_tokens)
        self.text = _text_of(self.engine, self.prompt)
        self.repetitions = self.first_token_runs
        ttft = self.repeat("Time to first token", n_ctx, self.one_token, self.first_token)
        return {
            "pp_tokens_per_s": pp,
            "tg_tokens_per_s": tg,
            "ttft_s": ttft if self.text else [],
            "memory": self.memory.to_dict() | parse_buffers(self.engine.load_log + self.context_log),
            "settings": self.settings() | {"runs_on": runs_on} | self.engine.settings(),
            "ggml": ggml_version(),
        }

    def repeat(
        self, what: str, n_ctx: int, warm_up: Callable[[Context], Any], run: Callable[[Context], float]
    ) -> list[float]:
        """One test as llama-bench has it: a context of its own, a warm-up, and the repetitions."""
        context = self.engine.context(
            n_ctx, kv_type=self.job["kv_type"], flash_attention=self.job["flash_attention"]
        )
        self.context_log, self.context_size = context.log, context.size
        warm_up(context)
        self.steps.done(what)
        values = []
        for _ in range(self.repetitions):
            context.clear()
            with self.share:
                values.append(run(context))
            self.memory.sample()
            self.steps.done(what)
        context.close()
        return values

    def process_prompt(self, context: Context) -> float:
        """tokens/s of one prompt."""
        return self.prompt * 1e9 / context.prompt_ns(self.engine.random_tokens(self.prompt))

    def generate_tokens(self, context: Context) -> float:
        """tokens/s of one generation."""
        return self.generate * 1e9 / context.generate_ns(self.engine.random_tokens(self.generate))

    def one_token(self, context: Context) -> None:
        context.generate_ns(self.engine.random_tokens(1))

    def first_token(self, context: Context) -> float:
        """Seconds from a text to the first token of the answer: tokenizer, prompt, one sampled token."""
        start = time.perf_counter()
        tokens = self.engine.tokenize(self.text)[: self.prompt]
        if tokens:
            context.prompt_ns(tokens)
            context.most_likely_next()
        return time.perf_counter() - start

    def settings(self) -> dict[str, Any]:
        """What was measured; `context` is the last one, which the memory figures belong to."""
        return {
            "context": self.context_size,
            "ttft_prompt_tokens": min(self.prompt, len(self.engine.tokenize(self.text))),
            "batch": N_BATCH,
            "ubatch": N_UBATCH,
            "type_k": self.job["kv_type"],
            "type_v": self.job["kv_type"],
            "swa_full": False,
            "processor_share": self.share.value,
        }


class _Steps:
    """Counts what is done, for the parent's progress bar."""

    def __init__(self, of: int, report: OnProgress) -> None:
        self._done, self._of, self._report = 0, of, report

    def done(self, text: str) -> None:
        self._done += 1
        self._report(self._done, self._of, text)


class _ProcessorShare:
    """The processor time that the timed runs got, over what their threads asked for, 0 to 1.

    Threads that wait for each other do not sleep, so without other programs it is near 1.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._got_s = self._asked_s = 0.0

    def __enter__(self) -> None:
        self._start = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._got_s += time.process_time() - self._start[0]
        self._asked_s += self._threads * (time.perf_counter() - self._start[1])

    @property
    def value(self) -> float | None:
        """None after less than a second: too short to tell."""
        return round(min(1.0, self._got_s / self._asked_s), 3) if self._asked_s > 1 else None


class _Memory:
    """The largest memory reading over the run, and what the process used before there was a model."""

    def __init__(self) -> None:
        gpu_build = native.llama().llama_supports_gpu_offload()
        self._gpu = ProcessGPUMemory(os.getpid()) if gpu_build else None
        self._largest = self._before = memory_now()

    def sample(self) -> None:
        now = memory_now()
        if now.resident_bytes > self._largest.resident_bytes:
            self._largest = now
        if self._gpu:
            self._gpu.sample()

    def to_dict(self) -> dict[str, int | None]:
        return {
            "resident_bytes": self._largest.resident_bytes,
            "private_bytes": self._largest.private_bytes,
            "file_backed_bytes": self._largest.file_backed_bytes,
            "peak_bytes": max(memory_now().peak_bytes, self._largest.resident_bytes),
            "before_load_bytes": self._before.resident_bytes,
            "gpu_bytes": self._gpu.largest_bytes if self._gpu else None,
        }


def _text_of(engine: Engine, n_tokens: int) -> str:
    """A text of about `n_tokens` tokens for this model; empty when its file has no tokenizer."""
    sample = _PROMPT * 4
    n_sample = len(engine.tokenize(sample))
    if not n_sample:
        return ""
    n_characters = max(1, len(sample) * n_tokens // n_sample)
    return (_PROMPT * (n_characters // len(_PROMPT) + 1))[:n_characters]


if __name__ == "__main__":
    serve_job(measure)
