"""A GGUF header as a table: what the file says of its model, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.tables import Table
from labkit.units import format_bytes, format_count

if TYPE_CHECKING:
    from labkit.models.gguf import GGUFHeader


def header_table(header: GGUFHeader) -> Table:
    """One row per fact. What the file does not say, or says in a form that makes no sense, is left out."""
    facts: dict[str, Callable[[], str]] = {
        "name": lambda: str(header.metadata["general.name"]),
        "licence, as the file states it": lambda: str(header.metadata["general.license"]),
        "architecture": lambda: header.architecture,
        "parameters": lambda: f"{header.n_parameters:,} ({format_count(header.n_parameters)})",
        "quantization": lambda: header.quantization,
        "weights": lambda: format_bytes(header.tensor_bytes),
        "bits per parameter": lambda: f"{header.tensor_bytes * 8 / header.n_parameters:.2f}",
        "layers": lambda: f"{header.n_layers:,}",
        "width (embedding length)": lambda: f"{header.n_embd:,}",
        "query heads, KV heads": lambda: f"{header.n_heads}, {header.n_kv_heads}",
        "head size": lambda: f"{header.head_dim}",
        "vocabulary": lambda: f"{header.vocabulary_size:,} tokens",
        "context in training": lambda: f"{header.context_length:,} tokens",
        "chat template": lambda: "yes" if header.has_chat_template else "no",
    }
    rows = []
    for name, say in facts.items():
        try:
            rows.append([name, say()])
        except (LabError, KeyError, ZeroDivisionError):
            continue
    size = format_bytes(header.file_bytes)
    note = f"GGUF version {header.version}, {len(header.tensors)} tensors, {size} in all."
    return Table("What the header says", ["field", "value"], rows, [note])
