"""KV cache, compute buffer and output buffer by formula against what llama.cpp plans, for every architecture.

    python -m tests.benchmarks.buffers_against_llama [--altered SEEDS]

The models are those of datasets/architectures.csv, each at eight settings; with --altered also small ones
whose depths, widths, heads, windows, experts and vocabularies were changed at random. Exact means: equal to
the last digit that llama.cpp prints, 0.01 MiB for each line of its log.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.compute_buffer import compute_bytes, output_bytes
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.kv_cache import kv_bytes
from labkit.models.buffers_by_llama import buffers_by_llama, reported_kv_bytes
from labkit.units import MIB
from tests.estimating.configs import altered

_ROUNDING = 0.006 * MIB
_SETTINGS: tuple[dict[str, Any], ...] = (
    {"context": 512},
    {"context": 1000, "type_k": "q8_0", "type_v": "q8_0"},
    {"context": 4096},
    {"context": 4096, "flash_attention": False},
    {"context": 8192, "type_k": "q8_0", "type_v": "q8_0", "parallel": 4},
    {"context": 20_000, "flash_attention": False, "parallel": 3},
    {"context": 32_768, "type_k": "q4_0", "type_v": "q4_0"},
    {"context": 131_072},
)


@dataclass
class _Tally:
    n: int = 0
    exact: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--altered", type=int, default=0, help="How many rounds of altered models.")
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    refused = 0
    for blueprint in _models(parser.parse_args().altered):
        for settings in _SETTINGS:
            try:
                _compare(
                    blueprint, {"type_k": "f16", "type_v": "f16", "flash_attention": True} | settings, tallies
                )
            except LabError:  # such as heads that are no whole blocks of a type
                refused += 1
    print(
        f"{'architecture':14} {'cases':>5} {'KV cache':>9} {'output':>7} {'compute':>8}  compute at most off"
    )
    for name, tally in sorted(tallies.items()):
        shares = [f"{tally.exact[what] / tally.n:.0%}" for what in ("kv", "output", "compute")]
        worst = f"{max(tally.errors):.2%}"
        print(f"{name:14} {tally.n:5} {shares[0]:>9} {shares[1]:>7} {shares[2]:>8}  {worst}")
    n, errors = sum(t.n for t in tallies.values()), [e for t in tallies.values() for e in t.errors]
    kv = sum(t.exact["kv"] for t in tallies.values())
    print(
        f"{n} cases: KV cache exact in {kv}; compute buffer off by {statistics.median(errors):.3%} in the "
        f"median, {max(errors):.2%} at most. {refused} that llama.cpp or the formula refuses."
    )
    raise SystemExit(0 if kv == n else 1)


def _models(rounds: int) -> Iterator[Blueprint]:
    for row in facts.architectures():
        try:
            yield blueprint_from_config(row.config(), row.name)
        except LabError:  # a family that config does not know
            continue
    for seed in range(rounds):
        for name, config in altered(seed):
            yield blueprint_from_config(config, name)


def _compare(blueprint: Blueprint, settings: dict[str, Any], tallies: dict[str, _Tally]) -> None:
    caches = reported_kv_bytes(blueprint, **settings)
    told = buffers_by_llama(blueprint, **settings)
    kv, compute = kv_bytes(blueprint, **settings), compute_bytes(blueprint, **settings)
    output = output_bytes(blueprint, settings.get("parallel", 1))
    tally = tallies[blueprint.architecture]
    tally.n += 1
    tally.exact["kv"] += abs(kv - sum(caches)) <= _ROUNDING * max(1, len(caches))
    tally.exact["output"] += abs(output - told["output_bytes"]) <= _ROUNDING
    tally.exact["compute"] += abs(compute - told["compute_bytes"]) <= _ROUNDING
    tally.errors.append(abs(compute / told["compute_bytes"] - 1))


if __name__ == "__main__":
    main()
