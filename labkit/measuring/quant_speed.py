"""One model at several quantizations: how fast it writes, and reads a prompt. Taught in chapter 4.

A twin is written for each quantization, and they are measured in turns. Nothing but the bits per weight
differs. The model is larger than four times the last-level cache of most processors even at four bits: what
fits the cache would show no effect of the memory's bandwidth. And it is small enough for its F16 file to fit
the memory of a small virtual machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit import settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.quantization import bits_per_weight, quantization_name, quantized
from labkit.estimating.speed import weight_bytes_per_token
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.paired import Ratio
from labkit.measuring.quant_reading import reading, two_ways
from labkit.measuring.quant_record import QuantRecord
from labkit.measuring.results import Result, Row, Spread, format_number, now_utc
from labkit.models.model_file import ModelFile
from labkit.models.twin import twin
from labkit.progress_bar import ProgressBar
from labkit.tables import Table
from labkit.units import MIB, format_bytes

#: chapter 4's, from most bits to fewest
QUANTS = ("F16", "Q8_0", "Q4_0")

_CHILD = "labkit.measuring._trio_child"
_ROUNDS = 6
_PROMPT, _PROMPT_RUNS, _GENERATE = 32, 2, 32
#: seconds that one model may write in a round
_BUDGET_S = 0.5

#: What its config.json would say: 252 million parameters, 480 MiB as F16, 136 MiB as Q4_0.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "vocab_size": 4096,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
TWIN_TITLE = "a model of 252 M parameters"
#: The quantization follows: "The twin of a model of 252 M parameters as F16 is written".
_TWIN_OF = f"{TWIN_TITLE} as"


@dataclass(frozen=True)
class QuantRun:
    """What was measured of the model at one quantization."""

    quant: str
    bits_per_weight: float
    weights_bytes: int
    """As the file stores them."""
    bytes_per_token: int
    """Of the weights, those that are read to write one token."""
    memory_bytes: int
    """Of the process that ran it, less what it took before it loaded the model; with GPU memory."""
    pp_tokens_per_s: Spread
    """Prompt processing, one value per round."""
    tg_tokens_per_s: Spread
    """Generation, one value per round."""
    runs_on: str
    """"CPU" or the name of the GPU."""

    @property
    def read_bytes_per_s(self) -> float:
        """Weights read per second while it writes, all of them counted for each token (see `notes`)."""
        return self.weights_bytes * self.tg_tokens_per_s.median


@dataclass(frozen=True, repr=False)
class QuantComparison(Result):
    """Speeds of one model at several quantizations, measured in turns. Taught in chapter 4."""

    runs: list[QuantRun]
    """From most bits to fewest."""
    parameters: int
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    @property
    def first(self) -> QuantRun:
        """The one with most bits."""
        return self.runs[0]

    @property
    def last(self) -> QuantRun:
        """The one with fewest bits."""
        return self.runs[-1]

    @property
    def writes_faster(self) -> Ratio:
        """Generation speed with the fewest bits over that with the most."""
        return Ratio.of(self.last.tg_tokens_per_s.values, self.first.tg_tokens_per_s.values)

    @property
    def reads_faster(self) -> Ratio:
        """Prompt processing speed with the fewest bits over that with the most."""
        return Ratio.of(self.last.pp_tokens_per_s.values, self.first.pp_tokens_per_s.values)

    @property
    def smaller(self) -> float:
        """Bytes of the weights with the most bits over those with the fewest."""
        return self.first.weights_bytes / self.last.weights_bytes

    def title(self) -> str:
        return f"One model, stored in {len(self.runs)} ways, on {self.machine.cpu}"

    def rows(self) -> list[Row]:
        rows = []
        for run in self.runs:
            rows += [
                Row(f"{run.quant}: generation", run.tg_tokens_per_s, "tokens/s"),
                Row(f"{run.quant}: prompt processing", run.pp_tokens_per_s, "tokens/s"),
                Row(f"{run.quant}: memory", run.memory_bytes, "bytes"),
            ]
        return rows

    def table(self) -> Table:
        rows = [
            [
                run.quant,
                f"{run.bits_per_weight:.2f}",
                format_bytes(run.weights_bytes),
                format_number(run.tg_tokens_per_s.median),
                format_number(run.pp_tokens_per_s.median),
                f"{run.read_bytes_per_s / 1e9:.1f} GB",
            ]
            for run in self.runs
        ]
        columns = [
            *("stored as", "bits per weight, whole file", "weights", "generation, tokens/s"),
            *("prompt processing, tokens/s", "weights read per second of generation"),
        ]
        details = [f"{row.quantity}: {_detail(row)}" for row in self.rows()]
        return Table(
            self.title(),
            columns,
            rows,
            reading(self),
            folded_title="More of this measurement",
            folded=[*two_ways(self), *details, *self.notes()],
        )

    def notes(self) -> list[str]:
        s = self.settings
        lookup = 1 - self.first.bytes_per_token / self.first.weights_bytes
        return [
            "The bits per weight are those of the whole file. Some parts have more than the name says.",
            *(
                [
                    f"The last column counts all weights for each token. Of one table, {100 * lookup:.1f} % "
                    "of the weights, a token reads one row only."
                ]
                if lookup > 0
                else []
            ),
            f"{s['rounds']} rounds, in turn, on one thread. In each, a prompt of {s['prompt']} tokens, "
            f"{s['prompt_runs']} times, then up to {s['generate']} written tokens. The quickest prompt and "
            "the quickest token count, so that other programs disturb as little as possible. Figures are "
            f"medians over the rounds. Measured on {self.date[:10]}.",
        ]

    def __repr__(self) -> str:
        return repr(self.table())

    def record(self) -> str:
        """The figures in one line of text, to paste into an answer. `QuantRecord.parse` reads it back."""
        runs = tuple(
            (
                run.quant,
                run.tg_tokens_per_s.median,
                run.pp_tokens_per_s.median,
                run.weights_bytes / MIB,
            )
            for run in self.runs
        )
        return str(QuantRecord(runs, self.settings["rounds"], self.date[:10]))


def quant_twin(quant: str, *, show_progress: bool = True) -> ModelFile:
    """The twin at one quantization, written if it is not there yet."""
    return twin(blueprint_from_config(CONFIG, title=_TWIN_OF), quant, show_progress=show_progress)


def compare_quant_speeds(
    quants: Sequence[str] = QUANTS,
    *,
    rounds: int = _ROUNDS,
    gpu_layers: int | None = None,
    show_progress: bool = True,
) -> QuantComparison:
    """Write a twin for each quantization, then measure them in turns: generation and prompt processing.

    Parameters
    ----------
    quants : two or more names of mixtures, such as "Q4_K_M"; sorted by their size.
    rounds : how often each is measured; six or more give a 95 % interval.
    gpu_layers : layers to put on the GPU. None: all, if there is one.

    Each run is a process of its own with one thread: threads that wait for each other would let another
    program disturb the comparison far more. The files stay in the cache until `lk.forget_twins()`. Raises
    LabError when a name is unknown, there is no room, or llama.cpp refuses a file.
    Taught in chapter 4.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= 100:
        raise LabError(f"`rounds` must be a whole number from 1 to 100, not {rounds!r}.", "Leave it out.")
    rounds = min(rounds, 2) if settings.quick() else rounds
    blueprints = quant_blueprints(quants)
    for quant in blueprints:
        quant_twin(quant, show_progress=show_progress)
    sizes = {"prompt": _PROMPT, "prompt_runs": _PROMPT_RUNS, "generate": _GENERATE, "budget_s": _BUDGET_S}
    job = {**sizes, "gpu_layers": -1 if gpu_layers is None else gpu_layers}
    answers: dict[str, list[dict[str, Any]]] = {quant: [] for quant in blueprints}
    title = "Measuring in turns"
    with ProgressBar(rounds * len(blueprints), "measurement", title, show=show_progress) as bar:
        for _ in range(rounds):
            for quant in blueprints:
                # Found in the cache, or written again: another notebook may have removed it meanwhile.
                path = quant_twin(quant, show_progress=False).path
                answers[quant].append(run_child(_CHILD, job | {"path": str(path)}))
                bar.update()
    return QuantComparison(
        runs=[_summary(quant, blueprints[quant], answers[quant]) for quant in blueprints],
        parameters=next(iter(blueprints.values())).parameters,
        settings={**sizes, "rounds": rounds, "quick": settings.quick()},
        machine=machine(),
        versions=versions(),
    )


