"""Three twins that differ in one thing: how their feed-forward blocks are used. Taught in chapter 3.

The same 8 blocks per layer: as one wide block that every token uses (dense, large), as 8 experts of which a
token uses 2 (mixture of experts), and only 2 of them as one block (dense, small). All else is equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from labkit import settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.quantization import quantized
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.paired import Ratio
from labkit.measuring.results import Result, Row, Spread, format_number, now_utc
from labkit.measuring.trio_record import TrioRecord
from labkit.models.model_file import ModelFile
from labkit.models.twin import twin
from labkit.progress_bar import ProgressBar
from labkit.tables import Table
from labkit.units import MIB, format_bytes, format_count

#: 8 bits a weight: no build of llama.cpp for x86 keeps a second, rearranged copy of such weights.
QUANT = "Q8_0"
N_EXPERTS, N_USED = 8, 2
_EXPERT_WIDTH = 1408
#: name → what it is called on a page
LABELS = {"small": "dense, small", "moe": "mixture of experts", "large": "dense, large"}

_CHILD = "labkit.measuring._trio_child"
_ROUNDS = 6
_PROMPT, _GENERATE = 32, 32
#: seconds that one model may write in a round
_BUDGET_S = 0.8
#: A model this many times larger than the cache comes from memory for every token.
_FAR_LARGER = 4

_SHARED_SHAPE = {
    "hidden_size": 1024,
    "num_hidden_layers": 11,
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
_DENSE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
_MIXTURE = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral"}

#: name → what a config.json would say
CONFIGS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "small": {**_DENSE, **_SHARED_SHAPE, "intermediate_size": N_USED * _EXPERT_WIDTH},
        "moe": {
            **_MIXTURE,
            **_SHARED_SHAPE,
            "intermediate_size": _EXPERT_WIDTH,
            "num_local_experts": N_EXPERTS,
            "num_experts_per_tok": N_USED,
        },
        "large": {**_DENSE, **_SHARED_SHAPE, "intermediate_size": N_EXPERTS * _EXPERT_WIDTH},
    }
)


@dataclass(frozen=True, repr=False)
class MoeTrio:
    """The three models before they exist: name → blueprint, with the types of the file."""

    blueprints: Mapping[str, Blueprint]

    def table(self) -> Table:
        rows = [
            [
                LABELS[name],
                format_count(model.parameters),
                format_count(model.parameters_active),
                f"{model.parameters_active / model.parameters:.0%}",
                format_bytes(model.tensor_bytes),
            ]
            for name, model in self.blueprints.items()
        ]
        columns = ["model", "parameters", "used per token", "share used", "size of the weights"]
        note = f"M is a million. A weight takes 8.5 bits here (a format called {QUANT})."
        return Table("Three models that differ in one thing", columns, rows, [note])

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def moe_trio() -> MoeTrio:
    """Dense with the mixture's active size, the mixture, dense with its total size. Writes nothing."""
    return MoeTrio(
        {
            name: quantized(blueprint_from_config(config, title=LABELS[name]), QUANT)
            for name, config in CONFIGS.items()
        }
    )


def trio_file(name: str) -> ModelFile:
    """The twin of one of the three, written if it is not there yet. `name`: "small", "moe" or "large"."""
    if name not in CONFIGS:
        raise LabError(f"The trio has no {name!r}.", f"Its models are {', '.join(CONFIGS)}.")
    return twin(blueprint_from_config(CONFIGS[name], title=LABELS[name]), QUANT)


@dataclass(frozen=True)
class TwinRun:
    """What was measured of one of the three."""

    parameters: int
    parameters_active: int
    weights_bytes: int
    """Of the weights, as the file stores them."""
    memory_bytes: int
    """Of the process that ran it, less what it took before it loaded the model; with GPU memory."""
    pp_tokens_per_s: Spread
    """Prompt processing, one value per round."""
    tg_tokens_per_s: Spread
    """Generation, one value per round."""
    runs_on: str
    """"CPU" or the name of the GPU."""


