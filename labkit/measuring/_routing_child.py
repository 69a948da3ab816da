"""The half of `labkit.measuring.routing` that runs the model, as a process of its own."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from labkit.child_process import OnProgress, serve_job
from labkit.errors import LabError
from labkit.measuring.engine import Engine
from labkit.models import native
from labkit.models.gguf import read_gguf_header
from labkit.models.native import ggml_function

#: llama.cpp's name of the node that holds, for each token, the experts by falling score; then the layer
_NODE = b"ffn_moe_argsort-"


def watch(job: dict[str, Any], report: OnProgress) -> dict[str, Any]:
    """Feed random tokens one by one, and note which experts the router picks in each layer."""
    path = Path(job["path"])
    header = read_gguf_header(path)
    n_experts = header.number("expert_count", 0)
    n_used = header.number("expert_used_count", 0)
    if not n_experts or not n_used:
        raise LabError(f"{path.name} is a dense model: it has no router.", "Choose a mixture of experts.")
    watcher = _Watcher(n_used)
    # On the processor: the router's numbers lie in plain memory there. One thread: the computation stops
    # after every router, and threads that wait for each other would take longer than the work.
    engine = Engine(path, threads=1, gpu_layers=0)
    context = _context(engine, job["tokens"], watcher)
    chosen = []
    for number, token in enumerate(engine.random_tokens(job["tokens"])):
        watcher.by_layer.clear()
        array = (engine.llama.llama_token * 1)(token)
        if engine.llama.llama_decode(context, engine.llama.llama_batch_get_one(array, 1)):
            raise LabError("llama.cpp could not process a token.", "Write the twin again.")
        engine.llama.llama_synchronize(context)
        chosen.append([watcher.by_layer[layer] for layer in sorted(watcher.by_layer)])
        report(number + 1, job["tokens"], "Watching the router")
    if not chosen[0]:
        raise LabError(
            "This llama.cpp does not show which experts a router picks.", "Go on without this picture."
        )
    return {"n_experts": n_experts, "chosen": chosen}


class _Watcher:
    """ggml's callback: asked about each node of the computation, and called when it is computed."""

    def __init__(self, n_used: int) -> None:
        self.n_used = n_used
        self.by_layer: dict[int, list[int]] = {}
        #: kept here, since llama.cpp calls it for as long as the context lives
        self.callback = native.llama().ggml_backend_sched_eval_callback(self._node)
        self._name = _function("ggml_get_name", ctypes.c_char_p, [ctypes.c_void_p])
        self._n_bytes = _function("ggml_nbytes", ctypes.c_size_t, [ctypes.c_void_p])
        arguments = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        self._read = _function("ggml_backend_tensor_get", None, arguments)

    def _node(self, tensor: int, ask: bool, _: Any) -> bool:
        name: bytes = self._name(tensor)
        wanted = name.startswith(_NODE)
        if ask:
            return wanted
        if wanted:
            order = (ctypes.c_int32 * (self._n_bytes(tensor) // 4))()
            self._read(tensor, order, 0, ctypes.sizeof(order))
            self.by_layer[int(name.removeprefix(_NODE))] = list(order[: self.n_used])
        return True


def _function(name: str, result: Any, arguments: list[Any]) -> Any:
    function = ggml_function(name)
    if function is None:
        raise LabError(
            "This build of llama.cpp does not let labkit watch the router.", "Go on without this picture."
        )
    function.restype, function.argtypes = result, arguments
    return function


def _context(engine: Engine, n_ctx: int, watcher: _Watcher) -> Any:
    params = engine.llama.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_threads = params.n_threads_batch = engine.threads
    params.swa_full = False
    params.cb_eval = watcher.callback
    context = engine.llama.llama_init_from_model(engine.model, params)
    if not context:
        raise LabError("llama.cpp can't make a context for this model.", "Ask for fewer tokens.")
    return context


if __name__ == "__main__":
    serve_job(watch)
