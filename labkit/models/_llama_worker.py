"""The worker's side of `labkit.models.llama_worker`: loads files without their weights, and tells the sizes.

A line of JSON comes in: `{"path", "gpu_layers", "context": {...}}`, or a job for `engine.plan` or
`tokenizer.cut`. A line goes out: `{"log"}` with what llama.cpp wrote, or `{"problem"}` with its reason for
refusing; `tokenizer.cut` tells its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from typing import Any

from labkit.models import engine, native, tokenizer

#: it ends itself when nobody asks for so long
_IDLE_SECONDS = 30.0
_MEMORY_BYTES = 8 * 2**30


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """llama.cpp's log of one model and one context, neither allocated, or what another job tells."""
    if "quantize" in job:
        return engine.plan(job)
    if "vocabulary" in job:
        return tokenizer.cut(job)
    lib, mark = native.llama(), native.log.mark()
    model_p = native.open_model(job["path"], gpu_layers=job["gpu_layers"], allocate=False)
    if model_p is None:
        return {"problem": native.log.reason(mark) or "it gives no reason"}
    ctx_p = native.open_context(model_p, threads=1, **job["context"])
    reply = {"log": native.log.since(mark)} if ctx_p else {"problem": native.log.reason(mark)}
    if ctx_p:
        lib.llama_free(ctx_p)
    lib.llama_model_free(model_p)
    return reply


def main() -> None:
    # Native code may print to stdout; the answers go through a descriptor that only this module knows.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _limit_resources()
    while True:
        idle = threading.Timer(_IDLE_SECONDS, os._exit, [0])
        idle.daemon = True
        idle.start()
        line = sys.stdin.buffer.readline()
        idle.cancel()
        if not line:
            os._exit(0)
        answers.write(json.dumps(answer(json.loads(line))).encode() + b"\n")


def _limit_resources() -> None:
    """No core file, no endless memory (not with a GPU: its driver reserves terabytes of addresses)."""
    if os.name != "posix":
        return
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux" and not native.llama().llama_supports_gpu_offload():
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


if __name__ == "__main__":
    main()
