"""One line that shows what is going on: rewritten in a terminal, repeated now and then in a log file."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

#: Without a terminal (a CI log), a new line at most this often.
LOG_INTERVAL_S = 20.0


class StatusLine:
    """`update()` as often as you like, `done()` once."""

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self.title = title
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._started = time.monotonic()
        self._written = self._started
        self._shown = ""
        if not self._live:
            self._print(f"{title} ...\n")
        else:
            self.update("")

    @property
    def seconds(self) -> float:
        """Elapsed time in seconds."""
        return time.monotonic() - self._started

    def update(self, text: str) -> None:
        line = f"{self.title}: {text}" if text else f"{self.title} ..."
        if self._live:
            if line != self._shown:
                self._shown = line
                width = shutil.get_terminal_size().columns - 1
                self._print("\r" + line[:width].ljust(width))
        elif text and time.monotonic() - self._written >= LOG_INTERVAL_S:
            self._written = time.monotonic()
            self._print(f"    {text}\n")

    def done(self, text: str = "done") -> None:
        line = f"{self.title}: {text} ({spell_seconds(self.seconds)})"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._print("\r" + line[:width].ljust(width) + "\n")
        else:
            self._print(line + "\n")

    def stop(self) -> None:
        """Leave the line as it is, and go to a fresh one for what comes next."""
        if self._live:
            self._print("\n")

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "replace").decode())
        self._stream.flush()


def spell_seconds(seconds: float) -> str:
    """`0.4` → `'under 1 s'`, `130` → `'2 min 10 s'`."""
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
