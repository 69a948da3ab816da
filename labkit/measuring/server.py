"""A model behind the interface that closed models have: an OpenAI-compatible server on this machine.

The server is the one that llama-cpp-python brings (`python -m llama_cpp.server --model FILE` in a terminal).
It runs in a process of its own, listens on 127.0.0.1 only, and ends with the session. Taught in chapter 19.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import tempfile
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, Self

from labkit import limits
from labkit.child_process import died, messages, start_child, stop
from labkit.errors import LabError
from labkit.measuring.bench import resolve_model
from labkit.models.model_file import ModelFile
from labkit.progress_bar import ProgressBar

#: The longest wait for an answer; a large model on a small machine writes one token per second.
_ANSWER_SECONDS = 600


class Server:
    """A running server. Use it in a `with` block, or call `stop()`."""

    def __init__(self, file: ModelFile, job: dict[str, Any], *, show_progress: bool) -> None:
        self.file = file
        self._is_chat_model = bool(job.pop("is_chat_model"))
        self._log_file = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the server)
        self._process = start_child("labkit.measuring._server_child", job, self._log_file)
        atexit.register(self.stop)
        try:
            self.port = self._wait_until_ready(show_progress)
        except BaseException:
            self.stop()
            raise

    @property
    def base_url(self) -> str:
        """The address that an OpenAI client wants: `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What llama.cpp and the server have printed so far."""
        if self._log_file.closed:
            return self._last_log
        position = self._log_file.tell()
        self._log_file.seek(0)
        text = self._log_file.read().decode(errors="replace")
        self._log_file.seek(position)
        return text

    def ask(self, text: str, *, max_tokens: int = 64, temperature: float = 0.0) -> str:
        """Send one question over HTTP and return the answer's text.

        A model with a chat template gets it as a user's message; one without just continues the text. Raises
        LabError when the server is stopped, dies, or refuses the question.
        """
        options = {"max_tokens": max_tokens, "temperature": temperature, "seed": 0}
        if self._is_chat_model:
            body = {"messages": [{"role": "user", "content": text}], **options}
            return self._post("/chat/completions", body)["choices"][0]["message"]["content"].strip()
        return self._post("/completions", {"prompt": text, **options})["choices"][0]["text"].strip()

    def stop(self) -> None:
        """End the server. Calling it again does nothing."""
        atexit.unregister(self.stop)
        stop(self._process)
        if not self._log_file.closed:
            self._last_log = self.log
            self._log_file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"at {self.base_url}" if self.is_running else "stopped"
        return f"Server for {self.file.label}, {state}"

    def _wait_until_ready(self, show_progress: bool) -> int:
        with ProgressBar(2, title=f"Starting a server for {self.file.label}", show=show_progress) as bar:
            for message in messages(self._process):
                bar.message(message["text"])
                bar.set(message["done"])
                if "port" in message:
                    bar.close(f"{self.file.label} is served at http://127.0.0.1:{message['port']}/v1")
                    return message["port"]
            self._process.wait()
            raise died(self._process.returncode, self.log)

    def _post(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self.is_running:
            raise LabError(
                "The server has stopped.", 'Start it again: `with lk.serve() as server: server.ask("...")`.'
            )
        request = urllib.request.Request(
            self.base_url + route,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        # A proxy set for the internet must not see requests to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise LabError(
                f"The server refused the question: {_message_of(error)}", "Ask something shorter."
            ) from None
        except (OSError, ValueError) as error:
            if not self.is_running:
                raise died(self._process.returncode, self.log) from None
            raise LabError(f"The server did not answer: {error}.", "Start it again.") from None


def serve(
    model: ModelFile | str | os.PathLike[str] | None = None,
    port: int = 0,
    *,
    context: int = 2048,
    threads: int | None = None,
    gpu_layers: int | None = None,
    show_progress: bool = True,
) -> Server:
    """Start a server for a model and wait until it answers.

    Parameters
    ----------
    model : a fetched model, a catalogue name, or the path of a GGUF file. None: the course's small model.
    port : 0 chooses a free one.
    context : tokens of context.
    threads, gpu_layers : as for `bench`.

    Raises LabError when the file is damaged, the port is taken, or the server's packages are missing.
    """
    from labkit.models.gguf import read_gguf_header

    for name, value, largest in (
        ("port", port, 65535),
        ("context", context, 2**24),
        ("threads", threads, 512),
    ):
        if value is not None and (not isinstance(value, int) or not 0 <= value <= largest):
            raise LabError(
                f"`{name}` must be a whole number up to {largest:,}, not {value!r}.", "Leave it out."
            )
    file = resolve_model(model)
    job = {
        "path": str(file.path),
        "name": file.name,
        "port": port,
        "context": context,
        "threads": threads or limits.default_threads(),
        "gpu_layers": -1 if gpu_layers is None else gpu_layers,
        "is_chat_model": read_gguf_header(file.path).has_chat_template,
    }
    return Server(file, job, show_progress=show_progress)


def _message_of(error: urllib.error.HTTPError) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.load(error)["error"]["message"])
    return f"status {error.code}."
