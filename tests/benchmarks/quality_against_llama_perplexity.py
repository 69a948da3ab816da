"""labkit's quantized files and their quality, against llama.cpp's own programs on the same files and text.

    python -m tests.benchmarks.quality_against_llama_perplexity --tools FOLDER
            [--model F16.gguf] [--text FILE] [--quants Q8_0,...] [--n-ctx 512] [--threads N]

FOLDER holds `llama-quantize` and `llama-perplexity` (see `build_llama_tools`). First every quantization of
the model is made by both, and the bytes are compared. Then perplexity, KL divergence and agreement are: they
must lie within 0.1 % of each other. llama-perplexity takes the baseline's predictions from a file with 16
bits for each, and prints six decimals; where a figure is so small that this alone is more than 0.1 % of it,
the difference must be below that.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from labkit import limits
from labkit.errors import LabError
from labkit.estimating.quantization import QUANTIZATIONS, quantization_name
from labkit.measuring.quality_table import USUAL, QualityLine, compare_quantizations
from labkit.measuring.quality_text import COURSE_TEXT
from labkit.models.download import local_model
from labkit.models.quantize import quantize
from labkit.models.trust import file_sha256
from labkit.settings import datasets_dir

_AGREEMENT = 1e-3
#: half of the last decimal that llama-perplexity prints
_PRINTED = 0.5e-6
#: Half a step of the 16 bits on which 16 units of ln p are laid out: so much may be off for one token.
_HALF_STEP = 16 / 65535 / 2
_NUMBER = r" *: *(-?[\d.]+)"
#: our name → the line of llama-perplexity, and what its figure is divided by
_FIGURES = {
    "perplexity": (r"Mean PPL\(Q\)" + _NUMBER, 1),
    "KL, mean": (r"Mean +KLD" + _NUMBER, 1),
    "KL, median": (r"Median +KLD" + _NUMBER, 1),
    "KL, 99 %": (r"99\.0% +KLD" + _NUMBER, 1),
    "KL, largest": (r"Maximum +KLD" + _NUMBER, 1),
    "same top": (r"Same top p" + _NUMBER, 100),
}


def compare_bytes(quantizer: Path, model: Path, folder: Path) -> bool:
    """Every quantization, by llama-quantize and by labkit."""
    alike, refused, good = [], [], True
    for name in QUANTIZATIONS:
        theirs, ours = folder / "theirs.gguf", folder / "ours.gguf"
        done = subprocess.run([quantizer, model, theirs, name], capture_output=True).returncode == 0
        try:
            quantize(model, name, ours, show_progress=False)
        except LabError:
            good &= not done
            refused.append(name)
        else:
            same = done and theirs.read_bytes() == ours.read_bytes()
            good &= same
            alike.append(name if same else f"{name} DIFFERS")
        for path in (theirs, ours):
            path.unlink(missing_ok=True)
    print(f"byte for byte the same: {', '.join(alike)}")
    print(f"refused by both: {', '.join(refused) or 'none'}\n", flush=True)
    return good


def run_perplexity(arguments: argparse.Namespace, model: Path, *more: str) -> str:
    """What llama-perplexity writes. Its log sometimes ends before its last line; then it runs again."""
    command = [arguments.tools / "llama-perplexity", "-m", model, "-c", str(arguments.n_ctx)]
    command += ["-t", str(arguments.threads), "-f", arguments.text, *more]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
        output = done.stdout + done.stderr
        if "Final estimate" in output or "Same top p:" in output:
            return output
    raise SystemExit(f"llama-perplexity gives no result:\n{output[-2000:]}")


def their_figures(arguments: argparse.Namespace, model: Path, base: Path) -> dict[str, float]:
    output = run_perplexity(arguments, model, "--kl-divergence", "--kl-divergence-base", str(base))
    found = {name: re.search(pattern, output) for name, (pattern, _) in _FIGURES.items()}
    return {name: float(found[name][1]) / divisor for name, (_, divisor) in _FIGURES.items()}  # type: ignore[index]


def our_figures(line: QualityLine) -> dict[str, float]:
    comparison = line.comparison
    assert comparison
    return {
        "perplexity": line.perplexity.value,
        "KL, mean": comparison.kl_divergence.value,
        "KL, median": comparison.kl_median,
        "KL, 99 %": comparison.kl_99,
        "KL, largest": comparison.kl_maximum,
        "same top": comparison.same_top.share,
    }


def agree(ours: dict[str, float], theirs: dict[str, float]) -> Iterator[tuple[str, bool]]:
    """For each figure: both, their relative difference, and whether that is small enough."""
    for name, mine in ours.items():
        other = theirs[name]
        room = {"perplexity": _PRINTED, "KL, mean": _PRINTED, "same top": 0.5e-5}.get(name, _HALF_STEP)
        good = abs(mine - other) <= max(_AGREEMENT * other, room)
        relative = abs(mine - other) / other if other else 0.0
        yield f"{name} {mine:.6f} / {other:.6f} ({relative:.3%}){'' if good else ' TOO FAR'}", good


def compare_quality(arguments: argparse.Namespace, folder: Path) -> bool:
    """Each quantization's quality, by both. The base's own perplexity comes first."""
    start = time.monotonic()
    table = compare_quantizations(
        arguments.model,
        arguments.quants,
        arguments.text,
        n_ctx=arguments.n_ctx,
        threads=arguments.threads,
        show_progress=False,
    )
    seconds = time.monotonic() - start
    print(
        f"labkit / llama-perplexity on {table.text['n_scored']:,} tokens scored ({seconds:.1f} s):",
        flush=True,
    )
    base = folder / "base.kld"
    output = run_perplexity(arguments, arguments.model, "--kl-divergence-base", str(base))
    final = re.search(r"Final estimate: PPL = ([\d.]+) \+/- ([\d.]+)", output)
    assert final
    source = table.lines[0].perplexity
    good = True
    for name, mine, other in (
        ("perplexity", source.value, float(final[1])),
        ("its error", source.error, float(final[2])),
    ):
        near = abs(mine - other) <= max(_AGREEMENT * other, 1e-4)
        good &= near
        print(f"  {table.lines[0].quant}: {name} {mine:.4f} / {other:.4f}{'' if near else ' TOO FAR'}")
    for line in table.lines[1:]:
        file = quantize(arguments.model, line.quant, show_progress=False)
        texts, fine = zip(*agree(our_figures(line), their_figures(arguments, file.path, base)), strict=True)
        good &= all(fine)
        print(f"  {line.quant}: {'; '.join(texts)}", flush=True)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", type=Path, required=True, help="folder with llama.cpp's programs")
    parser.add_argument("--model", type=Path, default=datasets_dir() / "pocket/pocket-base.gguf")
    parser.add_argument("--text", type=Path, default=datasets_dir() / COURSE_TEXT)
    parser.add_argument("--quants", default=",".join(USUAL))
    parser.add_argument("--n-ctx", type=int, default=512)
    parser.add_argument("--threads", type=int, default=limits.default_threads())
    arguments = parser.parse_args()
    arguments.model = local_model(arguments.model).path
    arguments.quants = [quantization_name(quant) for quant in arguments.quants.split(",")]
    print(f"{arguments.model.name}, SHA-256 {file_sha256(arguments.model)[:12]}\n")
    with tempfile.TemporaryDirectory(prefix="labkit-") as name:
        folder = Path(name)
        good = compare_bytes(arguments.tools / "llama-quantize", arguments.model, folder)
        good &= compare_quality(arguments, folder)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
