"""SOURCE: the one way to name a model to `labkit estimate`, `labkit twin`, `lk.fit` and the charts.

It may be a name of the catalogue or of the table of architectures, a `config.json` or a folder that holds
one, a `.gguf` file, a repository on the hub (only a header is read), a mapping like a `config.json`, or a
blueprint. No weights are read or downloaded. Taught in chapter 2.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.facts.architectures import ArchitectureRow, architectures
from labkit.models import embedded
from labkit.models.catalogue import CatalogueEntry, catalogue
from labkit.models.gguf import read_gguf_header
from labkit.models.gguf_header import GGUFHeader
from labkit.models.gguf_names import SPLIT, choose_gguf, part_names
from labkit.models.model_file import ModelFile
from labkit.models.storage import SourceFailed
from labkit.units import format_bytes

SourceLike = str | os.PathLike[str] | Mapping[str, Any] | Blueprint | ModelFile | CatalogueEntry

_CONFIG = "config.json"
_MOST_CONFIG_BYTES = 16 * 2**20
_REPO = re.compile(
    r"(?:(?:https?://)?(?:hf\.co|huggingface\.co)/)?"
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)"
    r"(?:@(?P<revision>[^:\s]+))?(?::(?P<file>\S+))?/?"
)
_REPO_PAGE = re.compile(
    r"https?://[^/]+/(?P<repo>[^/]+/[^/]+)/(?:blob|resolve|tree|raw)/(?P<revision>[^/]+)(?:/(?P<file>[^?]+))?(?:\?.*)?"
)


@dataclass(frozen=True, repr=False)
class Source:
    """A model that was named, and how it was read.

    Attributes
    ----------
    blueprint : hyperparameters and tensors.
    kind : "file header" when the tensors are those of a GGUF file, else "configuration".
    read : what was read, as the end of a sentence: "the header of model.gguf".
    quantization : of the GGUF file; "" for a configuration.
    file_bytes : size of that file, or of the catalogue's; None when there is none.
    path : the file on this machine, or None.
    entry : the row of the catalogue, or None.
    notes : what a reader should know, as sentences.
    """

    blueprint: Blueprint
    kind: Literal["file header", "configuration"]
    read: str
    quantization: str = ""
    file_bytes: int | None = None
    path: Path | None = None
    entry: CatalogueEntry | None = None
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.blueprint.title or self.blueprint.architecture

    def __repr__(self) -> str:
        return f"{self.title}: {self.read}"


def blueprint_of(source: SourceLike, *, quant: str | None = None) -> Blueprint:
    """The blueprint of a model. `quant` chooses among the files of a hub repository. See `open_source`."""
    return open_source(source, quant=quant).blueprint


def open_source(source: SourceLike | Source, *, quant: str | None = None) -> Source:
    """What `source` names.

    Parameters
    ----------
    source : a catalogue name; a model of `datasets/architectures.csv`; the path of a `config.json`, of a
        folder that holds one, or of a `.gguf` file; `owner/name`, `owner/name@revision`, `owner/name:file`,
        `owner/name:Q8_0` on the hub; a mapping like a `config.json`; a Blueprint; what `lk.fetch` gives.
    quant : which file to prefer where a repository holds several.

    Raises LabError with the nearest names, or with the reason why it cannot be read.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, Blueprint):
        return Source(source, "configuration", "a blueprint", notes=source.notes)
    if isinstance(source, ModelFile):
        return _from_gguf(source.path, source.entry)
    if isinstance(source, CatalogueEntry):
        return _from_catalogue(source)
    if isinstance(source, Mapping):
        return _from_config(source, "the configuration given")
    if not isinstance(source, (str, os.PathLike)):
        raise LabError(
            f"A model is a name, a path, a repository or a configuration, not {type(source).__name__}.",
            "Type `lk.catalogue()` for the names.",
        )
    text = os.fspath(source)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise LabError("No model was named.", "Give a name of `labkit models`, a path or a repository.")
    is_path = isinstance(source, os.PathLike) or _looks_like_path(text)
    place = Path(text).expanduser()
    if is_path or _exists(place):
        return _from_path(place)
    return _from_name(text.strip(), quant)


def known_names() -> list[str]:
    """All names: of the pocket models, of the catalogue and of the table of architectures."""
    names = [*embedded.pocket_models(), *(entry.name for entry in catalogue())]
    return names + [row.id for row in architectures()]


# ---------------------------------------------------------------- names


