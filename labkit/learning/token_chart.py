"""The ten most probable next tokens, as a chart that is also a table."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.models.loading import Model, NextToken


_BAR = "display:block;height:.8em;background:currentColor;opacity:.6;"


def visible(piece: str) -> str:
    """A token's text with its spaces and line ends made visible: `' Paris'` → `'␣Paris'`."""
    return piece.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥") or "(empty)"


@dataclass
class TokenChart:
    """Probabilities of the next token after a text. `rest` is what all other tokens share."""

    text: str
    tokens: list[NextToken]
    random_weights: bool
    model_name: str = ""

    @property
    def rest(self) -> float:
        return max(0.0, 1.0 - sum(token.probability for token in self.tokens))

    def _rows(self) -> list[tuple[str, float]]:
        rows = [(visible(token.piece), token.probability) for token in self.tokens]
        return [*rows, ("all other tokens", self.rest)]

    def _caption(self) -> str:
        caption = f"What comes after “{self.text}”?" + (f" ({self.model_name})" if self.model_name else "")
        return caption + " (random weights: these numbers mean nothing)" if self.random_weights else caption

    def _repr_html_(self) -> str:
        bars = "".join(
            f'<tr><td style="text-align:right;font-family:monospace">{html.escape(name)}</td>'
            f'<td style="text-align:right">{probability:.1%}</td>'
            f'<td style="width:22em"><span aria-hidden="true" style="{_BAR}width:{probability:.1%}"></span>'
            "</td></tr>"
            for name, probability in self._rows()
        )
        return (
            '<table><caption style="text-align:left;caption-side:top;font-weight:bold">'
            f"{html.escape(self._caption())}</caption>"
            '<thead><tr><th scope="col">next token</th><th scope="col">probability</th>'
            '<th scope="col" style="text-align:left">(␣ is a space)</th></tr></thead>'
            f"<tbody>{bars}</tbody></table>"
        )

    def __repr__(self) -> str:
        lines = [f"{name:>20} {p:7.1%} {'█' * round(p * 40)}" for name, p in self._rows()]
        return "\n".join([self._caption(), *lines])


def next_token_chart(model: Model, text: str, *, top: int = 10) -> TokenChart:
    """The `top` most probable next tokens after `text`. Taught on the start page."""
    return TokenChart(text, model.next_token(text, top=top), model.file.random_weights, model.file.name)
