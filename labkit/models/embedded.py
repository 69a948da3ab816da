"""The models that come with the course: the pocket models, trained in this repository, and a tiny one with
random weights that stands in for a model that cannot be downloaded.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from labkit.errors import LabError
from labkit.settings import datasets_dir

NAME = "random-llama"
FILENAME = "random-llama.gguf"
#: `python -m labkit.models.random_model --check` compares it with the file and with a fresh build
SHA256 = "16faf46220a5a907761280a615483a9741abba464ee8035053823dc2c62afba6"

#: the cure where a file of the pocket models is damaged or gone
RESTORE = "Get the original (`git checkout datasets/pocket`)."

#: of the pocket models' weights: an id of datasets/licences.csv
POCKET_LICENCE = "apache-2.0"


def embedded_model() -> Path:
    """Path of the embedded file. Raises LabError when the copy of the course lacks it."""
    path = datasets_dir() / "random" / FILENAME
    if not path.is_file():
        raise LabError(
            f"The embedded model is missing: {path}.",
            "Get a complete copy of the course (`git checkout datasets`).",
        )
    return path


def pocket_dir() -> Path:
    """The folder of the pocket models, their training records and their model card."""
    return datasets_dir() / "pocket"


def pocket_models() -> dict[str, str]:
    """The pocket models by name, with their recorded SHA-256. LabError when the record is damaged."""
    path = pocket_dir() / "training.json"
    return _recorded(path, path.stat().st_mtime_ns) if path.is_file() else {}


def pocket_model(name: str) -> Path | None:
    """Path of a pocket model; None when there is none of that name. LabError when its file is missing."""
    if name not in pocket_models():
        return None
    path = pocket_dir() / f"{name}.gguf"
    if not path.is_file():
        raise LabError(f"The file of {name} is missing: {path}.", RESTORE)
    return path


def is_embedded(sha256: str) -> bool:
    """Whether a file with this hash came with the course."""
    return sha256 == SHA256 or sha256 in pocket_models().values()


@functools.lru_cache(maxsize=2)
def _recorded(path: Path, mtime_ns: int) -> dict[str, str]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return {name: record["sha256"] for name, record in records.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise LabError(f"The record of the pocket models is damaged: {path}.", RESTORE) from error
