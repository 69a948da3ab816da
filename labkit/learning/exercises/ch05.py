"""The graded exercises of chapter 5, Q4_K_M vs Q8_0 vs Q2_K."""

from __future__ import annotations

from labkit.learning.exercises.ch05_budgets import THREE_BUDGETS
from labkit.learning.exercises.ch05_published import PUBLISHED

EXERCISES = (PUBLISHED, THREE_BUDGETS)
