"""The graded exercises of chapter 3, Dense vs Mixture of Experts."""

from __future__ import annotations

from labkit.learning.exercises.ch03_mixtral import MIXTRAL
from labkit.learning.exercises.ch03_trio import YOUR_TRIO

EXERCISES = (MIXTRAL, YOUR_TRIO)
