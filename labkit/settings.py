"""Where labkit keeps things, and the switches that the environment sets.

| variable | meaning |
|---|---|
| `LABKIT_HOME` | progress and saved results (default: the system's folder for user data) |
| `LABKIT_CACHE` | model files from mirrors, and what labkit remembers about files |
| `LABKIT_TWIN_SPACE` | GiB that twins may take in the cache (default: 8) |
| `LABKIT_QUANTIZED_SPACE` | GiB that quantized files may take in the cache (default: 8) |
| `LABKIT_DATASETS` | the folder with the course's tables |
| `LABKIT_QUICK=1` | the same code with fewer repetitions |
| `LABKIT_STRICT=1` | an unsolved exercise raises |

The functions read the environment at each call, so that a notebook or a test may change it.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP_NAME = "labkit"
_SPACE_GIB = 8.0


def home() -> Path:
    """The folder for what must last: progress and result records. May not exist yet."""
    chosen = os.environ.get("LABKIT_HOME")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_data_dir(_APP_NAME, appauthor=False))


def cache_dir() -> Path:
    """The folder for what can be fetched again. May not exist yet."""
    chosen = os.environ.get("LABKIT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir(_APP_NAME, appauthor=False))


def space_bytes(variable: str) -> int:
    """Bytes that one kind of file may take in the cache: `variable`, in GiB, else 8 GiB."""
    try:
        gib = float(os.environ.get(variable, ""))
    except ValueError:
        gib = 0.0
    return int((gib if 0 < gib < 1e9 else _SPACE_GIB) * 2**30)


def repository_root() -> Path | None:
    """The clone that labkit runs from, or None when it was installed as a wheel."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").is_file() and (root / "datasets").is_dir() else None


def datasets_dir() -> Path:
    """The folder with the course's tables and the embedded model."""
    chosen = os.environ.get("LABKIT_DATASETS")
    if chosen:
        return Path(chosen).expanduser()
    root = repository_root()
    return root / "datasets" if root else Path(__file__).resolve().parent / "_datasets"


def quick() -> bool:
    """True when labs should run with fewer repetitions (`LABKIT_QUICK=1`)."""
    return _switched_on("LABKIT_QUICK")


def strict() -> bool:
    """True when an unsolved exercise must raise (`LABKIT_STRICT=1`)."""
    return _switched_on("LABKIT_STRICT")


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")
