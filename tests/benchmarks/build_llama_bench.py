"""Build `llama-bench` from the very source that the installed llama-cpp-python was built from.

    python -m tests.benchmarks.build_llama_bench FOLDER [--jobs 2]

Fetches llama-cpp-python's source distribution of the installed version with pip, and compiles one target of
the llama.cpp inside it with the flags that its wheel gets: Release, shared libraries, GGML_NATIVE as by
default. Takes some minutes; FOLDER is reused, so a second call is instant.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
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


def build(folder: Path, jobs: int) -> Path:
    """Returns the path of the program."""
    version = metadata.version("llama-cpp-python")
    source = folder / f"llama_cpp_python-{version}"
    program = folder / f"build-{version}" / "bin" / "llama-bench"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    if not source.exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
        subprocess.run([*pip, "--dest", str(folder), f"llama-cpp-python=={version}"], check=True)
        with tarfile.open(folder / f"llama_cpp_python-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    flags = [f"-D{name}={value}" for name, value in _FLAGS.items()]
    tree = str(program.parent.parent)
    # The wheel takes CMAKE_ARGS from the environment; so must its peer.
    asked = os.environ.get("CMAKE_ARGS", "").split()
    subprocess.run(["cmake", "-S", str(source / "vendor/llama.cpp"), "-B", tree, *flags, *asked], check=True)
    subprocess.run(["cmake", "--build", tree, "--target", "llama-bench", "-j", str(jobs)], check=True)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    print(build(arguments.folder.resolve(), arguments.jobs))


if __name__ == "__main__":
    main()
