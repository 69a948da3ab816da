"""The hub route: huggingface_hub's own client, settings, tokens and cache, with two things added.

huggingface_hub 2.x does not resume a download across runs and does not check its hash. Here the body goes
into `blobs/<etag>.incomplete`, grows there over as many runs as it takes, and becomes a blob only when its
SHA-256 is right. The snapshot's pointer is then made by `hf_hub_download` itself, so every other program
that uses the cache finds the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from labkit.models.catalogue import CatalogueEntry
from labkit.models.hub_errors import WantedFile, no_answer, not_a_hub, other_file, sentence_for
from labkit.models.storage import SourceFailed, disk_problem, only_one, require_disk_space
from labkit.models.transfer import Transfer
from labkit.models.trust import file_sha256
from labkit.progress_bar import ProgressBar

CACHE_SETTING = "HF_HOME"
#: seconds in which the hub must answer its first question: short where a mirror can take its place
_DEADLINE_WITH_MIRROR = 4.0
_DEADLINE_ALONE = 20.0
_POINTER_SECONDS = 10.0
_REMEMBER_SECONDS = 300.0
_unreachable_since: dict[str, float] = {}
_T = TypeVar("_T")


def endpoint() -> str:
    """Address of the hub: `HF_ENDPOINT`, else huggingface_hub's own default."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def hub_cache() -> Path:
    """The hub's cache folder, by huggingface_hub's own variables."""
    from huggingface_hub import constants

    for name, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if os.environ.get(name):
            return Path(os.path.expandvars(os.environ[name])).expanduser() / below
    return Path(constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """True when the user has forbidden the hub (`HF_HUB_OFFLINE=1`)."""
    from huggingface_hub import constants

    chosen = os.environ.get("HF_HUB_OFFLINE", "").strip().lower()
    return chosen in ("1", "true", "yes", "on") or (not chosen and constants.is_offline_mode())


def find_in_cache(entry: CatalogueEntry) -> tuple[Path, str] | None:
    """The file in the hub's cache and the SHA-256 that it must have (empty: not known), if it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        entry.repo, entry.filename, cache_dir=hub_cache(), revision=entry.revision or "main"
    )
    if isinstance(found, str):
        blob_name = Path(os.path.realpath(found)).name
        known = blob_name if re.fullmatch("[0-9a-f]{64}", blob_name) else ""
        return Path(found), entry.sha256 or known
    blob = _repo_folder(entry) / "blobs" / entry.sha256
    if entry.sha256 and blob.is_file():
        return blob, entry.sha256
    return None


def cached_files(repo: str, revision: str = "") -> dict[str, Path]:
    """File name → path of what the hub's cache holds of a repository at a revision, else the newest."""
    folder = _repo_folder_of(repo)
    try:
        commit = (folder / "refs" / (revision or "main")).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = revision
    snapshots = folder / "snapshots"
    try:
        found = [snapshots / commit] if commit else sorted(snapshots.iterdir(), key=os.path.getmtime)
        paths = [path for path in found[-1].rglob("*") if path.is_file()] if found else []
    except OSError:
        return {}
    return {path.relative_to(found[-1]).as_posix(): path for path in paths}


def discard(path: Path) -> None:
    """Removes a damaged file from the cache, pointer and blob."""
    real = Path(os.path.realpath(path))
    for place in {path, real}:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)


def fetch_from_hub(entry: CatalogueEntry, bar: ProgressBar) -> tuple[Path, str]:
    """Downloads the file into the hub's cache. Returns its path and SHA-256. Raises SourceFailed."""
    address = endpoint()
    _require_hub(address)
    metadata = _ask(entry, address)
    etag, commit, size = _checked(entry, metadata, address)
    folder = _repo_folder(entry)
    blob = folder / "blobs" / etag
    partial = blob.with_name(f"{etag}.incomplete")
    sha256 = entry.sha256 or etag

    def waiting() -> None:
        bar.message("Another program is fetching this file: waiting for it.")
        with contextlib.suppress(OSError):
            bar.set(partial.stat().st_size)

    lock = hub_cache() / ".locks" / folder.name / f"{etag}.lock"
    with only_one(lock, waiting, CACHE_SETTING):
        pointer = folder / "snapshots" / commit / Path(*entry.filename.split("/"))
        present = blob if blob.exists() else pointer
        if not (present.exists() and file_sha256(present) == sha256):
            discard(present)
            try:
                blob.parent.mkdir(parents=True, exist_ok=True)
                present_bytes = partial.stat().st_size if partial.exists() else 0
                require_disk_space(blob.parent, size - present_bytes, CACHE_SETTING)
                Transfer(entry, address, partial, size, sha256, bar).run()
                _move_into_place(partial, blob, pointer)
            except OSError as error:
                raise disk_problem(error, blob.parent, CACHE_SETTING) from error
    return _pointer(entry, commit, blob, pointer, address), sha256