def _from_name(text: str, quant: str | None) -> Source:
    wanted = text.lower()
    if pocket := embedded.pocket_model(wanted):
        return _from_gguf(pocket)
    for entry in catalogue():
        if entry.name == wanted:
            return _from_catalogue(entry)
    for row in architectures():
        if row.id == wanted:
            return _from_architecture(row)
    match = _REPO_PAGE.fullmatch(text) or _REPO.fullmatch(text)
    if match:
        return _from_hub(match["repo"], match["revision"] or "", match["file"] or "", quant)
    raise _unknown(text)


def _unknown(text: str) -> LabError:
    names = known_names()
    lowered = {name.lower(): name for name in names}
    near = [lowered[n] for n in difflib.get_close_matches(text.lower(), list(lowered), n=3, cutoff=0.45)]
    near += [name for name in names if text.lower() in name.lower() and name not in near]
    did_you_mean = f"Did you mean {' or '.join(near[:3])}? " if near else ""
    return LabError(
        f"There is no model called {text!r:.120}, and no file of that name.",
        did_you_mean + "`labkit models` lists the names. A repository on the hub is written owner/name.",
    )


def _from_architecture(row: ArchitectureRow) -> Source:
    return _from_config(row.config(), f"datasets/architectures.csv (source: {row.source})", title=row.name)


def _from_catalogue(entry: CatalogueEntry) -> Source:
    """From the file in the cache, else from the table of architectures, else from the hub."""
    from labkit.models import hub, mirror

    for find in (hub.find_in_cache, mirror.find_in_cache):
        found = find(entry)
        if found:
            return _from_gguf(found[0], entry)
    row = next((r for r in architectures() if r.id == entry.architecture), None)
    if row is not None:
        known = _from_architecture(row)
        blueprint = replace(known.blueprint, title=entry.title)
        return replace(
            known, blueprint=blueprint, quantization=entry.quantization, file_bytes=entry.bytes, entry=entry
        )
    return replace(_from_hub(entry.repo, entry.revision, entry.filename, None), entry=entry)


# ---------------------------------------------------------------- files


def _looks_like_path(text: str) -> bool:
    return (
        text.lower().endswith((".gguf", ".json", ".safetensors", ".bin"))
        and ":" not in text[2:]
        and not text.startswith(("http://", "https://"))
    ) or text.startswith((".", "~", os.sep, "\\"))


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):  # a name that is too long, or that the system does not allow
        return False


def _from_path(place: Path) -> Source:
    if not _exists(place):
        raise LabError(f"There is no file {place}.", "Check the path; `labkit models` lists known names.")
    if place.is_dir():
        return _from_folder(place)
    if place.suffix.lower() == ".json":
        named = place.resolve().parent.name if place.name == "config.json" else place.stem
        return _from_config(_read_json(place), f"{place}", title=named)
    if place.suffix.lower() in (".safetensors", ".bin", ".pt", ".pth"):
        config = place.with_name(_CONFIG)
        if config.is_file():
            return _from_path(config)
        raise LabError(
            f"{place.name} holds weights, and there is no {_CONFIG} beside it.",
            f"Put the model's {_CONFIG} into the same folder.",
        )
    return _from_gguf(place)


def _from_folder(folder: Path) -> Source:
    if (folder / _CONFIG).is_file():
        return _from_path(folder / _CONFIG)
    try:
        names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() == ".gguf")
    except OSError as error:
        raise LabError(f"{folder} cannot be read: {error.strerror or error}.", "Check the folder.") from error
    files = [name for name in names if not (SPLIT.search(name) and int(SPLIT.search(name)[1]) > 1)]
    if len(files) == 1:
        return _from_gguf(folder / files[0])
    if files:
        raise LabError(
            f"{folder} holds {len(files)} GGUF files.", f"Name one of them, such as {folder / files[0]}."
        )
    raise LabError(
        f"{folder} holds neither a {_CONFIG} nor a .gguf file.", "Give the folder of a downloaded model."
    )


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_CONFIG_BYTES:
            raise LabError(
                f"{path} is larger than {format_bytes(_MOST_CONFIG_BYTES)}: no configuration is.",
                f"Give the model's {_CONFIG}.",
            )
        return parse_json(path.read_bytes(), str(path))
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error


def parse_json(data: bytes, name: str) -> Any:
    """JSON that may be anything. Raises LabError with a sentence about `name`."""
    if data.lstrip()[:1] == b"<":
        raise LabError(
            f"{name} is a web page, not JSON: a login page or a proxy answered in place of the server.",
            "Open any page in a browser, log in to the network if it asks you to, and fetch the file again.",
        )
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else f"{error}"
        raise LabError(f"{name} is not readable as JSON: {why:.120}.", "Download it again.") from error


