"""The course's own text to measure quality on: `datasets/pocket/fresh-text.txt`.

The generators of the training texts wrote it from another seed: the same world, in documents that the pocket
models have not read. For authors:

    python -m labkit.pocket.fresh_text            writes the file
    python -m labkit.pocket.fresh_text --check    makes it again and compares
"""

from __future__ import annotations

import argparse
import random
import sys

from labkit.measuring.quality_text import COURSE_TEXT
from labkit.pocket import corpus, stories, world_prose
from labkit.settings import datasets_dir

_SEED = corpus.SEED + 1
#: about 10,000 tokens of the pocket models
_CHARACTERS = 36_000
#: A short document may stand in the training texts too, word for word.
_SHORTEST = 250


def fresh_documents() -> list[str]:
    """Texts about the world and little stories in turn, the same at every call. CC0."""
    chosen: list[str] = []
    sources = (world_prose.documents(random.Random(_SEED)), stories.documents(random.Random(_SEED)))
    while sum(map(len, chosen)) < _CHARACTERS:
        for source in sources:
            chosen.append(next(document.text for document in source if len(document.text) >= _SHORTEST))
    return chosen


def fresh_text() -> str:
    """The documents, with an empty line between two."""
    return "\n\n".join(fresh_documents()) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.pocket.fresh_text", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file, and write nothing")
    arguments = parser.parse_args()
    path = datasets_dir() / COURSE_TEXT
    if not arguments.check:
        path.write_text(fresh_text(), encoding="utf-8", newline="\n")
    elif path.read_text(encoding="utf-8") != fresh_text():
        sys.exit(f"{path} is not what the generators write now: run this without --check.")


if __name__ == "__main__":
    main()
