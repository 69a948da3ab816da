"""What llama.cpp itself plans for a quantization: `llama_model_quantize` as a dry run, its log read.

The plan needs names, row lengths and hyperparameters, and no weights, so the file that llama.cpp gets is
small: each matrix has two rows in it. It is looked at in a process of its own, since llama.cpp stops the
whole process on some odd numbers. Taught in chapter 7.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.estimating.blueprint import TYPES_BY_NAME, Blueprint, TensorSpec
from labkit.estimating.quant_mixtures import MIXTURES
from labkit.estimating.quantization import quantization_name
from labkit.models.header_only import write_header_only

#: `[   2/ 272] blk.0.attn_k.weight - [ 576, 192, 1, 1], type = f16, size = 0.21 MiB -> 0.11 MiB (q8_0)`
_LINE = re.compile(
    r"^\[ *\d+/ *\d+\] (?P<name>.+?) +- \[[^\]]*\], "
    r"type = +(?P<old>\w+), size =[^(\n]*(?:\((?P<new>\w+)\))?$",
    re.MULTILINE,
)
_TYPE_NAMES = {name.lower(): name for name in TYPES_BY_NAME}


def quantized_by_llama(blueprint: Blueprint, quant: str, *, importance_matrix: bool = False) -> Blueprint:
    """As `quantization.quantized`, decided by llama.cpp: some ten milliseconds, nothing printed.

    Raises LabError when llama.cpp isn't there, or refuses the model or the quantization.
    """
    from labkit.models.llama_worker import ask_llama

    name = quantization_name(quant)
    file_type = MIXTURES[name].file_type
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        path = write_header_only(_with_few_rows(blueprint), Path(folder) / "header.gguf")
        reply = ask_llama({"path": str(path), "quantize": file_type, "importance_matrix": importance_matrix})
    if "problem" in reply:
        raise LabError(
            f"llama.cpp does not make {name} of {blueprint.title or 'this model'}: {reply['problem']}.",
            "Choose another quantization or another model.",
        )
    types = types_in_log(reply["log"])
    missing = [spec.name for spec in blueprint.tensors if spec.name not in types]
    if missing:
        raise LabError(f"llama.cpp said nothing of the tensor {missing[0]}.", "Choose another model.")
    metadata = {
        **blueprint.metadata,
        "general.quantization_version": 2,
        "general.file_type": file_type,
    }
    tensors = tuple(replace(spec, type_name=types[spec.name]) for spec in blueprint.tensors)
    return replace(blueprint, metadata=metadata, tensors=tensors)


def types_in_log(log: str) -> dict[str, str]:
    """Tensor → type, from what a dry run of `llama_model_quantize` writes."""
    return {
        match["name"]: _TYPE_NAMES.get((match["new"] or match["old"]).lower(), match["new"] or match["old"])
        for match in _LINE.finditer(log)
    }


def plan(job: dict[str, Any]) -> dict[str, str]:
    """The worker's side: `{"log"}` of a dry run, or `{"problem"}`.

    `job` holds `path`, `quantize` (a file type's number) and `importance_matrix`.
    """
    import ctypes

    from labkit.models import native

    lib, mark = native.llama(), native.log.mark()
    params = lib.llama_model_quantize_default_params()
    params.ftype = job["quantize"]
    params.nthread = 1
    params.dry_run = True
    if job["importance_matrix"]:
        # Its values do not matter to the plan, only that there is one. The list ends with an empty entry.
        entries = (lib.llama_model_imatrix_data * 2)()
        ones = (ctypes.c_float * 1)(1.0)
        entries[0] = lib.llama_model_imatrix_data(
            b"none", ctypes.cast(ones, ctypes.POINTER(ctypes.c_float)), 1
        )
        params.imatrix = ctypes.cast(entries, ctypes.POINTER(lib.llama_model_imatrix_data))
    path = native.native_path(job["path"])
    if lib.llama_model_quantize(path, path + b".never-written", ctypes.byref(params)):
        reason = native.log.reason(mark).removeprefix("failed to quantize: ")
        return {"problem": reason or "it gives no reason"}
    return {"log": native.log.since(mark)}


def _with_few_rows(blueprint: Blueprint) -> Blueprint:
    """The same model with at most two rows in each matrix and two experts in each stack, and no vocabulary.

    llama.cpp asks only how long a row is, and whether there is more than one row and more than one matrix.
    """
    metadata = {key: value for key, value in blueprint.metadata.items() if not key.startswith("tokenizer.")}
    tensors = tuple(
        TensorSpec(spec.name, (*spec.shape[:1], *(min(n, 2) for n in spec.shape[1:])), spec.type_name)
        for spec in blueprint.tensors
    )
    return replace(blueprint, metadata=metadata, tensors=tensors)
