"""Writing the file of a twin: the header, then random blocks at the speed of the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import data_bytes
from labkit.estimating.shallow import main_layers
from labkit.models.made_files import MARGIN_BYTES, part_path
from labkit.models.storage import FULL, free_bytes
from labkit.progress_bar import ProgressBar
from labkit.units import format_bytes, format_seconds

#: How the weights are made: change it when they change, or older twins stay in use.
RECIPE = b"2"
_DEFAULT_ALIGNMENT = 32


def write_twin_file(
    path: Path, blueprint: Blueprint, header: bytes, *, note: str = "", show_progress: bool = True
) -> str:
    """Writes the file and returns its SHA-256. It is at `path` whole, or not at all. `note` ends the bar."""
    total, title = len(header) + data_bytes(blueprint), blueprint.title
    start = time.monotonic()
    part = part_path(path)
    with ProgressBar(total, "B", f"Writing the twin of {title}", show=show_progress) as bar:
        try:
            sha256 = _write(part, blueprint, header, bar)
            os.replace(part, path)
        except OSError as error:
            raise disk_problem(error, path.parent, total) from None
        finally:
            part.unlink(missing_ok=True)
        took = format_seconds(time.monotonic() - start)
        bar.close(f"The twin of {title} is written: {format_bytes(total)} in {took}. {note}".strip())
    return sha256


def _write(path: Path, blueprint: Blueprint, header: bytes, bar: ProgressBar) -> str:
    from labkit.models.random_weights import RandomWeights

    alignment = blueprint.metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    weights = RandomWeights(blueprint.n_experts)
    digest = hashlib.sha256(header)
    with path.open("wb") as file:
        file.write(header)
        for spec in blueprint.tensors:
            for piece in weights.pieces(spec):
                file.write(piece)
                digest.update(piece)
                bar.update(len(piece))
            padding = bytes(-spec.n_bytes % alignment)
            file.write(padding)
            digest.update(padding)
        file.flush()
        # Not only for a sudden loss of power: what the system writes later would disturb the measurement.
        os.fsync(file.fileno())
    return digest.hexdigest()


def require_room(folder: Path, blueprint: Blueprint, needed_bytes: int, freed_bytes: int = 0) -> None:
    """Raises LabError with the sizes when the disk of `folder` can't take the file.

    `freed_bytes` will be free once older twins are removed.
    """
    free = free_bytes(folder)
    if free is None or free + freed_bytes >= needed_bytes + MARGIN_BYTES:
        return
    room = free + freed_bytes - MARGIN_BYTES
    raise LabError(
        f"The twin of {blueprint.title} takes {format_bytes(needed_bytes)}, but the disk that holds {folder} "
        f"has {format_bytes(free + freed_bytes)} for it.",
        _shallower(blueprint, room) + "Or free some space, or set LABKIT_CACHE to a folder on a larger disk.",
    )


def _shallower(blueprint: Blueprint, room: int) -> str:
    """The cure that fewer layers are, when some would fit."""
    total = main_layers(blueprint)
    rest = sum(spec.n_bytes for spec in blueprint.tensors if not spec.name.startswith("blk."))
    per_layer = (blueprint.tensor_bytes - rest) / max(1, blueprint.n_layers)
    fits = int((room - rest) // per_layer) if per_layer else 0
    if not 1 <= fits < total:
        return "Choose a smaller quantization or model. "
    return (
        f"Make a shallow twin: `layers={fits}` fits, and `lk.bench_twin` tells the whole model's speed "
        "from two. "
    )


def disk_problem(error: OSError, folder: Path, total: int) -> LabError:
    """The sentence for an OSError met while a twin was written."""
    if error.errno in FULL:
        return LabError(
            f"The disk that holds {folder} became full while a twin of {format_bytes(total)} was written. "
            "Nothing of it is left.",
            "Free some space, make it shallower with `layers=`, or set LABKIT_CACHE to a folder on a larger "
            "disk.",
        )
    if error.errno == errno.EFBIG:
        return LabError(
            f"The disk that holds {folder} does not take a file of {format_bytes(total)}.",
            "Make it shallower with `layers=`, or set LABKIT_CACHE to a folder on another disk.",
        )
    return LabError(
        f"A twin could not be written into {folder}: {error.strerror or error}.",
        "Check the folder and its permissions, or set LABKIT_CACHE to another one.",
    )
