"""The exercises of all chapters: each module `chNN` has a tuple `EXERCISES`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.learning.exercise import Exercise


@functools.cache
def all_exercises() -> Mapping[str, Exercise]:
    """Name → exercise, in the order of the chapters."""
    modules = sorted(m.name for m in pkgutil.iter_modules(__path__) if re.fullmatch(r"ch\d\d", m.name))
    found = [item for m in modules for item in importlib.import_module(f"{__name__}.{m}").EXERCISES]
    return MappingProxyType({item.name: item for item in found})
