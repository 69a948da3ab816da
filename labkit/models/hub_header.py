"""Reading on the hub without a download: the list of a repository's files, and the first bytes of one.

A GGUF file's header is its first 0.7 to 13 MB, so range requests fetch it alone, however large the file is.
huggingface_hub's own settings hold: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`. Taught in chapter 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.estimating.gguf_types import HEADER_LIMIT_BYTES
from labkit.models import hub
from labkit.models.gguf import HeaderEndsEarly, read_gguf_header
from labkit.models.gguf_header import GGUFHeader
from labkit.models.hub_errors import not_a_hub, sentence_for_status
from labkit.models.storage import SourceFailed
from labkit.units import format_bytes

_SECONDS = 20.0
#: a piece may take longer, at this speed at least
_SLOWEST_BYTES_PER_S = 250_000
_FIRST_PIECE_BYTES = 1 << 20
_MOST_FILES = 20_000


@dataclass(frozen=True)
class HubFile:
    """A file on the hub; an empty revision means the newest, an empty filename the repository as a whole."""

    repo: str
    filename: str = ""
    revision: str = ""


@dataclass(frozen=True)
class RemoteHeader:
    """A header that was read, and how many bytes that took."""

    header: GGUFHeader
    bytes_read: int


def list_files(repo: str, revision: str = "") -> dict[str, int | None]:
    """File name → bytes (None where the hub does not say) of a repository. Raises SourceFailed."""
    address = hub.endpoint()
    wanted = HubFile(repo, revision=revision)

    def question() -> Any:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=address, library_name="labkit")
        return api.model_info(repo, revision=revision or None, files_metadata=True, timeout=_SECONDS)

    info = hub.ask(wanted, address, _SECONDS, question)
    if info.siblings is None:
        raise not_a_hub(address)
    return {file.rfilename: file.size for file in info.siblings[:_MOST_FILES]}


def read_remote_header(wanted: HubFile) -> RemoteHeader:
    """The header of a GGUF file on the hub, by range requests that grow until it is whole.

    Raises SourceFailed when the hub does not give it, LabError when the file is not GGUF or its header
    is larger than any real one.
    """
    beginning = _Beginning(wanted)
    n_bytes = _FIRST_PIECE_BYTES
    while True:
        beginning.read_to(n_bytes)
        try:
            header = read_gguf_header(bytes(beginning.data), file_bytes=beginning.size)
            return RemoteHeader(header, len(beginning.data))
        except HeaderEndsEarly:
            if len(beginning.data) < n_bytes or n_bytes >= HEADER_LIMIT_BYTES:
                raise
            n_bytes *= 2


def read_remote_text(wanted: HubFile, limit_bytes: int) -> bytes:
    """The whole of a small file on the hub. Raises LabError when it is larger than `limit_bytes`."""
    beginning = _Beginning(wanted)
    beginning.read_to(limit_bytes + 1)
    if len(beginning.data) > limit_bytes:
        raise LabError(
            f"{wanted.filename} in {wanted.repo} is larger than {format_bytes(limit_bytes)}: "
            "no configuration is.",
            "Check the repository.",
        )
    return bytes(beginning.data)


class _Beginning:
    """The first bytes of a file on the hub, and the size of the whole."""

    def __init__(self, wanted: HubFile) -> None:
        self.wanted = wanted
        self.address = hub.endpoint()
        self.data = bytearray()
        self.size: int | None = None

    def read_to(self, end: int) -> None:
        """Fetches what is missing of the first `end` bytes; fewer are there when the file is shorter."""
        if self.size is not None:
            end = min(end, self.size)
        if end <= len(self.data):
            return
        seconds = _SECONDS + (end - len(self.data)) / _SLOWEST_BYTES_PER_S
        # A new buffer each time: after a timeout, the old request may still be writing into its own.
        self.data, self.size = hub.ask(
            self.wanted, self.address, seconds, lambda: self._fetch(bytearray(self.data), end)
        )

    def _fetch(self, data: bytearray, end: int) -> tuple[bytearray, int | None]:
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session

        wanted = self.wanted
        url = hf_hub_url(
            wanted.repo, wanted.filename, revision=wanted.revision or "main", endpoint=self.address
        )
        headers = build_hf_headers(library_name="labkit")
        headers |= {"Accept-Encoding": "identity", "Range": f"bytes={len(data)}-{end - 1}"}
        timeout = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        # The session follows redirects, and drops the token when one leads to another host.
        with get_session().stream(
            "GET", url, headers=headers, timeout=timeout, follow_redirects=True
        ) as response:
            if response.status_code == 416:  # an empty file has no first byte
                return data, len(data)
            skip, size = self._check(response, len(data))
            for piece in response.iter_raw():
                skipped = min(skip, len(piece))
                skip -= skipped
                data += piece[skipped : skipped + end - len(data)]
                if len(data) >= end:
                    break  # a server that ignores Range would send the whole file
        whole = end if size is None else min(end, size)
        if len(data) < whole and size is not None:
            raise SourceFailed(
                f"The hub ({self.address}) ended the connection too early.", "Try again.", retry_after=1.0
            )
        return data, size

    def _check(self, response: Any, start: int) -> tuple[int, int | None]:
        """How many bytes of the answer are there already, and the size of the whole file."""
        status, headers = response.status_code, response.headers
        if status not in (200, 206):
            response.read()
            raise sentence_for_status(response, self.wanted, self.address)
        if "text/html" in headers.get("Content-Type", ""):
            raise not_a_hub(self.address)
        if headers.get("Content-Encoding", "identity") != "identity":
            raise not_a_hub(self.address)
        if status == 200:
            length = headers.get("Content-Length", "")
            return start, int(length) if length.isdigit() else None
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if not told or int(told[1]) != start:
            raise not_a_hub(self.address)
        return 0, int(told[2]) if told[2].isdigit() else None
