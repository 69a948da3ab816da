"""How fast this machine reads memory, and the speed limit that follows for generating text.

To write one token a model reads all its weights once, and does little arithmetic with each. So where the
weights do not fit the processor's cache, memory bandwidth divided by the bytes per token is a ceiling: the
roofline. Taught in chapters 4 and 19.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from labkit import limits, settings
from labkit.errors import LabError
from labkit.measuring.bench import BenchResult, disturbances
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.results import Result, Row, Spread, now_utc
from labkit.units import MIB, format_bytes

if TYPE_CHECKING:
    import numpy as np

_SMALLEST_BUFFER_BYTES = 128 * MIB
_LARGEST_BUFFER_BYTES = 256 * MIB
_ROUNDS = 5
#: A buffer this many times larger than the cache is read from memory, but for a part that does not matter.
_FAR_LARGER = 4


@dataclass(frozen=True, repr=False)
class BandwidthResult(Result):
    """Memory read bandwidth of this machine, all allowed cores reading at once."""

    bytes_per_s: Spread
    """One value per round: its fastest pass over the buffer, as the STREAM benchmark counts."""
    threads: int
    buffer_bytes: int
    operation: str
    """The NumPy reduction that read fastest here."""
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)
    processor_share: float | None = None
    """The processor time that the reading threads got, over what they asked for, 0 to 1."""

    @property
    def cache_may_help(self) -> bool:
        """True when the cache is not far smaller than the buffer: then the figure is an upper bound."""
        return _FAR_LARGER * (self.machine.last_level_cache_bytes or 0) > self.buffer_bytes

    def title(self) -> str:
        return f"Memory bandwidth of this machine ({self.machine.cpu})"

    def rows(self) -> list[Row]:
        return [
            Row("Read from memory", self.bytes_per_s, "bytes/s"),
            Row("The same in GB/s", self.bytes_per_s.median / 1e9, "GB/s"),
            Row("Threads", self.threads),
            Row("Buffer read", self.buffer_bytes, "bytes"),
            Row("Last-level cache", self.machine.last_level_cache_bytes, "bytes"),
        ]

    def notes(self) -> list[str]:
        notes = disturbances(self.processor_share)
        if self.cache_may_help:
            notes.append("The cache is not far smaller than the buffer read, so memory itself may be slower.")
        return notes


def memory_bandwidth(*, threads: int | None = None) -> BandwidthResult:
    """Measure the memory read bandwidth: about two seconds, 128 to 256 MiB of memory.

    Several NumPy reductions read a buffer four times as large as the cache, or of 256 MiB; the fastest one
    here is then timed.
    Raises LabError when there is not memory enough for the buffer.
    """
    import numpy as np

    threads = threads or limits.default_threads()
    here = machine()
    wanted = _FAR_LARGER * (here.last_level_cache_bytes or 0)
    size = min(_LARGEST_BUFFER_BYTES, max(_SMALLEST_BUFFER_BYTES, wanted))
    if limits.memory_available_bytes() < 1.2 * size:
        raise LabError(
            f"Measuring the bandwidth takes {format_bytes(size)} of memory, and less is free.",
            "Close other programs or notebooks, then try again.",
        )
    share = size // threads // 8
    operations: dict[str, Callable[[np.ndarray], Any]] = {
        "sum of float64": np.sum,
        "maximum of float32": lambda part: part.view(np.float32).max(),
        "maximum of int64": lambda part: part.view(np.int64).max(),
        "bitwise or of int64": lambda part: np.bitwise_or.reduce(part.view(np.int64)),
    }
    seconds = 0.05 if settings.quick() else 0.15
    got_s, asked_s = [], []

    def timed(operation: Callable[[np.ndarray], Any], part: np.ndarray) -> None:
        """One thread's reading. A thread that waits for memory counts as computing; one kept out does not."""
        start = thread_time(), perf_counter()
        operation(part)
        got_s.append(thread_time() - start[0])
        asked_s.append(perf_counter() - start[1])

    with ThreadPoolExecutor(threads) as pool:
        # Each thread fills its own part first: with several memory nodes, it then lies near that thread.
        parts = list(pool.map(lambda _: np.ones(share), range(threads)))

        def fastest_pass(operation: Callable[[np.ndarray], Any]) -> float:
            """bytes/s of the best pass within `seconds`, of three at least."""
            best, passes, until = 0.0, 0, perf_counter() + seconds
            while passes < 3 or perf_counter() < until:
                start = perf_counter()
                for _ in pool.map(functools.partial(timed, operation), parts):
                    pass
                best = max(best, threads * share * 8 / (perf_counter() - start))
                passes += 1
            return best

        trial = {name: fastest_pass(operation) for name, operation in operations.items()}
        name = max(trial, key=trial.__getitem__)
        values = [fastest_pass(operations[name]) for _ in range(_ROUNDS)]
    return BandwidthResult(
        bytes_per_s=Spread.of(values),
        threads=threads,
        buffer_bytes=threads * share * 8,
        operation=name,
        machine=here,
        versions=versions() | {"numpy": np.__version__},
        processor_share=round(min(1.0, sum(got_s) / sum(asked_s)), 3),
    )


