"""The verb `twin` of the `labkit` command, and `labkit bench --twin`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labkit.cli_options import json_option, print_json, print_result


@click.command(short_help="Write a model's architecture with random weights.")
@click.argument("source", required=False)
@click.option("--quant", help="Quantization, such as Q4_K_M.  [default: the file's own, else Q4_K_M]")
@click.option("--layers", type=int, help="Make a shallow twin with so many layers.")
@click.option("--out", type=click.Path(path_type=Path), help="Write this file; else into labkit's cache.")
@click.option("--forget", is_flag=True, help="Remove all twins from the cache.")
@json_option
def twin(
    source: str | None, quant: str | None, layers: int | None, out: Path | None, forget: bool, as_json: bool
) -> None:
    """Write a twin: a model's architecture and sizes with random weights, to measure before a download.

    SOURCE is what `labkit estimate` takes. `labkit bench --twin SOURCE` writes the twin and measures it.
    """
    from labkit.models import twin as twins

    if forget:
        removed = twins.forget_twins(everywhere=True)
        print_json({"removed": removed}) if as_json else click.echo(removed)
    if source is None:
        if not forget:
            raise click.UsageError("Name a model, or type --forget.")
        return
    file = twins.twin(source, quant, layers=layers, out=out, show_progress=not as_json)
    print_result(file, as_json)


def bench_twin(source: str, quant: str | None, as_json: bool, **settings: Any) -> None:
    """`labkit bench --twin SOURCE`."""
    from labkit.measuring.twin_speed import bench_twin as measure

    print_result(measure(source, quant, **settings, show_progress=not as_json), as_json)
