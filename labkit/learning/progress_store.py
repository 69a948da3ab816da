"""Where progress is kept: one append-only table in SQLite, safe with several kernels at once.

Each event is written in a short transaction of its own on a fresh connection, so a kernel that is killed
loses nothing that was committed and holds no lock. On a local disk the journal is SQLite's write-ahead
log; on a network file system, where that is unsafe, the rollback journal.

What can't be written (a read-only home, a full disk) stays in memory for this session, is tried again
with the next event, and one notice says so. A damaged database is moved aside, never deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labkit.learning.filesystem import is_network_path

SCHEMA_VERSION = 1
_BUSY_SECONDS = 10.0
_MAX_DATA_CHARACTERS = 20_000

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,        -- ISO 8601, UTC
    kind TEXT NOT NULL,      -- exercise, quiz, prediction, measured
    name TEXT NOT NULL,      -- ch19-licences
    item TEXT NOT NULL,      -- the question of a quiz; empty otherwise
    verdict TEXT NOT NULL,   -- correct, not yet, not answered; empty otherwise
    points REAL NOT NULL,
    data TEXT NOT NULL       -- JSON
);
CREATE INDEX IF NOT EXISTS event_kind_name ON event (kind, name);
PRAGMA user_version = {SCHEMA_VERSION};
"""


@dataclass(frozen=True)
class Event:
    """One thing that a learner did."""

    kind: str  #: "exercise", "quiz", "prediction" or "measured"
    name: str  #: of the exercise, quiz or prediction: "ch19-licences"
    item: str = ""  #: the question of a quiz
    verdict: str = ""  #: "correct", "not yet", "not answered"
    points: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)
    at: str = ""  #: ISO 8601, UTC; set when recorded


class _Damaged(Exception):
    """The file is not a sound database."""


class _Newer(Exception):
    """The file was written by a later labkit."""


class ProgressStore:
    """The events in one SQLite file. Methods never raise for what a disk can do wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []  #: sentences for the learner, each once
        self._told = 0
        self._unsaved: list[Event] = []
        self._checked = False
        self._thread_lock = threading.Lock()

    # ------------------------------------------------------------ what others call

    def record(self, event: Event) -> None:
        """Write one event; when it can't be written, keep it in memory and leave a notice."""
        event = Event(**{**event.__dict__, "at": event.at or datetime.now(UTC).isoformat()})
        with self._thread_lock:
            self._unsaved.append(event)
            with self._sentences_for_trouble():
                self._write()

    def events(self, kind: str | None = None, name: str | None = None) -> list[Event]:
        """Events in the order in which they happened, of one kind and name if given."""
        with self._thread_lock:
            found: list[Event] = []
            with self._sentences_for_trouble():
                found = self._read()
            found = found + self._unsaved
        return [e for e in found if kind in (None, e.kind) and name in (None, e.name)]

    def take_notice(self) -> str:
        """Notices not shown yet, as one text; empty when there are none."""
        new = self.notices[self._told :]
        self._told = len(self.notices)
        return " ".join(new)

    # ------------------------------------------------------------ SQLite

    def _write(self) -> None:
        rows = [
            (e.at, e.kind, e.name, e.item, e.verdict, float(e.points), _to_json(e.data))
            for e in self._unsaved
        ]
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO event (at, kind, name, item, verdict, points, data) VALUES (?,?,?,?,?,?,?)", rows
            )
            connection.execute("COMMIT")
        self._unsaved.clear()

    def _read(self) -> list[Event]:
        if not self.path.exists():
            return []
        query = "SELECT kind, name, item, verdict, points, data, at FROM event ORDER BY id"
        try:
            if not os.access(self.path.parent, os.W_OK):
                raise sqlite3.OperationalError("read-only folder")
            with self._connection() as connection:
                rows = connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise
            # In a read-only folder or on a full disk not even a reader can open a write-ahead log. There is
            # no writer then, so the file alone will do.
            address = f"{self.path.absolute().as_uri()}?immutable=1"
            with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
                rows = connection.execute(query).fetchall()
        return [Event(*row[:5], data=_from_json(row[5]), at=row[6]) for row in rows]

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if not self._checked:
            self._prepare()
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            yield connection

    def _prepare(self) -> None:
        """Once per process: create the file, or see that it is sound; move a damaged one aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Kernels that start together must not both set the journal mode or move a damaged file.
        with FileLock(self.path.with_suffix(".lock"), timeout=_BUSY_SECONDS):
            try:
                self._open_or_create()
            except _Damaged:
                self._move_aside()
                self._open_or_create()
        self._checked = True

    def _open_or_create(self) -> None:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise _Damaged from error
            if sound != "ok":
                raise _Damaged
            if version > SCHEMA_VERSION:
                raise _Newer
            journal = "delete" if is_network_path(self.path.parent) else "wal"
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != journal:
                connection.execute(f"PRAGMA journal_mode = {journal}")
            if version < SCHEMA_VERSION:
                connection.executescript(_SCHEMA)

    def _move_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        kept = self.path.with_name(f"{self.path.stem}-damaged-{stamp}.sqlite")
        for ending in ("", "-wal", "-shm"):
            part = Path(f"{self.path}{ending}")
            if part.exists():
                part.replace(f"{kept}{ending}")
        self._tell(
            f"The file with your progress was damaged. It is kept as {kept.name}, and a new one was started."
        )

    # ------------------------------------------------------------ trouble

    @contextlib.contextmanager
    def _sentences_for_trouble(self) -> Iterator[None]:
        try:
            yield
        except _Newer:
            self._tell(
                f"{self.path} was written by a newer version of this course, so it is left alone. "
                "Progress is kept in memory until the kernel stops. Update your clone to keep it."
            )
        except sqlite3.OperationalError as error:
            self._tell(f"{_why(error)} {self._in_memory()}")
        except sqlite3.DatabaseError:
            # Damaged while it was in use: look again with the next event, which moves it aside.
            self._checked = False
            self._tell(f"The file with your progress can't be read now. {self._in_memory()}")
        except (OSError, Timeout) as error:
            self._tell(f"{self.path.parent} can't be written ({type(error).__name__}). {self._in_memory()}")

    def _in_memory(self) -> str:
        return "Progress is kept in memory until the kernel stops. Set LABKIT_HOME to a folder that you own."

    def _tell(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _why(error: sqlite3.OperationalError) -> str:
    text = str(error)
    if _is_busy(error):
        return "Another kernel is busy with your progress."
    if "full" in text:
        return "The disk is full."
    return f"Your progress can't be written ({text})."


def _to_json(data: dict[str, Any]) -> str:
    try:
        text = json.dumps(data, default=str)
    except (ValueError, TypeError, RecursionError):
        return "{}"
    return text if len(text) <= _MAX_DATA_CHARACTERS else "{}"


def _from_json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
