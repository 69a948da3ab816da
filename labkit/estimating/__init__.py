"""Arithmetic on models and money: pure functions, no input or output."""
