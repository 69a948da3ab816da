"""All the memory that a model takes: weights, KV cache, computation, what comes on top. Taught in chapter 6.

Reserved and resident are two things. llama.cpp reserves its buffers at once; memory becomes resident where it
is written. The KV cache is written with zeros when it is made, so all of it is resident; of the compute
buffer a chat touches a part. The pages of a mapped model file are resident but file-backed: the system may
drop them and read them again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint, TensorSpec
from labkit.estimating.compute_buffer import compute_bytes, output_bytes, touched_compute_bytes
from labkit.estimating.kv_cache import N_UBATCH, kv_bytes
from labkit.estimating.repacking import USUAL_FEATURES, repacked_tensors

# What llama.cpp keeps outside its buffers: measured on Linux, in child processes, less the reading before the
# load. tests/benchmarks/resident_memory.py prints how well it fits.
_CODE_AND_GRAPH_BYTES = 5 * 2**20
_BYTES_PER_CELL = 56
_BYTES_PER_TOKEN, _BYTES_PER_MERGE, _BYTES_PER_TOKEN_WITHOUT_TEXT = 152, 170, 40

#: the operand of a product is rounded to 8 bits first, with a scale for every 32 numbers
_ROUNDED_BYTES = 34 / 32

_STEP, _LONGEST_CONTEXT = 256, 2**24


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a model with one context takes.

    Attributes
    ----------
    weights_bytes : the tensors, as the file has them; a tied embedding twice where the GPU needs its own.
    repacked_bytes : copies of weights in the processor's order, beside the mapped file. Resident, but not in
        the total: the file's pages of these weights are never read again, so the system may drop them.
    kv_bytes : the KV cache, and the states of recurrent layers.
    compute_bytes : reserved for the computation.
    compute_touched_bytes : of that, what a chat writes to, with the cache as full as `tokens` says.
    output_bytes : the scores of the next token.
    overhead_bytes : vocabulary, graph, book-keeping; a measured rule of thumb.
    total_bytes : weights, cache, computation, output and overhead, each as reserved: what must fit.
    resident_bytes : what lies in RAM where there is enough, as a monitor shows it: the total without the
        GPU's part and the untouched part of the compute buffer, with the repacked copies.
    file_backed_bytes : of the resident bytes, pages of the model file.
    private_bytes : of the resident bytes, the process's own.
    gpu_bytes, cpu_bytes : the total, divided by where it lies.
    tokens : tokens in the cache that the resident bytes are for.
    """

    weights_bytes: int
    repacked_bytes: int
    kv_bytes: int
    compute_bytes: int
    compute_touched_bytes: int
    output_bytes: int
    overhead_bytes: int
    total_bytes: int
    resident_bytes: int
    file_backed_bytes: int
    private_bytes: int
    gpu_bytes: int
    cpu_bytes: int
    tokens: int

    def to_dict(self) -> dict[str, int]:
        """Plain numbers, as JSON has them."""
        return asdict(self)


