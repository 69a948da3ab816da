"""A process of its own in which llama.cpp looks at models without their weights.

llama.cpp stops the whole process on some odd hyperparameters; in a notebook that would be the kernel. Asking
a process that is already there takes milliseconds, where starting one takes a third of a second. It ends
with this process, or when nobody has asked for half a minute, and is started again when it is needed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from labkit.errors import LabError
from labkit.models.child_check import how_it_died

_TIMEOUT_SECONDS = 120.0


class _Worker:
    """The process, while it lives. One question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._owner = 0

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The worker's answer. Raises LabError when llama.cpp stops the worker, or takes too long."""
        with self._lock:
            line = self._answer(job) or self._answer(job, fresh=True)
            if line:
                return json.loads(line)
            raise self._died()

    def _answer(self, job: dict[str, Any], fresh: bool = False) -> bytes:
        """One line, or nothing when the worker died: perhaps of old age, so a fresh one is asked again."""
        if fresh or not self._alive():
            self._start()
        assert self._process and self._process.stdin and self._process.stdout
        clock = threading.Timer(_TIMEOUT_SECONDS, self._process.kill)
        clock.daemon = True
        clock.start()
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return b""
        except BaseException:  # interrupted: an answer that comes later must not be taken for the next one
            self.stop()
            raise
        finally:
            clock.cancel()

    def _alive(self) -> bool:
        # A forked process must not talk over its parent's pipes.
        mine = self._process is not None and self._owner == os.getpid()
        return mine and self._process.poll() is None

    def _start(self) -> None:
        self.stop()
        self._owner = os.getpid()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the worker)
        group: dict[str, Any] = {"start_new_session": True}  # Ctrl-C in a terminal is for the parent
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labkit.models._llama_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONFAULTHANDLER": "0"},
            **group,
        )

    def _died(self) -> LabError:
        assert self._process and self._errors
        status = self._process.wait()
        self._errors.seek(0)
        how = how_it_died(status, self._errors.read().decode(errors="replace"))
        return LabError(
            f"llama.cpp cannot take this model: {how}. (It was tried in a process of its own.)",
            "Check the numbers of its configuration, or choose another model.",
        )

    def stop(self) -> None:
        """Ends the process, if it is this process's own."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, self._errors):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


_worker = _Worker()
atexit.register(_worker.stop)


def ask_llama(job: dict[str, Any]) -> dict[str, Any]:
    """Hands the worker a job (see `_llama_worker`) and returns its answer: `{"log"}`, `{"problem"}` and more.

    Raises LabError when llama.cpp stopped the worker on it.
    """
    return _worker.ask(job)
