"""The tiny model with random weights that comes with the course, for machines without any network."""

from __future__ import annotations

from pathlib import Path

from labkit.errors import LabError
from labkit.settings import datasets_dir

NAME = "random-llama"
FILENAME = "random-llama.gguf"
#: `python -m labkit.models.random_model --check` compares it with the file and with a fresh build
SHA256 = "16faf46220a5a907761280a615483a9741abba464ee8035053823dc2c62afba6"


def embedded_model() -> Path:
    """Path of the embedded file. Raises LabError when the copy of the course lacks it."""
    path = datasets_dir() / "random" / FILENAME
    if not path.is_file():
        raise LabError(
            f"The embedded model is missing: {path}.",
            "Get a complete copy of the course (`git checkout datasets`).",
        )
    return path
