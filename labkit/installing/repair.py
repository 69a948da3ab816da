"""Find packages that an interrupted pip left half-written, so that the next pip installs them anew.

Run by the environment's own Python: `python -m labkit.installing.repair SITE_PACKAGES`. A package is whole
when its RECORD lists its files and each listed file is there with the size and hash that RECORD gives.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path


def remove_broken(site_packages: Path) -> list[str]:
    """Remove the metadata of every package that is not whole. Returns their names."""
    for leftover in site_packages.glob("~*"):  # pip's own backups of what it was replacing
        shutil.rmtree(leftover, ignore_errors=True)
    removed = []
    for distribution in list(distributions(path=[str(site_packages)])):
        if not _is_whole(distribution):
            folder = Path(str(distribution._path))  # type: ignore[attr-defined]  # no public name for it
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name.split("-")[0])
    return sorted(removed)


def _is_whole(distribution: Distribution) -> bool:
    try:
        files = distribution.files
        if not files or not distribution.metadata["Name"]:
            return False
        return all(_is_intact(file) for file in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_intact(file) -> bool:
    path = Path(str(file.locate()))
    if file.hash is None:  # RECORD itself, bytecode
        return True
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    found = hashlib.new(file.hash.mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode() == file.hash.value


if __name__ == "__main__":
    print("\n".join(remove_broken(Path(sys.argv[1]))))
