"""The hub route: the real huggingface_hub client against a hub on this machine, with every fault."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from labkit.errors import LabError
from labkit.models import hub
from labkit.models.download import fetch
from tests.hub_server import COMMIT, Fault, HubServer
from tests.models.support import FILENAME, REPO, blob, entry_for

CONTENT = blob()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr("labkit.models.transfer._FIRST_PAUSE_SECONDS", 0.01)
    with HubServer() as running:
        running.add(REPO, FILENAME, CONTENT)
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def partial_files(home: Path) -> list[Path]:
    return list(home.rglob("*.incomplete"))


def whole_files(home: Path) -> list[Path]:
    """Everything in the hub's cache that looks finished."""
    found = [*home.glob("hub/hub/models--*/blobs/*"), *home.glob("hub/hub/models--*/snapshots/*/*")]
    return [path for path in found if not path.name.endswith(".incomplete")]


def test_downloads_and_the_real_client_finds_it(server: HubServer, isolated_home: Path) -> None:
    model = fetch(entry_for(CONTENT))
    assert model.source == "hub" and model.path.read_bytes() == CONTENT
    assert model.sha256 == hashlib.sha256(CONTENT).hexdigest()
    found = hf_hub_download(
        REPO, FILENAME, revision=COMMIT, cache_dir=isolated_home / "hub/hub", local_files_only=True
    )
    assert Path(found).read_bytes() == CONTENT
    assert not partial_files(isolated_home)


def test_second_call_asks_nobody(server: HubServer) -> None:
    fetch(entry_for(CONTENT))
    server.asked.clear()
    assert fetch(entry_for(CONTENT)).source == "cache"
    assert server.asked == []


def test_file_without_pins_is_checked_by_the_hubs_own_hash(server: HubServer, isolated_home: Path) -> None:
    entry = entry_for(CONTENT, pinned=False, revision="", bytes=0)
    assert fetch(entry).sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert fetch(entry).source == "cache"
    found = hf_hub_download(REPO, FILENAME, cache_dir=isolated_home / "hub/hub", local_files_only=True)
    assert Path(found).read_bytes() == CONTENT


def test_cache_without_symbolic_links_holds_the_file_once(
    server: HubServer, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    model = fetch(entry_for(CONTENT))
    assert not model.path.is_symlink() and model.path.read_bytes() == CONTENT
    assert [p.stat().st_size for p in whole_files(isolated_home)] == [len(CONTENT)]
    assert fetch(entry_for(CONTENT)).source == "cache"


def test_token_goes_to_the_hub_and_not_to_the_storage_behind_it(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with HubServer() as storage:
        storage.add(REPO, FILENAME, CONTENT)
        # Another host name, as in life: localhost is not 127.0.0.1 to the client.
        server.redirect_to = storage.url.replace("127.0.0.1", "localhost")
        assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT
        assert all("hf_secret" in asked.headers["authorization"] for asked in server.asked)
        assert storage.gets() and not any("authorization" in asked.headers for asked in storage.asked)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401, error_code="RepoNotFound"), "without an account"),
        (Fault(status=401), "without an account"),
        (Fault(status=403, error_code="GatedRepo"), "gated"),
        (Fault(status=404, error_code="EntryNotFound"), "has no file small.gguf"),
        (Fault(status=404, error_code="RevisionNotFound"), "has no revision"),
        (Fault(status=404, error_code="RepoNotFound"), "without an account"),
        (Fault(status=404), "answered 404"),
        (Fault(status=429, headers={"Retry-After": "77"}), "too many requests"),
        (Fault(status=500), r"fault of its own \(500\)"),
        (Fault(html=True), "login page"),
        (Fault(status=429, headers={"Retry-After": "77"}, methods=("GET",)), "too many requests"),
        (Fault(status=403, methods=("GET",)), "without an account"),
        (Fault(status=500, methods=("GET",)), "the hub answered 500"),
        (Fault(html=True, methods=("GET",)), "login page"),
        (Fault(cut_after=0, methods=("GET",)), "ended the connection|connection broke"),
    ],
    ids=str,
)
def test_refusals_are_sentences(server: HubServer, isolated_home: Path, fault: Fault, expected: str) -> None:
    server.faults = [fault]
    with pytest.raises(LabError, match=expected) as caught:
        fetch(entry_for(CONTENT))
    assert caught.value.cure and "Traceback" not in str(caught.value)
    assert not whole_files(isolated_home)
    server.faults = []
    assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT


