"""How fast one model writes at each of many quantizations. Taught in chapter 5.

Chapter 4's twin, and generation alone: with six quantizations there is no time for more. All run in one
process, in turns, so that starting it costs once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit import settings
from labkit.child_process import run_child
from labkit.estimating.quantization import bits_per_weight
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.paired import Ratio
from labkit.measuring.quant_speed import TWIN_TITLE, quant_blueprints, quant_twin
from labkit.measuring.results import Result, Row, Spread, format_number, now_utc
from labkit.progress_bar import ProgressBar
from labkit.tables import Table
from labkit.units import format_bytes

#: What chapter 5 compares, from most bits to fewest.
QUANTS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")

_CHILD = "labkit.measuring._writing_child"
#: Six give a 95 % interval.
_ROUNDS, _QUICK_ROUNDS = 6, 1
_GENERATE = 24
#: seconds that one model may write in a round
_BUDGET_S = 0.35


@dataclass(frozen=True)
class WritingSpeed:
    """One quantization of the model."""

    quant: str
    bits_per_weight: float
    weights_bytes: int
    """As the file stores them."""
    tokens_per_s: Spread
    """Generation, one value per round."""


@dataclass(frozen=True, repr=False)
class WritingSpeeds(Result):
    """Generation speeds of one model at several quantizations, from most bytes to fewest."""

    runs: list[WritingSpeed]
    runs_on: str
    """"CPU" or the name of the GPU."""
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def of(self, quant: str) -> WritingSpeed | None:
        """The run of one quantization; None when it was not measured."""
        return next((run for run in self.runs if run.quant == quant), None)

    def faster(self, quant: str, than: str) -> Ratio:
        """Speed of one quantization over that of another, round by round."""
        above, below = self.of(quant), self.of(than)
        assert above and below
        return Ratio.of(above.tokens_per_s.values, below.tokens_per_s.values)

    def title(self) -> str:
        return f"Generation speed of {TWIN_TITLE}, random weights, on {self.machine.cpu}"

    def rows(self) -> list[Row]:
        return [Row(run.quant, run.tokens_per_s, "tokens/s") for run in self.runs]

    def table(self) -> Table:
        first = self.runs[0].quant
        rows = [
            [
                run.quant,
                f"{run.bits_per_weight:.2f}",
                format_bytes(run.weights_bytes),
                format_number(run.tokens_per_s.median),
                "" if run.quant == first else self._against(run.quant, first),
            ]
            for run in self.runs
        ]
        columns = [
            "quantization",
            "bits per weight",
            "weights",
            "generation, tokens/s",
            f"times as fast as {first}",
        ]
        return Table(
            self.title(),
            columns,
            rows,
            self.reading(),
            folded_title="More of this measurement",
            folded=[*(f"{row.quantity}: {row.text()}" for row in self.rows()), *self.notes()],
        )

    def _against(self, quant: str, first: str) -> str:
        ratio = self.faster(quant, first)
        if ratio.low is None or ratio.high is None:
            return format_number(ratio.median)
        return f"{format_number(ratio.median)} ({format_number(ratio.low)} to {format_number(ratio.high)})"

    def reading(self) -> list[str]:
        """What the figures say, in sentences that follow the measurement."""
        first, last = self.runs[0], self.runs[-1]
        ratio, saving = self.faster(last.quant, first.quant), first.weights_bytes / last.weights_bytes
        interval = ratio.interval()
        if ratio.is_larger:
            lines = [
                f"{last.quant} wrote {ratio.times()} as many tokens per second as {first.quant} {interval}. "
                f"{first.quant} has {format_number(saving)} times as many bytes to read for each token."
            ]
        elif ratio.is_smaller:
            lines = [
                f"Here {last.quant} was slower than {first.quant}: {ratio.times()} its speed {interval}. "
                "Fewer bits are faster where reading the weights takes most of the time. On this machine, "
                "unpacking them takes longer."
            ]
        else:
            lines = [f"{last.quant} had {ratio.times()} the speed of {first.quant} {interval}."]
        return [*lines, *self._out_of_order(), *self._about_the_ratios()]

    def _out_of_order(self) -> list[str]:
        """Where fewer bytes were measured to be slower."""
        slower = [
            f"{below.quant} than {above.quant}"
            for above, below in zip(self.runs, self.runs[1:], strict=False)
            if self.faster(below.quant, above.quant).is_smaller
        ]
        if not slower:
            return []
        return [
            f"Fewer bytes were not always faster: {' and '.join(slower)} wrote fewer tokens. Each format has "
            "arithmetic of its own, and some are quicker to unpack on this processor than others."
        ]

    def _about_the_ratios(self) -> list[str]:
        if self.settings["quick"]:
            return ["This was a quick run (LABKIT_QUICK), with too few rounds for intervals."]
        return [
            "Each ratio is the middle one of the rounds' own ratios, in brackets its 95 % interval. Dividing "
            "two speeds of the table may give another."
        ]

    def notes(self) -> list[str]:
        s = self.settings
        return [
            f"{s['rounds']} rounds, in turn, on one thread; up to {s['generate']} tokens each, of which the "
            "middle one by time counts. ± is the standard deviation of the rounds. A twin has random "
            f"weights: its speed is real, what it writes is noise. Measured on {self.date[:10]}."
        ]

    def __repr__(self) -> str:
        return repr(self.table())


def writing_speeds(
    quants: Sequence[str] = QUANTS, *, gpu_layers: int | None = None, show_progress: bool = True
) -> WritingSpeeds:
    """Write a twin of 252 M parameters for each quantization, and measure how fast each generates, in turns.

    Parameters
    ----------
    quants : two or more names of mixtures, such as "Q4_K_M"; sorted by their size.
    gpu_layers : layers to put on the GPU. None: all, if there is one.

    One model is in memory at a time, and one thread computes (see `compare_quant_speeds`). The files stay in
    the cache until `lk.forget_twins()`. Raises LabError when a name is unknown, there is no room, or
    llama.cpp refuses a file. Taught in chapter 5.
    """
    blueprints = quant_blueprints(quants)
    files = [quant_twin(quant, show_progress=show_progress) for quant in blueprints]
    job = {
        "paths": [str(file.path) for file in files],
        "rounds": _QUICK_ROUNDS if settings.quick() else _ROUNDS,
        "generate": _GENERATE,
        "budget_s": _BUDGET_S,
        "gpu_layers": -1 if gpu_layers is None else gpu_layers,
    }
    steps = job["rounds"] * len(files)
    with ProgressBar(steps, "measurement", "Measuring in turns", show=show_progress) as bar:
        answer = run_child(_CHILD, job, lambda done, _of, _text: bar.set(done))
    runs = [
        WritingSpeed(quant, bits_per_weight(blueprint), blueprint.tensor_bytes, Spread.of(speeds))
        for (quant, blueprint), speeds in zip(blueprints.items(), answer["tokens_per_s"], strict=True)
    ]
    return WritingSpeeds(
        runs=runs,
        runs_on=answer["runs_on"],
        settings={**job, "quick": settings.quick()},
        machine=machine(),
        versions=versions(),
    )
