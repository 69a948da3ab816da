"""Run in a child process: lets llama.cpp load header-only files of configurations, one line of JSON for each.

llama.cpp ends the process on some mistakes; the lines before that one are then all that the parent sees.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from labkit.errors import LabError
from labkit.estimating.config import blueprint_from_config
from labkit.models import native
from labkit.models.header_only import write_header_only
from tests.estimating.configs import altered


def load(config: dict[str, object], folder: Path) -> str:
    """`"ok"`, or what is wrong: llama.cpp's reason, or another number of elements."""
    try:
        blueprint = blueprint_from_config(config)
    except LabError as error:
        return str(error)
    path = write_header_only(blueprint, folder / "header.gguf")
    lib, mark = native.llama(), native.log.mark()
    model = native.open_model(path, allocate=False)
    if model is None:
        return native.log.reason(mark) or "refused"
    n_elements = lib.llama_model_n_params(model)
    lib.llama_model_free(model)
    expected = sum(tensor.n_elements for tensor in blueprint.tensors)
    return "ok" if n_elements == expected else f"{n_elements:,} elements, not {expected:,}"


if __name__ == "__main__":
    for name, config in altered(int(sys.argv[1])):
        print(json.dumps({"name": name, "told": load(config, Path(sys.argv[2]))}), flush=True)
