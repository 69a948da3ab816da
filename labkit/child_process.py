"""Run a job of labkit's own in a fresh process: a clean memory reading, and a crash that harms nobody.

The job goes to the child as one line of JSON on its stdin, which then stays open: when the parent dies, stdin
closes and the child ends itself. The child answers with lines of JSON: progress, then a result or an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from labkit.errors import LabError

#: (steps done, steps in all, what is being done)
OnProgress = Callable[[int, int, str], None]


def run_child(module: str, job: dict[str, Any], on_progress: OnProgress | None = None) -> dict[str, Any]:
    """Run `python -m module` with `job`; return its result.

    Raises LabError with the child's own sentence, or, when it died, with one that says how. An interrupt
    (Ctrl-C, the kernel's stop button) ends the child before it goes on to the caller.
    """
    with tempfile.TemporaryFile() as errors:
        process = start_child(module, job, errors)
        try:
            for message in messages(process):
                if "result" in message:
                    return message["result"]
                if on_progress:
                    on_progress(message["done"], message["of"], message["text"])
            process.wait()
        finally:
            stop(process)
        errors.seek(0)
        raise died(process.returncode, errors.read().decode(errors="replace"))


def start_child(module: str, job: dict[str, Any], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start `python -m module` and send it the job. Its stderr goes to the file `errors`."""
    process = subprocess.Popen(
        # -P: a learner's own `random.py` beside the notebook must not take the standard library's place
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(),
        **_own_group(),
    )
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):  # it died at once: reading its answer will tell
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
    return process


def messages(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the child says, until it ends. Raises LabError when it says that the job failed."""
    assert process.stdout
    for line in process.stdout:
        if not line.endswith(b"\n"):  # it was killed while it wrote
            return
        message = json.loads(line)
        if "error" in message:
            raise LabError(message["error"]["what"], message["error"]["cure"])
        yield message


def stop(process: subprocess.Popen[bytes], grace_seconds: float = 2.0) -> None:
    """End a child and close its pipes; does nothing more when it has ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def serve_job(work: Callable[[dict[str, Any], Callable[..., None]], dict[str, Any]]) -> None:
    """The child's side: read the job, call `work(job, report)`, answer. Does not return.

    `report(done, of, text, **more)` sends a progress message.
    """
    # Native code may print to stdout; the answers go through a descriptor that only this module knows.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")

    def report(done: int, of: int, text: str, **more: Any) -> None:
        send({"done": done, "of": of, "text": text, **more})

    try:
        send({"result": work(job, report)})
    except LabError as error:
        send({"error": {"what": error.what, "cure": error.cure}})
    except MemoryError:
        send({"error": {"what": "Memory ran out.", "cure": "Choose a smaller model or a shorter context."}})
    except Exception as error:
        what = f"The job failed inside labkit ({type(error).__name__}: {error})."
        send({"error": {"what": what, "cure": "Please report this, with the output of `labkit doctor`."}})
    # llama.cpp's and CUDA's clean-up at exit has crashed often enough; there is nothing left to save.
    os._exit(0)


def _end_with_the_parent() -> None:
    # os.read, not sys.stdin: a thread inside a buffered reader holds a lock that Python wants at its exit
    while os.read(0, 4096):
        pass
    os._exit(1)


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    # NumPy comes with llama_cpp; its threads would only add memory to the reading.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    environment["PYTHONIOENCODING"] = "utf-8"
    return environment


def _own_group() -> dict[str, Any]:
    """Popen arguments that keep Ctrl-C in a terminal from the child: its parent ends it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def died(returncode: int, errors: str) -> LabError:
    """How a child ended that gave no answer."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    reason = f" Its last words: {lines[-1][:300]}" if lines else ""
    if returncode == -getattr(signal, "SIGKILL", 9):
        return LabError(
            "The system ended the process that ran the model. Most likely memory ran out.",
            "Choose a smaller model or a shorter context, or close other programs.",
        )
    if returncode < 0:
        with contextlib.suppress(ValueError):
            returncode_name = signal.Signals(-returncode).name
            return LabError(
                f"llama.cpp crashed on this model ({returncode_name}); your session is unharmed.{reason}",
                "The file may be damaged or of a kind that this llama.cpp does not know. "
                "Fetch it again, or choose another model.",
            )
    return LabError(
        f"The process that ran the model ended early (status {returncode}).{reason}",
        "Try again. If it happens again, type `labkit doctor`.",
    )
