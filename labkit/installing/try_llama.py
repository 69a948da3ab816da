"""Does the installed llama.cpp run on this processor? `python -m labkit.installing.try_llama MODEL`

Loads the library and, where the tiny model with random weights is at hand, computes one token: a build for
another processor dies here, in a child process, and not in front of the learner.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(model: Path) -> None:
    import llama_cpp

    llama_cpp.llama_backend_init()
    if model.is_file():
        llama = llama_cpp.Llama(str(model), n_ctx=64, n_threads=1, verbose=False)
        llama.eval([1, 2, 3])
        llama.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
