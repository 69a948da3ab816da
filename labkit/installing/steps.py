"""Which steps of the setup are finished: a small JSON file inside the environment.

A step is finished only when its key stands in the file. The key is a digest of all that the step depends on
(lock file, Python version, variant), so a changed lock file repeats exactly the steps that read it. A step
takes its key out before it starts and writes it when it is done: one that was cut short is never trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

FILE_NAME = "labkit-setup.json"


def digest(*parts: str | bytes | Path) -> str:
    """One short key from texts and the contents of files (any line ending counts as the same)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes().replace(b"\r\n", b"\n")
        elif isinstance(part, str):
            part = part.encode()
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:20]


class FinishedSteps:
    """The finished steps of one environment, kept on disk."""

    def __init__(self, environment: Path) -> None:
        self._path = environment / FILE_NAME
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            stored = {}
        self._values: dict[str, Any] = stored if isinstance(stored, dict) else {}

    def get(self, name: str) -> Any:
        """What the step stored when it finished, or None."""
        return self._values.get(name)

    def finish(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._write()

    def forget(self, *names: str) -> None:
        """Steps that are about to run again, or that depend on one that is."""
        for name in names:
            self._values.pop(name, None)
        self._write()

    def _write(self) -> None:
        temporary = self._path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(self._values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, self._path)
