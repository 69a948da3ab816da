"""A download that is killed at random goes on where it stood, never from zero."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.benchmarks.kill_and_resume import kill_and_resume


@pytest.mark.slow
def test_killed_downloads_resume(tmp_path: Path) -> None:
    table = kill_and_resume(tmp_path, kills=8, n_bytes=12_000_000, random=random.Random(5))
    assert table.kills == 8
    assert table.whole and table.never_from_zero
    assert table.bytes_sent < 1.5 * table.file_bytes


def test_interrupt_keeps_the_part(tmp_path: Path) -> None:
    """Ctrl-C: KeyboardInterrupt goes on to the caller, the part stays, nothing else is said."""
    import signal

    table = kill_and_resume(tmp_path, kills=1, n_bytes=6_000_000, random=random.Random(1), how=signal.SIGINT)
    assert table.whole and table.never_from_zero
    assert "KeyboardInterrupt" in table.last_words and "could not be fetched" not in table.last_words
