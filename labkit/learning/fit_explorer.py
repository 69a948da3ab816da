"""Will it run here? A widget: choose a model and its settings, read memory, verdict and speed at once.

Taught in chapters 2 and 6. The arithmetic is in `labkit.estimating`; this is a view of it.
"""

from __future__ import annotations

import functools
import html
from typing import Any

from labkit import facts
from labkit.errors import LabError
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.fitting import Fit, Room, Settings, fit_into, memory_of
from labkit.estimating.kv_cache import KV_TYPES
from labkit.estimating.memory import MemoryEstimate
from labkit.estimating.quantization import QUANTIZATIONS, quantization_name
from labkit.estimating.speed import LEAST_SHARE, MOST_SHARE
from labkit.learning.form import Field, FormDisplay, Option, View
from labkit.learning.memory_chart import chart, memory_lines
from labkit.measuring.fit import Rate, naming, this_room
from labkit.measuring.fit_table import Speed
from labkit.models.catalogue import catalogue
from labkit.models.estimate import in_quantization
from labkit.models.source import Source, open_source
from labkit.units import format_bytes, format_count

DEFAULT_MODEL = "llama-3.1-8b"
_SHORTEST, _STEP = 512, 512
#: what people usually offer and use, of all that llama-quantize knows
_USUAL_QUANTS = ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M", "Q2_K")
_LONGEST = 1_048_576
_INTRO = (
    "<p>Choose a model, and see what it takes before you download anything. Memory is computed; speed is "
    "predicted from this machine's memory bandwidth.</p>"
)
_PARTS = (
    "Compute buffer: room for intermediate results. Output buffer: the scores of the next token. llama.cpp "
    "itself: the program and the vocabulary."
)
_BAR = "display:block;height:.8em;background:currentColor;opacity:.6"


