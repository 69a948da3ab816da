"""The tokens of a learner's own two texts. Taught in chapter 17."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from labkit.errors import LabError
from labkit.learning.quantities import describe
from labkit.learning.token_record import LEAST_BYTES, TokenRecord
from labkit.models.tokenizer import CutsText, tokenizers_here
from labkit.tables import Table


@dataclass(frozen=True)
class OwnTexts:
    """Two texts and their tokens, by each tokenizer.

    Attributes
    ----------
    characters, n_bytes : of the first and of the second text.
    tokens : (tokenizer's name, tokens of the first, tokens of the second).
    measured_with : the tokenizer that the record is about.
    """

    characters: tuple[int, int]
    n_bytes: tuple[int, int]
    tokens: tuple[tuple[str, int, int], ...]
    measured_with: str

    def record(self) -> str:
        """The counts as one line of text."""
        _, first, second = next(row for row in self.tokens if row[0] == self.measured_with)
        a, b = self.n_bytes
        return str(TokenRecord((a, first), (b, second), self.measured_with, date.today().isoformat()))

    def _table(self) -> Table:
        rows = [["characters", *map("{:,}".format, self.characters)]]
        rows.append(["UTF-8 bytes", *map("{:,}".format, self.n_bytes)])
        rows += [[f"tokens: {name}", f"{first:,}", f"{second:,}"] for name, first, second in self.tokens]
        short = [
            f"The {name} text is short: the exercise asks for {LEAST_BYTES} bytes."
            for name, n in zip(("first", "second"), self.n_bytes, strict=True)
            if n < LEAST_BYTES
        ]
        return Table("Your texts", ["", "first", "second"], rows, short)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def count_tokens(first: str, second: str, tokenizers: list[CutsText] | None = None) -> OwnTexts:
    """Counts the tokens of two texts, such as the same content in two languages.

    `tokenizers`: None for those on this machine. The record is about SmolLM2, or where that is missing about
    the pocket models' tokenizer. Raises LabError for what is no text, or empty. Taught in chapter 17.
    """
    for text in (first, second):
        if not isinstance(text, str):
            raise LabError(f"A text is {describe(text)}.", 'Put it in quotes: """like this""".')
        if not text.strip():
            raise LabError("A text is empty.", "Put some sentences between the quotes.")
    used = [item for item in (tokenizers or tokenizers_here()) if item.vocab_size > 256]
    if not used:
        raise LabError("There is no tokenizer here.", "Run `make lab`, which fetches a model.")
    tokens = tuple((item.name, *item.counts([first, second])) for item in used)
    names = [name for name, *_ in tokens]
    measured_with = "SmolLM2" if "SmolLM2" in names else names[0]
    n_bytes = [len(text.encode("utf-8", errors="replace")) for text in (first, second)]
    return OwnTexts((len(first), len(second)), (n_bytes[0], n_bytes[1]), tokens, measured_with)
