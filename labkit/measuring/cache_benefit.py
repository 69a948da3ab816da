"""What the KV cache saves: the time for one more token with it, and without it. Taught in chapter 6."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit import settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.measuring.bench import resolve_model
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.paired import Ratio
from labkit.measuring.results import Result, Row, Spread, format_number, now_utc
from labkit.models.model_file import ModelFile
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

_LENGTHS = (16, 64, 192)
_ROUNDS = 6
_LONGEST = 4096


@dataclass(frozen=True, repr=False)
class CacheBenefit(Result):
    """Seconds for the next token after texts of several lengths."""

    model: str
    lengths: list[int]
    """Tokens that stand before the new one."""
    with_cache_s: list[Spread]
    without_s: list[Spread]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def savings(self) -> list[Ratio]:
        """For each length: the time without the cache over the time with it."""
        return [
            Ratio.of(without.values, cached.values)
            for without, cached in zip(self.without_s, self.with_cache_s, strict=True)
        ]

    def title(self) -> str:
        return f"Time for one more token on {self.machine.cpu}"

    def rows(self) -> list[Row]:
        rows = []
        for length, cached, without in zip(self.lengths, self.with_cache_s, self.without_s, strict=True):
            rows += [
                Row(f"After {length:,} tokens, with the cache", cached.median, "s"),
                Row(f"After {length:,} tokens, without it", without.median, "s"),
            ]
        return rows

    def table(self) -> Table:
        rows = [
            [
                f"{length:,}",
                format_number(1000 * cached.median),
                format_number(1000 * without.median),
                f"{format_number(saving.median)} ×",
            ]
            for length, cached, without, saving in zip(
                self.lengths, self.with_cache_s, self.without_s, self.savings(), strict=True
            )
        ]
        columns = ["tokens before it", "with the cache, ms", "without it, ms", "without / with"]
        return Table(self.title(), columns, rows, self.notes())

    def notes(self) -> list[str]:
        last = self.savings()[-1]
        length = self.lengths[-1]
        if last.is_larger or last.low is None:
            said = f"After {length:,} tokens, computing all of them again took {last.times()} as long"
            lines = [f"{said} {last.interval()}."]
        else:
            lines = [
                f"After {length:,} tokens, without / with was {last.times()} {last.interval()}: no gain "
                "can be told from the noise here. A text of this length is computed at once, and a fast "
                "graphics card hardly notices. Pass longer `lengths`, or close other programs."
            ]
        rounds = len(last.values)
        return [
            *lines,
            f"Each time is the median of {rounds} rounds, on one thread. The last column is the median of "
            "each round's own ratio: it can differ a little from the two medians divided. Small differences "
            f"from line to line are noise. Measured on {self.date[:10]}.",
        ]

    def __repr__(self) -> str:
        return repr(self.table())


def with_and_without_cache(
    model: ModelFile | str | os.PathLike[str] | None = None,
    *,
    lengths: Sequence[int] = _LENGTHS,
    show_progress: bool = True,
) -> CacheBenefit:
    """Measure the time for one more token, with the KV cache and without it, in turns.

    Parameters
    ----------
    model : a fetched model, a twin, a catalogue name, or a path. None: the course's small model.
    lengths : how many tokens stand before the new one, rising, 2 to 4096.

    One thread computes, so that another program on this machine disturbs as little as possible.
    Raises LabError when a length is not possible or llama.cpp refuses the model. Taught in chapter 6.
    """
    lengths = list(lengths)
    possible = all(isinstance(n, int) and 2 <= n <= _LONGEST for n in lengths)
    if not lengths or not possible or lengths != sorted(set(lengths)):
        raise LabError(
            f"`lengths` must be rising whole numbers from 2 to {_LONGEST:,}.", f"Such as {_LENGTHS}."
        )
    file = resolve_model(model)
    rounds = _ROUNDS
    if settings.quick():
        lengths, rounds = lengths[:2], 2
    job = {"path": str(file.path), "lengths": lengths, "rounds": rounds}
    with ProgressBar(rounds, "round", "Making the next token", show=show_progress) as bar:
        answer = run_child(
            "labkit.measuring._cache_benefit_child", job, lambda done, of, text: bar.set(done, total=of)
        )
    return CacheBenefit(
        model=file.label,
        lengths=lengths,
        with_cache_s=[Spread.of(values) for values in answer["with_cache"]],
        without_s=[Spread.of(values) for values in answer["without"]],
        machine=machine(),
        versions=versions(),
    )
