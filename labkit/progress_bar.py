"""One progress bar for three places: a notebook, a terminal, a log file.

* Notebook: a display handle of ours. It leaves one output in its final state, also under nbclient,
  and needs no widget manager.
* Terminal: `tqdm.std`.
* Neither (a pipe, a log): a line at the start, one every 10 s, and one at the end.
"""

from __future__ import annotations

import html
import os
import sys
import time
from types import TracebackType
from typing import Any, Literal, Self, TextIO
from uuid import uuid4

from labkit.units import format_bytes, format_seconds

#: redraw at most this often, so that a fast loop does not flood the notebook
_REDRAW_SECONDS = 0.2
_LOG_SECONDS = 10.0


class ProgressBar:
    """Shows how far a job is.

    Parameters
    ----------
    total : how many units the job has; None when that is not known.
    unit : `"B"` for bytes (shown as MiB, GiB), else the name of one unit, such as `"step"`.
    title : what is being done, as a learner would say it.
    show : False makes every method do nothing.

    Use it in a `with` block: leaving it by an exception marks the bar as stopped, never as done.
    """

    def __init__(
        self, total: int | None = None, unit: str = "step", title: str = "", *, show: bool = True
    ) -> None:
        self.total = total
        self.unit = unit
        self.title = title
        self.done = 0
        self.text = ""
        self.state: Literal["running", "done", "stopped"] = "running"
        self._started = time.monotonic()
        self._first = 0
        self._drawn = 0.0
        self._view: _NotebookView | _TerminalView | _LogView | None = _view_for(self) if show else None
        if self._view:
            self._view.draw(self)

    def update(self, n: int = 1) -> None:
        """`n` more units are done."""
        self.set(self.done + n)

    def set(self, done: int, *, total: int | None = None, resumed: bool = False) -> None:
        """`done` units are done in all. `resumed`: they were done earlier, so they do not count as speed."""
        self.done = done
        if resumed:
            self._first = done
            self._started = time.monotonic()
        if total is not None:
            self.total = total
        self._redraw()

    def message(self, text: str) -> None:
        """A sentence beside the bar, such as "Trying the mirror"."""
        if text != self.text:
            self.text = text
            self._redraw(now=True)

    def close(self, done_text: str | None = None) -> None:
        """The job is done. `done_text` takes the place of the bar's title."""
        if self.state == "running":
            self._finish("done", done_text)

    def stop(self, text: str | None = None) -> None:
        """The job ended before it was done."""
        if self.state == "running":
            self._finish("stopped", text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.stop()

    @property
    def fraction(self) -> float | None:
        """Share done, 0 to 1; None when the total is not known."""
        return min(1.0, self.done / self.total) if self.total else None

    def amounts(self) -> str:
        """`'12.0 MiB of 93.8 MiB, 8.1 MiB/s'`, or the like in steps."""
        number = format_bytes if self.unit == "B" else lambda n: f"{n:,.0f}"
        plural = "" if self.unit == "B" else f" {self.unit}s"
        of_total = f" of {number(self.total)}" if self.total else ""
        text = f"{number(self.done)}{of_total}{plural}"
        if self.unit == "B" and (rate := self.rate()):
            text += f", {format_bytes(rate)}/s"
        return text

    def rate(self) -> float:
        """Units per second since the start of this run."""
        seconds = time.monotonic() - self._started
        return (self.done - self._first) / seconds if seconds > 0.5 else 0.0

    def sentence(self) -> str:
        """The bar as one line of text."""
        if self.state == "done":
            return self.title
        percent = f"{self.fraction:.0%}, " if self.fraction is not None else ""
        parts = [self.title + ("" if self.state == "running" else " (stopped)"), percent + self.amounts()]
        return ": ".join(part for part in parts if part) + (f". {self.text}" if self.text else "")

    def _finish(self, state: Literal["done", "stopped"], text: str | None) -> None:
        if state == "done":
            elapsed = format_seconds(time.monotonic() - self._started)
            self.title = text or (f"{self.title}: done in {elapsed}" if self.title else f"Done in {elapsed}")
        elif text:
            self.text = text
        self.state = state
        if self._view:
            self._view.draw(self)
            self._view = None

    def _redraw(self, now: bool = False) -> None:
        if self._view and self.state == "running":
            clock = time.monotonic()
            if now or clock - self._drawn >= self._view.seconds_between:
                self._drawn = clock
                self._view.draw(self)


class _NotebookView:
    """One display, updated in place."""

    seconds_between = _REDRAW_SECONDS

    def __init__(self) -> None:
        self._id = f"labkit-progress-{uuid4().hex}"
        self._shown = False

    def draw(self, bar: ProgressBar) -> None:
        from IPython.display import publish_display_data

        data = {"text/html": _as_html(bar), "text/plain": bar.sentence()}
        publish_display_data(data, transient={"display_id": self._id}, update=self._shown)
        self._shown = True


class _TerminalView:
    """`tqdm.std` on a terminal."""

    seconds_between = _REDRAW_SECONDS

    def __init__(self, bar: ProgressBar, stream: TextIO) -> None:
        from tqdm.std import tqdm

        self._stream = stream
        in_bytes = bar.unit == "B"
        self._bar = tqdm(
            total=bar.total,
            desc=bar.title,
            unit=bar.unit if in_bytes else f" {bar.unit}",
            unit_scale=in_bytes,
            unit_divisor=1024,
            file=stream,
            **_width(stream),
            leave=False,
        )

    def draw(self, bar: ProgressBar) -> None:
        if bar.state != "running":
            self._bar.close()
            print(bar.sentence(), file=self._stream, flush=True)
            return
        self._bar.total = bar.total
        self._bar.n = bar.done
        self._bar.initial = bar._first
        self._bar.set_postfix_str(bar.text, refresh=False)
        self._bar.refresh()


def _width(stream: TextIO) -> dict[str, Any]:
    """tqdm's size: that of the terminal; 80 by 24 where it does not tell (tqdm would draw nothing)."""
    try:
        known = os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError):
        known = False
    return {"dynamic_ncols": True} if known else {"ncols": 80, "nrows": 24}


