"""The body of one download: streamed into a partial file, resumed, hashed on the way."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Any, BinaryIO

from labkit.models.catalogue import CatalogueEntry
from labkit.models.hub_errors import (
    LONGEST_WAIT_SECONDS,
    not_a_hub,
    other_file,
    retry_after_seconds,
    sentence_for_status,
)
from labkit.models.storage import SourceFailed
from labkit.progress_bar import ProgressBar
from labkit.units import format_bytes

#: resumes in a row that bring not one byte
_FRUITLESS_TRIES = 3
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 4.0
_CHUNK = 1 << 20


class _Broken(Exception):
    """The connection broke or the server asked to come back; going on may help. `wait` is in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.why, self.wait = why, wait


class Transfer:
    """Brings `partial` to `size` bytes with hash `sha256`. Keeps what is there between runs.

    `run` raises SourceFailed when the server does not deliver, OSError when the disk refuses.
    """

    def __init__(
        self,
        entry: CatalogueEntry,
        address: str,
        partial: Path,
        size: int,
        sha256: str,
        bar: ProgressBar,
    ) -> None:
        self.entry, self.address, self.partial = entry, address, partial
        self.size, self.sha256, self.bar = size, sha256, bar
        self.digest = hashlib.sha256()
        self.offset = 0

    def run(self) -> None:
        for round_number in (1, 2):
            with open(self.partial, "ab") as file:
                self._take_up(file)
                self._until_complete(file)
            if self.digest.hexdigest() == self.sha256:
                return
            self.partial.unlink(missing_ok=True)
            if round_number == 1:
                self.bar.message("The file arrived damaged and was deleted; starting again.")
        raise SourceFailed(
            f"{self.entry.filename} arrived damaged twice: its SHA-256 is not the one it should have. "
            "Nothing was kept.",
            "Something on the way changes the data. Try another network.",
        )

    def _take_up(self, file: BinaryIO) -> None:
        """Hashes what an earlier run left, so that only the rest is fetched."""
        self.digest, self.offset = hashlib.sha256(), file.tell()
        if self.offset > self.size:
            file.truncate(0)
            self.offset = 0
        with open(self.partial, "rb") as earlier:
            while piece := earlier.read(_CHUNK):
                self.digest.update(piece)
        self.bar.set(self.offset, total=self.size, resumed=True)
        if self.offset:
            self.bar.message(f"Going on from {format_bytes(self.offset)}, fetched earlier.")

    def _until_complete(self, file: BinaryIO) -> None:
        fruitless = 0
        while self.offset < self.size:
            before = self.offset
            try:
                self._stream(file)
            except _Broken as broken:
                fruitless = 0 if self.offset > before else fruitless + 1
                if fruitless > _FRUITLESS_TRIES:
                    raise self._gave_up(broken.why) from broken
                self.bar.message(f"{broken.why}; going on from {format_bytes(self.offset)}.")
                pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**fruitless)
                time.sleep(broken.wait if broken.wait is not None else pause)

    def _gave_up(self, why: str) -> SourceFailed:
        return SourceFailed(
            f"The download stopped at {format_bytes(self.offset)} of {format_bytes(self.size)}: {why}, "
            f"{_FRUITLESS_TRIES + 1} times in a row.",
            "What has arrived is kept. Run the same again later: it goes on where it stopped.",
        )

    def _stream(self, file: BinaryIO) -> None:
        """One request from `offset` on. Raises _Broken when it ends early."""
        from huggingface_hub import constants
        from huggingface_hub.errors import HTTPError
        from huggingface_hub.utils import get_session

        timeout = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        try:
            # The session follows redirects, and drops the token when one leads to another host.
            with get_session().stream(
                "GET", self._url(), headers=self._headers(), timeout=timeout, follow_redirects=True
            ) as response:
                self._take(response, file, skip=self._check(response))
        except HTTPError as error:
            stalled = "Timeout" in type(error).__name__
            why = f"nothing came for {timeout:.0f} s" if stalled else "the connection broke"
            raise _Broken(why) from error
        if self.offset < self.size:
            raise _Broken("the server ended the connection too early")

    def _url(self) -> str:
        from huggingface_hub import hf_hub_url

        entry = self.entry
        revision = entry.revision or "main"
        return hf_hub_url(entry.repo, entry.filename, revision=revision, endpoint=self.address)

    def _headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers

        headers = build_hf_headers(library_name="labkit")
        headers["Accept-Encoding"] = "identity"
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
        return headers

    def _check(self, response: Any) -> int:
        """Refuses an answer that is not the file. Returns how many bytes at its start are there already."""
        status, headers = response.status_code, response.headers
        if status == 429 or status >= 500:
            wait = retry_after_seconds(response) if status == 429 else None
            if wait is not None and wait > LONGEST_WAIT_SECONDS:
                raise sentence_for_status(response, self.entry, self.address)
            raise _Broken(f"the hub answered {status}", wait or None)
        if status not in (200, 206):
            raise sentence_for_status(response, self.entry, self.address)
        if "text/html" in headers.get("Content-Type", ""):
            raise not_a_hub(self.address)
        if headers.get("Content-Encoding", "identity") != "identity":
            raise not_a_hub(self.address)
        if status == 206:
            told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
            if not told or int(told[1]) != self.offset:
                raise not_a_hub(self.address)
            total = told[2]
        else:
            total = headers.get("Content-Length", "*")
        if total.isdigit() and int(total) != self.size:
            raise other_file(self.entry, self.address)
        return self.offset if status == 200 else 0

    def _take(self, response: Any, file: BinaryIO, skip: int) -> None:
        """Writes and hashes the body, less its first `skip` bytes (a server that ignores Range)."""
        for piece in response.iter_raw():
            if skip:
                skipped = min(skip, len(piece))
                skip -= skipped
                piece = piece[skipped:]
            piece = piece[: self.size - self.offset]
            if not piece:
                continue
            if (
                self.offset == 0
                and self.entry.filename.endswith(".gguf")
                and piece[:4] != b"GGUF"[: len(piece)]
            ):
                raise not_a_hub(self.address)
            file.write(piece)
            self.digest.update(piece)
            self.offset += len(piece)
            self.bar.set(self.offset)
