"""An `Estimate` as a short table: the figures, in words, with where each comes from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from labkit.models.quantization_sizes import file_text
from labkit.tables import Table
from labkit.units import format_bytes, format_count

if TYPE_CHECKING:
    from labkit.models.estimate import Estimate

_PARTS = {
    "embedding": "token embedding",
    "attention": "attention",
    "ffn": "feed-forward",
    "experts": "experts",
    "norms": "norms",
    "output": "output matrix",
}
_LONGEST_HOW = len("the file itself")
_USUAL = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K")


def estimate_table(e: Estimate) -> Table:
    """What a model takes, in words."""
    kv = e.kv_type_k if e.kv_type_k == e.kv_type_v else f"K {e.kv_type_k}, V {e.kv_type_v}"
    rows = [
        ("Parameters", f"{e.parameters:,} ({format_count(e.parameters)})", e.how["parameters"]),
        *_active(e),
        ("Weights", format_bytes(e.tensor_bytes), e.how["tensor_bytes"]),
        ("Bits per weight", f"{e.bits_per_weight:.2f}", e.how["bits_per_weight"]),
        ("Tensors that fell back", _fallbacks(e), e.how["fallbacks"]),
        ("GGUF file", file_text(e.file_bytes_low, e.file_bytes_high), _short(e.how["file_bytes"])),
        ("KV cache for each token", format_bytes(e.kv_bytes_per_token), e.how["kv_bytes_per_token"]),
        (f"KV cache, {e.context:,} tokens, {kv}", format_bytes(e.kv_bytes), e.how["kv_bytes"]),
        ("Compute buffer", format_bytes(e.compute_bytes), e.how["compute_bytes"]),
        ("Output buffer", format_bytes(e.output_bytes), e.how["output_bytes"]),
        ("Vocabulary and book-keeping", format_bytes(_overhead(e)), "rule of thumb"),
        ("Memory in all", format_bytes(e.total_bytes), e.how["total_bytes"]),
        *_on_gpu(e),
        ("  as a monitor shows it (resident)", format_bytes(e.resident_bytes), e.how["resident_bytes"]),
        ("Largest context that fits here", _largest(e), e.how["largest_context"]),
    ]
    return Table(
        f"{e.title} in {e.quantization}",
        ["Quantity", "Value", "How"],
        rows,
        [f"Read: {e.read}.", *_about_the_file(e), *_about_copies(e), *e.notes],
        folded_title="Its parts, and the usual quantizations",
        folded=[*_parts(e), *_quantizations(e)],
        text_width=130,
    )


def _active(e: Estimate) -> list[tuple[str, str, str]]:
    if e.parameters_active == e.parameters:
        return []
    text = f"{e.parameters_active:,} ({format_count(e.parameters_active)})"
    return [("Parameters used for each token", text, e.how["parameters"])]


def _on_gpu(e: Estimate) -> list[tuple[str, str, str]]:
    return [("  of it on the GPU", format_bytes(e.gpu_bytes), "formula")] if e.gpu_layers else []


def _overhead(e: Estimate) -> int:
    """What the total has besides the weights and the buffers."""
    return e.total_bytes - e.tensor_bytes - e.kv_bytes - e.compute_bytes - e.output_bytes


def _short(how: str) -> str:
    return how if len(how) <= _LONGEST_HOW else "formula"


def _about_the_file(e: Estimate) -> list[str]:
    how = e.how["file_bytes"]
    return [] if len(how) <= _LONGEST_HOW else [f"Of the file, besides the tensors: {how}."]


def _about_copies(e: Estimate) -> list[str]:
    if e.resident_bytes <= e.total_bytes or not e.repacked_bytes:
        return []
    return [
        f"A monitor shows more than that: {format_bytes(e.repacked_bytes)} of weights are there twice, since "
        "llama.cpp copies them into an order that this processor likes. The system drops the originals when "
        "memory gets short."
    ]


def _fallbacks(e: Estimate) -> str:
    if not e.fallbacks:
        return "none"
    kinds = Counter((f.wanted, f.got) for f in e.fallbacks)
    told = ", ".join(f"{n} {wanted} as {got}" for (wanted, got), n in kinds.most_common(2))
    return f"{len(e.fallbacks)} of {len(e.blueprint.tensors)}: {told}"


def _largest(e: Estimate) -> str:
    allowed = f"{format_bytes(e.memory_allowed_bytes)} of RAM"
    if not e.largest_context:
        return f"none in {allowed}"
    own = ", its whole length" if e.largest_context >= e.context_length else ""
    return f"{e.largest_context:,} tokens in {allowed}{own}"


def _parts(e: Estimate) -> list[str]:
    return [
        f"{_PARTS[part]}: {n:,} parameters, {n / e.parameters:.1%}"
        for part, n in e.parameters_by_part.items()
    ]


def _quantizations(e: Estimate) -> list[str]:
    """The usual ones; `.quantizations` has all."""
    return [
        f"{row.quantization}: {format_bytes(row.tensor_bytes)} of weights, "
        f"{row.bits_per_weight:.2f} bits per weight"
        for row in e.quantizations
        if row.quantization in _USUAL
    ]
