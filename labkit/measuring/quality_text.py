"""The text that a model's quality is measured on: any, and by default one that comes with the course."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import settings
from labkit.errors import LabError
from labkit.units import format_bytes

#: made by `python -m labkit.pocket.fresh_text`
COURSE_TEXT = "pocket/fresh-text.txt"
_MOST_BYTES = 64 * 2**20
#: no file's name is longer, and no text this short can be scored
_LONGEST_NAME = 1024


@dataclass(frozen=True)
class Text:
    """A text, and what it is called."""

    title: str
    content: str

    def to_dict(self) -> dict[str, Any]:
        """Not the text itself: its title, length and hash."""
        digest = hashlib.sha256(self.content.encode("utf-8", errors="replace")).hexdigest()
        return {"title": self.title, "characters": len(self.content), "sha256": digest}


def text_of(text: str | os.PathLike[str] | None) -> Text:
    """The text from what a caller gave: the text itself, the path of a file, or None for the course's.

    One line break at the end of a file is left out, as `llama-perplexity` does. Raises LabError when there is
    no such file, it is not UTF-8, or it is empty.
    """
    if text is None:
        return Text("a fresh text about the pocket world", _read(settings.datasets_dir() / COURSE_TEXT))
    if isinstance(text, os.PathLike):
        return Text(Path(text).name, _read(Path(text)))
    if not isinstance(text, str):
        raise LabError(
            f"A text is a string or the path of a file, not {type(text).__name__}.", "Give one of these."
        )
    if len(text) < _LONGEST_NAME:
        with contextlib.suppress(OSError, ValueError):
            if Path(text).expanduser().is_file():
                return Text(Path(text).name, _read(Path(text).expanduser()))
    return Text("your text", _not_empty(text, "The text"))


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise LabError(
                f"{path} has {format_bytes(size)}; a text may have {format_bytes(_MOST_BYTES)}.",
                "Cut a part out of it: a few MiB say enough.",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        guess = "It looks like UTF-16. " if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise LabError(
            f"{path} is not text in UTF-8: byte {error.start + 1:,} is {raw[error.start]:#04x}.",
            f"{guess}Save it as UTF-8, or give another file.",
        ) from None
    return _not_empty(content.removesuffix("\n"), str(path))


def _not_empty(text: str, name: str) -> str:
    if not text.strip():
        raise LabError(f"{name} is empty.", "Give a text of some pages.")
    return text
