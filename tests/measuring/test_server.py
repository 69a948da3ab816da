"""The server: it answers over HTTP, and nothing is left when it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import psutil
import pytest

from labkit.errors import LabError
from labkit.measuring.server import serve
from labkit.models.model_file import ModelFile


def get(url: str) -> dict:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as response:
        return json.load(response)


def test_ask_and_stop(small_model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy for the internet, and variables that the server would take for its own settings.
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name, value in {"HOST": "0.0.0.0", "PORT": "1", "API_KEY": "secret", "N_CTX": "7"}.items():
        monkeypatch.setenv(name, value)
    with serve(small_model, context=256, show_progress=False) as server:
        child = psutil.Process(server._process.pid)
        answer = server.ask("What is the capital of France?", max_tokens=6)
        assert isinstance(answer, str) and answer
        assert server.ask("What is the capital of France?", max_tokens=6) == answer
        assert get(server.base_url + "/models")["data"][0]["id"] == small_model.name
        listening = [c.laddr.ip for c in child.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]
        with pytest.raises(LabError, match="refused"):
            server.ask("word " * 2000)
        assert server.ask("And now?", max_tokens=2)
    assert not child.is_running()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
    with pytest.raises(LabError, match="stopped"):
        server.ask("Are you there?")
    server.stop()
    assert "llama" in server.log


def test_random_weights_say_so(random_model: ModelFile) -> None:
    with serve(random_model, context=256, show_progress=False) as server:
        assert "RANDOM" in repr(server)
        server.ask("Hello", max_tokens=2)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_killed_server_is_a_sentence(random_model: ModelFile) -> None:
    with serve(random_model, context=256, show_progress=False) as server:
        os.kill(server._process.pid, signal.SIGKILL)
        server._process.wait()
        with pytest.raises(LabError):
            server.ask("Hello")


def test_what_can_not_start_is_a_sentence(tmp_path: Path, random_model: ModelFile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LabError, match="Port"):
        serve(random_model, port=taken.getsockname()[1], show_progress=False)
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(Path(random_model.path).read_bytes().replace(b"llama", b"lamma"))
    with pytest.raises(LabError):
        serve(ModelFile("odd", odd, "0" * 64, 0, "local"), show_progress=False)
    with pytest.raises(LabError):
        serve(tmp_path / "none.gguf")
    assert not [p for p in psutil.Process().children() if "_server_child" in _command(p)]


def _command(process: psutil.Process) -> str:
    """Its command line; empty for one that has ended and only waits to be asked how."""
    try:
        return " ".join(process.cmdline())
    except psutil.ZombieProcess:
        return ""
