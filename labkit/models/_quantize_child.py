"""The half of `labkit.models.quantize` that runs llama.cpp's quantizer, as a process of its own."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.errors import LabError
from labkit.models import native
from labkit.models.child_check import limit_resources
from labkit.models.made_files import part_path

#: `[   2/ 272] blk.0.attn_k.weight - [ 576, 192, 1, 1], type = f16, ` begins each tensor
_TENSOR = re.compile(rb"^\[ *(\d+)/ *(\d+)\] (\S+)")
#: Rows of one tensor that are in memory at a time; it changes no byte of the result.
_MOST_BUFFER_BYTES = 256 * 2**20


def quantize(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Write each of `job["targets"]`, `{"path", "file_type"}`: beside its place first, then at it, whole."""
    source = Path(job["source"])
    limit_resources(job["source_bytes"])
    lib, targets = native.llama(), job["targets"]
    watcher = _Watcher(report, len(targets))
    lib.llama_log_set(watcher.callback, ctypes.c_void_p(0))
    for number, target in enumerate(targets):
        watcher.number = number
        params = lib.llama_model_quantize_default_params()
        params.ftype = target["file_type"]
        params.nthread = job["threads"]
        params.allow_requantize = job["allow_requantize"]
        params.max_buf_size = _MOST_BUFFER_BYTES
        path = Path(target["path"])
        part = part_path(path)
        mark = native.log.mark()
        if lib.llama_model_quantize(
            native.native_path(source), native.native_path(part), ctypes.byref(params)
        ):
            raise _refused(source, path.parent, native.log.reason(mark))
        _keep(part, path)
    return {}


def _keep(part: Path, path: Path) -> None:
    """Moves a whole file to its place. On the disk first: a loss of power must not leave half of it there."""
    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise LabError(
            f"{path} could not be written: {error.strerror or error}.", "Check the folder and its disk."
        ) from None


class _Watcher:
    """Takes llama.cpp's log, and reports the tensor that it names."""

    def __init__(self, report: OnProgress, n_targets: int) -> None:
        self._report, self._n_targets = report, n_targets
        self.number = 0
        #: kept here, since llama.cpp calls it for as long as the process lives
        self.callback = native.llama().llama_log_callback(self._take)

    def _take(self, level: int, text: bytes, data: Any) -> None:
        native.log.take(level, text, data)
        if match := _TENSOR.match(text):
            done, of = int(match[1]) - 1, int(match[2])
            self._report(self.number * of + done, self._n_targets * of, match[3].decode(errors="replace"))


def _refused(source: Path, folder: Path, reason: str) -> LabError:
    """The sentence for llama.cpp's own reason."""
    reason = reason.removeprefix("failed to quantize: ")
    if "iostream error" in reason or "failed to open" in reason:
        return LabError(
            f"The quantized file could not be written into {folder}: the disk is full, or refuses it.",
            "Free some space, or choose another folder.",
        )
    return LabError(
        f"llama.cpp does not quantize {source.name}: {reason or 'it gives no reason'}.",
        "Choose another quantization, or another file.",
    )


if __name__ == "__main__":
    serve_job(quantize)
