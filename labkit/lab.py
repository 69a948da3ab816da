"""Start JupyterLab on the course, calmly: one page, one address, an end by Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import LabError
from labkit.settings import home, repository_root

START_PAGE = "00_start.ipynb"
FIRST_PORT = 8888
_PORTS_TO_TRY = 50
#: What a learner does not need to see beside the chapters: the authors' sources hold the solutions.
_HIDDEN = ("source", "build.py", "__pycache__", ".DS_Store", "*~")
_START_SECONDS = 90.0


def open_lab(jupyter_arguments: list[str], *, as_json: bool = False) -> int:
    """Prove the main job, then serve JupyterLab until it ends. Returns the exit status."""
    course = course_folder()
    # A process of its own: what llama.cpp and its libraries take is given back before JupyterLab starts.
    command = [sys.executable, "-m", "labkit.cli", "lab", "--no-browser"]
    if as_json:
        proof = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    else:
        proof = subprocess.run(command)
    if proof.returncode:
        if as_json:
            print(proof.stdout, end="")
        return proof.returncode if proof.returncode > 0 else 1
    with serve_course(course, jupyter_arguments, browser=has_screen()) as (process, address):
        if as_json:
            print(json.dumps({**json.loads(proof.stdout), "address": address}, indent=2), flush=True)
        else:
            how = "JupyterLab opens in your browser" if has_screen() else "Open this address in a browser"
            print(f"\n{how}:\n\n    {address}\n", flush=True)
            if not has_screen():
                print(_tunnel_hint(address), flush=True)
            print("Ctrl-C here ends it.", flush=True)
        return _wait(process)


def course_folder() -> Path:
    """The folder with the chapters. LabError when labkit does not run from a clone."""
    root = repository_root()
    if root is None or not (root / "course" / START_PAGE).is_file():
        raise LabError(
            "The course's chapters are not here.",
            "`labkit lab` runs from a clone of the course: type `make lab` in its folder.",
        )
    return root / "course"


def has_screen() -> bool:
    """Whether a browser window can be seen by the person who typed the command."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def serve_course(
    course: Path, jupyter_arguments: list[str] | None = None, *, browser: bool = False
) -> Iterator[tuple[subprocess.Popen, str]]:
    """JupyterLab on `course`: its process and the start page's address, once it answers.

    The server's log goes to a file. Leaving the block ends the server and its kernels.
    """
    port, token = _free_port(), secrets.token_hex(24)
    log = home() / "jupyterlab.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "JUPYTER_TOKEN": token,
        # This environment's kernel and settings, whatever else the user's home folder holds.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        *_arguments(course, port, browser),
        *(jupyter_arguments or []),
    ]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(process, port, token, log)
            yield process, f"http://localhost:{port}/lab/tree/{START_PAGE}?token={token}"
        finally:
            _end(process)


def _arguments(course: Path, port: int, browser: bool) -> list[str]:
    arguments = [
        f"--ServerApp.root_dir={course}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.answer_yes=True",  # one Ctrl-C is enough
        f"--LabApp.default_url=/lab/tree/{START_PAGE}",
        # Tabs of the learner's other projects stay out of the course, and the course's tabs out of those.
        f"--LabApp.workspaces_dir={Path(sys.prefix) / 'share' / 'labkit' / 'workspaces'}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        *(f"--ContentsManager.hide_globs={name}" for name in _HIDDEN),
    ]
    if (
        hasattr(os, "geteuid") and os.geteuid() == 0
    ):  # containers: JupyterLab refuses to run as root otherwise
        arguments.append("--ServerApp.allow_root=True")
    return arguments


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS_TO_TRY):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # on Windows this option would let two servers share a port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(
        f"Every port from {FIRST_PORT} to {FIRST_PORT + _PORTS_TO_TRY - 1} is in use.",
        "End other Jupyter servers: `jupyter server list` shows them, `jupyter server stop PORT` ends one.",
    )


def _wait_until_ready(process: subprocess.Popen, port: int, token: str, log: Path) -> None:
    question = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"}
    )
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    )  # a proxy does not serve this computer
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with direct.open(question, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"]
    raise LabError(f"JupyterLab did not start. It says: {lines[-1]}", f"The whole log is in {log}")


def _wait(process: subprocess.Popen) -> int:
    """Until the server ends. Ctrl-C and a polite kill are normal ends."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        print("\nJupyterLab ends.", file=sys.stderr, flush=True)
        return 0
    return 0 if status == 0 else 1


def _end(process: subprocess.Popen) -> None:
    """Let the server end its kernels; insist after ten seconds."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    for _ in range(2):
        try:
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            process.kill()
        except KeyboardInterrupt:  # an impatient second Ctrl-C
            process.kill()


def _tunnel_hint(address: str) -> str:
    """How to reach a server on another machine; empty when this one is not reached over SSH."""
    if not os.environ.get("SSH_CONNECTION"):
        return ""
    port = address.split(":")[2].split("/")[0]
    return f"From your own computer, open a tunnel first: ssh -L {port}:localhost:{port} THIS_MACHINE\n"
