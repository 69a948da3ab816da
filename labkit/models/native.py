"""llama.cpp itself: imported late, and its log caught.

llama.cpp writes hundreds of lines to stderr. Here they go into `log`, which keeps the newest, and nothing
reaches the learner's screen. The reason for a failure and the sizes of the buffers are read from it.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections import deque
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.estimating.gguf_types import GGML_TYPES

_TYPE_IDS = {tensor_type.name.lower(): number for number, tensor_type in GGML_TYPES.items()}
_INFO, _WARN, _ERROR, _CONT = 2, 3, 4, 5
_LINES_KEPT = 20_000


class NativeLog:
    """The newest messages of llama.cpp from level INFO up."""

    def __init__(self) -> None:
        self._messages: deque[tuple[int, int, str]] = deque(maxlen=_LINES_KEPT)
        self._count = 0
        self._level = _INFO

    def take(self, level: int, text: bytes, _: Any = None) -> None:
        if level != _CONT:
            self._level = level
        if self._level >= _INFO:
            self._count += 1
            self._messages.append((self._count, self._level, text.decode(errors="replace")))

    def mark(self) -> int:
        """A point in the log, for `since`."""
        return self._count

    def since(self, mark: int) -> str:
        return "".join(text for number, _, text in self._messages if number > mark)

    def reason(self, mark: int) -> str:
        """The message since `mark` that names a failure, without the C function's name before it."""
        errors = "".join(text for n, level, text in self._messages if n > mark and level == _ERROR)
        lines = [line for line in errors.splitlines() if line.strip()]
        if not lines:
            lines = [line for line in self.since(mark).splitlines() if re.search("error|fail", line)]
        best = [line for line in lines if "error loading model" in line] or lines[:1]
        return re.sub(r"^\w+: (error loading model: )?", "", best[0]).strip().rstrip(".") if best else ""


log = NativeLog()
_kept_callback: Any = None


def llama() -> Any:
    """The module `llama_cpp`, its log redirected. Raises LabError when it cannot be imported."""
    global _kept_callback
    if _kept_callback is None:
        try:
            import llama_cpp
        except Exception as error:  # ImportError, or OSError and RuntimeError from a broken build
            raise LabError(
                f"llama-cpp-python does not work here: {error}.",
                "Run `make setup` again; `labkit doctor` says more.",
            ) from error
        _kept_callback = llama_cpp.llama_log_callback(log.take)
        llama_cpp.llama_log_set(_kept_callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
    import llama_cpp

    return llama_cpp


def ggml_function(name: str) -> Any | None:
    """A C function of ggml by its name, or None. The caller sets `restype` and `argtypes`."""
    for library in _ggml_libraries():
        try:
            return library[name]
        except AttributeError:
            continue
    return None


_libraries: list[ctypes.CDLL] = []


def _ggml_libraries() -> list[ctypes.CDLL]:
    """The ggml libraries beside llama_cpp; they are in the process already, so this loads nothing twice."""
    if _libraries:
        return _libraries
    llama_cpp = llama()
    folder = Path(llama_cpp.__file__).parent / "lib"
    pattern = {"win32": "{}.dll", "darwin": "lib{}.dylib"}.get(sys.platform, "lib{}.so")
    for name in ("ggml-base", "ggml", "ggml-cpu", "llama"):
        path = folder / pattern.format(name)
        if path.exists():
            try:
                _libraries.append(ctypes.CDLL(str(path)))
            except OSError:
                continue
    return _libraries


def engine_name() -> str:
    """`'llama-cpp-python 0.3.36'`."""
    return f"llama-cpp-python {llama().__version__}"


def cpu_features() -> frozenset[str]:
    """Instructions that this build uses on this processor, in llama.cpp's words: AVX2, NEON, REPACK."""
    parts = llama().llama_print_system_info().decode(errors="replace").split("|")
    return frozenset(part.split("=")[0].split(":")[-1].strip() for part in parts if "= 1" in part)


def native_path(path: os.PathLike[str] | str) -> bytes:
    """A path as llama.cpp takes it: UTF-8, on every system."""
    return os.fsencode(path) if os.name != "nt" else str(path).encode("utf-8")


def open_model(
    path: os.PathLike[str] | str,
    *,
    gpu_layers: int | None = None,
    mmap: bool | None = None,
    allocate: bool = True,
    vocabulary_only: bool = False,
) -> Any:
    """Loads a model file; None when llama.cpp refuses.

    `mmap` maps the file instead of reading it; None lets llama.cpp decide. `allocate=False` reads no weights.
    `vocabulary_only` reads the tokenizer and nothing else.
    """
    lib = llama()
    params = lib.llama_model_default_params()
    params.vocab_only = vocabulary_only
    if gpu_layers is not None:
        params.n_gpu_layers = gpu_layers
    if mmap is not None:
        params.load_mode = lib.LLAMA_LOAD_MODE_MMAP if mmap else lib.LLAMA_LOAD_MODE_NONE
    if not allocate:
        params.no_alloc = True
        params.load_mode = lib.LLAMA_LOAD_MODE_NONE
    return lib.llama_model_load_from_file(native_path(path), params) or None


def open_context(
    model_p: Any,
    *,
    context: int,
    threads: int,
    type_k: str = "f16",
    type_v: str = "f16",
    flash_attention: bool | None = None,
    parallel: int = 1,
    n_ubatch: int | None = None,
    kv_unified: bool = False,
) -> Any:
    """A context with the course's one convention: that of llama.cpp's own tools. None when refused.

    Parameters
    ----------
    context : tokens, of all sequences together.
    type_k, type_v : what the KV cache stores keys and values in, such as `"q8_0"`.
    flash_attention : None lets llama.cpp decide.
    parallel : sequences. They share one cache with `kv_unified`, else each has its own.
    n_ubatch : tokens computed at once; None for llama.cpp's 512.
    """
    lib = llama()
    params = lib.llama_context_default_params()
    params.n_ctx = context
    params.n_threads = params.n_threads_batch = threads
    params.type_k, params.type_v = _TYPE_IDS[type_k.lower()], _TYPE_IDS[type_v.lower()]
    params.flash_attn_type = flash_attention_type(flash_attention)
    params.n_seq_max, params.kv_unified = parallel, kv_unified
    if n_ubatch is not None:
        params.n_ubatch = n_ubatch
    params.swa_full = False
    return lib.llama_init_from_model(model_p, params) or None


def flash_attention_type(wanted: bool | None) -> int:
    """llama.cpp's number for flash attention: on, off, or left to it."""
    lib = llama()
    if wanted is None:
        return lib.LLAMA_FLASH_ATTN_TYPE_AUTO
    return lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if wanted else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
