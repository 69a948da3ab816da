"""A model hub on 127.0.0.1: a real HTTP server that speaks the hub's protocol, with faults on demand.

It answers HEAD and GET of `/{repo}/resolve/{revision}/{file}` with the headers that huggingface_hub reads,
serves ranges, lists a repository's files, counts what it is asked, and can be told to misbehave.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HTML = b"<!DOCTYPE html><html><body>Please log in to the network.</body></html>"
_PIECE = 64 * 1024


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def range_start(self) -> int:
        match = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else 0


@dataclass
class Fault:
    """One way to misbehave.

    status, error_code, headers : answer with this status, the hub's own code, further headers.
    html : answer with a web page and status 200, without the hub's headers.
    cut_after, stall_after : end, or fall silent, after so many bytes of the body.
    flip_at : change the byte at this offset of the file.
    ignore_range : send the whole file whatever is asked.
    silent : accept the request and never answer.
    methods : which requests it strikes. times : how often; None for always.
    """

    status: int = 0
    error_code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    html: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    flip_at: int | None = None
    ignore_range: bool = False
    silent: bool = False
    methods: tuple[str, ...] = ("HEAD", "GET")
    times: int | None = None


class HubServer:
    """Use it in a `with` block.

    Attributes
    ----------
    url : for HF_ENDPOINT.
    asked : the requests for files and lists of files, oldest first.
    faults : the first one that fits a request strikes.
    bytes_per_s : speed limit of each body; None for none.
    redirect_to : address of another server: the bodies are there, as with the hub's storage.
    """

    def __init__(self, *, bytes_per_s: float | None = None, redirect_to: str = "") -> None:
        self.bytes_per_s = bytes_per_s
        self.redirect_to = redirect_to
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.bytes_sent = 0
        self.stopping = threading.Event()
        self._files: dict[str, bytes] = {}
        self._etags: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(
        self, repo: str, filename: str, content: bytes, *, etag: str = "", claimed_bytes: int | None = None
    ) -> None:
        """`claimed_bytes`: what the server says the file's size is, for files too large for a test."""
        self._files[f"{repo}/{filename}"] = content
        self._sizes[f"{repo}/{filename}"] = claimed_bytes or len(content)
        self._etags[f"{repo}/{filename}"] = etag or hashlib.sha256(content).hexdigest()

    def lookup(self, path: str) -> tuple[bytes, str, int] | None:
        """Content, etag and size of the file that a path names."""
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+?)(?:\?.*)?", path)
        if not match or match[2] not in (COMMIT, "main"):
            return None
        key = f"{match[1]}/{match[3]}"
        if key not in self._files:
            return None
        return self._files[key], self._etags[key], self._sizes[key]

    def listing(self, path: str) -> bytes | None:
        """The hub's record of a repository, `/api/models/{repo}[/revision/{revision}]`; None: no such one."""
        match = re.fullmatch(r"/api/models/([^/]+/[^/?]+)(?:/revision/([^/?]+))?(?:\?.*)?", path)
        names = [key for key in self._files if match and key.startswith(f"{match[1]}/")]
        if not match or not names or match[2] not in (None, COMMIT, "main"):
            return None
        siblings = [
            {"rfilename": name.removeprefix(f"{match[1]}/"), "size": self._sizes[name], "blobId": "0" * 40}
            for name in names
        ]
        return json.dumps({"id": match[1], "sha": COMMIT, "siblings": siblings}).encode()

    def fault_for(self, method: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if method in fault.methods and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def gets(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "GET"]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        hub = self.server_hub
        found = hub.lookup(self.path)
        if not self.path.startswith("/api/") or self.path.startswith("/api/models/"):
            hub.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            if (fault := hub.fault_for(self.command)) and self._misbehave_at_once(fault):
                return
        else:
            fault = None
        if (listing := hub.listing(self.path)) is not None:
            self._send(200, {"Content-Type": "application/json"}, listing)
        elif found is None:
            self._send(404, {"X-Error-Code": "EntryNotFound"} if "/resolve/" in self.path else {}, b"")
        elif hub.redirect_to:
            self._redirect(*found)
        else:
            self._file(*found, fault)

    def _misbehave_at_once(self, fault: Fault) -> bool:
        if fault.silent:
            self.server_hub.stopping.wait(120)
            self.close_connection = True
        elif fault.html:
            self._send(200, {"Content-Type": "text/html"}, HTML)
        elif fault.status:
            code = {"X-Error-Code": fault.error_code} if fault.error_code else {}
            self._send(fault.status, {**code, **fault.headers}, b"no")
        else:
            return False
        return True

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _redirect(self, content: bytes, etag: str, size: int) -> None:
        headers = {
            "Location": self.server_hub.redirect_to + self.path,
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{etag}"',
            "X-Linked-Size": str(size),
        }
        self._send(302, headers, b"")

    def _file(self, content: bytes, etag: str, size: int, fault: Fault | None) -> None:
        fault = fault or Fault()
        start, end = 0, size
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match and not fault.ignore_range:
            start, end = int(match[1]), min(int(match[2] or size - 1) + 1, size)
        if start >= size > 0 or (match and not size):
            self._send(416, {"Content-Range": f"bytes */{size}"}, b"")
            return
        partial = match is not None and not fault.ignore_range
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self._body(content[:end], start, fault)
            if end > len(content):
                self._hang_up()

    def _body(self, content: bytes, start: int, fault: Fault) -> None:
        hub = self.server_hub
        if fault.flip_at is not None and start <= fault.flip_at:
            changed = bytearray(content)
            changed[fault.flip_at] ^= 0x40
            content = bytes(changed)
        view = memoryview(content)[start:]
        began, sent = time.perf_counter(), 0
        try:
            while sent < len(view) and not hub.stopping.is_set():
                end = min(len(view), sent + _PIECE)
                for limit in (fault.cut_after, fault.stall_after):
                    if limit is not None:
                        end = min(end, limit)
                self.wfile.write(view[sent:end])
                hub.bytes_sent += end - sent
                sent = end
                if fault.cut_after is not None and sent >= fault.cut_after:
                    self._hang_up()
                    return
                if fault.stall_after is not None and sent >= fault.stall_after:
                    hub.stopping.wait(60)
                    self._hang_up()
                    return
                if hub.bytes_per_s:
                    time.sleep(max(0.0, began + sent / hub.bytes_per_s - time.perf_counter()))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
