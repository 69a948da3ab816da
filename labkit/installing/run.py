"""Run a long command: output to a log file, progress to one line, an end that leaves nothing running."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import LabError
from labkit.installing.console import StatusLine
from labkit.installing.pip_output import Progress, failure

#: Enough to hold the reason of a failure; the log file holds everything.
_KEPT_LINES = 4000

#: Settings that would make pip or Python work somewhere other than in the new environment.
_UNWANTED = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "__PYVENV_LAUNCHER__",
)


def child_environment(**extra: str) -> dict[str, str]:
    """The environment for pip: the user's own settings (index, proxy, certificates) stay in force."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    kept.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONNOUSERSITE="1")
    kept.update(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", NINJA_STATUS="[%f/%t] ", **extra)
    return kept


def run_step(
    title: str,
    command: list[str],
    log: Path,
    *,
    environment: dict[str, str] | None = None,
    keep_fd: int | None = None,
) -> str:
    """Run `command` and show `title` with its progress. Returns the end of its output.

    A failure raises LabError with the reason in a sentence. Ctrl-C ends the command and all that it started.
    The command keeps `keep_fd` (the setup's lock) open: while it lives, no second setup starts beside it.
    """
    progress, kept = Progress(), deque(maxlen=_KEPT_LINES)
    status = StatusLine(title)
    new_group = {"start_new_session": True} if os.name == "posix" else {}
    if keep_fd is not None and os.name == "posix":
        new_group["pass_fds"] = (keep_fd,)
    with log.open("a", encoding="utf-8", errors="replace") as file:
        file.write(f"\n$ {' '.join(command)}\n")
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment or child_environment(),
                **new_group,
            )
        except OSError as error:
            status.stop()
            raise LabError(f"{title} failed: {error}", "Run the same command again.") from error
        try:
            for line in _lines(process):
                if line:
                    file.write(line)
                    kept.append(line)
                    progress.read(line.strip(), status.seconds)
                status.update(progress.now(status.seconds))
            returncode = process.wait()
        except BaseException:
            status.stop()
            _end(process)
            raise
    output = "".join(kept)
    if returncode:
        status.stop()
        raise failure(title, output, str(log))
    status.done()
    return output


def _lines(process: subprocess.Popen) -> Iterator[str]:
    """The process's lines as they come, and an empty text each second in between."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def _end(process: subprocess.Popen) -> None:
    """End the process and its children: politely, then by force after ten seconds."""
    if process.poll() is not None and os.name != "posix":
        return
    if os.name != "posix":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)
        return
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # compilers that outlived pip


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[int]:
    """Hold the lock file `path`; wait, and say so, while another setup holds it. Yields its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _lock(file, wait=False):
            print("Another setup is at work in this clone. Waiting for it to end (Ctrl-C stops waiting) ...")
            sys.stdout.flush()
            _lock(file, wait=True)
        yield file
    finally:
        os.close(file)


def _lock(file: int, *, wait: bool) -> bool:
    """True when the lock is ours. On a file system without locks: True, there is nothing to wait for."""
    if os.name == "posix":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
    import msvcrt

    while True:
        try:
            msvcrt.locking(file, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            return True
        except OSError:
            if not wait:
                return False
