"""The graded exercises of chapter 6, KV Cache and VRAM."""

from __future__ import annotations

from labkit.learning.exercises.ch06_mistral import MISTRAL
from labkit.learning.exercises.ch06_slope import YOUR_SLOPE

EXERCISES = (MISTRAL, YOUR_SLOPE)
