"""What the verbs of the `labkit` command share: `--json`, sizes with units, and how a result is printed."""

from __future__ import annotations

import json
import re
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_result(result: Any, as_json: bool) -> None:
    """A result as JSON (its `to_dict`) or as text (its `repr`)."""
    if as_json:
        print_json(result.to_dict())
    else:
        click.echo(repr(result))


class Bytes(click.ParamType):
    """`8GiB`, `500 MB`, `1073741824`: a number of bytes. GB is 10^9 bytes, GiB 2^30."""

    name = "size"
    _UNITS = {"": 1, "b": 1, **{f"{p}b": 10 ** (3 * i) for i, p in enumerate("kmgt", 1)}}
    _UNITS |= {f"{p}ib": 2 ** (10 * i) for i, p in enumerate("kmgt", 1)}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)\s*([a-z]*)", str(value).strip().lower())
        if not match or match[2] not in self._UNITS:
            self.fail(f"{value!r:.40} is no size; write it as 8GiB or 500MB.", param, ctx)
        size = round(float(match[1]) * self._UNITS[match[2]])
        if not match[2] and 0 < size < self._UNITS["mib"]:  # `8` was meant to be more than eight bytes
            self.fail(f"{value} has no unit; write it as {value}GiB or {value}MB.", param, ctx)
        return size
