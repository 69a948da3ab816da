"""The graded exercises of chapter 4, Quantization Explained."""

from __future__ import annotations

from labkit.learning.exercises.ch04_block import QUANTIZE_BLOCK
from labkit.learning.exercises.ch04_speed import YOUR_SPEED

EXERCISES = (QUANTIZE_BLOCK, YOUR_SPEED)
