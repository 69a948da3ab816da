"""The verbs `estimate`, `fit` and `cost` of the `labkit` command."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from labkit.cli_options import Bytes, json_option, print_result
from labkit.errors import LabError

_context_option = click.option(
    "--context", type=int, default=8192, show_default=True, help="Tokens that the model can look back on."
)
_kv_option = click.option(
    "--kv-type",
    default="f16",
    show_default=True,
    help="What the KV cache is stored in: f16, q8_0, q4_0 ...; two for keys and values: q8_0,f16",
)
_quant_option = click.option(
    "--quant", help="Quantization, such as Q4_K_M.  [default: the file's own, else Q4_K_M]"
)


@click.command(short_help="A model's file size and memory, before a download.")
@click.argument("source")
@_quant_option
@_context_option
@_kv_option
@click.option("--parallel", type=int, default=1, show_default=True, help="Sequences at the same time.")
@click.option("--flash-attn/--no-flash-attn", default=None, help="[default: as llama.cpp decides]")
@click.option("--gpu-layers", type=int, default=0, show_default=True, help="Layers on the GPU; -1 for all.")
@json_option
def estimate(source: str, as_json: bool, **settings: Any) -> None:
    """Parameters, file size and memory of a model, before a byte of its weights is downloaded.

    SOURCE is a name of `labkit models` or of datasets/architectures.csv, a config.json or its folder, a .gguf
    file, or owner/name on the hub, of which only the header is read.
    """
    from labkit.models.estimate import estimate as estimate_model

    print_result(estimate_model(source, settings.pop("quant"), **settings), as_json)


@click.command(short_help="Which models run on this machine, and how fast.")
@click.argument("models", nargs=-1, metavar="[SOURCE]...")
@_quant_option
@_context_option
@_kv_option
@click.option("--all", "everything", is_flag=True, help="The published models of the course's table too.")
@click.option("--measure", is_flag=True, help="Measure speeds with twins: a minute for each model.")
@click.option("--memory", type=Bytes(), metavar="SIZE", help="What if the machine had 8GiB?")
@click.option("--vram", type=Bytes(), metavar="SIZE", help="What if it had a graphics card of 12GiB?")
@json_option
def fit(
    models: tuple[str, ...],
    quant: str | None,
    context: int,
    kv_type: str,
    everything: bool,
    measure: bool,
    memory: int | None,
    vram: int | None,
    as_json: bool,
) -> None:
    """Which models run on this machine: memory, verdict, speed, longest context, licence.

    Without a SOURCE: the models of `labkit models`.
    """
    from labkit.measuring.fit import fit as fit_models

    table = fit_models(
        list(models) or ("all" if everything else None),
        quant,
        context,
        kv_type,
        measure,
        memory_bytes=memory,
        vram_bytes=vram,
        show_progress=not as_json,
    )
    if len(table.rows) == 1 and table.rows[0].fit is None:
        raise LabError(table.rows[0].problem, "`labkit models` lists the names; `labkit estimate` says more.")
    print_result(table, as_json)


def _numbers(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option for each of these numbers of the decision exercise, where they have their defaults."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            option = click.option(f"--{name.replace('_', '-')}", name, type=float, help=_COST_HELP[name])
            command = option(command)
        return command

    return add


_COST_HELP = {
    "tokens_in_per_day": "Input tokens a day.  [default: 20000]",
    "tokens_out_per_day": "Output tokens a day.  [default: 5000]",
    "cached_share_percent": "Share of the input that repeats from call to call.  [default: 0]",
    "watts_active": "Power while the model runs, at the wall.  [default: 65]",
    "watts_idle": "Power while it waits.  [default: 10]",
    "price_per_kwh": "Price of a kWh.  [default: 0.30]",
    "hardware_price": "Price of the machine; 0 if you have it anyway.  [default: 1000]",
    "lifetime_months": "Months until it is replaced.  [default: 48]",
    "hours_on_per_day": "Hours a day that it is on.  [default: 8]",
    "share_percent": "Share of the machine that this work takes.  [default: 100]",
    "currency_per_usd": "What a US dollar costs in your currency.  [default: 1]",
}


@click.command(short_help="What a month costs, here and on APIs.")
@click.argument("result", required=False, type=click.Path(dir_okay=False))
@click.option("--pp", type=float, help="Prompt processing, tokens/s, in place of RESULT.")
@click.option("--tg", type=float, help="Generation, tokens/s, in place of RESULT.")
@_numbers(*_COST_HELP)
@json_option
def cost(
    result: str | None, pp: float | None, tg: float | None, as_json: bool, **numbers: float | None
) -> None:
    """A month's cost on this machine, from measured speeds, and on APIs, from dated prices.

    RESULT is what `labkit bench MODEL --json > RESULT` wrote. Idle hours and the machine's price count.
    """
    from labkit.learning.cost_table import cost as cost_of

    given = {name: value for name, value in numbers.items() if value is not None}
    print_result(cost_of(_speeds(result, pp, tg), **given), as_json)


def _speeds(result: str | None, pp: float | None, tg: float | None) -> dict[str, Any]:
    """The measurement in the form of a `bench` result."""
    if result is not None and pp is None and tg is None:
        from labkit.measuring.bench import BenchResult

        return BenchResult.load(result).to_dict()
    if result is not None or pp is None or tg is None:
        raise click.UsageError("Give the file of a measurement, or both --pp and --tg.")
    for name, speed in (("--pp", pp), ("--tg", tg)):
        if not 0 < speed < math.inf:
            raise click.BadParameter(f"{speed:g} is no speed; give tokens/s, such as 40.", param_hint=name)
    return {"pp_tokens_per_s": pp, "tg_tokens_per_s": tg, "model": {"name": "speeds given"}}
