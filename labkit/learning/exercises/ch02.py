"""The graded exercises of chapter 2, Parameter Count Guide."""

from __future__ import annotations

from labkit.learning.exercises.ch02_count import COUNT_PARAMETERS
from labkit.learning.exercises.ch02_shares import WHERE_THEY_LIVE

EXERCISES = (WHERE_THEY_LIVE, COUNT_PARAMETERS)