def test_refused_token_is_named(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    server.faults = [Fault(status=401)]
    with pytest.raises(LabError, match="refused your token"):
        fetch(entry_for(CONTENT))


def test_short_pause_asked_for_is_kept(server: HubServer) -> None:
    server.faults = [Fault(status=429, headers={"Retry-After": "1"}, times=1)]
    assert fetch(entry_for(CONTENT)).source == "hub"


def test_cut_connection_goes_on_where_it_broke(server: HubServer) -> None:
    server.faults = [Fault(cut_after=700_000, methods=("GET",), times=3)]
    assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT
    starts = [asked.range_start for asked in server.gets()]
    assert starts == [0, 700_000, 1_400_000, 2_100_000]


def test_stalled_server_gives_up_and_keeps_the_part(server: HubServer, isolated_home: Path) -> None:
    server.faults = [
        Fault(stall_after=500_000, methods=("GET",), times=1),
        Fault(stall_after=0, methods=("GET",)),
    ]
    with pytest.raises(LabError, match="stopped at .* nothing came for 1 s") as caught:
        fetch(entry_for(CONTENT))
    assert "is kept" in caught.value.cure
    (part,) = partial_files(isolated_home)
    assert part.stat().st_size == 500_000 and part.read_bytes() == CONTENT[:500_000]
    server.faults = []
    server.asked.clear()
    assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT
    assert [asked.range_start for asked in server.gets()] == [500_000]


def test_flipped_byte_is_noticed_and_fetched_anew(server: HubServer) -> None:
    server.faults = [Fault(flip_at=1_000_000, methods=("GET",), times=1)]
    assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT
    assert [asked.range_start for asked in server.gets()] == [0, 0]


def test_bytes_that_are_always_flipped_leave_nothing(server: HubServer, isolated_home: Path) -> None:
    server.faults = [Fault(flip_at=1_000_000, methods=("GET",))]
    with pytest.raises(LabError, match="arrived damaged twice"):
        fetch(entry_for(CONTENT))
    assert not whole_files(isolated_home) and not partial_files(isolated_home)


def test_server_that_ignores_ranges(server: HubServer) -> None:
    server.faults = [
        Fault(cut_after=900_000, methods=("GET",), times=1),
        Fault(ignore_range=True, methods=("GET",)),
    ]
    assert fetch(entry_for(CONTENT)).path.read_bytes() == CONTENT


def test_partial_file_of_another_run_that_is_corrupt(server: HubServer, isolated_home: Path) -> None:
    entry = entry_for(CONTENT)
    blobs = hub._repo_folder(entry) / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{entry.sha256}.incomplete").write_bytes(b"GGUF" + bytes(1_000_000))
    assert fetch(entry).path.read_bytes() == CONTENT
    assert [asked.range_start for asked in server.gets()] == [1_000_004, 0]


def test_another_file_than_the_pinned_one_is_refused(server: HubServer, isolated_home: Path) -> None:
    server.add(REPO, FILENAME, blob(seed=2))
    with pytest.raises(LabError, match="has another file"):
        fetch(entry_for(CONTENT))
    assert not whole_files(isolated_home) and not server.gets()


def test_hub_with_an_etag_that_would_leave_the_folder(server: HubServer) -> None:
    server.add(REPO, FILENAME, CONTENT, etag="../../../../evil")
    with pytest.raises(LabError, match="Something else than the hub"):
        fetch(entry_for(CONTENT))


def test_damaged_file_in_the_cache_is_replaced(server: HubServer) -> None:
    path = fetch(entry_for(CONTENT)).path
    changed = bytearray(CONTENT)
    changed[12345] ^= 1
    real = Path(os.path.realpath(path))
    before = real.stat()
    real.write_bytes(bytes(changed))
    os.utime(real, ns=(before.st_atime_ns, before.st_mtime_ns))
    model = fetch(entry_for(CONTENT))
    assert model.source == "hub" and model.path.read_bytes() == CONTENT
    assert "was damaged" in model.attempts[0]


def test_offline_switch_forbids_the_hub(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LabError, match="HF_HUB_OFFLINE is set"):
        fetch(entry_for(CONTENT))
    assert server.asked == []


def test_hub_that_vanishes_before_the_pointer_is_made(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> str:
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.hf_hub_download", gone)
    model = fetch(entry_for(CONTENT))
    assert model.path.name == FILENAME and model.path.read_bytes() == CONTENT
    assert fetch(entry_for(CONTENT)).source == "cache"


def test_two_processes_do_the_work_once(server: HubServer) -> None:
    server.bytes_per_s = 3e6
    code = (
        "from tests.models.support import *; from labkit.models.download import fetch\n"
        "m = fetch(entry_for(blob())); print(m.source, m.path.read_bytes() == blob())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [out.split()[1] for out, _ in outputs] == ["True", "True"], outputs
    assert len(server.gets()) == 1 and server.bytes_sent == len(CONTENT)
    assert any("waiting for it" in err for _, err in outputs)


@pytest.mark.parametrize("how", ["refused", "silent", "no such name"])
def test_unreachable_hub_is_given_up_quickly(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 4 s where a mirror stands ready, also when the name server never answers."""
    never = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if how == "silent":
            listener.listen()
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        if how == "no such name":
            monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait(30))
        began = time.monotonic()
        with pytest.raises(LabError) as caught:
            hub.fetch_from_hub(entry_for(CONTENT, mirror="pypi:x==1:y"), _quiet_bar())
        first = time.monotonic() - began
        began = time.monotonic()
        with pytest.raises(LabError, match="a moment ago"):
            hub.fetch_from_hub(entry_for(CONTENT, mirror="pypi:x==1:y"), _quiet_bar())
        second = time.monotonic() - began
    never.set()
    assert getattr(caught.value, "unreachable", False)
    assert first < 5.5 and second < 0.5


def _quiet_bar() -> object:
    from labkit.progress_bar import ProgressBar

    return ProgressBar(1, "B", show=False)
