"""One model in several quantizations: what each saves, and what it costs in quality. Taught in chapter 5."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.kv_cache import N_UBATCH
from labkit.estimating.quantization import quantization_name
from labkit.measuring.bench import resolve_model
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.quality import (
    Comparison,
    check_settings,
    comparison_of,
    model_facts,
    notices,
    run_models,
    scored_notes,
    text_facts,
)
from labkit.measuring.quality_record import QualityRecord, RecordLine
from labkit.measuring.quality_text import Text, text_of
from labkit.measuring.record import plain_number
from labkit.measuring.results import Result, Row, Uncertain, now_utc
from labkit.models.model_file import ModelFile
from labkit.models.quantize import quantize_all
from labkit.tables import Table
from labkit.units import format_bytes

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
#: Files beyond this share of the free memory are measured one after another, not side by side.
_MEMORY_SHARE = 0.5


@dataclass(frozen=True)
class QualityLine:
    """One quantization."""

    quant: str
    file_bytes: int
    bits_per_weight: float
    """Bits of tensor data for each weight, scales included."""
    perplexity: Uncertain
    comparison: Comparison | None
    """With the source; None for the source itself."""

    @property
    def kl_divergence(self) -> Uncertain | None:
        """From the source, nats."""
        return self.comparison.kl_divergence if self.comparison else None


@dataclass(frozen=True, repr=False)
class QualityTable(Result):
    """A model and its quantizations, on one text."""

    lines: list[QualityLine]
    """The source first, then the quantizations in the order asked for."""
    text: dict[str, Any]
    settings: dict[str, Any]
    model: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    date: str = field(default_factory=now_utc)

    def __iter__(self) -> Iterator[QualityLine]:
        return iter(self.lines)

    def __getitem__(self, quant: str) -> QualityLine:
        """The line of a quantization. Raises LabError when it was not measured."""
        for line in self.lines:
            if line.quant == quant or line.quant == quantization_name(quant):
                return line
        raise LabError(
            f"{quant} was not measured.", f"Choose one of {', '.join(each.quant for each in self.lines)}."
        )

    def title(self) -> str:
        return f"{self.model['label']}: what each quantization keeps, on {self.text['title']}"

    def rows(self) -> list[Row]:
        found = []
        for line in self.lines:
            found += [
                Row(f"{line.quant}: file", line.file_bytes, "bytes"),
                Row(f"{line.quant}: perplexity", line.perplexity),
            ]
            if line.comparison:
                found += [
                    Row(f"{line.quant}: KL divergence", line.comparison.kl_divergence, "nats"),
                    Row(f"{line.quant}: same first choice", line.comparison.same_top.text()),
                ]
        return found

    def table(self) -> Table:
        columns = [
            "quantization",
            "file",
            "bits per weight",
            "perplexity",
            "perplexity added",
            "KL divergence",
            "same first choice",
        ]
        rows = [
            [
                line.quant,
                format_bytes(line.file_bytes),
                f"{line.bits_per_weight:.2f}",
                plain_number(line.perplexity.value),
                line.comparison.perplexity_difference.text() if line.comparison else "",
                line.comparison.kl_divergence.text() if line.comparison else "",
                line.comparison.same_top.text() if line.comparison else "",
            ]
            for line in self.lines
        ]
        return Table(self.title(), columns, rows, self.notes(), text_width=130)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one row for each quantization; the errors in columns of their own."""
        import pandas as pd

        return pd.DataFrame([_flat(line) for line in self.lines])

    def notes(self) -> list[str]:
        source, *others = self.lines
        alike = [line.quant for line in others if line.comparison and not line.comparison.told_apart]
        smallest = min(others, key=lambda line: line.file_bytes)
        assert smallest.comparison
        lines = [
            f"{smallest.quant} takes {100 * smallest.file_bytes / source.file_bytes:.0f} % of the bytes of "
            f"{source.quant}, and has another first choice in "
            f"{100 - 100 * smallest.comparison.same_top.share:.0f} % of the places.",
            f"The perplexity of {source.quant} is {source.perplexity.text()}: another such text may give "
            "another figure. All files read the same text, so what is added is known better.",
        ]
        if alike:
            lines.append(
                f"By perplexity alone, {_and(alike)} can't be told from {source.quant} on this text; the KL "
                "divergence, 0 where all predictions are the same, tells them apart."
            )
        return [*notices(self.model), *lines, *scored_notes(self.text, self.settings, self.model)]

    def record(self) -> str:
        """The figures in one line of text, to paste into an answer. `QualityRecord.parse` reads it back."""
        lines = tuple(
            RecordLine(
                line.quant,
                line.file_bytes,
                line.perplexity.value,
                line.comparison.kl_divergence.value if line.comparison else None,
                line.comparison.same_top.share if line.comparison else None,
            )
            for line in self.lines
        )
        model, sha12 = self.model["name"], self.model["sha256"][:12]
        return str(QualityRecord(lines, self.text["n_scored"], model, sha12, self.date[:10]))

    def __repr__(self) -> str:
        return repr(self.table())


