"""The measuring half of `labkit.measuring.memory_run`, run as a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.measuring.engine import Engine
from labkit.measuring.memory import MemoryReading, memory_now
from labkit.models import native
from labkit.models.buffers import parse_buffers
from labkit.models.gguf import read_gguf_header
from labkit.models.memory_check import require_memory


def measure(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Memory before the load, with the model, with its context, and after a prompt and one more token."""
    path, n_ctx = Path(job["path"]), job["context"]
    how = {"kv_type": job["kv_type"], "flash_attention": job["flash_attention"]}
    require_memory(path, read_gguf_header(path), n_ctx, **how)
    native.llama()
    before = memory_now()
    engine = Engine(path, threads=job["threads"], gpu_layers=0, mmap=job["mmap"])
    with_model = memory_now()
    context = engine.context(n_ctx, **how)
    with_context = last = memory_now()
    if job["fill"]:
        context.prompt_ns(engine.random_tokens(job["prompt"]))
        context.generate_ns(engine.random_tokens(1))
        last = memory_now()
    return {
        "resident_bytes": _peak(before, with_model, with_context, last) - before.resident_bytes,
        "private_bytes": last.private_bytes - before.private_bytes,
        "file_backed_bytes": last.file_backed_bytes - before.file_backed_bytes,
        "load_bytes": with_model.resident_bytes - before.resident_bytes,
        "context_bytes": with_context.resident_bytes - with_model.resident_bytes,
        "prompt_bytes": last.resident_bytes - with_context.resident_bytes,
        "buffers": parse_buffers(engine.load_log + context.log),
        "settings": {"context": context.size, **engine.settings()},
        "cpu_features": sorted(native.cpu_features()),
    }


def _peak(*readings: MemoryReading) -> int:
    """The largest resident size since the load; the process may have had a higher peak before it."""
    before, *later = readings
    largest = max(reading.resident_bytes for reading in later)
    return max(largest, later[-1].peak_bytes) if later[-1].peak_bytes > before.peak_bytes else largest


if __name__ == "__main__":
    serve_job(measure)
