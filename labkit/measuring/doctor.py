"""Is this machine ready for the course? One finding per line, each with its cure."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from labkit import limits
from labkit.errors import LabError
from labkit.units import GIB, format_bytes

Status = Literal["ok", "warn", "fail"]

_LABELS = {"ok": "[ OK ]", "warn": "[WARN]", "fail": "[FAIL]"}

#: how long a question to the network may take, in seconds
_NETWORK_SECONDS = 4.0
#: A chapter peaks under 700 MiB; JupyterLab and the system need some as well.
_MEMORY_LOW_BYTES, _MEMORY_TOO_LOW_BYTES = 1.5 * GIB, 0.5 * GIB
#: The small model has 94 MiB; the next larger ones have up to 2 GiB.
_DISK_LOW_BYTES, _DISK_TOO_LOW_BYTES = 2 * GIB, 0.2 * GIB


@dataclass(frozen=True)
class Finding:
    """One line of the check-up."""

    name: str
    status: Status
    text: str
    cure: str = ""

    def __str__(self) -> str:
        lines = [f"{_LABELS[self.status]} {self.name}: {self.text}"]
        if self.cure and self.status != "ok":
            lines += [f"       {line}" for line in self.cure.splitlines()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def check_up(*, network: bool = True) -> list[Finding]:
    """Look at Python, compiler, llama.cpp, processor, memory, disk, GPUs and, with `network`, hub and mirror.

    Never raises: what can't be found out is a finding too. Takes about 2 s, some more without a network.
    """
    waiting = [_Later(question) for question in (_hub, _mirror)] if network else []
    findings = [_python(), _compiler()]
    build, llama = _llama()
    machine = _machine()
    findings += [llama, *_processor(machine), _memory(), _disk(), *_gpus(machine, build), _model()]
    return findings + [later.finding() for later in waiting]


def is_healthy(findings: list[Finding]) -> bool:
    """True when nothing failed (warnings are allowed)."""
    return all(finding.status != "fail" for finding in findings)


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")


def _compiler() -> Finding:
    from labkit.installing.compiler import find_compiler

    try:
        return Finding("Compiler", "ok", find_compiler())
    except LabError as error:
        # llama.cpp is built already, so nothing fails today: a later build would.
        return Finding("Compiler", "warn", error.what.split(". ")[0] + ".", error.cure.splitlines()[0])


def _llama() -> tuple[dict[str, Any] | None, Finding]:
    """Ask llama.cpp about itself in a child process: a build for another processor ends there, not here."""
    question = "from labkit.measuring.llama_build import llama_build; print(); print(llama_build().to_json())"
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", question],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
        )
        build = json.loads(answer.stdout[answer.stdout.index("\n{") :]) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        answer, build = None, None
    if build:
        features = ", ".join(build["cpu_features"]) or "no extra instruction sets"
        text = (
            f"llama-cpp-python {build['llama_cpp_python']}, ggml {build['ggml']}, built for "
            f"{' and '.join(build['backends'])}, runs on {build['runs_on']} ({features})"
        )
        return build, Finding("llama.cpp", "ok", text)
    if answer is not None and answer.returncode < 0:
        return None, Finding(
            "llama.cpp",
            "fail",
            f"it crashes here (signal {-answer.returncode}): most likely it was built for another processor.",
            "Build it for this one: make setup GPU=cpu",
        )
    lines = answer.stderr.strip().splitlines() if answer is not None else []
    reason = lines[-1] if lines else "no answer"
    reason = reason.removeprefix("labkit.errors.LabError: ")
    return None, Finding("llama.cpp", "fail", f"it does not load: {reason}", "Run `make setup`.")


def _machine() -> Any | None:
    from labkit.measuring.hardware import machine

    try:
        return machine()
    except Exception:  # a system that tells nothing must not stop the other findings
        return None


def _processor(machine: Any | None) -> list[Finding]:
    if machine is None:
        return [Finding("Processor", "warn", "this system does not say what it is")]
    sets = ", ".join(machine.instruction_sets) or "instruction sets not known"
    cores = f"{machine.cores_allowed} of {machine.cores_present} allowed to this process"
    return [Finding("Processor", "ok", f"{machine.cpu} ({sets})"), Finding("Cores", "ok", cores)]


def _memory() -> Finding:
    total, allowed = limits.memory_total_bytes(), limits.memory_allowed_bytes()
    available = limits.memory_available_bytes()
    text = f"{format_bytes(available)} available of {format_bytes(allowed)} allowed"
    if allowed < total:
        text += f" (the machine has {format_bytes(total)})"
    if available < _MEMORY_TOO_LOW_BYTES:
        return Finding("Memory", "fail", text, "Close other programs: a chapter needs up to 700 MiB.")
    if available < _MEMORY_LOW_BYTES:
        return Finding("Memory", "warn", text, "Close other programs, and keep one chapter open at a time.")
    return Finding("Memory", "ok", text)


def _disk() -> Finding:
    import shutil

    from labkit.models.hub import hub_cache

    folder = hub_cache()
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    text = f"{format_bytes(free)} free for models in {folder}"
    cure = "Free some space, or set HF_HOME to a folder on a larger disk."
    if free < _DISK_TOO_LOW_BYTES:
        return Finding("Disk", "fail", text, cure)
    return Finding("Disk", "warn" if free < _DISK_LOW_BYTES else "ok", text, cure)


def _gpus(machine: Any | None, build: dict[str, Any] | None) -> list[Finding]:
    found = machine.gpus if machine else []
    if not found:
        other = [d for d in (build or {}).get("devices", []) if "GPU" in d["kind"]]
        if other:
            return [Finding("GPU", "ok", ", ".join(f"{d['description']} ({d['name']})" for d in other))]
        return [Finding("GPU", "ok", "no NVIDIA GPU; the whole course runs on the processor")]
    unused = build is not None and not build["gpu_offload"]
    findings = []
    for gpu in found:
        text = (
            f"{gpu.name}, {format_bytes(gpu.vram_free_bytes)} free of {format_bytes(gpu.vram_bytes)}, "
            f"driver {gpu.driver}"
        )
        if unused:
            cure = "Build llama.cpp for it: make setup GPU=cuda"
            findings.append(Finding("GPU", "warn", text + "; this llama.cpp does not use it", cure))
        else:
            findings.append(Finding("GPU", "ok", text))
    return findings


def _model() -> Finding:
    from labkit.models import hub, mirror
    from labkit.models.catalogue import DEFAULT_MODEL, find_model

    try:
        entry = find_model(DEFAULT_MODEL)
    except LabError as error:
        return Finding("Model", "fail", error.what, error.cure)
    found = hub.find_in_cache(entry) or mirror.find_in_cache(entry)
    if found is None or found[0].stat().st_size != entry.bytes:
        return Finding(
            "Model", "warn", f"{entry.label} is not on this machine yet", f"labkit fetch {entry.name}"
        )
    return Finding("Model", "ok", f"{entry.label}, {format_bytes(entry.bytes)}, in {found[0].parent}")


def _hub() -> Finding:
    import httpx

    from labkit.models.catalogue import DEFAULT_MODEL, find_model
    from labkit.models.hub import endpoint, is_offline

    if is_offline():
        return Finding(
            "Hub", "warn", "not asked: HF_HUB_OFFLINE is set", "Unset it to fetch models from the hub."
        )
    address = endpoint()
    question = f"{address}/api/models/{find_model(DEFAULT_MODEL).repo}"
    try:
        answer = httpx.get(question, timeout=_NETWORK_SECONDS, follow_redirects=True)
        known = answer.status_code == 200 and "id" in answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return _silent_hub()
    if known:
        return Finding("Hub", "ok", f"{address} answers")
    return Finding(
        "Hub", "warn", f"{address} answers with status {answer.status_code}, not as a hub", _HUB_CURE
    )


_HUB_CURE = (
    "The course's small model comes from the mirror instead. Behind a proxy set HTTPS_PROXY; for another hub "
    "set HF_ENDPOINT."
)


def _silent_hub() -> Finding:
    from labkit.models.hub import endpoint

    return Finding("Hub", "warn", f"{endpoint()} can't be reached", _HUB_CURE)


def _mirror() -> Finding:
    """Whether pip, with the user's own settings, sees the package that carries the small model."""
    from labkit.models.catalogue import DEFAULT_MODEL, find_model

    package = find_model(DEFAULT_MODEL).mirror.split(":")[1]
    options = [
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "0",
        "--timeout",
        str(int(_NETWORK_SECONDS)),
    ]
    command = [sys.executable, "-m", "pip", "index", "versions", *options, package.split("==")[0]]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20)
    except (OSError, subprocess.SubprocessError):
        return _silent_mirror()
    if answer.returncode == 0 and package.split("==")[1] in answer.stdout:
        return Finding("Mirror", "ok", f"pip's package index has {package}")
    return _silent_mirror()


def _silent_mirror() -> Finding:
    return Finding("Mirror", "warn", "pip's package index can't be reached", "See `pip config list`.")


class _Later:
    """A question to the network, asked while the other checks run; a name server may hold it for minutes."""

    def __init__(self, question: Callable[[], Finding]) -> None:
        self._question = question
        self._answer: list[Finding] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answer.append(self._question())
        except Exception as error:  # a finding, whatever it was
            name = self._question.__name__.strip("_").capitalize()
            self._answer.append(Finding(name, "warn", f"the check failed: {error}"))

    def finding(self) -> Finding:
        self._thread.join(_NETWORK_SECONDS + 2)
        if self._answer:
            return self._answer[0]
        return _silent_hub() if self._question is _hub else _silent_mirror()
