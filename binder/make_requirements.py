"""Write `binder/requirements.txt` from the lock file (`--check`: exit 1 when it is not current).

repo2docker installs that file with its own pip call; the rest of the setup follows in `postBuild`.
"""

from __future__ import annotations

import sys
from pathlib import Path

BINDER = Path(__file__).resolve().parent
LOCK = BINDER.parent / "requirements" / "lab.lock"
HEAD = "# Made by `make lock` from requirements/lab.lock. Do not edit.\n"


def main() -> int:
    target = BINDER / "requirements.txt"
    text = HEAD + LOCK.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            return 0
        print("binder/requirements.txt is not current. Run `make lock`, and commit the result.")
        return 1
    target.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
