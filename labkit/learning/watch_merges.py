"""A tokenizer is trained while you watch: its first merges, what they do to a sentence, and to other texts.

Taught in chapter 17. The training itself is in `labkit.learning.bpe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.learning.bpe import BPE, train_bpe
from labkit.learning.figure import Figure, figure_html, plain_style
from labkit.learning.sample_texts import course_english, sample_code, sentences_in
from labkit.learning.token_view import Cut, TokenView, shown
from labkit.tables import Table

_FIRST_SHOWN = 12
#: After so many merges a sentence is shown; the last is all of them.
_STAGES = (0, 10, 100)


@dataclass(frozen=True)
class Training:
    """A finished training: `bpe` cuts texts, and the table shows how it came about."""

    bpe: BPE

    @property
    def name(self) -> str:
        return self.bpe.name

    @property
    def vocab_size(self) -> int:
        return self.bpe.vocab_size

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, with all merges."""
        return self.bpe.counts(texts)

    def pieces(self, text: str) -> list[bytes]:
        """The text's tokens, with all merges."""
        return self.bpe.pieces(text)

    def grow(self, text: str) -> TokenView:
        """`text` cut after no merge, ten, a hundred, and all of them."""
        stages = sorted({min(n, len(self.bpe.merges)) for n in (*_STAGES, len(self.bpe.merges))})
        return TokenView(tuple(Cut(_after(n), tuple(self.bpe.pieces(text, n))) for n in stages))

    def tokens_after(self, n_merges: int) -> int:
        """Tokens of the text that was learned from, after so many merges."""
        return self.bpe.merges[n_merges - 1].tokens if n_merges else self.bpe.text_bytes

    def _table(self) -> Table:
        merges = self.bpe.merges
        numbers = [*range(min(_FIRST_SHOWN, len(merges))), *([len(merges) - 1] if merges else [])]
        rows = [
            [
                f"{number + 1:,}",
                f"{shown(merges[number].left)}  +  {shown(merges[number].right)}",
                shown(merges[number].piece),
                f"{merges[number].times:,}",
                f"{merges[number].tokens:,}",
            ]
            for number in dict.fromkeys(numbers)
        ]
        caption = f"The first merges, learned from {self.bpe.text_bytes:,} bytes, and the last one"
        notes = [
            f"256 bytes and {len(merges):,} merges make a vocabulary of {self.vocab_size:,} tokens. ␣ is a "
            "space."
        ]
        columns = ["merge", "neighbours", "become", "times seen", "tokens of the text then"]
        return Table(caption, columns, rows, notes)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def _after(n_merges: int) -> str:
    return "no merge, plain bytes" if not n_merges else f"after {n_merges:,} merges"


def watch_merges(text: str | None = None, n_merges: int = 1000) -> Training:
    """Trains a byte-level BPE tokenizer, in plain Python, and shows its merges.

    Parameters
    ----------
    text : what to learn from; None for the English of this course's quizzes and myth checks.
    n_merges : how many pieces to add to the 256 bytes, at most.

    Raises LabError for a text that is empty or above 2 MB. Taught in chapter 17.
    """
    return Training(train_bpe(course_english() if text is None else text, n_merges))


def merge_chart(training: Training, texts: Mapping[str, str] | None = None) -> Figure:
    """Tokens per 1,000 bytes against the number of merges, for the text learned from and for others.

    `texts` : name → text; None for English, Python and Hindi. Taught in chapter 17.
    """
    if not training.bpe.merges:
        raise LabError("This tokenizer has no merges, so there is nothing to plot.", "Ask for some.")
    texts = texts or _other_texts()
    steps = _steps(len(training.bpe.merges))
    lines = {
        "the text learned from": [_per_kb(training.tokens_after(n), training.bpe.text_bytes) for n in steps]
    }
    for name, text in texts.items():
        n_bytes = len(text.encode("utf-8", errors="replace"))
        if n_bytes:
            lines[name] = [_per_kb(training.bpe.counts([text], n)[0], n_bytes) for n in steps]
    with plain_style() as plt:
        fig, axes = plt.subplots()
        for name, values in lines.items():
            axes.plot([256 + n for n in steps], values, label=name)
        axes.set_ylim(0, 1050)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel("tokens in the vocabulary")
        axes.set_ylabel("tokens per 1,000 bytes of text")
        axes.set_title("More merges, fewer tokens: for texts like those learned from", fontsize=11)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        return figure_html(fig, _alt(lines, steps))


def _other_texts() -> dict[str, str]:
    english, hindi = ("\n".join(sentences_in(name)) for name in ("English", "Hindi"))
    return {"other English": english, "Python code": sample_code(), "Hindi": hindi}


def _steps(n_merges: int) -> list[int]:
    """0, 10, 20, 50, 100 ... up to all merges."""
    some = [factor * 10**power for power in range(1, 5) for factor in (1, 2, 5)]
    return [0, *(n for n in some if n < n_merges), n_merges]


def _per_kb(tokens: int, n_bytes: int) -> float:
    return 1000 * tokens / n_bytes


def _alt(lines: Mapping[str, Sequence[float]], steps: Sequence[int]) -> str:
    said = "; ".join(
        f"{name}: {values[0]:,.0f} with 256 tokens in the vocabulary, {values[-1]:,.0f} with "
        f"{256 + steps[-1]:,}"
        for name, values in lines.items()
    )
    return f"Tokens per 1,000 bytes against the size of the vocabulary. {said}."