def estimate_memory(
    blueprint: Blueprint,
    context: int,
    *,
    type_k: str = "f16",
    type_v: str = "f16",
    parallel: int = 1,
    n_ubatch: int = N_UBATCH,
    flash_attention: bool = True,
    gpu_layers: int = 0,
    mmap: bool = True,
    tokens: int | None = None,
    cpu_features: Collection[str] = USUAL_FEATURES,
    vocabulary: bool = True,
    buffers: Mapping[str, Any] | None = None,
) -> MemoryEstimate:
    """What a model takes with a context of `context` tokens.

    Parameters
    ----------
    context, type_k, type_v, parallel, n_ubatch, flash_attention : as for `kv_cache.kv_bytes`.
    gpu_layers : layers on the GPU, counted from the last, as llama.cpp's `-ngl`; the output counts as one.
    mmap : is the file mapped (llama.cpp's way), or read into memory?
    tokens : tokens in the cache when its memory is looked at. None: half of the context, or one batch.
    cpu_features : instructions of the processor, in llama.cpp's words; they decide which weights get a copy.
    vocabulary : does the file have a tokenizer? A twin has none.
    buffers : what llama.cpp itself says of `kv_bytes`, `compute_bytes` and `output_bytes`
        (`models.buffers_by_llama`), in place of the formulas.

    Raises LabError when the description lacks a key, or a setting is not possible.
    """
    batch = {"flash_attention": flash_attention, "parallel": parallel, "n_ubatch": n_ubatch}
    batch |= {"type_k": type_k, "type_v": type_v}
    needs = _needs(blueprint, context, batch, gpu_layers, buffers or {})
    in_cache = max(context // 2, min(context, n_ubatch)) if tokens is None else tokens
    if not isinstance(in_cache, int) or not 1 <= in_cache <= context:
        raise LabError(f"{tokens} tokens are not in a context of {context:,}.", "Give fewer tokens, or None.")
    touched = min(needs.compute, touched_compute_bytes(blueprint, context, tokens=in_cache, **batch))
    overhead = _overhead_bytes(blueprint, context, vocabulary, min(in_cache, n_ubatch))
    cpu = needs.cpu + overhead
    copies = _copied_bytes(blueprint, needs.first_on_gpu, cpu_features) if mmap else 0
    resident = cpu - (0 if gpu_layers else needs.compute - touched) + copies
    file_backed = needs.cpu_weights if mmap else 0
    return MemoryEstimate(
        weights_bytes=needs.gpu_weights + needs.cpu_weights,
        repacked_bytes=copies,
        kv_bytes=needs.kv,
        compute_bytes=needs.compute,
        compute_touched_bytes=touched,
        output_bytes=needs.output,
        overhead_bytes=overhead,
        total_bytes=needs.gpu + cpu,
        resident_bytes=resident,
        file_backed_bytes=file_backed,
        private_bytes=resident - file_backed,
        gpu_bytes=needs.gpu,
        cpu_bytes=cpu,
        tokens=in_cache,
    )


@dataclass(frozen=True)
class _Needs:
    """What llama.cpp reserves, in bytes."""

    first_on_gpu: int
    gpu_weights: int
    cpu_weights: int
    kv: int
    gpu_kv: int
    compute: int
    output: int

    @property
    def gpu(self) -> int:
        return self.gpu_weights + self.gpu_kv + (self.compute if self.gpu_weights else 0)

    @property
    def cpu(self) -> int:
        compute = 0 if self.gpu_weights else self.compute
        return self.cpu_weights + self.kv - self.gpu_kv + compute + self.output


def _needs(
    blueprint: Blueprint, context: int, batch: dict[str, Any], gpu_layers: int, told: Mapping[str, Any]
) -> _Needs:
    kv = told.get("kv_bytes") or kv_bytes(blueprint, context, **batch)
    first = max(0, blueprint.n_layers + 1 - gpu_layers)  # llama.cpp counts the output as one more layer
    gpu_weights, cpu_weights = _weights(blueprint, first)
    return _Needs(
        first_on_gpu=first,
        gpu_weights=gpu_weights,
        cpu_weights=cpu_weights,
        kv=kv,
        gpu_kv=kv_bytes(blueprint, context, **batch, from_layer=first) if gpu_weights else 0,
        compute=told.get("compute_bytes") or compute_bytes(blueprint, context, **batch),
        output=told.get("output_bytes") or output_bytes(blueprint, batch["parallel"]),
    )


def largest_context(
    blueprint: Blueprint,
    available_bytes: int,
    *,
    gpu_bytes: int | None = None,
    gpu_layers: int = 0,
    vocabulary: bool = True,
    parallel: int = 1,
    **batch: Any,
) -> int:
    """The most tokens of context, in steps of 256, with which the model fits; 0 when none does.

    `available_bytes` is RAM, `gpu_bytes` the GPU's memory where layers lie there; the other settings are
    those of `estimate_memory`. The model's own length is no limit here. Raises LabError as that does.
    """
    batch |= {"parallel": parallel}

    def fits(context: int) -> bool:
        needs = _needs(blueprint, context, batch, gpu_layers, {})
        cpu = needs.cpu + _overhead_bytes(blueprint, context, vocabulary, N_UBATCH)
        return cpu <= available_bytes and (gpu_bytes is None or needs.gpu <= gpu_bytes)

    low, high = 0, _LONGEST_CONTEXT // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * _STEP) else (low, middle - 1)
    return low * _STEP


def _layer_of(spec: TensorSpec, n_layers: int) -> int:
    """The layer that a tensor belongs to; the output comes after the last, the input before the first."""
    if spec.layer is not None:
        return spec.layer
    return n_layers if spec.name.startswith("output") else -1


def _weights(blueprint: Blueprint, first_on_gpu: int) -> tuple[int, int]:
    """Bytes of weights on the GPU and on the CPU; a tied embedding is needed on both."""
    n_layers, on_gpu, on_cpu = blueprint.n_layers, 0, 0
    for spec in blueprint.tensors:
        if _layer_of(spec, n_layers) >= first_on_gpu:
            on_gpu += spec.n_bytes
        else:
            on_cpu += spec.n_bytes
    if blueprint.tied_embeddings and first_on_gpu <= n_layers:
        on_gpu += sum(spec.n_bytes for spec in blueprint.tensors if spec.name == "token_embd.weight")
    return on_gpu, on_cpu


def _copied_bytes(blueprint: Blueprint, first_on_gpu: int, cpu_features: Collection[str]) -> int:
    """Bytes of the copies in the processor's order; what the GPU holds needs none."""
    output_on_gpu = first_on_gpu <= blueprint.n_layers
    return sum(
        spec.n_bytes
        for spec in repacked_tensors(blueprint, cpu_features)
        if _layer_of(spec, blueprint.n_layers) < first_on_gpu
        and not (output_on_gpu and spec.name == "token_embd.weight")
    )


def _overhead_bytes(blueprint: Blueprint, context: int, vocabulary: bool, n_tokens: int) -> int:
    """What llama.cpp keeps outside its buffers: the vocabulary above all, where there is one."""
    widest = max(blueprint.per_layer("feed_forward_length", default=0))
    total = _CODE_AND_GRAPH_BYTES + _BYTES_PER_CELL * context + round(_ROUNDED_BYTES * n_tokens * widest)
    kind = blueprint.metadata.get("tokenizer.ggml.model", "none")
    if kind == "none" and not vocabulary:
        return total + _BYTES_PER_TOKEN_WITHOUT_TEXT * blueprint.vocabulary_size
    merges = blueprint.metadata.get("tokenizer.ggml.merges")
    if merges is not None:
        n_merges = len(merges)
    else:
        n_merges = blueprint.vocabulary_size if kind == "none" and _likely_merges(blueprint) else 0
    return total + _BYTES_PER_TOKEN * blueprint.vocabulary_size + _BYTES_PER_MERGE * n_merges


def _likely_merges(blueprint: Blueprint) -> bool:
    """Vocabularies of more than 33,000 tokens come with merges, Gemma's apart."""
    return blueprint.vocabulary_size > 33_000 and not blueprint.architecture.startswith("gemma")
