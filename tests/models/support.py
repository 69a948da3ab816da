"""Small model files and catalogue entries for the tests of this room."""

from __future__ import annotations

import hashlib
import random

from labkit.models.catalogue import CatalogueEntry
from tests.hub_server import COMMIT

REPO = "someone/small-model"
FILENAME = "small.gguf"


def blob(n_bytes: int = 3_000_000, seed: int = 1) -> bytes:
    """Bytes that begin like a GGUF file."""
    rng = random.Random(seed)
    block = 1 << 24
    parts = [rng.randbytes(min(block, n_bytes - 4 - start)) for start in range(0, n_bytes - 4, block)]
    return b"GGUF" + b"".join(parts)


def entry_for(content: bytes, *, pinned: bool = True, **changes: object) -> CatalogueEntry:
    """A catalogue entry for `content`."""
    values: dict[str, object] = {
        "name": "small-model",
        "title": "Small model",
        "developer": "Someone",
        "family": "Small",
        "parameters": 1000,
        "quantization": "F16",
        "repo": REPO,
        "revision": COMMIT,
        "filename": FILENAME,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest() if pinned else "",
        "licence": "apache-2.0",
        "gated": False,
        "mirror": "",
        "source": "made for a test",
        "read_on": "2026-11-22",
    }
    return CatalogueEntry(**{**values, **changes})  # type: ignore[arg-type]
