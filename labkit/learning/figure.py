"""Plots as accessible HTML: `<figure>` with a text alternative, readable without colour."""

from __future__ import annotations

import base64
import contextlib
import html
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

#: Dots per inch of the picture; it is shown at half that, so that it is sharp on dense screens.
_DPI = 144

#: Dark enough on white, and apart in lightness, so that they stay apart in greyscale.
COLOURS = ("#0b3c6f", "#c1531b", "#7fb35a", "#b79acb", "#8a8a8a")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "x")


class Figure:
    """A picture with its text: `<img alt>` in a notebook, the text alone elsewhere."""

    def __init__(self, png: bytes, alt: str, caption: str, width: int) -> None:
        self.png = png
        self.alt = alt
        self.caption = caption
        self.width = width  #: in CSS pixels

    def html(self) -> str:
        """The figure as an HTML string, for the `result_html` of a form."""
        data = base64.b64encode(self.png).decode("ascii")
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        alt = html.escape(self.alt, quote=True)
        return (
            f'<figure style="margin:0.5em 0"><img alt="{alt}" width="{self.width}" '
            f'style="max-width:100%;height:auto" src="data:image/png;base64,{data}">{caption}</figure>'
        )

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"{self.alt}\n{self.caption}" if self.caption else self.alt


def figure_html(fig: MatplotlibFigure, alt: str, caption: str = "") -> Figure:
    """A matplotlib figure as accessible HTML; the figure is closed.

    Parameters
    ----------
    alt : what a person who can't see the figure should know: its message, and the numbers that carry it.
    caption : shown below the figure.
    """
    if not alt.strip():
        raise LabError("This figure has no text alternative.", "Pass `alt`: what the figure says.")
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    try:
        fig.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
    finally:
        plt.close(fig)
    png = buffer.getvalue()
    # The PNG header holds the width in pixels: 4 bytes, big-endian, after 16 bytes.
    width = int.from_bytes(png[16:20], "big") // 2
    return Figure(png, alt, caption, width)


@contextlib.contextmanager
def plain_style() -> Iterator[Any]:
    """Matplotlib's settings for a figure that reads in greyscale: `with plain_style() as plt:`.

    Lines differ by dash and marker as well as by colour. The backend stays as it is, and no window opens.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    lines = matplotlib.cycler(color=COLOURS, linestyle=LINE_STYLES, marker=MARKERS)
    settings = {
        "axes.prop_cycle": lines,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlelocation": "left",
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "figure.figsize": (7.0, 3.8),
        "font.size": 10.5,
        "grid.color": "#d9d9d9",
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "lines.markersize": 6,
        "text.color": "#111111",
    }
    with matplotlib.rc_context(settings), plt.ioff():
        yield plt
