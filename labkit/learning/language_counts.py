"""The same sentences in ten languages: how many tokens each takes. Taught in chapter 17."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.facts.parallel_texts import languages, texts_digest, token_counts
from labkit.learning.figure import Figure, figure_html, plain_style
from labkit.learning.sample_texts import sample_code, sentences_in
from labkit.models.tokenizer import CutsText, tokenizers_here
from labkit.tables import Table

BASE = "English"
#: The tokenizer that the chapter's questions are about.
MAIN = "SmolLM2"
_RESAMPLES, _SEED = 2000, 17
#: recorded tokenizers that stand beside the measured ones in the chart, by id
_IN_CHART = ("llama-3", "gemma-3")
#: beside English and program text, the languages of the table per 1,000 bytes
_BY_BYTES = ("German", "Hindi", "Chinese")
#: A token for each byte makes so many of 1,000 bytes: the tokenizer has no piece for such letters.
_ALL_BYTES = 1000


@dataclass(frozen=True)
class Counts:
    """One tokenizer's tokens.

    Attributes
    ----------
    name, vocab_size : of the tokenizer.
    tokens : language → tokens of all its sentences.
    by_sentence : language → tokens of each sentence; None where only the sum was recorded.
    recorded : the day of a recorded count; empty for one that was made just now.
    """

    name: str
    vocab_size: int
    tokens: Mapping[str, int]
    by_sentence: Mapping[str, Sequence[int]] | None = None
    recorded: str = ""

    @property
    def label(self) -> str:
        """The name, and that the count is a recorded one."""
        return f"{self.name} (recorded)" if self.recorded else self.name

    def ratio(self, language: str) -> float:
        """How many times as many tokens as English."""
        return self.tokens[_known(language)] / self.tokens[BASE]

    def interval(self, language: str) -> tuple[float, float] | None:
        """95 % interval of the ratio, by drawing the sentences again and again; None for a recorded sum."""
        if self.by_sentence is None:
            return None
        above, below = self.by_sentence[_known(language)], self.by_sentence[BASE]
        rng, n = random.Random(_SEED), len(below)
        ratios = []
        for _ in range(_RESAMPLES):
            drawn = rng.choices(range(n), k=n)
            ratios.append(sum(above[i] for i in drawn) / sum(below[i] for i in drawn))
        ratios.sort()
        return ratios[round(0.025 * _RESAMPLES)], ratios[round(0.975 * _RESAMPLES) - 1]


@dataclass(frozen=True)
class LanguageCounts:
    """What each tokenizer makes of the same sentences. `all`: the measured ones, then the recorded ones."""

    all: tuple[Counts, ...]

    @property
    def main(self) -> Counts:
        """SmolLM2's, as counted here, else as recorded."""
        return next(counts for counts in self.all if counts.name == MAIN)

    def named(self, name: str) -> Counts:
        """The counts of one tokenizer by its name. LabError when there is none."""
        for counts in self.all:
            if counts.name.lower() == str(name).strip().lower():
                return counts
        raise LabError(
            f"There is no tokenizer {name!r} here.", f"There are: {', '.join(c.name for c in self.all)}."
        )

    def ratio(self, language: str, tokenizer: str = MAIN) -> float:
        """How many times as many tokens as English the same sentences take."""
        return self.named(tokenizer).ratio(language)

    def _table(self) -> Table:
        texts = languages()
        shown = [c for c in self.all if not c.recorded or c is self.main]
        rows = [
            [
                language,
                rows[0].script,
                f"{_n_bytes([row.text for row in rows]):,}",
                *(f"{counts.tokens[language]:,}" for counts in shown if counts.vocab_size > 256),
                f"{self.main.ratio(language):.2f}",
            ]
            for language, rows in texts.items()
        ]
        names = [c.label for c in shown if c.vocab_size > 256]
        n = len(texts[BASE])
        columns = [
            "language",
            "script",
            "bytes",
            *(f"tokens: {name}" for name in names),
            f"× English: {MAIN}",
        ]
        return Table(f"The same {n} sentences", columns, rows, self._notes())

    def _notes(self) -> list[str]:
        dearest = max(self.main.tokens, key=self.main.ratio)
        interval = self.main.interval(dearest)
        if interval is None:
            return [f"{MAIN} is not on this machine: its counts were recorded on {self.main.recorded}."]
        return [
            f"With {MAIN}, {dearest} takes {self.main.ratio(dearest):.1f} times as many tokens as English "
            f"(95 % interval over the sentences: {interval[0]:.1f} to {interval[1]:.1f}).",
            *self._bytes_mislead(),
        ]

    def _bytes_mislead(self) -> list[str]:
        """Hindi and Chinese, where the order by bytes is not that by sentences."""
        first, second = (self.main.tokens[language] for language in ("Hindi", "Chinese"))
        by_bytes = [
            1000 * tokens / _n_bytes(sentences_in(language))
            for language, tokens in (("Hindi", first), ("Chinese", second))
        ]
        if (first > second) == (by_bytes[0] > by_bytes[1]):
            return []
        return [
            f"The bytes mislead: per 1,000 of them Hindi takes {by_bytes[0]:,.0f} tokens and Chinese "
            f"{by_bytes[1]:,.0f}, for the same sentences {first:,} and {second:,}."
        ]

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def compare_languages(tokenizers: Sequence[CutsText] | None = None) -> LanguageCounts:
    """Counts the tokens of the same sentences in ten languages.

    `tokenizers`: None for those on this machine. Recorded counts of tokenizers that are not here are added
    for the chart. Taught in chapter 17.
    """
    found = [_measured(item) for item in (tokenizers_here() if tokenizers is None else tokenizers)]
    here = {counts.name.lower() for counts in found}
    recorded = [counts for counts in recorded_counts() if counts.name.lower() not in here]
    return LanguageCounts((*found, *recorded))


