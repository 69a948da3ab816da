"""A text cut into its tokens, as boxes that do not depend on colour, and as text. Taught in chapter 17."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.form import Field, FormDisplay, Option, View
from labkit.learning.sample_texts import sample_code, sample_sentence
from labkit.learning.token_chart import visible
from labkit.models.tokenizer import CutsText, tokenizers_here

_MOST_SHOWN = 300
_LONGEST_TEXT = 20_000
#: Beside the outline, four backgrounds in turn: pale enough for text in a light and in a dark theme.
_BACKGROUNDS = ("11,60,111,.16", "193,83,27,.16", "127,179,90,.22", "183,154,203,.26")
_BOX = (
    "display:inline-block;border:1px {line} currentColor;border-radius:3px;padding:0 .15em;margin:.1em .1em;"
    "font-family:monospace;white-space:pre;background:rgba({colour})"
)
_LEGEND = "␣ is a space, ↵ the end of a line."
_LEGEND_PART = (
    " {where} bytes of a character that is cut apart, each written with two digits, 0 to 9 and A to F (10 to "
    "15): 16 × the left one + the right one."
)


@dataclass(frozen=True)
class Cut:
    """One text, cut by one tokenizer."""

    name: str
    pieces: tuple[bytes, ...]

    @property
    def title(self) -> str:
        """`'SmolLM2: 9 tokens'`."""
        n = len(self.pieces)
        return f"{self.name}: {n:,} token{'' if n == 1 else 's'}"

    def boxes_html(self) -> str:
        """The pieces as a list of outlined boxes."""
        boxes = "".join(
            f'<span role="listitem" style="{_style(number, piece)}">{html.escape(shown(piece))}</span>'
            for number, piece in enumerate(self.pieces[:_MOST_SHOWN])
        )
        rest = len(self.pieces) - _MOST_SHOWN
        more = f" … and {rest:,} more" if rest > 0 else ""
        return (
            f'<p style="margin:.5em 0 .1em"><strong>{html.escape(self.title)}</strong></p>'
            f'<div role="list" dir="auto" aria-label="{html.escape(self.title)}">{boxes}</div>{more}'
        )

    def text(self) -> str:
        """`'SmolLM2: 2 tokens\\n  |Hello|␣world|'`."""
        some = "|".join(map(shown, self.pieces[:_MOST_SHOWN]))
        rest = " …" if len(self.pieces) > _MOST_SHOWN else "|"
        return f"{self.title}\n  |{some}{rest}"


@dataclass(frozen=True)
class TokenView:
    """A text, cut by one or more tokenizers."""

    cuts: tuple[Cut, ...]

    def _repr_html_(self) -> str:
        boxes = "".join(cut.boxes_html() for cut in self.cuts)
        legend = self._legend("A dashed box holds")
        return f'<div style="max-width:60rem">{boxes}<p style="font-size:.9em">{legend}</p></div>'

    def __repr__(self) -> str:
        return "\n".join([*(cut.text() for cut in self.cuts), self._legend("Pairs such as E0 are")])

    def _legend(self, where: str) -> str:
        """What the signs mean; bytes are explained where there are some."""
        parts = [p for cut in self.cuts for p in cut.pieces[:_MOST_SHOWN] if _is_part(p)]
        if not parts:
            return _LEGEND
        space = " 20 is the space." if any(b" " in part for part in parts) else ""
        return f"{_LEGEND}{_LEGEND_PART.format(where=where)}{space}"


def shown(piece: bytes) -> str:
    """A piece for people: its text with spaces made visible, or its bytes when it is part of a character."""
    return piece.hex(" ").upper() if _is_part(piece) else visible(piece.decode("utf-8"))


def _is_part(piece: bytes) -> bool:
    """Does it hold a part of a character?"""
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _style(number: int, piece: bytes) -> str:
    line = "dashed" if _is_part(piece) else "solid"
    return _BOX.format(line=line, colour=_BACKGROUNDS[number % len(_BACKGROUNDS)])


def cut_text(text: str, tokenizers: Sequence[CutsText]) -> tuple[Cut, ...]:
    """`text` cut by each of them. Raises LabError for what is no text, or too long to be looked at."""
    if not isinstance(text, str):
        raise LabError("That is no text.", 'Put it in quotes: "like this".')
    if len(text) > _LONGEST_TEXT:
        raise LabError(
            f"This text has {len(text):,} characters: too many to look at.",
            "Show a part of it. `lk.count_tokens` counts the tokens of long texts.",
        )
    return tuple(Cut(item.name, tuple(item.pieces(text))) for item in tokenizers)


def show_tokens(text: str, *tokenizers: CutsText) -> TokenView:
    """How each tokenizer cuts `text`: outlined boxes in a notebook, `|` between the pieces elsewhere.

    Without tokenizers, those on this machine. Raises LabError for what is no text, or too long to be looked
    at. Taught in chapter 17.
    """
    return TokenView(cut_text(text, tokenizers or _with_vocabulary(tokenizers_here())))


def _with_vocabulary(tokenizers: Sequence[CutsText]) -> list[CutsText]:
    """All but plain bytes: a box for each byte shows nothing."""
    return [item for item in tokenizers if item.vocab_size > 256]


OWN = "my own text"


class TokenExplorer(FormDisplay):
    """The widget: type a text, or take a sample, and see how each tokenizer cuts it.

    State and rules, testable without a browser.
    """

    def __init__(self, tokenizers: Sequence[CutsText]) -> None:
        self.tokenizers = list(tokenizers)
        self.samples = {
            "English": sample_sentence("English"),
            "a long word": "internationalization, uncharacteristically",
            "numbers": "7 + 8 = 15, 1234567 and 3.14159",
            "Python code": sample_code().split("\n\n\n")[-1][:300],
            "German": sample_sentence("German"),
            "Hindi": sample_sentence("Hindi"),
            "Chinese": sample_sentence("Chinese"),
            "an emoji and accents": "naïve café, 👍",
        }
        self.sample, self.own_text = "English", ""

    def view(self) -> View:
        options = [Option(name, name) for name in self.samples] + [Option(OWN, OWN)]
        cuts = self._cuts()
        return View(
            title="How is a text cut?",
            fields=[
                Field("sample", "Text", "select", options, self.sample),
                Field("text", "Or your own text", "text", value=self.own_text),
            ],
            result_html=self._result_html(cuts),
            status=", ".join(cut.title for cut in cuts),
            status_spoken=True,
            live=True,
        )

    def on_event(self, action: str, values: dict[str, Any]) -> View:
        typed = str(values.get("text") or "")
        self.sample = OWN if typed != self.own_text else values.get("sample") or OWN
        self.own_text = typed
        return self.view()

    def _text_shown(self) -> str:
        return self.own_text if self.sample == OWN else self.samples[self.sample]

    def _cuts(self) -> tuple[Cut, ...]:
        return cut_text(self._text_shown(), self.tokenizers)

    def _result_html(self, cuts: tuple[Cut, ...]) -> str:
        if not self._text_shown():
            return "<p>Type a text above.</p>"
        text = html.escape(self._text_shown())
        return f'<pre dir="auto">{text}</pre>{TokenView(cuts)._repr_html_()}'

    def text(self) -> str:
        """The answer as plain text."""
        lines = ["How is a text cut?", f"Text: {self._text_shown()}", repr(TokenView(self._cuts()))]
        return "\n".join([*lines, 'Another text in code: lk.show_tokens("your text")'])


def token_explorer(tokenizers: Sequence[CutsText] | None = None) -> TokenExplorer:
    """A widget: how is a text cut? `tokenizers`: None for those on this machine. Taught in chapter 17."""
    return TokenExplorer(_with_vocabulary(tokenizers_here() if tokenizers is None else tokenizers))