class FitExplorer(FormDisplay):
    """State and rules of the widget, testable without a browser.

    Attributes
    ----------
    model, quant : an id of the catalogue or of `datasets/architectures.csv`, and a quantization.
    context : tokens. kv_type : what the cache is stored in.
    gpu_layers : layers on the GPU; 0 on a machine without one.
    room : the memory that this process may use.
    """

    def __init__(self, model: str, room: Room | None = None, rate: Rate | None = None) -> None:
        self.room = room or this_room()
        self.rate = rate or Rate.here()
        self.gpu_layers = 0
        self.context, self.kv_type = 8192, "f16"
        self.lowered = ""  #: says that the context was lowered with the last choice of a model
        self._take_model(model, None)

    def _take_model(self, model: str, quant: str | None) -> None:
        """Another model: its own quantization, a context no longer than it has."""
        found = _source(model)
        name, blueprint, _ = _in_types(model, quant)
        self.model, self.quant, self.found, self.blueprint = model, name, found, blueprint
        wanted, self.context = self.context, max(_SHORTEST, min(self.context, self.longest))
        if self.context < wanted:
            self.lowered = f"Context lowered to {self.context:,} tokens, this model's limit."
        self.gpu_layers = min(self.gpu_layers, self.n_layers)

    @property
    def longest(self) -> int:
        """The longest context offered: the model's own."""
        try:
            return max(_SHORTEST, min(self.blueprint.context_length, _LONGEST))
        except LabError:
            return 32_768

    @property
    def n_layers(self) -> int:
        """Layers that can go to the GPU; llama.cpp counts the output as one."""
        return self.blueprint.n_layers + 1

    @property
    def settings(self) -> Settings:
        """As chosen."""
        return Settings(self.quant, self.context, self.kv_type, self.kv_type, self.gpu_layers)

    @property
    def limit(self) -> int:
        """Bytes that may be used, the GPU's where layers lie there."""
        return self.room.ram_bytes + (self.room.usable_vram_bytes if self.gpu_layers else 0)

    # ------------------------------------------------------------ the form

    def view(self) -> View:
        fields = [
            Field("model", "Model", "select", _model_options(self.model), self.model, help=self._about()),
            Field("quant", "Quantization", "select", [Option(q, q) for q in self._quants()], self.quant),
            Field(
                "context",
                "Context",
                "range",
                value=self.context,
                minimum=_SHORTEST,
                maximum=self.longest,
                step=_STEP,
                unit="tokens",
            ),
            Field("kv_type", "KV cache stored as", "select", [Option(t, t) for t in KV_TYPES], self.kv_type),
        ]
        if self.room.vram_bytes:
            fields.append(
                Field(
                    "gpu_layers",
                    "Layers on the GPU",
                    "range",
                    value=self.gpu_layers,
                    minimum=0,
                    maximum=self.n_layers,
                    step=1,
                )
            )
        return View(
            title="Will it run here?",
            intro_html=_INTRO,
            fields=fields,
            result_html=self._result_html(),
            status=self._said(),
            status_spoken=True,
            live=True,
        )

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        self.lowered = ""
        self.kv_type = values.get("kv_type") or self.kv_type
        self.context = int(values.get("context") or self.context)
        self.gpu_layers = int(values.get("gpu_layers") or 0) if self.room.vram_bytes else 0
        model, quant = values.get("model") or self.model, values.get("quant") or self.quant
        if model != self.model:
            self._take_model(model, None)
        elif quant != self.quant:
            self._take_model(model, quant)
        return self.view()

    def _quants(self) -> list[str]:
        """The usual ones and the chosen one, from most bits to fewest."""
        return [q for q in QUANTIZATIONS if q in _USUAL_QUANTS or q == self.quant]

    def _about(self) -> str:
        licence = naming(self.model)[2]
        try:
            name = facts.licence(licence).name if licence else "not recorded"
        except LabError:
            name = licence
        active = self.blueprint.parameters_active
        used = "" if active == self.blueprint.parameters else f", {format_count(active)} used for each token"
        return f"{format_count(self.blueprint.parameters)} parameters{used}. Licence: {name}."

    # ------------------------------------------------------------ the answers

    def memory(self) -> MemoryEstimate:
        """What it takes as chosen. Raises LabError for a cache that does not suit the model."""
        return memory_of(self.blueprint, self.settings)

    def parts(self) -> list[tuple[str, int]]:
        """What the memory is for, in bytes."""
        memory = self.memory()
        named = {
            "Weights": memory.weights_bytes,
            "KV cache": memory.kv_bytes,
            "Compute buffer": memory.compute_bytes,
            "Output buffer": memory.output_bytes,
            "llama.cpp itself": memory.overhead_bytes,
        }
        return [(name, size) for name, size in named.items() if size]

    def shortfall(self) -> tuple[int, int]:
        """Bytes missing in RAM and on the GPU, as chosen."""
        memory = self.memory()
        vram = memory.gpu_bytes - self.room.usable_vram_bytes if self.gpu_layers else 0
        return max(0, memory.cpu_bytes - self.room.ram_bytes), max(0, vram)

    def verdict(self) -> str:
        """One sentence: fits or not, by how much, and what would help."""
        try:
            memory = self.memory()
        except LabError as error:
            return str(error).replace("\n", " ")
        ram, vram = self.shortfall()
        if not ram and not vram:
            on_gpu, there = "", ""
            if memory.gpu_bytes:
                on_gpu = f", {format_bytes(memory.gpu_bytes)} of it on the GPU"
                there = f" of RAM and {format_bytes(self.room.usable_vram_bytes)} on the GPU"
            return (
                f"Fits: it takes {format_bytes(memory.total_bytes)}{on_gpu}; you may use "
                f"{format_bytes(self.room.ram_bytes)}{there}."
            )
        short = " and ".join(
            f"{format_bytes(n)} short {where}" for n, where in ((ram, "of RAM"), (vram, "on the GPU")) if n
        )
        return f"Does not fit: {short}. {_help_from(self.advice())}"

    def _said(self) -> str:
        """The verdict, and what the last choice changed besides."""
        return f"{self.verdict()} {self.lowered}".strip()

    def advice(self) -> Fit:
        """The nearest settings that fit, or the smallest that were tried."""
        return fit_into(self.blueprint, self.settings, self.room)

    def speed(self) -> Speed | None:
        """tokens/s as chosen, predicted; None where it does not fit or nothing is known."""
        if any(self.shortfall()):
            return None
        return self.rate.predicted(self.blueprint, self.settings, self.memory())

    # ------------------------------------------------------------ as HTML and as text

    def _result_html(self) -> str:
        verdict = html.escape(self._said())
        try:
            table = self._bars_html()
        except LabError:
            return f'<p class="lk-verdict"><strong>{verdict}</strong></p>'
        figure = self._figure_html()
        return f'<p class="lk-verdict"><strong>{verdict}</strong></p>{table}{figure}'

    def _bars_html(self) -> str:
        parts = [*self.parts(), ("In all", self.memory().total_bytes)]
        whole = max(self.limit, self.memory().total_bytes)
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{name}</th>'
            f'<td style="text-align:right">{format_bytes(size)}</td>'
            f'<td style="width:20em"><span aria-hidden="true" style="{_BAR};width:{size / whole:.1%}"></span>'
            "</td></tr>"
            for name, size in [*parts, ("What you may use", self.limit)]
        )
        speed = html.escape(self._speed_text())
        caption = '<caption style="text-align:left">Memory</caption>'
        return f"<table>{caption}<tbody>{rows}</tbody></table><p>{_PARTS}</p><p>{speed}</p>"

    def _speed_text(self) -> str:
        speed = self.speed()
        if not speed:
            return "There is no speed to predict."
        share = f"{LEAST_SHARE * 100:.0f} to {MOST_SHARE * 100:.0f} %"
        return f"Predicted speed: {speed.text()} tokens/s ({share} of what memory bandwidth allows)."

    def _figure_html(self) -> str:
        kinds = list(dict.fromkeys((self.kv_type, "f16", "q8_0")))
        lines = memory_lines(self.blueprint, kinds, self.room, self.longest, self.gpu_layers)
        return chart(f"{self.found.title} in {self.quant}", lines, self.limit, now=self.context).html()

    def text(self) -> str:
        """The answers as plain text."""
        lines = [
            "Will it run here?",
            f"Model: {self.found.title} in {self.quant}. {self._about()}",
            f"Context: {self.context:,} tokens, KV cache in {self.kv_type}",
            "",
            self._said(),
        ]
        try:
            parts = [*self.parts(), ("In all", self.memory().total_bytes)]
        except LabError:
            return "\n".join(lines)
        width = max(len(name) for name, _ in parts)
        whole = max(self.memory().total_bytes, 1)
        lines += [
            f"  {name:<{width}}  {format_bytes(size):>10}  {'█' * round(30 * size / whole)}"
            for name, size in parts
        ]
        return "\n".join(
            [
                *lines,
                self._speed_text(),
                "",
                "Another question in code: lk.estimate(model, quant, context=...)",
            ]
        )


