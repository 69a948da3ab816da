"""What a learner has done: exercises, quizzes and predictions, kept on this machine only.

The events lie in `progress.sqlite` below `labkit.settings.home()`; see `progress_store` for how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import facts, settings
from labkit.errors import LabError
from labkit.learning.progress_store import Event, ProgressStore
from labkit.tables import Table

if TYPE_CHECKING:
    import pandas

CORRECT = "correct"
NOT_YET = "not yet"
NOT_ANSWERED = "not answered"

_stores: dict[Path, ProgressStore] = {}


def store() -> ProgressStore:
    """The store of the present `LABKIT_HOME`."""
    path = settings.home() / "progress.sqlite"
    if path not in _stores:
        _stores[path] = ProgressStore(path)
    return _stores[path]


def record_event(
    kind: str,
    name: str,
    *,
    item: str = "",
    verdict: str = "",
    points: float = 0.0,
    data: dict[str, Any] | None = None,
) -> None:
    """Remember one event (see `Event` for the fields). Never raises; `take_notice()` tells of trouble."""
    store().record(Event(kind, name, item, verdict, points, data or {}))


def events(kind: str | None = None, name: str | None = None) -> list[Event]:
    """Events in the order in which they happened, of one kind and name if given."""
    return store().events(kind, name)


def take_notice() -> str:
    """What the learner should know about the store and was not told yet; empty when all is well."""
    return store().take_notice()


def chapter_number(name: str) -> int | None:
    """`"ch19-licences"` → 19."""
    match = re.match(r"ch(\d\d)-", name)
    return int(match[1]) if match else None


@dataclass(frozen=True)
class ChapterProgress:
    """How far one chapter is. An exercise or question counts once it was ever answered correctly."""

    chapter: int
    title: str
    exercises_solved: int
    exercises_total: int
    questions_right: int
    questions_total: int
    points: float
    points_total: float

    @property
    def state(self) -> str:
        """In words: "not started", "started" or "complete"."""
        done = self.exercises_solved + self.questions_right
        if done >= self.exercises_total + self.questions_total:
            return "complete"
        return "started" if done else "not started"


def chapter_progress() -> list[ChapterProgress]:
    """One row for every chapter that has exercises or quizzes, in order."""
    from labkit.learning.exercises import all_exercises
    from labkit.learning.quiz_file import course_quizzes

    exercises = all_exercises()
    questions = {(name, item) for name, items in course_quizzes().items() for item in items}
    solved = _ever_correct(events("exercise")) & {(name, "") for name in exercises}
    right = _ever_correct(events("quiz")) & questions
    titles = _chapter_titles()
    chapters = {chapter_number(name) for name in exercises} | {chapter_number(name) for name, _ in questions}
    return [
        ChapterProgress(
            chapter=number,
            title=titles.get(number, ""),
            exercises_solved=_count(solved, number),
            exercises_total=_count(((name, "") for name in exercises), number),
            questions_right=_count(right, number),
            questions_total=_count(questions, number),
            points=sum(exercises[name].points for name, _ in solved if chapter_number(name) == number),
            points_total=sum(e.points for name, e in exercises.items() if chapter_number(name) == number),
        )
        for number in sorted(c for c in chapters if c is not None)
    ]


def _ever_correct(some: Iterable[Event]) -> set[tuple[str, str]]:
    return {(event.name, event.item) for event in some if event.verdict == CORRECT}


def _count(keys: Iterable[tuple[str, str]], chapter: int) -> int:
    return sum(chapter_number(name) == chapter for name, _ in keys)


def _chapter_titles() -> dict[int, str]:
    try:
        return {int(row["number"]): row["title"] for row in facts.table("chapters")}
    except (LabError, KeyError, ValueError):
        return {}


@dataclass
class Progress:
    """The learner's progress, as a table."""

    chapters: list[ChapterProgress]
    notice: str = ""

    def table(self) -> Table:
        rows = [
            [
                f"{c.chapter}. {c.title}".rstrip(". ") if c.title else str(c.chapter),
                f"{c.exercises_solved} of {c.exercises_total}",
                f"{c.questions_right} of {c.questions_total}",
                f"{c.points:g} of {c.points_total:g}",
                c.state,
            ]
            for c in self.chapters
        ]
        columns = ["chapter", "exercises solved", "quiz questions right", "points", "state"]
        return Table("Your progress", columns, rows, [self.notice] if self.notice else [])

    def to_frame(self) -> pandas.DataFrame:
        """One row per chapter."""
        import pandas

        return pandas.DataFrame([asdict(c) for c in self.chapters])

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def progress() -> Progress:
    """Your progress in every chapter that has exercises, as a table. Kept on this machine only."""
    chapters = chapter_progress()
    return Progress(chapters, take_notice())
