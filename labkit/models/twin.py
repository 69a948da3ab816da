"""Twins: a GGUF file of exactly some model's architecture, with random weights, written here in seconds.

The speed of a model and its memory depend on its tensors' shapes and types, not on their values. So a twin
answers "how fast would this model run here?" before anything is downloaded. What it writes is noise.
Taught in chapters 2 and 3.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import data_bytes, header_bytes
from labkit.estimating.shallow import main_layers, shallow
from labkit.models.made_files import MadeFiles
from labkit.models.model_file import TWIN_KEY, ModelFile, twin_of
from labkit.models.twin_file import RECIPE, disk_problem, require_room, write_twin_file

if TYPE_CHECKING:
    from labkit.models.source import Source, SourceLike

__all__ = ["TWINS", "forget_twins", "shallow_twin", "twin", "twin_blueprint", "twin_of_blueprint"]

#: The `general.*` keys that say how to read a file. The others tell of the real model's authors and licence.
_KEPT = ("architecture", "type", "file_type", "quantization_version", "alignment")
_LONGEST_SLUG = 60
#: where they are kept
TWINS = MadeFiles("twins", "twin", "twins", "LABKIT_TWIN_SPACE")


def twin(
    source: SourceLike | Source,
    quant: str | None = None,
    *,
    layers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    show_progress: bool = True,
) -> ModelFile:
    """A twin of a model: a file of the same architecture, sizes and tensor types, with random weights.

    Its speed and its memory are the real model's; its text is noise. It is made once and kept in labkit's
    cache; `forget_twins()` removes those of this notebook.

    Parameters
    ----------
    source : a name of the catalogue, a `config.json`, a `.gguf` file, a repository on the hub, a Blueprint.
    quant : the mixture, as `llama-quantize` names it, such as "Q4_K_M". None: the types of a quantized file
        or of a Blueprint as they are, else Q4_K_M.
    layers : so many layers in place of all: a shallow twin, of a model that is too large.
    out : write this file, and keep nothing in the cache.

    Raises LabError when the source cannot be read or the disk has no room. An interrupt leaves nothing.
    Taught in chapters 2 and 3.
    """
    blueprint = twin_blueprint(source, quant, layers=layers)
    return twin_of_blueprint(blueprint, out=out, show_progress=show_progress)


def twin_blueprint(
    source: SourceLike | Source, quant: str | None = None, *, layers: int | None = None
) -> Blueprint:
    """The header of a twin: types as `quant` gives them, and a name that says what it is."""
    from labkit.models.estimate import in_quantization
    from labkit.models.source import open_source

    found = open_source(source, quant=quant)
    if quant is None and isinstance(source, Blueprint):
        name, typed = "", source
    else:
        name, typed, _ = in_quantization(found, quant, ask_llama=False)
    whole = _as_twin(typed, f"{found.title} {name}".strip())
    return whole if layers is None else shallow_twin(whole, layers)


def shallow_twin(whole: Blueprint, layers: int) -> Blueprint:
    """The header of a shallow twin, from that of the whole one."""
    return _as_twin(shallow(whole, layers), f"{whole.title}, {layers} of its {main_layers(whole)} layers")


def twin_of_blueprint(
    blueprint: Blueprint, *, out: str | os.PathLike[str] | None = None, show_progress: bool = True
) -> ModelFile:
    """Writes what `twin_blueprint` gave, or finds it in the cache."""
    header = header_bytes(blueprint)
    if out is not None:
        return _write_to(Path(out).expanduser(), blueprint, header, show_progress)
    n_bytes = len(header) + data_bytes(blueprint)
    folder = TWINS.folder()
    key = hashlib.sha256(header + RECIPE).hexdigest()[:12]
    path = folder / f"{_slug(blueprint.title)}-{key}.gguf"
    with TWINS.only_writer(path, show_progress):
        sha256 = TWINS.recorded_sha256(path)
        if not sha256:
            path.unlink(missing_ok=True)  # damaged or of unknown origin
            room = TWINS.room_for(n_bytes)
            require_room(folder, blueprint, n_bytes, room.n_bytes)
            note = room.make()
            sha256 = write_twin_file(path, blueprint, header, note=note, show_progress=show_progress)
            TWINS.record(path, sha256)
    return ModelFile(path.stem, path, sha256, n_bytes, "twin", True, twin_of=blueprint.title)


def forget_twins(*, everywhere: bool = False) -> str:
    """Removes the twins that this notebook used; returns a sentence that says what was removed.

    `everywhere` removes those of other notebooks and of earlier sessions too. Taught in chapter 2.
    """
    return TWINS.forget(everywhere=everywhere)


def _write_to(path: Path, blueprint: Blueprint, header: bytes, show_progress: bool) -> ModelFile:
    """Writes a file of the caller's choice. It replaces nothing but a twin."""
    if path.is_dir():
        path = path / f"{_slug(blueprint.title)}.gguf"
    if path.exists() and not _is_twin(path):
        raise LabError(f"{path} exists, and it is not a twin.", "Choose another name, or remove it first.")
    n_bytes = len(header) + data_bytes(blueprint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_problem(error, path.parent, n_bytes) from None
    require_room(path.parent, blueprint, n_bytes)
    sha256 = write_twin_file(path, blueprint, header, show_progress=show_progress)
    return ModelFile(path.stem, path.absolute(), sha256, n_bytes, "twin", True, twin_of=blueprint.title)


def _as_twin(blueprint: Blueprint, title: str) -> Blueprint:
    """`blueprint` under its twin's name, without what is true of the real model's weights only."""
    general = {f"general.{key}" for key in _KEPT} & blueprint.metadata.keys()
    metadata: dict[str, Any] = {key: blueprint.metadata[key] for key in sorted(general)}
    metadata |= {"general.name": f"Twin of {title} (random weights)", TWIN_KEY: title}
    rest = {k: v for k, v in blueprint.metadata.items() if not k.startswith("general.") and k != TWIN_KEY}
    return replace(blueprint, title=title, metadata=metadata | rest)


def _is_twin(path: Path) -> bool:
    from labkit.models.gguf import read_gguf_header

    try:
        return twin_of(read_gguf_header(path).metadata) != ""
    except LabError:
        return False


def _slug(title: str) -> str:
    """A file's name: letters, digits, dots and dashes."""
    return "twin-" + re.sub(r"[^A-Za-z0-9._]+", "-", title).strip("-.")[:_LONGEST_SLUG]
