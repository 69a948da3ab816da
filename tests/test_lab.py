"""`labkit lab` starts a real JupyterLab: what it serves, what it prints, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from labkit.errors import LabError
from labkit.lab import FIRST_PORT, course_folder, has_screen, serve_course
from labkit.models.model_file import ModelFile


@pytest.fixture(autouse=True)
def own_jupyter_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def ask(address: str, path: str) -> dict | list:
    """An answer of the server's API."""
    base, token = re.match(r"(http://localhost:\d+)/.*token=(\w+)", address).groups()
    request = urllib.request.Request(f"{base}/{path}", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_the_course_is_served_calmly() -> None:
    with serve_course(course_folder()) as (process, address):
        assert address.partition("?")[0].endswith("/lab/tree/00_start.ipynb")
        names = {item["name"] for item in ask(address, "api/contents/")["content"]}
        assert "00_start.ipynb" in names
        assert not names & {"source", "build.py"}  # the solutions
        settings = ask(address, "lab/api/settings/@jupyterlab/apputils-extension:notification")
        assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(address.partition("?")[0].replace("lab/tree", "api/contents"), timeout=60)
        assert error.value.code == 403  # not without the token
        kernels = psutil.Process(process.pid).children(recursive=True)
    assert process.returncode is not None
    assert not any(kernel.is_running() for kernel in kernels)


def test_a_port_in_use_is_passed_over() -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # then someone else has it, which is as good
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", FIRST_PORT))
            holder.listen()
        _, address = stack.enter_context(serve_course(course_folder()))
        assert f":{FIRST_PORT}/" not in address
        assert ask(address, "api/status")["kernels"] == 0


def test_a_server_that_does_not_start_is_a_sentence() -> None:
    with (
        pytest.raises(LabError, match="JupyterLab did not start"),
        serve_course(course_folder(), ["--ServerApp.port=nonsense"]),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_lab_prints_the_address_without_a_screen_and_ends_by_ctrl_c(
    small_model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "LABKIT_CACHE": str(small_model.path.parents[2]), "LABKIT_QUICK": "1"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    environment["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"
    process = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "lab"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    shown = []
    for line in process.stdout:
        shown.append(line)
        if "Ctrl-C" in line:
            break
    address = next(line.strip() for line in shown if "http://localhost:" in line)
    assert ask(address, "api/status")["started"]
    assert any("ssh -L" in line for line in shown)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the command and the server
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    with pytest.raises(urllib.error.URLError):
        ask(address, "api/status")


def test_a_screen_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not has_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_screen()
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    assert not has_screen()
