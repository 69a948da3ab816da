"""Build llama.cpp's own programs from the very source that the installed llama-cpp-python was built from.

    python -m tests.benchmarks.build_llama_tools FOLDER llama-bench llama-perplexity llama-quantize [--jobs 2]

Fetches llama-cpp-python's source distribution of the installed version with pip, and compiles the programs in
the llama.cpp inside it with the flags that its wheel gets: Release, shared libraries, GGML_NATIVE as by
default. Takes some minutes; FOLDER is reused, so a second call is instant.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

# What llama-cpp-python's CMakeLists.txt sets, and without the targets that are not needed here.
_FLAGS = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "ON",
    "LLAMA_CURL": "OFF",
    "LLAMA_BUILD_COMMON": "ON",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "OFF",
}


def build(folder: Path, names: Sequence[str], jobs: int) -> list[Path]:
    """Returns the paths of the programs."""
    version = metadata.version("llama-cpp-python")
    source, tree = folder / f"llama_cpp_python-{version}", folder / f"build-{version}"
    programs = [tree / "bin" / name for name in names]
    if all(program.exists() for program in programs):
        return programs
    folder.mkdir(parents=True, exist_ok=True)
    if not source.exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
        subprocess.run([*pip, "--dest", str(folder), f"llama-cpp-python=={version}"], check=True)
        with tarfile.open(folder / f"llama_cpp_python-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    flags = [f"-D{name}={value}" for name, value in _FLAGS.items()]
    # The wheel takes CMAKE_ARGS from the environment; so must its peer.
    asked = os.environ.get("CMAKE_ARGS", "").split()
    make = ["cmake", "-S", str(source / "vendor/llama.cpp"), "-B", str(tree)]
    subprocess.run([*make, *flags, *asked], check=True)
    subprocess.run(["cmake", "--build", str(tree), "--target", *names, "-j", str(jobs)], check=True)
    return programs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", metavar="PROGRAM")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    print(*build(arguments.folder.resolve(), arguments.names, arguments.jobs), sep="\n")


if __name__ == "__main__":
    main()
