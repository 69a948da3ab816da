"""A model file on this machine, and where it came from."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labkit.models.catalogue import CatalogueEntry
from labkit.units import format_bytes

Source = Literal["cache", "hub", "mirror", "embedded", "local", "twin", "quantized", "fine-tuned"]

_SOURCE_TEXT: dict[str, str] = {
    "cache": "already on this machine",
    "hub": "downloaded from the hub",
    "mirror": "downloaded from the mirror",
    "embedded": "came with the course",
    "local": "your own file",
    "twin": "written on this machine, with random weights",
    "quantized": "quantized on this machine",
    "fine-tuned": "fine-tuned on this machine",
}
RANDOM_WEIGHTS_NOTICE = (
    "This model has RANDOM weights. It runs like a real one, but what it writes is noise. "
    "Do not compare its speed or its memory with those of a real model."
)
#: in the metadata of a twin's file: the model that it is the twin of
TWIN_KEY = "labkit.twin_of"


@dataclass
class ModelFile:
    """A verified file.

    Attributes
    ----------
    name : the catalogue's name, or the file's name.
    path : where it is.
    sha256, bytes : its hash and size.
    source : how this call got it.
    random_weights : True for the embedded stand-in and for twins: whatever is measured with it must say so.
    entry : its row in the catalogue, or None.
    attempts : one sentence for each source that was tried and failed.
    twin_of : for a twin, the model whose architecture and sizes it has; else empty.
    """

    name: str
    path: Path
    sha256: str
    bytes: int
    source: Source
    random_weights: bool = False
    entry: CatalogueEntry | None = None
    attempts: list[str] = field(default_factory=list)
    twin_of: str = ""

    @property
    def label(self) -> str:
        """A short name for titles of figures. It says so when the weights are random."""
        if self.twin_of:
            return f"Twin of {self.twin_of} (RANDOM WEIGHTS)"
        title = self.entry.label if self.entry else self.name
        return f"{title} (RANDOM WEIGHTS)" if self.random_weights else title

    @property
    def notice(self) -> str:
        """What a reader must know when the weights are random; else empty."""
        if self.twin_of:
            return twin_notice(self.twin_of)
        return RANDOM_WEIGHTS_NOTICE if self.random_weights else ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "source": self.source,
            "random_weights": self.random_weights,
            "twin_of": self.twin_of,
        }

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("Model", self.label),
            ("File", str(self.path)),
            ("Size", f"{format_bytes(self.bytes)} ({self.bytes:,} bytes)"),
            ("SHA-256", self.sha256),
            ("Source", _SOURCE_TEXT[self.source]),
        ]
        if self.entry:
            rows.append(("Licence", self.entry.licence))
        if self.attempts:
            rows.append(("Tried before", " ".join(self.attempts)))
        return rows

    def __repr__(self) -> str:
        text = "\n".join(f"{label + ':':14}{value}" for label, value in self._rows())
        return f"{self.notice}\n{text}" if self.notice else text

    def _repr_html_(self) -> str:
        style = "text-align:left;vertical-align:top"
        rows = "".join(
            f'<tr><th scope="row" style="{style}">{html.escape(label)}</th>'
            f'<td style="{style}">{html.escape(value)}</td></tr>'
            for label, value in self._rows()
        )
        notice = notice_html(self.notice) if self.notice else ""
        return f"{notice}<table>{rows}</table>"


def twin_of(metadata: Mapping[str, Any]) -> str:
    """The model that a file with this header is a twin of; empty for any other file."""
    title = metadata.get(TWIN_KEY)
    return title if isinstance(title, str) else ""


def twin_notice(twin_of: str) -> str:
    """What a reader must know about a twin of that model."""
    return (
        f"This is a TWIN of {twin_of}: the same architecture, sizes and tensor types, with RANDOM weights. "
        "Its speed and its memory are those of the real model. What it writes is noise."
    )


def notice_html(text: str) -> str:
    """A framed notice that does not depend on colour."""
    return (
        '<div role="note" style="border:3px solid;padding:.5em .8em;margin:.3em 0;font-weight:bold">'
        f"{html.escape(text)}</div>"
    )