@dataclass(frozen=True, repr=False)
class TrioComparison(Result):
    """Speed and memory of the three, measured in turns. Taught in chapter 3."""

    small: TwinRun
    moe: TwinRun
    large: TwinRun
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    @property
    def runs(self) -> dict[str, TwinRun]:
        """Name → run, in the order small, moe, large."""
        return {name: getattr(self, name) for name in LABELS}

    @property
    def faster_than_large(self) -> Ratio:
        """Generation speed of the mixture over the large dense model, which has as many weights."""
        return Ratio.of(self.moe.tg_tokens_per_s.values, self.large.tg_tokens_per_s.values)

    @property
    def faster_than_small(self) -> Ratio:
        """Generation speed of the mixture over the small dense model, which uses as many weights a token."""
        return Ratio.of(self.moe.tg_tokens_per_s.values, self.small.tg_tokens_per_s.values)

    @property
    def prompt_faster_than_large(self) -> Ratio:
        """Prompt processing speed of the mixture over the large dense model."""
        return Ratio.of(self.moe.pp_tokens_per_s.values, self.large.pp_tokens_per_s.values)

    @property
    def memory_over_small(self) -> float:
        """Memory of the mixture over that of the small dense model."""
        return self.moe.memory_bytes / self.small.memory_bytes

    @property
    def memory_over_large(self) -> float:
        """Memory of the mixture over that of the large dense model."""
        return self.moe.memory_bytes / self.large.memory_bytes

    @property
    def like_in_memory(self) -> str:
        """Which dense model takes about as much memory as the mixture, in words."""
        nearer_large = abs(self.memory_over_large - 1) < abs(self.memory_over_small - 1)
        return "the large one" if nearer_large else "the small one"

    def title(self) -> str:
        return f"Three twins with random weights on {self.machine.cpu}"

    def rows(self) -> list[Row]:
        rows = []
        for name, run in self.runs.items():
            rows += [
                Row(f"{LABELS[name]}: memory", run.memory_bytes, "bytes"),
                Row(f"{LABELS[name]}: generation", run.tg_tokens_per_s, "tokens/s"),
                Row(f"{LABELS[name]}: prompt processing", run.pp_tokens_per_s, "tokens/s"),
            ]
        return rows

    def table(self) -> Table:
        rows = [
            [
                LABELS[name],
                format_bytes(run.memory_bytes),
                format_number(run.tg_tokens_per_s.median),
                format_number(run.pp_tokens_per_s.median),
            ]
            for name, run in self.runs.items()
        ]
        columns = ["model", "memory", "generation, tokens/s", "prompt processing, tokens/s"]
        details = [f"{row.quantity}: {row.text()}" for row in self.rows()]
        return Table(
            self.title(),
            columns,
            rows,
            self.reading(),
            folded_title="More of this measurement",
            folded=[*details, *self.notes()],
        )

    def reading(self) -> list[str]:
        """What the figures say, in sentences that follow the measurement."""
        return [
            self._about_memory(),
            self._about_speed(),
            *self._about_the_expected(),
            *self._about_prompts(),
            *self._warnings(),
        ]

    def _about_memory(self) -> str:
        over_small, over_large = self.memory_over_small, self.memory_over_large
        if over_small < 1.2:
            return (
                f"Memory: the mixture took only {over_small:.1f} times the memory of the small model. That "
                "is not what its size says: the file was probably not read whole. Measure again."
            )
        like = "as much memory as" if 0.9 <= over_large <= 1.1 else f"{over_large:.2f} times the memory of"
        return (
            f"Memory follows all parameters: the mixture took {like} the large dense model, and "
            f"{over_small:.1f} times that of the small one. {self._about_the_rest()}"
        )

    def _about_the_rest(self) -> str:
        rest = [(run.memory_bytes - run.weights_bytes) / MIB for run in self.runs.values()]
        return (
            f"Each took {min(rest):.0f} to {max(rest):.0f} MiB more than its weights: its notes on the text "
            "and room for the computation."
        )

    def _about_speed(self) -> str:
        large, small = self.faster_than_large, self.faster_than_small
        if large.is_larger:
            return (
                f"Speed follows the parameters used: the mixture generated {large.times()} as many tokens "
                f"per second as the large dense model {large.interval()}. {_against_small(small)}"
            )
        if large.is_smaller:
            return (
                f"Here the mixture was slower than the large dense model: {large.times()} its speed "
                f"{large.interval()}. The rule says the opposite. It holds where reading the weights takes "
                f"most of the time; on this machine something else does. {self._why_not()}"
            )
        return (
            f"The speeds can't be told apart here: the mixture had {large.times()} the speed of the large "
            f"dense model {large.interval()}. {self._why_not()}"
        )

    def _about_the_expected(self) -> list[str]:
        """The ratio that the parameters alone would give, beside the measured one."""
        measured = self.faster_than_large
        n_large, n_moe = self.large.parameters_active, self.moe.parameters_active
        if not measured.is_larger or measured.low is None or measured.high is None:
            return []
        expected = n_large / n_moe
        start = (
            f"From the parameters used you would expect {format_count(n_large)} / {format_count(n_moe)} = "
            f"{format_number(expected)} times"
        )
        if measured.low <= expected <= measured.high:
            return [f"{start}. That is inside your interval."]
        side = "below" if expected < measured.low else "above"
        return [
            f"{start}. That is {side} your interval: speed does not hang on the number of weights alone. "
            "What the processor keeps in its cache, and other work for each token, count too."
        ]

    def _about_prompts(self) -> list[str]:
        writing, reading = self.faster_than_large, self.prompt_faster_than_large
        if not writing.is_larger:
            return []
        if reading.median < 0.9 * writing.median:
            return [
                f"When it reads a prompt, the mixture gains less: {reading.times()} the speed of the large "
                "model. The tokens of a prompt go through together, and together they use nearly all experts."
            ]
        return [
            f"When it reads a prompt, the mixture gains as much here: {reading.times()} the speed of the "
            "large model. Nearly all its weights are read then, so on this machine it is the arithmetic that "
            "takes the time."
        ]

    def _why_not(self) -> str:
        if self.moe.runs_on != "CPU":
            return (
                "Models this small keep a graphics card waiting for its next command, whatever their size. A "
                "model of some billions of parameters would show the difference."
            )
        if self.settings["quick"]:
            return "This was a quick run, with too few rounds. Measure without LABKIT_QUICK."
        return "Close other programs and notebooks, then measure again."

    def _warnings(self) -> list[str]:
        cache = self.machine.last_level_cache_bytes or 0
        if self.moe.runs_on == "CPU" and self.small.weights_bytes < _FAR_LARGER * cache:
            return [
                f"The small model ({format_bytes(self.small.weights_bytes)}) is less than {_FAR_LARGER} "
                f"times as large as this processor's cache ({format_bytes(cache)}). Part of it may stay in "
                "the cache, which makes it look faster than its size says."
            ]
        return []

    def notes(self) -> list[str]:
        s = self.settings
        return [
            f"{s['rounds']} rounds, the three in turn, on one thread. A prompt of {s['prompt']} tokens, "
            f"then up to {s['generate']} written ones, of which the middle one by time counts. Figures are "
            f"medians over the rounds. Measured on {self.date[:10]}.",
        ]

    def __repr__(self) -> str:
        return repr(self.table())

    def record(self) -> str:
        """The figures in one line of text, to paste into an answer. `TrioRecord.parse` reads it back."""
        runs = {name: (run.tg_tokens_per_s.median, run.memory_bytes / MIB) for name, run in self.runs.items()}
        return str(TrioRecord(**runs, rounds=self.settings["rounds"], date=self.date[:10]))