def compare_quantizations(
    source: ModelFile | str | os.PathLike[str],
    quants: Sequence[str] = USUAL,
    text: str | os.PathLike[str] | None = None,
    *,
    n_ctx: int = 512,
    most_chunks: int | None = None,
    threads: int | None = None,
    show_progress: bool = True,
) -> QualityTable:
    """Quantize a model in several ways, and measure what each keeps of it.

    Parameters
    ----------
    source : a model in F16, BF16 or F32: a model file, a catalogue name or a path.
    quants : the quantizations, as `llama-quantize` names them.
    text, n_ctx, most_chunks, threads : as in `quality`.

    The source's predictions are computed once for each chunk, and all quantizations beside them. Raises
    LabError as `quantize` and `quality` do. Taught in chapter 5.
    """
    file, read, how = resolve_model(source), text_of(text), check_settings(n_ctx, most_chunks, threads)
    facts = model_facts(file)
    names = list(dict.fromkeys(map(quantization_name, quants)))
    names = [name for name in names if name != facts["quantization"]]
    if not names:
        raise LabError("No quantization is named.", 'Name some, such as ["Q8_0", "Q4_K_M"].')
    made = dict(zip(names, quantize_all(file, names, show_progress=show_progress), strict=True))
    lines: list[QualityLine] = []
    for group in _groups(facts, made):
        answer, more = _measure({facts["quantization"]: file, **group}, read, how, show_progress)
        lines += more if not lines else more[1:]
    return QualityTable(
        lines=lines,
        text=text_facts(read, answer),
        settings=how,
        model=facts,
        machine=machine(),
        versions=versions(),
    )


def _measure(
    files: dict[str, ModelFile], text: Text, how: dict[str, Any], show_progress: bool
) -> tuple[dict[str, Any], list[QualityLine]]:
    """The child's answer, and a line for each file; the first is the source."""
    source, *_ = files.values()
    title = f"Reading {text.title} with {source.name} and {', '.join(list(files)[1:])}"
    answer = run_models(list(files.values()), text, how, title, show_progress)
    lines = [
        QualityLine(
            quant=quant,
            file_bytes=file.bytes,
            bits_per_weight=model_facts(file)["bits_per_weight"],
            perplexity=Uncertain(**scores["perplexity"]),
            comparison=None if file is source else comparison_of(scores, source),
        )
        for (quant, file), scores in zip(files.items(), answer["scores"], strict=True)
    ]
    return answer, lines


def _groups(source: dict[str, Any], made: dict[str, ModelFile]) -> list[dict[str, ModelFile]]:
    """Files that are measured side by side: all, where the memory holds them beside the source."""
    # Each computes the scores of some hundred tokens at a time, and keeps them.
    scores_bytes = 2 * 4 * N_UBATCH * source["n_vocab"]
    room = limits.memory_available_bytes() * _MEMORY_SHARE - source["bytes"] - scores_bytes
    groups: list[dict[str, ModelFile]] = [{}]
    used = 0
    for quant, file in made.items():
        needed = file.bytes + scores_bytes
        if groups[-1] and used + needed > room:
            groups.append({})
            used = 0
        groups[-1][quant] = file
        used += needed
    return groups


def _flat(line: QualityLine) -> dict[str, Any]:
    found: dict[str, Any] = {
        "quantization": line.quant,
        "file_bytes": line.file_bytes,
        "bits_per_weight": line.bits_per_weight,
        "perplexity": line.perplexity.value,
        "perplexity_error": line.perplexity.error,
    }
    if line.comparison:
        found |= {
            "perplexity_ratio": line.comparison.perplexity_ratio.value,
            "perplexity_ratio_error": line.comparison.perplexity_ratio.error,
            "kl_divergence": line.comparison.kl_divergence.value,
            "kl_divergence_error": line.comparison.kl_divergence.error,
            "same_top": line.comparison.same_top.share,
            "same_top_low": line.comparison.same_top.low,
            "same_top_high": line.comparison.same_top.high,
        }
    return found


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
