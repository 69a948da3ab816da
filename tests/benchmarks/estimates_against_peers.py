"""labkit's estimates and those of other tools, against published files and against llama.cpp.

    python -m tests.benchmarks.estimates_against_peers

File sizes are those of datasets/gguf_sizes.csv, estimated from the model's config.json alone; files from
which the size of a tokenizer was learned are left out. KV cache and compute buffer are what llama.cpp plans
(`buffers_by_llama`). The peers' formulas and where they were read: peers.py.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import cache

from labkit import facts
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.compute_buffer import compute_bytes
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.file_size import FileSize, file_size
from labkit.estimating.kv_cache import kv_bytes
from labkit.estimating.quantization import quantized
from labkit.models.buffers_by_llama import buffers_by_llama
from labkit.units import MIB
from tests.benchmarks import peers

#: grouped heads, many heads, windows (every other layer, five of six, named but unused), experts, latent
MODELS = (
    "llama-3.1-8b",
    "llama-2-7b",
    "mistral-7b-v0.1",
    "phi-3-mini-4k",
    "qwen3-30b-a3b",
    "gemma-2-2b",
    "gemma-3-270m",
    "gemma-3-4b",
    "gemma-3-27b",
    "gpt-oss-20b",
    "gpt-oss-120b",
    "deepseek-v2-lite",
    "deepseek-v3",
)
CONTEXTS = (4096, 32768)
KV_TYPES = ("f16", "q8_0", "q4_0")
#: a known tokenizer is good for this
GOOD_FILE_SIZE = 0.001


@cache
def blueprint(architecture: str) -> Blueprint:
    row = facts.find_architecture(architecture)
    return blueprint_from_config(row.config(), row.name)


def print_file_sizes() -> bool:
    """Returns whether every file made by today's rules is as the estimate says."""
    learned_from = {(row["repo"], row["filename"]) for row in facts.table("tokenizers")}
    rows = [row for row in facts.gguf_sizes() if (row.repo, row.filename) not in learned_from]
    estimates = {row: _our_size(row) for row in rows}
    groups: list[tuple[str, Callable[[facts.GGUFSize], bool]]] = [
        ("today's rules, all", lambda r: r.same_rules == "yes"),
        ("- under 1 B parameters", lambda r: r.same_rules == "yes" and _parameters(r) < 1e9),
        ("- 1 to 10 B", lambda r: r.same_rules == "yes" and 1e9 <= _parameters(r) < 1e10),
        ("- over 10 B", lambda r: r.same_rules == "yes" and _parameters(r) >= 1e10),
        ("- quantizations llmfit names", lambda r: r.same_rules == "yes" and _llmfit_names(r)),
        ("made by other rules", lambda r: r.same_rules == "no"),
        ("not known", lambda r: r.same_rules == "unknown"),
    ]
    print("File size against published files: median and largest error in % (of the real size)\n")
    print(f"{'files':30}{'n':>4}  {'labkit':>15}  {'in its range':>12}  {'llmfit-style':>15}")
    for title, belongs in groups:
        chosen = [row for row in rows if belongs(row)]
        if not chosen:
            continue
        ours = [_error(estimates[row].bytes, row.bytes) for row in chosen]
        inside = sum(estimates[row].low <= row.bytes <= estimates[row].high for row in chosen)
        table = [_error(_llmfit_size(row), row.bytes) for row in chosen]
        print(
            f"{title:30}{len(chosen):4}  {_median_and_worst(ours):>15}  "
            f"{f'{inside} of {len(chosen)}':>12}  {_median_and_worst(table):>15}"
        )
    print(
        "\ngguf-parser and Ollama read the tensors of a file that is already there: no estimate to compare."
    )
    return all(
        abs(_error(estimates[row].bytes, row.bytes)) <= GOOD_FILE_SIZE
        for row in rows
        if row.same_rules == "yes"
    )


