"""A table that shows as accessible HTML in a notebook and as aligned text elsewhere."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

#: A date or a number on two lines is hard to read.
_SHORT = re.compile(r"[\d.,:-]+\Z")
#: a number, perhaps with its unit
_NUMBER = re.compile(r"[-+−]?[\d,]+(\.\d+)?( ?(%|[KMGT]i?B|bytes?|tokens/s|[a-z]{1,2}|[KMBT]))?\Z")


@dataclass
class Table:
    """Rows of plain text under a caption.

    Attributes
    ----------
    caption : what the table says, as a short statement.
    columns : the heads of the columns, with units.
    rows : one sequence of cells per row; a cell is shown as text, and escaped.
    notes : sentences below the table.
    links : cell text → address; such a cell becomes a link.
    folded_title, folded : lines for whoever wants them (sources, what is in order), folded away at first.
    text_width : characters in a line of text; a wider table becomes one block per row.
    code : pieces between backticks in cells are shown as code, as they always are in notes and folded lines.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()
    links: dict[str, str] = field(default_factory=dict)
    folded_title: str = ""
    folded: Sequence[str] = ()
    text_width: int = 110
    code: bool = False

    def _cell(self, value: object) -> str:
        text = _with_code(str(value)) if self.code else html.escape(str(value))
        if str(value) in self.links:
            return f'<a href="{html.escape(self.links[str(value)], quote=True)}">{text}</a>'
        return text

    def _row(self, row: Sequence[object], sides: Sequence[str]) -> str:
        first, *rest = (
            (_style(side, str(value)), self._cell(value)) for side, value in zip(sides, row, strict=True)
        )
        head = f'<th scope="row" style="{first[0]};font-weight:normal">{first[1]}</th>'
        cells = "".join(f'<td style="{style}">{cell}</td>' for style, cell in rest)
        return f"<tr>{head}{cells}</tr>"

    def _side(self, index: int) -> str:
        """Where a column's text stands: numbers at the right, so that sizes compare down the column."""
        cells = [str(row[index]) for row in self.rows if str(row[index])]
        # The first column names its row, whatever it holds.
        numbers = index and cells and all(map(_NUMBER.match, cells))
        return "right" if numbers else "left"

    def _repr_html_(self) -> str:
        sides = [self._side(index) for index in range(len(self.columns))]
        head = "".join(
            f'<th scope="col" style="{_style(side, name)}">{html.escape(name)}</th>'
            for side, name in zip(sides, self.columns, strict=True)
        )
        body = "".join(self._row(row, sides) for row in self.rows)
        notes = "".join(f'<p style="margin:.3em 0;font-size:.9em">{_with_code(n)}</p>' for n in self.notes)
        return (
            f'<table><caption style="text-align:left;caption-side:top;font-weight:bold;padding:.3em 0">'
            f"{html.escape(self.caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}{self._folded_html()}"
        )

    def _folded_html(self) -> str:
        if not self.folded:
            return ""
        lines = "".join(f"<li>{_with_code(line)}</li>" for line in self.folded)
        return (
            f'<details style="margin:.3em 0"><summary>{html.escape(self.folded_title)}</summary>'
            f'<ul style="margin:.3em 0">{lines}</ul></details>'
        )

    def __repr__(self) -> str:
        """One block per row when a table is too wide for a terminal, aligned columns otherwise."""
        cells = [[str(v) for v in row] for row in self.rows]
        widths = [max([len(c), *(len(row[i]) for row in cells)]) for i, c in enumerate(self.columns)]
        lines = [self.caption, ""]
        if sum(widths) + 2 * len(widths) <= self.text_width:
            for row in [list(self.columns), ["-" * w for w in widths], *cells]:
                lines.append("  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip())
        else:
            for row in cells:
                for head, value in zip(self.columns, row, strict=True):
                    lines += textwrap.wrap(f"{head}: {value}", 100, subsequent_indent="    ")
                lines.append("")
        lines += self.notes
        if self.folded:
            lines += ["", f"{self.folded_title}:", *(f"- {line}" for line in self.folded)]
        return "\n".join(lines)


def _with_code(text: str) -> str:
    """The text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _style(side: str, text: str) -> str:
    short = _SHORT.match(text) or _NUMBER.match(text)
    wrapping = "white-space:nowrap" if short else "white-space:normal;max-width:34em"
    return f"text-align:{side};vertical-align:top;{wrapping}"