def fit_explorer(model: str = DEFAULT_MODEL) -> FitExplorer:
    """Will it run here? A widget over the catalogue and the published models.

    Parameters
    ----------
    model : the model chosen first: a name of `lk.catalogue()`, or an id of `labkit.facts.architectures()`.

    Raises LabError when there is no such model. Taught in chapters 2 and 6.
    """
    return FitExplorer(str(model).strip().lower())


def _help_from(fit: Fit) -> str:
    if fit.verdict == "does not fit":
        return f"Nothing that was tried fits: {format_bytes(fit.short_bytes)} short at the least."
    if not fit.changes:
        return "It fits in RAM, with no layers on the GPU." if fit.place == "RAM" else "It fits on the GPU."
    return f"It fits with {', '.join(fit.changes)}."


@functools.lru_cache(maxsize=8)
def _source(model: str) -> Source:
    return open_source(model)


@functools.lru_cache(maxsize=32)
def _in_types(model: str, quant: str | None) -> tuple[str, Blueprint, dict[str, str]]:
    wanted = quantization_name(quant) if quant else None
    return in_quantization(_source(model), wanted, ask_llama=False)


def _model_options(chosen: str) -> list[Option]:
    """The catalogue, then the published models that it lacks. A label begins with the name to type.

    A model that was asked for by its id in the table of architectures keeps that id while it is chosen.
    """
    entries = catalogue()
    known = [
        Option(chosen if entry.architecture == chosen else entry.name, f"{entry.title} · {entry.developer}")
        for entry in entries
    ]
    listed = {entry.architecture for entry in entries}
    rest = [row for row in facts.architectures() if row.id not in listed]
    return known + [Option(row.id, f"{row.name} · {row.developer}") for row in rest]
