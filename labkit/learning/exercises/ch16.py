"""The graded exercises of chapter 16, Instruct vs Base Models."""

from __future__ import annotations

from labkit.learning.exercises.ch16_broken import BROKEN_PROMPTS
from labkit.learning.exercises.ch16_prompt import PROMPT_STRING

EXERCISES = (PROMPT_STRING, BROKEN_PROMPTS)
