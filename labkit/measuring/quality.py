"""How well a model predicts a text, and how far a quantized one strays from its original.

Perplexity, KL divergence and top-token agreement as `llama-perplexity` defines them: the text in chunks of
`n_ctx` tokens without overlap, BOS first where the model wants it, and only the second half of each chunk
scored, so that every scored token has at least half a chunk before it. Taught in chapter 5.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit import limits, settings
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.quantization import bits_per_weight
from labkit.measuring.bench import resolve_model
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.quality_text import Text, text_of
from labkit.measuring.results import Result, Row, Uncertain, now_utc
from labkit.models.gguf import read_gguf_header
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile, twin_notice
from labkit.progress_bar import ProgressBar

_FEWEST_TOKENS, _MOST_TOKENS = 16, 2**20
_QUICK_CHUNKS = 4
#: A difference of so many standard errors is more than chance (95 %).
SURE = 1.96


@dataclass(frozen=True)
class Agreement:
    """In what share of the places two models predict the same token first, 0 to 1."""

    share: float
    error: float
    """One standard error."""
    low: float
    high: float
    """Ends of the 95 % interval, by Wilson."""

    def text(self) -> str:
        """`'96.1 ± 0.3 %'`."""
        return Uncertain(100 * self.share, 100 * self.error).text("%")


@dataclass(frozen=True)
class Comparison:
    """A model beside its baseline, on the same tokens."""

    baseline: str
    baseline_perplexity: Uncertain
    perplexity_difference: Uncertain
    """The model's minus the baseline's. Both read the same tokens, so it is surer than either."""
    perplexity_ratio: Uncertain
    """The model's over the baseline's."""
    kl_divergence: Uncertain
    """The mean over the scored tokens, in nats: 0 when both always predict the same."""
    kl_median: float
    kl_99: float
    """99 of 100 scored tokens have less."""
    kl_maximum: float
    same_top: Agreement
    p_diff_rms: Uncertain
    """Root of the mean square of the change in the probability of the token that really comes next."""

    @property
    def told_apart(self) -> bool:
        """Does the perplexity differ from the baseline's by more than chance?"""
        return abs(self.perplexity_ratio.value - 1) > SURE * self.perplexity_ratio.error

    def sentence(self) -> str:
        """What happened to the perplexity, in words."""
        change = self.perplexity_ratio.value - 1
        if not self.told_apart:
            return f"On this text, the perplexity can't be told from that of {self.baseline}."
        error = self.perplexity_ratio.error
        return (
            f"The perplexity is {Uncertain(100 * abs(change), 100 * error).text('%')} "
            f"{'higher' if change > 0 else 'lower'} than that of {self.baseline}."
        )


@dataclass(frozen=True, repr=False)
class Quality(Result):
    """How well a model predicts a text."""

    perplexity: Uncertain
    comparison: Comparison | None
    text: dict[str, Any]
    """title, characters and sha256 of the text; n_tokens, n_chunks, n_scored: tokens it has, chunks read,
    tokens scored."""
    settings: dict[str, Any]
    """n_ctx (tokens of a chunk), threads, quick."""
    model: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def title(self) -> str:
        return f"Quality of {self.model['label']} on {self.text['title']}"

    def rows(self) -> list[Row]:
        rows = [Row("Perplexity", self.perplexity)]
        if self.comparison:
            rows += _comparison_rows(self.comparison)
        return [
            *rows,
            Row("Tokens scored", f"{self.text['n_scored']:,} of {self.text['n_tokens']:,}", detail=True),
            Row("Chunks", f"{self.text['n_chunks']:,} of {self.settings['n_ctx']:,} tokens", detail=True),
            Row("Bits per weight", self.model["bits_per_weight"], detail=True),
        ]

    def notes(self) -> list[str]:
        lines = [
            "On average the model was as unsure of the next token as if it had to choose blindly among "
            f"{self.perplexity.value:,.1f} tokens.",
        ]
        if self.comparison:
            share = self.comparison.same_top
            lines = [
                self.comparison.sentence(),
                f"In {share.share:.1%} of the places both have the same first choice (95 % interval "
                f"{share.low:.1%} to {share.high:.1%}).",
            ]
        return [*notices(self.model), *lines, *scored_notes(self.text, self.settings, self.model)]


def quality(
    model: ModelFile | str | os.PathLike[str],
    text: str | os.PathLike[str] | None = None,
    *,
    baseline: ModelFile | str | os.PathLike[str] | None = None,
    n_ctx: int = 512,
    most_chunks: int | None = None,
    threads: int | None = None,
    show_progress: bool = True,
) -> Quality:
    """Measure how well a model predicts a text, and how far it strays from a baseline.

    Parameters
    ----------
    model : a model file, a catalogue name, or the path of a GGUF file.
    text : the text, or the path of a file in UTF-8. None: the course's own, which no model was trained on.
    baseline : the model to compare with, such as the F16 file that the model was quantized from.
    n_ctx : tokens of a chunk. The text needs two chunks or more.
    most_chunks : stop after so many chunks.
    threads : None is one for each physical core that this process may use.

    The figures are `llama-perplexity`'s; the text streams through, whatever its length. Raises LabError when
    the text is too short or no text, the vocabularies differ, or llama.cpp refuses a file.
    Taught in chapter 5.
    """
    files = [resolve_model(each) for each in ([model] if baseline is None else [baseline, model])]
    read, how = text_of(text), check_settings(n_ctx, most_chunks, threads)
    title = f"Reading {read.title} with {files[-1].name}"
    answer = run_models(files, read, how, title, show_progress)
    scores = answer["scores"][-1]
    return Quality(
        perplexity=Uncertain(**scores["perplexity"]),
        comparison=comparison_of(scores, files[0]) if baseline is not None else None,
        text=text_facts(read, answer),
        settings=how,
        model=model_facts(files[-1]),
        machine=machine(),
        versions=versions(),
    )