class _LogView:
    """Whole lines, for a stream that is not a terminal."""

    seconds_between = _LOG_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = False
        self._last_text = ""

    def draw(self, bar: ProgressBar) -> None:
        if not self._started:
            self._started = True
            bar._drawn = time.monotonic()
            line = f"{bar.title} ..." if bar.title else "..."
        elif bar.state == "running" and bar.text != self._last_text:
            self._last_text = bar.text
            if not bar.text:
                return
            line = f"{bar.title}: {bar.text}"
        else:
            line = bar.sentence()
        print(line, file=self._stream, flush=True)


def _view_for(bar: ProgressBar) -> _NotebookView | _TerminalView | _LogView | None:
    if _in_notebook():
        return _NotebookView()
    stream = sys.stderr
    if stream is None or stream.closed:
        return None
    return _TerminalView(bar, stream) if stream.isatty() else _LogView(stream)


def _in_notebook() -> bool:
    """True in a Jupyter kernel. IPython is not imported to find out: in a kernel it already is."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _as_html(bar: ProgressBar) -> str:
    title = html.escape(bar.title)
    if bar.state == "done":
        return f'<div role="status">{title}</div>'
    label = html.escape(bar.title or "Progress", quote=True)
    value = f' max="1" value="{bar.fraction:.4f}"' if bar.fraction is not None else ""
    if bar.state == "stopped":
        value = value or ' max="1" value="0"'
        title += " (stopped)"
    text = f"<div>{html.escape(bar.text)}</div>" if bar.text else ""
    return (
        f"<div><div>{title}</div>"
        f'<progress aria-label="{label}"{value} style="width: 22em; max-width: 100%"></progress> '
        f"<span>{html.escape(bar.amounts())}</span>{text}</div>"
    )