def ask(wanted: WantedFile, address: str, seconds: float, question: Callable[[], _T]) -> _T:
    """The hub's answer to `question`, asked a second time where that may help.

    Raises SourceFailed, with the sentence for `wanted`, also when `seconds` pass without an answer.
    """
    _require_hub(address)
    try:
        return _ask_once(wanted, address, seconds, question)
    except SourceFailed as problem:
        if problem.retry_after is None:
            raise
        time.sleep(problem.retry_after)
        return _ask_once(wanted, address, seconds, question)


def _require_hub(address: str) -> None:
    """Raises SourceFailed when the user forbids the hub, or it did not answer a moment ago."""
    if is_offline():
        raise SourceFailed(
            "The hub was not asked, because HF_HUB_OFFLINE is set.",
            "Unset HF_HUB_OFFLINE to allow the download.",
        )
    if time.monotonic() - _unreachable_since.get(address, -_REMEMBER_SECONDS) < _REMEMBER_SECONDS:
        raise no_answer(address, "did not answer a moment ago")


def _ask(entry: CatalogueEntry, address: str) -> Any:
    """The hub's metadata of the file. A second try only where nothing else can give the file."""
    seconds = _DEADLINE_WITH_MIRROR if entry.mirror else _DEADLINE_ALONE
    once = _ask_once if entry.mirror else ask
    return once(entry, address, seconds, lambda: _metadata(entry, address, seconds))


def _ask_once(wanted: WantedFile, address: str, seconds: float, question: Callable[[], _T]) -> _T:
    try:
        return _within(seconds, question)
    except SourceFailed as failure:
        problem, cause = failure, failure.__cause__
    except TimeoutError as error:
        problem, cause = no_answer(address, f"did not answer within {seconds:.0f} s"), error
    except Exception as error:
        problem, cause = sentence_for(error, wanted, address), error
    if problem.unreachable:
        _unreachable_since[address] = time.monotonic()
    raise problem from cause


def _metadata(entry: CatalogueEntry, address: str, seconds: float) -> Any:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(entry.repo, entry.filename, revision=entry.revision or "main", endpoint=address)
    return get_hf_file_metadata(url, timeout=seconds, library_name="labkit", endpoint=address)


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """Result of `work`, or TimeoutError. A thread, since a dead name server holds getaddrinfo for minutes."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="labkit-hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def _checked(entry: CatalogueEntry, metadata: Any, address: str) -> tuple[str, str, int]:
    """etag, commit and size from the metadata, when they are those of the file that the catalogue names."""
    etag, commit, size = metadata.etag, metadata.commit_hash, metadata.size
    if not commit or not etag or not re.fullmatch(r"[0-9A-Za-z._-]{8,128}", etag):
        raise not_a_hub(address)
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise not_a_hub(address)
    is_sha256 = re.fullmatch("[0-9a-f]{64}", etag) is not None
    if entry.sha256 and is_sha256 and etag != entry.sha256:
        raise other_file(entry, address)
    if not entry.sha256 and not is_sha256:
        raise SourceFailed(
            f"The hub ({address}) gives no SHA-256 for {entry.filename}, so it could not be checked.",
            "Choose another model from `lk.catalogue()`.",
        )
    if size is None:
        size = entry.bytes
    if entry.sha256 and size != entry.bytes:
        raise other_file(entry, address)
    return etag, commit, size


def _repo_folder(entry: CatalogueEntry) -> Path:
    return _repo_folder_of(entry.repo)


def _repo_folder_of(repo: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return hub_cache() / repo_folder_name(repo_id=repo, repo_type="model")


def _move_into_place(partial: Path, blob: Path, pointer: Path) -> None:
    """The verified file becomes a blob; where symbolic links do not work it becomes the snapshot's file."""
    from huggingface_hub.file_download import are_symlinks_supported

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labkit does not double the file, so the warning would mislead
        links_work = are_symlinks_supported(hub_cache())
    target = blob if links_work else pointer
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def _pointer(entry: CatalogueEntry, commit: str, blob: Path, pointer: Path, address: str) -> Path:
    """The snapshot's path, made by hf_hub_download; by hand when the hub has gone away meanwhile."""
    from huggingface_hub import hf_hub_download

    revision = entry.revision or "main"
    with contextlib.suppress(Exception):
        path = _within(
            _POINTER_SECONDS,
            lambda: hf_hub_download(
                entry.repo,
                entry.filename,
                revision=revision,
                cache_dir=hub_cache(),
                endpoint=address,
                library_name="labkit",
                etag_timeout=_DEADLINE_WITH_MIRROR,
            ),
        )
        return Path(path)
    try:
        if not pointer.exists():
            pointer.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.path.relpath(blob, pointer.parent), pointer)
        if revision != commit:
            ref = _repo_folder(entry) / "refs" / revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(commit, encoding="ascii")
    except OSError:
        return pointer if pointer.exists() else blob
    return pointer