def check_settings(n_ctx: int, most_chunks: int | None, threads: int | None) -> dict[str, Any]:
    """The settings of a run. Raises LabError for numbers that are not possible."""
    threads = limits.default_threads() if threads is None else threads
    bounds = {"n_ctx": (n_ctx, _FEWEST_TOKENS, _MOST_TOKENS), "threads": (threads, 1, 512)}
    if most_chunks is not None:
        bounds["most_chunks"] = (most_chunks, 1, 2**31)
    for name, (value, low, high) in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise LabError(
                f"`{name}` must be a whole number from {low} to {high:,}, not {value!r:.40}.",
                "Leave it out for the usual value.",
            )
    if settings.quick():
        most_chunks = min(most_chunks or _QUICK_CHUNKS, _QUICK_CHUNKS)
    return {"n_ctx": n_ctx, "most_chunks": most_chunks, "threads": threads, "quick": settings.quick()}


def run_models(
    files: Sequence[ModelFile], text: Text, how: dict[str, Any], title: str, show_progress: bool
) -> dict[str, Any]:
    """All files read the text side by side in a process of its own; the first is the baseline of the rest."""
    for file in files:
        read_gguf_header(file.path)  # a damaged file is a sentence at once
    job = {
        "text": text.content,
        "models": [{"path": str(file.path), "name": file.name} for file in files],
        "n_ctx": how["n_ctx"],
        "most_chunks": how["most_chunks"],
        "threads": how["threads"],
    }
    with ProgressBar(None, "chunk", title, show=show_progress) as bar:
        return run_child(
            "labkit.measuring._quality_child", job, lambda done, of, text: bar.set(done, total=of)
        )


def comparison_of(scores: dict[str, Any], baseline: ModelFile) -> Comparison:
    """The child's figures as a Comparison."""
    pairs = (
        "baseline_perplexity",
        "perplexity_difference",
        "perplexity_ratio",
        "kl_divergence",
        "p_diff_rms",
    )
    return Comparison(
        baseline=baseline.name,
        **{name: Uncertain(**scores[name]) for name in pairs},
        **{name: scores[name] for name in ("kl_median", "kl_99", "kl_maximum")},
        same_top=Agreement(**scores["same_top"]),
    )


def text_facts(text: Text, answer: dict[str, Any]) -> dict[str, Any]:
    """What was read, for a result."""
    return text.to_dict() | {name: answer[name] for name in ("n_tokens", "n_chunks", "n_scored")}


def model_facts(file: ModelFile) -> dict[str, Any]:
    """What was measured, for a result."""
    header = read_gguf_header(file.path)
    return file.to_dict() | {
        "label": file.label,
        "quantization": header.quantization,
        "bits_per_weight": bits_per_weight(header.blueprint()),
        "trained_context": header.number("context_length", 0),
        "n_vocab": header.vocabulary_size,
    }


def scored_notes(text: dict[str, Any], how: dict[str, Any], model: dict[str, Any]) -> list[str]:
    """What the figures rest on, in words."""
    lines = [
        f"{text['n_scored']:,} tokens were scored: {text['n_scored'] // text['n_chunks']:,} in the second "
        f"half of each of {text['n_chunks']:,} chunks of {how['n_ctx']:,}. ± is one standard error: the true "
        "value is mostly within one, and nearly always within two."
    ]
    if how["quick"]:
        lines.append("A QUICK run: too few tokens for a real figure.")
    if 0 < model["trained_context"] < how["n_ctx"]:
        lines.append(
            f"The model was trained on {model['trained_context']:,} tokens at a time. Beyond that its "
            "predictions fall apart."
        )
    return lines


def _comparison_rows(comparison: Comparison) -> list[Row]:
    against = comparison.baseline
    ratio = comparison.perplexity_ratio
    return [
        Row(f"Perplexity of {against}", comparison.baseline_perplexity),
        Row("Change of the perplexity", Uncertain(100 * (ratio.value - 1), 100 * ratio.error), "%"),
        Row(f"KL divergence from {against}", comparison.kl_divergence, "nats"),
        Row("Same first choice", comparison.same_top.text()),
        Row("Perplexity, minus the baseline's", comparison.perplexity_difference, detail=True),
        Row("KL divergence, median", comparison.kl_median, "nats", detail=True),
        Row("KL divergence, 99 of 100 are below", comparison.kl_99, "nats", detail=True),
        Row("KL divergence, largest", comparison.kl_maximum, "nats", detail=True),
        Row(
            "Change in the real token's probability, root mean square",
            Uncertain(100 * comparison.p_diff_rms.value, 100 * comparison.p_diff_rms.error),
            "percentage points",
            detail=True,
        ),
    ]


def notices(model: dict[str, Any]) -> list[str]:
    """What a reader must know first when the weights are random."""
    if model["twin_of"]:
        return [twin_notice(model["twin_of"])]
    return [RANDOM_WEIGHTS_NOTICE] if model["random_weights"] else []