def compare_twins(
    *, rounds: int = _ROUNDS, gpu_layers: int | None = None, show_progress: bool = True
) -> TrioComparison:
    """Write the three twins, then measure them in turns: speed and memory of each.

    Parameters
    ----------
    rounds : how often each is measured; six or more give a 95 % interval.
    gpu_layers : layers to put on the GPU. None: all, if there is one.

    Each run is a process of its own, so that its memory is the model's alone. One thread computes: threads
    that wait for each other would let another program on this machine disturb the comparison far more. The
    files stay in the cache until `lk.forget_twins()`. Raises LabError when there is no room for them, or
    llama.cpp refuses one.
    Taught in chapter 3.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= 100:
        raise LabError(f"`rounds` must be a whole number from 1 to 100, not {rounds!r}.", "Leave it out.")
    rounds = min(rounds, 2) if settings.quick() else rounds
    files = {name: trio_file(name) for name in LABELS}
    sizes = {"prompt": _PROMPT, "generate": _GENERATE, "budget_s": _BUDGET_S}
    job = {**sizes, "gpu_layers": -1 if gpu_layers is None else gpu_layers}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in LABELS}
    with ProgressBar(rounds * len(LABELS), "measurement", "Measuring in turns", show=show_progress) as bar:
        for _ in range(rounds):
            for name, file in files.items():
                answers[name].append(_measured(name, file, job))
                bar.update()
    blueprints = moe_trio().blueprints
    return TrioComparison(
        **{name: _summary(blueprints[name], of) for name, of in answers.items()},
        settings={**sizes, "rounds": rounds, "quantization": QUANT, "quick": settings.quick()},
        machine=machine(),
        versions=versions(),
    )


def _against_small(small: Ratio) -> str:
    if small.is_larger or small.is_smaller or small.low is None:
        return f"It generated {small.times()} as many as the small one {small.interval()}."
    return (
        f"Against the small one no difference was measured: {small.times()} its speed {small.interval()}, "
        "and the interval holds 1."
    )


def _measured(name: str, file: ModelFile, job: dict[str, Any]) -> dict[str, Any]:
    """One run. Another notebook may have removed the twin meanwhile: then it is written again."""
    try:
        return run_child(_CHILD, job | {"path": str(file.path)})
    except LabError:
        if file.path.exists():
            raise
    return run_child(_CHILD, job | {"path": str(trio_file(name).path)})


def _summary(blueprint: Blueprint, answers: list[dict[str, Any]]) -> TwinRun:
    return TwinRun(
        parameters=blueprint.parameters,
        parameters_active=blueprint.parameters_active,
        weights_bytes=blueprint.tensor_bytes,
        memory_bytes=max(answer["memory_bytes"] for answer in answers),
        pp_tokens_per_s=Spread.of([answer["pp_tokens_per_s"] for answer in answers]),
        tg_tokens_per_s=Spread.of([answer["tg_tokens_per_s"] for answer in answers]),
        runs_on=answers[0]["runs_on"],
    )
