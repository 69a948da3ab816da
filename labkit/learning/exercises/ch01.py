"""The graded exercises of chapter 1, What the Numbers Mean."""

from __future__ import annotations

from labkit.learning.exercises.ch01_cards import THREE_CARDS
from labkit.learning.exercises.ch01_own import YOUR_FILE

EXERCISES = (THREE_CARDS, YOUR_FILE)
