"""Getting a model file: from the cache, from the hub, from a mirror, or the embedded stand-in.

Taught in chapter 19. Every file is verified by its SHA-256 before it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from labkit.errors import LabError
from labkit.models import embedded, hub, mirror
from labkit.models.catalogue import DEFAULT_MODEL, CatalogueEntry, catalogue, find_model
from labkit.models.gguf import read_gguf_header
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile, Source, notice_html, twin_of
from labkit.models.storage import SourceFailed
from labkit.models.trust import file_sha256
from labkit.progress_bar import ProgressBar

__all__ = ["ModelFile", "fetch", "get_model", "local_model"]

#: files above this size get a progress bar while they are hashed
_SLOW_TO_HASH_BYTES = 500_000_000


def fetch(name: str | CatalogueEntry = DEFAULT_MODEL, *, show_progress: bool = True) -> ModelFile:
    """The verified file of a pocket model, or of a model in the catalogue, downloaded where needed.

    Sources in order: the caches on this machine; the hub (with huggingface_hub's own settings:
    `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE`, which forbids the hub only); the mirror, where the
    catalogue has one (with pip's own settings). Ctrl-C keeps what has arrived from the hub.

    Raises LabError that lists what was tried.
    """
    if of_the_course := _from_course(name):
        return of_the_course
    entry = find_model(name) if isinstance(name, str) else name
    attempts: list[str] = []
    cached = _from_caches(entry, attempts, show_progress)
    if cached:
        return cached
    routes: list[tuple[Source, Callable[[CatalogueEntry, ProgressBar], tuple[Path, str]]]]
    routes = [("hub", hub.fetch_from_hub)]
    if entry.mirror:
        routes.append(("mirror", mirror.fetch_from_mirror))
    failures: list[SourceFailed] = []
    bar = ProgressBar(entry.bytes or None, "B", f"Fetching {entry.label}", show=show_progress)
    with bar:
        for source, route in routes:
            try:
                path, sha256 = route(entry, bar)
            except SourceFailed as failure:
                failures.append(failure)
                attempts.append(failure.what)
                more = " Trying the next source." if route is not routes[-1][1] else ""
                bar.message(failure.what + more)
                bar.set(0)
                continue
            bar.close(f"{entry.label} is here and its SHA-256 is right.")
            return ModelFile(entry.name, path, sha256, path.stat().st_size, source, False, entry, attempts)
        bar.stop("No source could give it.")
    raise _all_failed(entry, failures, attempts)


def get_model(name: str | CatalogueEntry = DEFAULT_MODEL, *, show_progress: bool = True) -> ModelFile:
    """Like `fetch`; when no source can give the file, the embedded model with random weights, loudly.

    Raises LabError only for a name that is not in the catalogue, or when the embedded file is missing too.
    """
    if of_the_course := _from_course(name):
        return of_the_course
    entry = find_model(name) if isinstance(name, str) else name
    try:
        return fetch(entry, show_progress=show_progress)
    except LabError as error:
        stand_in = embedded.embedded_model()
        attempts = getattr(error, "attempts", []) or [error.what]
        _show_notice(f"{entry.label} could not be fetched. {RANDOM_WEIGHTS_NOTICE}", str(error))
        return ModelFile(
            embedded.NAME,
            stand_in,
            file_sha256(stand_in),
            stand_in.stat().st_size,
            "embedded",
            True,
            None,
            list(attempts),
        )


def local_model(path: str | Path) -> ModelFile:
    """A GGUF file of your own. Its header is read at once; whether it loads shows in `load_model`.

    Raises LabError when it is not there, cannot be read, or is not a whole GGUF file.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise LabError(
            f"There is no file {place}.",
            "Check the path. A model of the catalogue is fetched by its name: `lk.fetch('...')`.",
        )
    header = read_gguf_header(place)
    place = place.absolute()
    try:
        sha256 = _hash_shown(place)
    except OSError as error:
        raise LabError(f"{place} cannot be read: {error.strerror or error}.", "Check the disk.") from error
    if sha256 == embedded.SHA256:
        return ModelFile(embedded.NAME, place, sha256, place.stat().st_size, "local", True)
    size, imitated = place.stat().st_size, twin_of(header.metadata)
    if imitated:
        return ModelFile(place.stem, place, sha256, size, "twin", True, twin_of=imitated)
    entry = next((e for e in catalogue() if e.sha256 == sha256), None)
    return ModelFile(entry.name if entry else place.stem, place, sha256, size, "local", entry=entry)


def _from_course(name: str | CatalogueEntry) -> ModelFile | None:
    """The pocket model of that name, if there is one. LabError when its file is not the trained one."""
    path = embedded.pocket_model(name.strip().lower()) if isinstance(name, str) else None
    if path is None:
        return None
    sha256 = file_sha256(path)
    if sha256 != embedded.pocket_models()[path.stem]:
        raise LabError(
            f"{path.name} is not the file that came with the course: its SHA-256 is another one.",
            embedded.RESTORE,
        )
    return ModelFile(path.stem, path, sha256, path.stat().st_size, "embedded")


def _from_caches(entry: CatalogueEntry, attempts: list[str], show_progress: bool) -> ModelFile | None:
    """The file from an earlier download. A damaged one is removed and reported in `attempts`."""
    for find in (hub.find_in_cache, mirror.find_in_cache):
        found = find(entry)
        if not found:
            continue
        path, expected = found
        try:
            size = path.stat().st_size
            complete = not entry.sha256 or size == entry.bytes
            sha256 = _hash_shown(path, show_progress) if complete else ""
        except OSError as error:
            attempts.append(f"The cached file {path} cannot be read: {error.strerror or error}.")
            continue
        if sha256 and sha256 == (expected or sha256):
            return ModelFile(entry.name, path, sha256, size, "cache", False, entry, attempts)
        hub.discard(path)
        attempts.append(f"The cached file {path} was damaged (its SHA-256 is wrong) and was removed.")
    return None


def _hash_shown(path: Path, show_progress: bool = True) -> str:
    size = path.stat().st_size
    bars: list[ProgressBar] = []

    def on_bytes(n: int) -> None:
        if not bars:
            bars.append(ProgressBar(size, "B", f"Checking {path.name}", show=show_progress))
        bars[0].update(n)

    try:
        return file_sha256(path, on_bytes=on_bytes if size > _SLOW_TO_HASH_BYTES else None)
    finally:
        for bar in bars:
            bar.close()


def _all_failed(entry: CatalogueEntry, failures: list[SourceFailed], attempts: list[str]) -> LabError:
    cures = list(dict.fromkeys(failure.cure for failure in failures if failure.cure))
    what = f"{entry.label} could not be fetched.\n" + "\n".join(f"- {sentence}" for sentence in attempts)
    error = LabError(what, "\n".join(cures))
    error.attempts = attempts  # type: ignore[attr-defined]
    return error


def _show_notice(text: str, details: str) -> None:
    """A notice that nobody overlooks, in a notebook or a terminal."""
    import html
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import publish_display_data

        more = f"<details><summary>What was tried</summary><pre>{html.escape(details)}</pre></details>"
        publish_display_data({"text/html": notice_html(text) + more, "text/plain": f"{text}\n{details}"})
    else:
        with contextlib.suppress(OSError, ValueError):
            print(f"{'=' * 78}\n{text}\n{details}\n{'=' * 78}", file=sys.stderr, flush=True)
