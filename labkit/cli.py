"""The `labkit` command: thin. Every verb takes --json and ends with a useful exit status.

Status 0: done. 1: a problem, told as a sentence on stderr (with --json as {"error": {"what", "cure"}} on
stdout). 2: the command was typed wrongly. 130: interrupted.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from labkit import cli_estimate, cli_quality, cli_twin
from labkit.cli_options import json_option, print_json, print_result
from labkit.errors import LabError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="understanding-ai-models", prog_name="labkit")
def labkit() -> None:
    """Language models on your own machine: the tools of the course Understanding AI Models."""


@labkit.command(short_help="Check, run a small model, open JupyterLab.")
@click.option("--no-browser", is_flag=True, help="Stop after the measurement in the terminal.")
@json_option
@click.argument("jupyter_arguments", nargs=-1, type=click.UNPROCESSED)
def lab(no_browser: bool, as_json: bool, jupyter_arguments: tuple[str, ...]) -> None:
    """Check the machine, run and measure the small model, then open JupyterLab.

    Arguments after -- go to JupyterLab: labkit lab -- --ip=0.0.0.0
    """
    if no_browser:
        from labkit.first_run import first_run

        result = first_run(quiet=as_json)
        if as_json:
            print_json(result)
        return
    from labkit.lab import open_lab

    sys.exit(open_lab(list(jupyter_arguments), as_json=as_json))


@labkit.command(short_help="Is this machine ready? If not, what to do.")
@json_option
def doctor(as_json: bool) -> None:
    """Is this machine ready? Findings and cures; exit status 1 when one fails."""
    from labkit.measuring.doctor import check_up, is_healthy

    findings = check_up()
    healthy = is_healthy(findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [finding.to_dict() for finding in findings]})
    else:
        for finding in findings:
            click.echo(str(finding))
    sys.exit(0 if healthy else 1)


@labkit.command()
@json_option
def models(as_json: bool) -> None:
    """The models that the course knows by name."""
    from labkit.models.catalogue import catalogue

    entries = catalogue()
    if as_json:
        print_json([entry.to_dict() for entry in entries])
    else:
        click.echo(repr(entries))


@labkit.command(short_help="Get a model; its hash is checked.")
@click.argument("name")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Get the model NAME: from the cache, the hub or the mirror. Its hash is checked."""
    from labkit.models.download import fetch as fetch_model

    file = fetch_model(name, show_progress=not as_json)
    print_result(file, as_json)


@labkit.command(short_help="Measure a model's speed and memory.")
@click.argument("model", metavar="NAME_OR_PATH")
@click.option("--threads", type=int, help="Threads to compute with.  [default: physical cores allowed]")
@click.option("--prompt", type=int, default=512, show_default=True, help="Tokens of the prompt.")
@click.option("--generate", type=int, default=128, show_default=True, help="Tokens to generate.")
@click.option("--repetitions", type=int, default=5, show_default=True, help="Runs after the warm-up.")
@click.option("--context", type=int, help="Tokens of context.  [default: as many as the test needs]")
@click.option("--kv-type", default="f16", help="What the KV cache is stored in: f16, q8_0, q4_0 ...")
@click.option("--twin", is_flag=True, help="Download nothing: measure a twin with random weights.")
@click.option("--quant", help="Of the twin.  [default: the file's own, else Q4_K_M]")
@json_option
def bench(
    model: str,
    threads: int | None,
    prompt: int,
    generate: int,
    repetitions: int,
    context: int | None,
    kv_type: str,
    twin: bool,
    quant: str | None,
    as_json: bool,
) -> None:
    """Measure a model: speed by llama-bench's definition, time to first token, memory.

    NAME_OR_PATH is a name of the catalogue (it is fetched if need be) or a GGUF file. With --twin it is also
    whatever `labkit estimate` takes.
    """
    from labkit.measuring.bench import bench as measure

    sizes = {"prompt": prompt, "generate": generate, "repetitions": repetitions}
    how = {**sizes, "threads": threads, "context": context, "kv_type": kv_type}
    if twin:
        cli_twin.bench_twin(model, quant, as_json, **how)
        return
    if quant:
        raise click.UsageError("--quant belongs to --twin.")
    print_result(measure(model, **how, show_progress=not as_json), as_json)


for _verb in (
    cli_estimate.estimate,
    cli_estimate.fit,
    cli_estimate.cost,
    cli_twin.twin,
    cli_quality.quantize,
    cli_quality.quality,
):
    labkit.add_command(_verb)


def main() -> NoReturn:
    """The entry point: turns every problem into a sentence and an exit status."""
    _use_utf8()
    try:
        status = labkit.main(prog_name="labkit", standalone_mode=False)
    except LabError as error:
        _fail(error.what, error.cure, 1)
    except click.ClickException as error:
        if not _wants_json():
            error.show()
            sys.exit(error.exit_code)
        _fail(error.format_message(), "See labkit --help.", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("Stopped.", "", 130)
    except BrokenPipeError:  # `labkit models | head`
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        _fail(f"labkit failed ({type(error).__name__}: {error}).", _keep_traceback(), 1)
    sys.exit(status if isinstance(status, int) else 0)


def _wants_json() -> bool:
    return "--json" in sys.argv[1:]


def _fail(what: str, cure: str, status: int) -> NoReturn:
    if _wants_json():
        print_json({"error": {"what": what, "cure": cure}})
    else:
        click.echo(f"{what}\n{cure}".rstrip(), err=True)
    sys.exit(status)


def _keep_traceback() -> str:
    """Write the traceback where it can be asked for, and say where."""
    import traceback

    from labkit.settings import home

    file = home() / "last-error.txt"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return "Run `labkit doctor`."
    return f"Run `labkit doctor`. The details are in {file}"


def _use_utf8() -> None:
    """A terminal with another encoding shows a question mark instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
