"""Tries an unknown GGUF file in a process of its own, before this one loads it.

llama.cpp stops the whole process on some malformed files (1 in 500 with a mutated header). In a notebook that
would be the kernel. So the child loads the file, processes a prompt and one token more; the parent reads how
that ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from labkit.errors import LabError

#: the context tried: enough for one batch of each kind
CONTEXT = 512
_BASE_SECONDS = 60.0
_BYTES_PER_SECOND = 30e6
_SPARE_BYTES = 4 * 2**30


def check_in_child(path: Path, *, gpu_layers: int | None = None) -> None:
    """Returns when the file loads and runs. Raises LabError with llama.cpp's reason when it does not."""
    timeout = _BASE_SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    command = [sys.executable, "-P", "-m", "labkit.models.child_check", str(path), str(gpu_layers)]
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONFAULTHANDLER": "0"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(path, f"llama.cpp was still busy with it after {timeout:.0f} s") from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        answer = None
    if not isinstance(answer, dict):
        raise _refused(path, how_it_died(done.returncode, done.stderr))
    if answer.get("problem"):
        raise _refused(path, str(answer["problem"]))


def _refused(path: Path, why: str) -> LabError:
    return LabError(
        f"{path.name} cannot be used: {why}. (It was tried in a process of its own: nothing else is harmed.)",
        "Download the file again, or choose another one.",
    )


def how_it_died(status: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    told = [
        line for line in lines if "GGML_ASSERT" in line or "terminate called" in line or "what():" in line
    ]
    said = f" ({told[-1][-160:]})" if told else ""
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
        if name == "SIGKILL":
            return "it took more memory than there is, and the system stopped it"
        return f"llama.cpp crashed on it, {name}{said}"
    if "MemoryError" in stderr or "bad_alloc" in stderr:
        return "it asks for more memory than a file of its size should need"
    if not said and lines:
        said = f" ({lines[-1][-160:]})"
    return f"llama.cpp ended on it with status {status}{said}"


def limit_resources(file_bytes: int) -> None:
    """No core file, no endless memory (not with a GPU: its driver reserves terabytes of addresses)."""
    if os.name != "posix":
        return
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from labkit.models.native import llama

    if not llama().llama_supports_gpu_offload() and sys.platform == "linux":
        limit = 3 * file_bytes + _SPARE_BYTES
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _try(path: Path, gpu_layers: int | None) -> str:
    """What is wrong with the file, or an empty string."""
    from labkit.models import native

    lib = native.llama()
    model_p = native.open_model(path, gpu_layers=gpu_layers)
    if model_p is None:
        return f"llama.cpp refuses it: {native.log.reason(0) or 'it gives no reason'}"
    if not lib.llama_model_has_decoder(model_p) or lib.llama_model_has_encoder(model_p):
        return "its model does not write text token by token"
    ctx_p = native.open_context(model_p, context=CONTEXT, threads=1)
    if ctx_p is None:
        return f"llama.cpp makes no context for it: {native.log.reason(0) or 'it gives no reason'}"
    vocab = lib.llama_model_get_vocab(model_p)
    n_vocab = lib.llama_vocab_n_tokens(vocab)
    if n_vocab < 1:
        return "its vocabulary is empty"
    has_tokenizer = lib.llama_vocab_type(vocab) != lib.LLAMA_VOCAB_TYPE_NONE
    problem = _use_vocabulary(lib, vocab, n_vocab) if has_tokenizer else ""
    if problem:
        return problem
    for tokens in ([min(1, n_vocab - 1)] * 3, [0]):
        array = (lib.llama_token * len(tokens))(*tokens)
        if lib.llama_decode(ctx_p, lib.llama_batch_get_one(array, len(tokens))):
            return f"llama.cpp cannot process a token: {native.log.reason(0) or 'it gives no reason'}"
    scores = lib.llama_get_logits_ith(ctx_p, -1)
    if not scores or any(scores[i] != scores[i] for i in range(n_vocab)):
        return "its weights give scores that are not numbers"
    return ""


def _use_vocabulary(lib: object, vocab: object, n_vocab: int) -> str:
    """Tokenizes and writes back, since a damaged vocabulary crashes only then."""
    import ctypes

    text = "Hello, world! 123 \u00e9\u4e16 <s>".encode()
    tokens = (lib.llama_token * 256)()  # type: ignore[attr-defined]
    if lib.llama_tokenize(vocab, text, len(text), tokens, 256, True, True) < 0:  # type: ignore[attr-defined]
        return "its tokenizer does not work"
    buffer = ctypes.create_string_buffer(4096)
    for token in range(n_vocab):
        lib.llama_token_to_piece(vocab, token, buffer, 4096, 0, True)  # type: ignore[attr-defined]
    return ""


def main() -> None:
    path, layers = Path(sys.argv[1]), sys.argv[2]
    limit_resources(path.stat().st_size)
    problem = _try(path, None if layers == "None" else int(layers))
    print(json.dumps({"problem": problem}), flush=True)
    os._exit(0)  # llama.cpp's own clean-up of a damaged model is not to be trusted


if __name__ == "__main__":
    main()