def _from_config(config: Any, read: str, title: str = "") -> Source:
    from labkit.estimating.config import blueprint_from_config

    if not isinstance(config, Mapping):
        raise LabError(
            f"{read} holds no configuration of a model, but a {type(config).__name__}.",
            f"Give the model's {_CONFIG}.",
        )
    blueprint = blueprint_from_config(config, title)
    return Source(blueprint, "configuration", read, notes=blueprint.notes)


def _from_gguf(path: Path, entry: CatalogueEntry | None = None) -> Source:
    """From the header of a file, or from those of all the parts of a split one."""
    names = part_names(path.name)
    parts = [path.with_name(name) for name in names]
    missing = [part.name for part in parts if not _exists(part)]
    if missing and len(parts) > 1:
        raise LabError(
            f"{path.name} is one of {len(parts)} parts, and {missing[0]} is not beside it.",
            "Put all the parts into one folder.",
        )
    headers = [read_gguf_header(part) for part in parts]
    blueprint = joined(headers, path.stem)
    read = f"the header of {path.name}" if len(parts) == 1 else f"the headers of the {len(parts)} parts of it"
    return Source(
        replace(blueprint, title=entry.title) if entry else blueprint,
        "file header",
        read,
        quantization=headers[0].quantization,
        file_bytes=sum(header.file_bytes for header in headers),
        path=path,
        entry=entry,
        notes=blueprint.notes,
    )


def joined(headers: list[GGUFHeader], title: str) -> Blueprint:
    """The blueprint of a file, or of the parts of a split one; the first part holds the metadata."""
    blueprint = headers[0].blueprint()
    tensors = tuple(tensor for header in headers for tensor in header.blueprint().tensors)
    if not tensors:
        raise LabError(f"{title} holds no tensors.", "Choose the file that holds the model itself.")
    return replace(blueprint, tensors=tensors, title=blueprint.title or title)


# ---------------------------------------------------------------- the hub


def _from_hub(repo: str, revision: str, file: str, quant: str | None) -> Source:
    """From a GGUF file's header, else from `config.json`; where the hub refuses, from its cache here."""
    from labkit.models import hub, hub_header

    if file and not file.lower().endswith((".gguf", ".json")):
        quant, file = file, ""  # owner/name:Q8_0
    try:
        file = file or _file_of(repo, hub_header.list_files(repo, revision), quant)
        return _read_on_hub(repo, revision, file)
    except SourceFailed:
        cached = hub.cached_files(repo, revision)
        file = file or (_file_of(repo, cached, quant) if cached else "")
        if file not in cached:
            raise
        found = _from_path(cached[file])
        if file.lower().endswith(".json"):  # its folder there is called by the commit
            found = replace(found, blueprint=replace(found.blueprint, title=repo.split("/")[1]))
        return replace(found, read=f"{found.read}, in the hub's cache")


def _file_of(repo: str, files: Iterable[str], quant: str | None) -> str:
    """The file to read: a GGUF, else the configuration. Raises LabError when there is neither."""
    names = list(files)
    file = choose_gguf(names, quant) or (_CONFIG if _CONFIG in names else "")
    if not file:
        raise LabError(
            f"{repo} holds neither a GGUF file nor a {_CONFIG}.",
            "Choose a repository of a language model; its GGUF editions are often in another one.",
        )
    return file


def _read_on_hub(repo: str, revision: str, file: str) -> Source:
    from labkit.models.hub_header import HubFile, read_remote_header, read_remote_text

    if file.lower().endswith(".json"):
        data = read_remote_text(HubFile(repo, file, revision), _MOST_CONFIG_BYTES)
        config = parse_json(data, f"{file} of {repo}")
        return _from_config(config, f"{file} of {repo}", title=repo.split("/")[1])
    parts = [read_remote_header(HubFile(repo, name, revision)) for name in part_names(file)]
    blueprint = joined([part.header for part in parts], file.removesuffix(".gguf"))
    n_read = sum(part.bytes_read for part in parts)
    size = sum(part.header.file_bytes for part in parts)
    return Source(
        blueprint,
        "file header",
        f"the header of {file} in {repo} ({format_bytes(n_read)} of {format_bytes(size)})",
        quantization=parts[0].header.quantization,
        file_bytes=size,
        notes=blueprint.notes,
    )
