"""The graded exercises of chapter 19, Open vs Closed Weights."""

from __future__ import annotations

from labkit.learning.exercises.ch19_cards import THREE_AND_THREE
from labkit.learning.exercises.ch19_cost import HOURS_AND_COST

EXERCISES = (THREE_AND_THREE, HOURS_AND_COST)
