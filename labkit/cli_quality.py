"""The verbs `quantize` and `quality` of the `labkit` command."""

from __future__ import annotations

from pathlib import Path

import click

from labkit.cli_options import json_option, print_json, print_result


@click.command(short_help="Store a model's weights in fewer bits.")
@click.argument("source", required=False)
@click.argument("quant", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Write this file; else into labkit's cache.")
@click.option("--allow-requantize", is_flag=True, help="Take weights that are quantized already: a loss.")
@click.option("--forget", is_flag=True, help="Remove all quantized files from the cache.")
@json_option
def quantize(
    source: str | None,
    quant: str | None,
    out: Path | None,
    allow_requantize: bool,
    forget: bool,
    as_json: bool,
) -> None:
    """Quantize a model: byte for byte what llama-quantize writes.

    SOURCE is a name of `labkit models` or a .gguf file in F16, BF16 or F32; QUANT is such as Q4_K_M.
    """
    from labkit.models import quantize as quantizing

    if forget:
        removed = quantizing.forget_quantized(everywhere=True)
        print_json({"removed": removed}) if as_json else click.echo(removed)
    if source is None or quant is None:
        if source is not None or not forget:
            raise click.UsageError("Name a model and a quantization, such as: labkit quantize m.gguf Q4_K_M")
        return
    file = quantizing.quantize(
        source, quant, out, allow_requantize=allow_requantize, show_progress=not as_json
    )
    print_result(file, as_json)


@click.command(short_help="Measure how well a model predicts a text.")
@click.argument("model", metavar="NAME_OR_PATH")
@click.option("--text", type=click.Path(path_type=Path), help="A file in UTF-8.  [default: the course's own]")
@click.option("--baseline", help="The model to compare with, such as its F16 file.")
@click.option("--quants", help="Quantize the model to each of these, and compare: Q8_0,Q4_K_M")
@click.option("--n-ctx", type=int, default=512, show_default=True, help="Tokens of a chunk.")
@click.option("--chunks", "most_chunks", type=int, help="Stop after so many chunks.")
@click.option("--threads", type=int, help="Threads to compute with.  [default: physical cores allowed]")
@json_option
def quality(
    model: str,
    text: Path | None,
    baseline: str | None,
    quants: str | None,
    n_ctx: int,
    most_chunks: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text: perplexity by llama-perplexity's definition.

    With --baseline also how far it strays from another file of the model: KL divergence, and how often both
    predict the same token first. NAME_OR_PATH is a name of `labkit models` or a .gguf file.
    """
    how = {"n_ctx": n_ctx, "most_chunks": most_chunks, "threads": threads, "show_progress": not as_json}
    if quants is None:
        from labkit.measuring.quality import quality as measure

        print_result(measure(model, text, baseline=baseline, **how), as_json)
        return
    if baseline:
        raise click.UsageError("With --quants the model itself is the baseline.")
    from labkit.measuring.quality_table import compare_quantizations

    print_result(compare_quantizations(model, quants.split(","), text, **how), as_json)
