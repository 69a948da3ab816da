"""What the installed llama.cpp was compiled for, and which devices it sees."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib import metadata

from labkit.measuring.results import Result, Row
from labkit.models import native
from labkit.models.native import ggml_function
from labkit.units import format_bytes

#: ggml-backend.h: enum ggml_backend_dev_type
_DEVICE_TYPES = {0: "CPU", 1: "GPU", 2: "integrated GPU", 3: "accelerator"}


@dataclass(frozen=True)
class Device:
    """A device that ggml can compute on."""

    name: str
    description: str
    kind: str
    """"CPU", "GPU", "integrated GPU" or "accelerator"."""
    memory_bytes: int
    memory_free_bytes: int


@dataclass(frozen=True, repr=False)
class LlamaBuild(Result):
    """The build of llama.cpp that runs here."""

    llama_cpp_python: str
    ggml: str
    """ggml's version and commit, such as "0.25.3 (0c1e570)"."""
    backends: list[str]
    """"CPU", "CUDA", "MTL", "Vulkan", "ROCm" ..."""
    runs_on: str
    """Where a model's layers go by default: "CPU" or the name of the first GPU."""
    gpu_offload: bool
    """Whether this build can put layers on a GPU, be there one or not."""
    devices: list[Device]
    cpu_features: list[str]
    """Instruction sets that this build uses on this processor."""
    system_info: str
    """llama.cpp's own line, as it prints it."""

    def title(self) -> str:
        return f"llama.cpp from llama-cpp-python {self.llama_cpp_python}: runs on {self.runs_on}"

    def rows(self) -> list[Row]:
        rows = [
            Row("llama-cpp-python", self.llama_cpp_python),
            Row("ggml", self.ggml),
            Row("Backends", ", ".join(self.backends)),
            Row("Runs on", self.runs_on),
            Row("Compiled with", ", ".join(self.cpu_features) or None),
        ]
        for device in self.devices:
            memory = f", {format_bytes(device.memory_bytes)}" if device.memory_bytes else ""
            rows.append(Row(f"Device {device.name}", f"{device.description}, {device.kind}{memory}"))
        return rows


def llama_build() -> LlamaBuild:
    """Ask the installed llama.cpp about itself.

    Raises LabError when llama-cpp-python is missing or does not load.
    """
    llama_cpp = native.llama()
    system_info = llama_cpp.llama_print_system_info().decode(errors="replace").strip()
    devices = _devices()
    gpu_names = [device.name for device in devices if "GPU" in device.kind]
    backends = list(dict.fromkeys(device.name.rstrip("0123456789") for device in devices)) or ["CPU"]
    features = [part.split("=")[0].split(":")[-1].strip() for part in system_info.split("|") if "= 1" in part]
    return LlamaBuild(
        llama_cpp_python=metadata.version("llama-cpp-python"),
        ggml=ggml_version(),
        backends=backends,
        runs_on=gpu_names[0] if gpu_names else "CPU",
        gpu_offload=bool(llama_cpp.llama_supports_gpu_offload()),
        devices=devices,
        cpu_features=features,
        system_info=system_info,
    )


def ggml_version() -> str:
    """`'0.25.3 (0c1e570)'`, or `'unknown'`. Loads llama.cpp."""
    version, commit = ggml_function("ggml_version"), ggml_function("ggml_commit")
    if version is None:
        return "unknown"
    version.restype = ctypes.c_char_p
    text = version().decode(errors="replace")
    if commit is not None:
        commit.restype = ctypes.c_char_p
        text += f" ({commit().decode(errors='replace')})"
    return text


def _devices() -> list[Device]:
    """Every device in ggml's registry; an empty list where this build has no registry."""
    names = ["dev_count", "dev_get", "dev_name", "dev_description", "dev_type", "dev_memory"]
    functions = {name: ggml_function(f"ggml_backend_{name}") for name in names}
    if None in functions.values():
        return []
    count, get = functions["dev_count"], functions["dev_get"]
    count.restype = ctypes.c_size_t
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    for name in ("dev_name", "dev_description"):
        functions[name].restype, functions[name].argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    functions["dev_type"].restype, functions["dev_type"].argtypes = ctypes.c_int, [ctypes.c_void_p]
    size_pointer = ctypes.POINTER(ctypes.c_size_t)
    functions["dev_memory"].restype = None
    functions["dev_memory"].argtypes = [ctypes.c_void_p, size_pointer, size_pointer]
    devices = []
    for index in range(count()):
        device, free, total = get(index), ctypes.c_size_t(), ctypes.c_size_t()
        functions["dev_memory"](device, ctypes.byref(free), ctypes.byref(total))
        devices.append(
            Device(
                name=functions["dev_name"](device).decode(errors="replace"),
                description=functions["dev_description"](device).decode(errors="replace"),
                kind=_DEVICE_TYPES.get(functions["dev_type"](device), "other"),
                memory_bytes=total.value,
                memory_free_bytes=free.value,
            )
        )
    return devices
