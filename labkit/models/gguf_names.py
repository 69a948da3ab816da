"""What the names of GGUF files tell: the quantization, and the parts of a split file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labkit.errors import LabError
from labkit.estimating.gguf_types import FILE_TYPES

#: llama.cpp's own pattern for split files: `name-00001-of-00003.gguf`
SPLIT = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_MOST_PARTS = 500
#: files that belong to a model and are none: vision towers, importance matrices, adapters
_NO_MODEL = re.compile(r"mmproj|imatrix|lora|adapter", re.IGNORECASE)
_NAMES = "|".join(sorted(set(FILE_TYPES.values()), key=len, reverse=True))
_QUANT = re.compile(rf"(?:^|[-_./])({_NAMES})(?=[-_./]|$)", re.IGNORECASE)
#: what to read when nobody says which: the most common file first, then those near it
_PREFERRED = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q8_0", "MXFP4", "Q6_K", "BF16", "F16", "F32")


def quant_in_name(filename: str) -> str:
    """`"Model-Q4_K_M.gguf"` → `"Q4_K_M"`; the last one named counts; "" when there is none."""
    found = _QUANT.findall(SPLIT.sub("", filename).removesuffix(".gguf"))
    return found[-1].upper() if found else ""


def part_names(filename: str) -> list[str]:
    """The names of all parts of a split file, first to last; of another file its own name.

    Raises LabError for a number of parts that cannot be.
    """
    match = SPLIT.search(filename)
    if not match:
        return [filename]
    n_parts = int(match[2])
    if not 1 <= int(match[1]) <= n_parts <= _MOST_PARTS:
        raise LabError(
            f"{filename} says that it is part {int(match[1])} of {n_parts}.", "Check the file's name."
        )
    stem = filename[: match.start()]
    return [f"{stem}-{part:05}-of-{match[2]}.gguf" for part in range(1, n_parts + 1)]


def choose_gguf(filenames: Iterable[str], quant: str | None) -> str:
    """The GGUF file to read: the one of quantization `quant`, else the most common kind; "" if none."""
    models = [
        name
        for name in filenames
        if name.lower().endswith(".gguf")
        and not _NO_MODEL.search(name)
        and not ((match := SPLIT.search(name)) and int(match[1]) > 1)
    ]
    order = [quant.upper()] if quant else []
    for wanted in (*order, *_PREFERRED):
        for name in models:
            if quant_in_name(name) == wanted:
                return name
    return min(models, key=len, default="")