def quant_blueprints(quants: Sequence[str]) -> dict[str, Blueprint]:
    """Name → header, from most bytes to fewest, each once."""
    plain = blueprint_from_config(CONFIG, title=TWIN_TITLE)
    names = {} if isinstance(quants, str) else dict.fromkeys(map(quantization_name, quants))
    if len(names) < 2:
        raise LabError("A comparison needs two quantizations or more.", 'Such as ["F16", "Q4_0"].')
    found = {name: quantized(plain, name) for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1].tensor_bytes))


def _detail(row: Row) -> str:
    """A speed with its slowest and its fastest round: a standard deviation can reach below 0."""
    if not isinstance(row.value, Spread):
        return row.text()
    low, high = (format_number(pick(row.value.values)) for pick in (min, max))
    return f"{format_number(row.value.median)} {row.unit}, by round from {low} to {high}"


def _summary(quant: str, blueprint: Blueprint, answers: list[dict[str, Any]]) -> QuantRun:
    return QuantRun(
        quant=quant,
        bits_per_weight=bits_per_weight(blueprint),
        weights_bytes=blueprint.tensor_bytes,
        bytes_per_token=weight_bytes_per_token(blueprint),
        memory_bytes=max(answer["memory_bytes"] for answer in answers),
        pp_tokens_per_s=Spread.of([answer["pp_tokens_per_s"] for answer in answers]),
        tg_tokens_per_s=Spread.of([answer["fastest_tokens_per_s"] for answer in answers]),
        runs_on=answers[0]["runs_on"],
    )
