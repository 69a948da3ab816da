"""llama-cpp-python's server, run as a process of its own. It listens on 127.0.0.1 only."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from labkit.child_process import serve_job
from labkit.errors import LabError

HOST = "127.0.0.1"


def run(job: dict[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    """Load the model, listen, report the port, serve until the process is ended."""
    try:
        import uvicorn
        from llama_cpp.server.app import create_app
        from llama_cpp.server.settings import ModelSettings, ServerSettings
    except ImportError as error:
        raise LabError(
            f"The server needs a package that is not installed ({error.name}).",
            "In the clone, type `make setup`; it installs the server too.",
        ) from None
    _forget_variables({*ModelSettings.model_fields, *ServerSettings.model_fields})
    model = ModelSettings(
        model=job["path"],
        model_alias=job["name"],
        n_ctx=job["context"],
        n_threads=job["threads"],
        n_threads_batch=job["threads"],
        n_gpu_layers=job["gpu_layers"],
        flash_attn=True,
        # The server's default keeps the scores of every token: n_ctx × vocabulary × 4 bytes.
        logits_all=False,
        verbose=True,
    )
    try:
        listener = socket.create_server((HOST, job["port"]))
    except OSError as error:
        raise LabError(
            f"Port {job['port']} on this machine can't be used: {error.strerror}.",
            "Leave `port` out; a free one is chosen.",
        ) from None
    port = listener.getsockname()[1]
    server_settings = ServerSettings(host=HOST, port=port)
    try:
        app = create_app(server_settings=server_settings, model_settings=[model])
    except ValueError as error:
        raise LabError(
            f"llama.cpp can't serve {os.path.basename(job['path'])}, context {job['context']:,}: {error}.",
            "Fetch the file again, or choose a shorter context or a smaller model.",
        ) from None
    report(1, 2, "Model loaded")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    report(2, 2, "Listening", port=port)
    server.run(sockets=[listener])
    return {}


def _forget_variables(names: set[str]) -> None:
    """The server's settings also come from environment variables named after them (`HOST`, `API_KEY` ...)."""
    for variable in list(os.environ):
        if variable.lower() in names:
            del os.environ[variable]


if __name__ == "__main__":
    serve_job(run)
