"""Print every table that can be made here: `python -m tests.benchmarks [--folder FOLDER]`.

FOLDER keeps llama.cpp's compiled programs between calls (default: labkit's cache). Without cmake and a
compiler their tables are left out, with a word.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from labkit import settings
from tests.benchmarks import build_llama_tools, import_time

_ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=settings.cache_dir() / "benchmarks")
    parser.add_argument("--pairs", type=int, default=30)
    arguments = parser.parse_args()
    good = []
    print("# import labkit\n")
    good.append(import_time.print_table(20))
    for chapter in sorted((_ROOT / "course").glob("*.ipynb")):
        print(f"\n# peak memory of {chapter.name}\n", flush=True)
        good.append(_run("tests.benchmarks.chapter_memory", str(chapter)))
    print("\n# estimates against published files, llama.cpp and other tools\n", flush=True)
    good.append(_run("tests.benchmarks.estimates_against_peers"))
    print("\n# KV cache and compute buffer against llama.cpp\n", flush=True)
    good.append(_run("tests.benchmarks.buffers_against_llama"))
    print("\n# resident memory of real runs against the prediction\n", flush=True)
    good.append(_run("tests.benchmarks.resident_memory", "--quick"))
    print("\n# twins against real models, and two depths against the whole\n", flush=True)
    good.append(_run("tests.benchmarks.twin_speed", "--threads", "1"))
    print("\n# download over loopback against curl\n", flush=True)
    good.append(_run("tests.benchmarks.download_speed"))
    print("\n# downloads killed and resumed\n", flush=True)
    good.append(_run("tests.benchmarks.kill_and_resume"))
    print("\n# damaged GGUF files\n", flush=True)
    good.append(_run("tests.benchmarks.mutated_gguf"))
    print("\n# labkit against llama-quantize, llama-perplexity and llama-bench\n", flush=True)
    if shutil.which("cmake"):
        names = ["llama-bench", "llama-perplexity", "llama-quantize"]
        program, *_ = build_llama_tools.build(arguments.folder.resolve(), names, jobs=2)
        good.append(_run("tests.benchmarks.quality_against_llama_perplexity", "--tools", str(program.parent)))
        pairs = ["--llama-bench", str(program), "--pairs", str(arguments.pairs)]
        good.append(_run("tests.benchmarks.against_llama_bench", *pairs))
    else:
        print("left out: cmake is missing, so llama.cpp's programs can't be built")
    raise SystemExit(0 if all(good) else 1)


def _run(module: str, *arguments: str) -> bool:
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=_ROOT).returncode == 0


if __name__ == "__main__":
    main()