def _measured(tokenizer: CutsText) -> Counts:
    texts = {name: [row.text for row in rows] for name, rows in languages().items()}
    by_sentence = dict(zip(texts, _by_text(tokenizer, list(texts.values())), strict=True))
    tokens = {name: sum(values) for name, values in by_sentence.items()}
    return Counts(tokenizer.name, tokenizer.vocab_size, tokens, by_sentence)


def _by_text(tokenizer: CutsText, groups: Sequence[Sequence[str]]) -> list[list[int]]:
    """The tokens of each text of each group, asked for all at once: a question costs more than its answer."""
    flat = iter(tokenizer.counts([text for group in groups for text in group]))
    return [[next(flat) for _ in group] for group in groups]


def recorded_counts() -> tuple[Counts, ...]:
    """The counts of `datasets/token_counts.csv`, tokenizer by tokenizer.

    Raises LabError when a text has been changed since it was counted.
    """
    texts = {rows[0].language: (name, [row.text for row in rows]) for name, rows in languages().items()}
    found: dict[str, Counts] = {}
    for row in token_counts():
        name, sentences = texts[row.language]
        if texts_digest(sentences) != row.texts_sha256:
            raise LabError(
                f"The sentences in {name} are not those that were counted for {row.name}.",
                "Get the tables back with `git checkout datasets`, or count again.",
            )
        counts = found.setdefault(row.name, Counts(row.name, row.vocab_size, {}, None, row.read_on))
        counts.tokens[name] = row.tokens  # type: ignore[index]
    return tuple(found.values())


def _known(language: str) -> str:
    sentences_in(language)  # a sentence for a language that is not there
    return language


def _n_bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode("utf-8")) for text in texts)


# ---------------------------------------------------------------- pictures and tables


def language_chart(counts: LanguageCounts) -> Figure:
    """Tokens relative to English, language by language, for the chapter's tokenizer and recorded ones.

    Taught in chapter 17.
    """
    recorded_names = [row.name for row in token_counts() if row.tokenizer in _IN_CHART]
    series = [counts.main, *(c for c in counts.all if c.name in recorded_names and c is not counts.main)]
    order = sorted(counts.main.tokens, key=counts.main.ratio)
    with plain_style() as plt:
        fig, axes = plt.subplots()
        for number, item in enumerate(series):
            values = [item.ratio(language) for language in order]
            # Side by side, so that none hides another.
            places = [place + 0.26 * ((len(series) - 1) / 2 - number) for place in range(len(order))]
            axes.plot(values, places, linestyle="none", markersize=7, label=item.label)
        axes.axvline(1, color="#111111", linestyle="-", linewidth=1.2, marker="")
        axes.set_yticks(range(len(order)), order)
        axes.set_xlim(left=0)
        axes.set_xlabel("tokens for the same sentences, English = 1")
        axes.set_title("What a language costs depends on the tokenizer", fontsize=11)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        caption = "Recorded counts: made with the tokenizer's published file; see datasets/token_counts.csv."
        return figure_html(fig, _chart_alt(series, order), caption)


def _chart_alt(series: Sequence[Counts], order: Sequence[str]) -> str:
    said = "; ".join(
        f"{item.label}: {', '.join(f'{language} {item.ratio(language):.2f}' for language in reversed(order))}"
        for item in series
    )
    return f"Tokens for the same sentences, relative to English. {said}."


def recorded_table() -> Table:
    """All recorded tokenizers: vocabulary, tokens in English, and how many times as many elsewhere.

    Taught in chapter 17.
    """
    counts = sorted(recorded_counts(), key=lambda item: item.vocab_size)
    names = [language for language in languages() if language != BASE]
    rows = [
        [
            item.name,
            f"{item.vocab_size:,}",
            f"{item.tokens[BASE]:,}",
            *(f"{item.ratio(n):.2f}" for n in names),
        ]
        for item in counts
    ]
    sources = {row.name: f"{row.name}: {row.source}. As of {row.read_on}." for row in token_counts()}
    return Table(
        "Tokens for the same sentences, relative to English",
        ["tokenizer", "vocabulary", "tokens in English", *names],
        rows,
        folded_title="Sources and dates",
        folded=list(sources.values()),
        text_width=150,
    )


def tokens_per_kilobyte(tokenizers: Sequence[CutsText] | None = None) -> Table:
    """Tokens per 1,000 UTF-8 bytes of English, of program text, and of three other languages.

    `tokenizers`: None for those on this machine; plain bytes are left out. Taught in chapter 17.
    """
    texts = {BASE: sentences_in(BASE), "Python code": [sample_code()]}
    texts |= {name: sentences_in(name) for name in _BY_BYTES}
    sizes = [_n_bytes(parts) for parts in texts.values()]
    found = tokenizers_here() if tokenizers is None else tokenizers
    used = [item for item in found if item.vocab_size > 256]
    columns = [
        [1000 * sum(counts) / size for counts, size in zip(by_text, sizes, strict=True)]
        for by_text in (_by_text(item, list(texts.values())) for item in used)
    ]
    rows = [
        [name, f"{sum(map(len, parts)):,}", f"{size:,}", *(f"{values[number]:,.0f}" for values in columns)]
        for number, ((name, parts), size) in enumerate(zip(texts.items(), sizes, strict=True))
    ]
    notes = [
        f"{item.name}, {' and '.join(whole)}: a token for each byte. It has no pieces for these letters."
        for item, values in zip(used, columns, strict=True)
        if (whole := [name for name, value in zip(texts, values, strict=True) if value == _ALL_BYTES])
    ]
    return Table(
        "Tokens per 1,000 bytes", ["text", "characters", "bytes", *(item.name for item in used)], rows, notes
    )