def print_kv_caches() -> bool:
    """Returns whether labkit's figure is llama.cpp's everywhere."""
    print("KV cache: llama.cpp's MiB, and the estimates as multiples of it\n")
    heads = ("labkit", "llmfit", "gguf-parser", "Ollama")
    print(f"{'model':18}{'context':>8}{'type':>6}{'llama.cpp':>11}  " + "".join(f"{h:>12}" for h in heads))
    equal, ratios = True, {head: [] for head in heads}
    for architecture in MODELS:
        row, model = facts.find_architecture(architecture), blueprint(architecture)
        for context in CONTEXTS:
            for kv_type in KV_TYPES:
                real = buffers_by_llama(model, context, type_k=kv_type, type_v=kv_type)["kv_bytes"]
                estimates = (
                    kv_bytes(model, context, type_k=kv_type, type_v=kv_type),
                    peers.llmfit_kv_bytes(row, context, kv_type),
                    peers.gguf_parser_kv_bytes(model, context, kv_type),
                    peers.ollama_kv_bytes(model, context, kv_type),
                )
                equal = equal and estimates[0] == real
                for head, estimate in zip(heads, estimates, strict=True):
                    ratios[head].append(estimate / real)
                shown = "".join(f"{estimate / real:12.3f}" for estimate in estimates)
                print(f"{architecture:18}{context:8,}{kv_type:>6}{real / MIB:11,.1f}  {shown}", flush=True)
    _print_summary(ratios, 45)
    return equal


def print_compute_buffers() -> None:
    """The peers plan for a GPU, we and llama.cpp for this machine: the order of magnitude is comparable."""
    print("Compute buffer: llama.cpp's MiB (flash attention as it chooses), and the estimates as multiples\n")
    heads = ("labkit", "llmfit", "gguf-parser", "Ollama")
    print(f"{'model':18}{'context':>8}{'llama.cpp':>11}  " + "".join(f"{h:>12}" for h in heads))
    ratios = {head: [] for head in heads}
    for architecture in MODELS:
        model = blueprint(architecture)
        for context in CONTEXTS:
            plan = buffers_by_llama(model, context)
            real = plan["compute_bytes"]
            estimates = (
                compute_bytes(model, context, flash_attention=plan["flash_attention"]),
                peers.LLMFIT_OVERHEAD_BYTES,
                peers.gguf_parser_compute_bytes(quantized(model, "Q4_K_M"), context),
                peers.ollama_compute_bytes(model, context),
            )
            for head, estimate in zip(heads, estimates, strict=True):
                ratios[head].append(estimate / real)
            shown = "".join(f"{estimate / real:12.3f}" for estimate in estimates)
            print(f"{architecture:18}{context:8,}{real / MIB:11,.1f}  {shown}", flush=True)
    _print_summary(ratios, 39)


def _print_summary(ratios: dict[str, list[float]], width: int) -> None:
    farthest = "".join(f"{_farthest(values):12.3f}" for values in ratios.values())
    within = "".join(f"{sum(abs(r - 1) <= 0.01 for r in values):12}" for values in ratios.values())
    n = len(next(iter(ratios.values())))
    print(f"\n{'farthest from 1':{width}}{farthest}\n{f'within 1 %, of {n}':{width}}{within}")


def _our_size(row: facts.GGUFSize) -> FileSize:
    return file_size(quantized(blueprint(row.architecture), row.quantization))


def _parameters(row: facts.GGUFSize) -> int:
    return blueprint(row.architecture).parameters


def _llmfit_size(row: facts.GGUFSize) -> float:
    return peers.llmfit_weights_bytes(_parameters(row), row.quantization)


def _llmfit_names(row: facts.GGUFSize) -> bool:
    return row.quantization in peers.LLMFIT_QUANTIZATIONS


def _error(estimate: float, real: int) -> float:
    return estimate / real - 1


def _median_and_worst(errors: Sequence[float]) -> str:
    sizes = [abs(error) * 100 for error in errors]
    return f"{statistics.median(sizes):.3f} / {max(sizes):.2f}"


def _farthest(ratios: Sequence[float]) -> float:
    return max(ratios, key=lambda ratio: max(ratio, 1 / ratio))


def print_tables() -> bool:
    sizes = print_file_sizes()
    print()
    caches = print_kv_caches()
    print()
    print_compute_buffers()
    return sizes and caches


def main() -> None:
    raise SystemExit(0 if print_tables() else 1)


if __name__ == "__main__":
    main()
