"""A full disk and a read-only cache, on a real file system of a few megabytes (bubblewrap mounts it)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_server import HubServer
from tests.models.support import FILENAME, REPO, blob

_FETCH = """
import os, pathlib, sys, threading, time
from tests.models.support import blob, entry_for
from labkit.errors import LabError
from labkit.models import storage
from labkit.models.download import fetch
storage._MARGIN_BYTES = 0
if "fill" in sys.argv:
    def fill():
        while not list(pathlib.Path(os.environ["HF_HOME"]).rglob("*.incomplete")):
            time.sleep(0.01)
        with open(os.environ["HF_HOME"] + "/somebody-else", "wb") as file:
            file.write(bytes(3_500_000))
    threading.Thread(target=fill).start()
try:
    print("OK", fetch(entry_for(blob())).path.read_bytes() == blob())
except LabError as error:
    print("LabError", error)
for folder, _, names in os.walk(os.environ["HF_HOME"]):
    for name in names:
        print("FILE", name, os.path.getsize(os.path.join(folder, name)))
"""


def run_confined(hub: HubServer, folder: Path, mount: list[str], *arguments: str) -> str:
    """Fetches in a mount namespace in which `folder` is what `mount` makes of it."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        pytest.skip("bubblewrap is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    command = [bwrap, "--dev-bind", "/", "/", *mount, "--"]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no namespaces here: {probe.stderr.strip()}")
    environment = {**os.environ, "HF_HOME": str(folder), "HF_ENDPOINT": hub.url}
    done = subprocess.run(
        [*command, sys.executable, "-c", _FETCH, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def hub() -> HubServer:
    with HubServer() as running:
        running.add(REPO, FILENAME, blob())
        yield running


def test_full_disk_is_seen_before_the_download(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    out = run_confined(hub, folder, ["--size", "2000000", "--tmpfs", str(folder)])
    assert "LabError" in out and "are needed" in out and "HF_HOME" in out
    assert not hub.gets()


def test_disk_that_becomes_full_keeps_the_part_and_says_so(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    hub.bytes_per_s = 2.5e6
    out = run_confined(hub, folder, ["--size", "4500000", "--tmpfs", str(folder)], "fill")
    assert "became full" in out and "goes on where it stopped" in out, out
    kept = [line.split() for line in out.splitlines() if line.startswith("FILE")]
    assert [name for _, name, _ in kept if name.endswith(".incomplete")]
    assert not [name for _, name, size in kept if size == str(len(blob()))]


def test_read_only_cache(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    out = run_confined(hub, folder, ["--ro-bind", str(folder), str(folder)])
    assert "LabError" in out and "read-only disk" in out and "Set HF_HOME" in out
