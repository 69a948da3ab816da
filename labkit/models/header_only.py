"""Writes the header of a GGUF file without the weights: all that llama.cpp needs to say what a model takes.

A header-only file is as long as the real one would be, but has a hole where the weights belong. llama.cpp
opens it with `no_alloc` and reports every buffer, or plans a quantization. Taught in chapters 2 and 6.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import IO

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.gguf_encoding import data_bytes, header_bytes
from labkit.units import format_bytes

__all__ = ["header_bytes", "write_header_only"]


def write_header_only(blueprint: Blueprint, path: Path | str) -> Path:
    """Writes a file of full length with nothing but the header in it; returns its path.

    The rest is a hole that reads as zeros and takes no room on disk: on ext4, XFS, btrfs, tmpfs and APFS as a
    matter of course, on NTFS because it is asked to. A file system without holes (FAT, exFAT, HFS+) would
    reserve or write the whole length, so a file longer than the free space of the disk is refused there.

    Raises LabError when the file cannot be written, or not at that length.
    """
    path = Path(path)
    header = header_bytes(blueprint)
    length = len(header) + data_bytes(blueprint)
    try:
        with path.open("wb") as file:
            try:
                _allow_holes(file)
                file.write(header)
                file.truncate(length)
            except OSError:
                with contextlib.suppress(OSError):  # it would try once more to write what is left
                    file.close()
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in (errno.EFBIG, errno.ENOSPC, errno.EINVAL):
            raise LabError(
                f"The disk refuses a file of {format_bytes(length)}, even one of holes: {error.strerror}.",
                "Set LABKIT_CACHE or TMPDIR to a folder on another disk.",
            ) from error
        raise LabError(
            f"{path} cannot be written: {error.strerror or error}.", "Check the folder and its permissions."
        ) from error
    return path


def _allow_holes(file: IO[bytes]) -> None:
    """Windows makes a file with holes only when told to (FSCTL_SET_SPARSE); a refusal is no failure."""
    if os.name != "nt":
        return
    import ctypes
    import msvcrt

    returned = ctypes.c_ulong(0)
    handle = ctypes.c_void_p(msvcrt.get_osfhandle(file.fileno()))  # type: ignore[attr-defined]
    ctypes.windll.kernel32.DeviceIoControl(  # type: ignore[attr-defined]
        handle, 0x000900C4, None, 0, None, 0, ctypes.byref(returned), None
    )