@dataclass(frozen=True, repr=False)
class Roofline(Result):
    """A measured generation speed beside the ceiling that memory bandwidth sets."""

    measured_tokens_per_s: float
    ceiling_tokens_per_s: float
    bytes_per_token: int
    """Weights read for each token, and half the KV cache at the end of the run."""
    bandwidth_bytes_per_s: float
    last_level_cache_bytes: int | None
    on_gpu: bool
    """True when the model ran on a GPU, whose memory is another one."""
    model: str
    random_weights: bool
    machine: Machine
    versions: dict[str, str]
    disturbed: bool = False
    """Other programs slowed the measurement of the speed."""
    date: str = field(default_factory=now_utc)

    @property
    def share(self) -> float:
        """Measured speed over the ceiling."""
        return self.measured_tokens_per_s / self.ceiling_tokens_per_s

    @property
    def in_cache(self) -> float:
        """The share of the bytes per token that the last-level cache could hold, 0 to 1."""
        return min(1.0, (self.last_level_cache_bytes or 0) / self.bytes_per_token)

    def title(self) -> str:
        weights = " (RANDOM WEIGHTS)" if self.random_weights else ""
        return f"Roofline: {self.model}{weights} on {self.machine.cpu}"

    def rows(self) -> list[Row]:
        return [
            Row("Bytes read for each token", self.bytes_per_token / 1e6, "MB"),
            Row("Memory bandwidth, measured here", self.bandwidth_bytes_per_s / 1e9, "GB/s"),
            Row("Ceiling from memory", self.ceiling_tokens_per_s, "tokens/s"),
            Row("Measured", self.measured_tokens_per_s, "tokens/s"),
            Row("Measured over ceiling", f"{self.share:.0%}"),
            Row("Last-level cache", self.last_level_cache_bytes, "bytes"),
        ]

    def notes(self) -> list[str]:
        return [self.reading()]

    def reading(self) -> str:
        """What the two figures say together, in words that follow the measurement."""
        if self.disturbed:
            return (
                "Other programs disturbed the measurement of the speed. Measure again before you read a "
                "cause from it."
            )
        cache = format_bytes(self.last_level_cache_bytes or 0)
        if self.on_gpu:
            return (
                "The model ran on a GPU, which reads its own, faster memory. The bandwidth above is the "
                "processor's, so this ceiling does not bind."
            )
        if self.in_cache >= 1:
            return (
                f"All the bytes of a token fit into the last-level cache ({cache}), which is faster than "
                "memory. So this ceiling does not bind, and a speed above it is no mistake. A larger model "
                "is bound by it."
            )
        if self.share > 1:
            reason = (
                f"Part of the weights stays in the cache of {cache} from one token to the next"
                if self.in_cache > 0.1
                else "Another program probably slowed the bandwidth measurement; repeat it"
            )
            return f"Faster than the ceiling. {reason}."
        if self.share >= 0.6:
            return (
                "Close to the ceiling: this machine spends most of its time reading weights. Fewer bytes per "
                "weight would make it faster; a faster processor with the same memory would not."
            )
        hint = (
            f" With {cache} of cache, part of a model this small need not even come from memory."
            if self.in_cache > 0.1
            else ""
        )
        return (
            "Well below the ceiling: here the arithmetic (unpacking the weights and multiplying), or other "
            "programs that ran at the same time, cost more than reading memory. More cores would help, and "
            f"fewer bytes per weight only a little.{hint}"
        )


def roofline(result: BenchResult, bandwidth: BandwidthResult | None = None) -> Roofline:
    """Compare a measured generation speed with the ceiling that memory sets.

    bytes per token = the weights that one token reads + the KV cache at half the generated length;
    ceiling = bandwidth / bytes per token. `bandwidth` None measures it now.
    """
    bandwidth = bandwidth or memory_bandwidth()
    kv_bytes = result.model["kv_bytes_per_token"] * result.settings["generate"] / 2
    bytes_per_token = result.model["weight_bytes_per_token"] + kv_bytes
    return Roofline(
        measured_tokens_per_s=result.tg_tokens_per_s.median,
        ceiling_tokens_per_s=bandwidth.bytes_per_s.median / bytes_per_token,
        bytes_per_token=round(bytes_per_token),
        bandwidth_bytes_per_s=bandwidth.bytes_per_s.median,
        last_level_cache_bytes=bandwidth.machine.last_level_cache_bytes,
        on_gpu=result.settings["runs_on"] != "CPU",
        model=result.model["name"],
        random_weights=result.random_weights,
        machine=bandwidth.machine,
        versions=bandwidth.versions,
        disturbed=bool(result.disturbances()),
    )
