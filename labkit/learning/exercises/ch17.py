"""The graded exercises of chapter 17, Tokenizer Impact on Quality."""

from __future__ import annotations

from labkit.learning.exercises.ch17_merge import MERGE_STEP
from labkit.learning.exercises.ch17_own_text import YOUR_TEXTS

EXERCISES = (MERGE_STEP, YOUR_TEXTS)
