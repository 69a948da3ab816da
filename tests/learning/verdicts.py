"""What the tests of every chapter's exercises ask of a verdict."""

from __future__ import annotations

from labkit.learning.exercise import Verdict
from labkit.learning.exercises import all_exercises


def assert_told(
    verdict: Verdict, mistake: str | None = None, words: str = "", points: int | None = None
) -> None:
    """The answer is wrong and taken for `mistake`; its hint holds `words`; so many points count already.

    Parameters
    ----------
    mistake : the name of a known mistake, or `"form"`. None: any.
    points : None: any.
    """
    assert verdict.verdict == "not yet", verdict
    assert mistake is None or verdict.mistake == mistake, verdict
    assert words in verdict.hint, verdict
    assert points is None or verdict.points == points, verdict


def points_of(chapter: str) -> list[tuple[str, int]]:
    """Names and points of a chapter's exercises: `points_of("ch06")`."""
    return [
        (exercise.name, exercise.points)
        for exercise in all_exercises().values()
        if exercise.name.startswith(chapter)
    ]
