"""What llama.cpp allocated, read from its own log.

llama.cpp prints the size of each buffer as it allocates it, in MiB with two decimals, so these figures are
exact to about 5 kB per buffer:

    load_tensors:   CPU_Mapped model buffer size =    92.10 MiB
    llama_kv_cache:        CPU KV buffer size =    16.88 MiB
    sched_reserve:        CPU compute buffer size =    98.25 MiB

The words differ a little between versions and backends; the shape does not. Taught in chapters 6 and 19.
"""

from __future__ import annotations

import re

from labkit.units import MIB

#: what the log calls a buffer → the name of its sum here. A recurrent model's state (RS) plays the KV
#: cache's part, and so do the compressed states of some attention variants.
_KINDS = {
    "model": "model_bytes",
    "LoRA": "model_bytes",
    "KV": "kv_bytes",
    "RS": "kv_bytes",
    "state": "kv_bytes",
    "compute": "compute_bytes",
    "output": "output_bytes",
}

# The device stands before the kind: CPU, CPU_Mapped, CPU_REPACK, CUDA0, CUDA_Host, MTL0_Mapped, Vulkan0 ...
# A log function of the caller may have split lines, so the pattern does not ask for a line's start.
_LINE = re.compile(
    r"(?P<device>[^\s:]+)[ \t]+(?:[^\n:=]*?[ \t])?(?P<kind>model|LoRA|KV|RS|state|compute|output)[ \t]+"
    r"(?:self )?buffer size[ \t]*=[ \t]*(?P<mib>\d+(?:\.\d+)?)[ \t]*MiB"
)

#: what was asked for, or what "auto" became; `enabled` in either means that it is used
_FLASH = re.compile(r"(?:Flash Attention |flash_attn += +)(?:was auto, set to )?(?:enabled|true|1)\b")


def uses_flash_attention(log: str) -> bool:
    """Does the context of this log compute attention in one fused step ("flash attention")?"""
    return bool(_FLASH.search(log))


def parse_buffers(log: str) -> dict[str, int]:
    """Bytes of each kind of buffer in llama.cpp's log, summed over devices.

    Returns `model_bytes`, `kv_bytes`, `compute_bytes` and `output_bytes`; 0 where the log names none.
    When a buffer is allocated again (llama.cpp may reserve its compute buffers twice), the last size counts.
    """
    totals = dict.fromkeys(("model_bytes", "kv_bytes", "compute_bytes", "output_bytes"), 0)
    for (name, _), size in _buffers(log).items():
        totals[name] += size
    return totals


def parse_buffers_by_device(log: str) -> dict[str, dict[str, int]]:
    """The same, apart for each device: `{"CPU": {"kv_bytes": ...}, "CUDA0": {...}}`."""
    devices: dict[str, dict[str, int]] = {}
    for (name, device), size in _buffers(log).items():
        devices.setdefault(device, {})[name] = size
    return devices


def _buffers(log: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for line in log.splitlines():
        match = _LINE.search(line)
        if not match:
            continue
        name, device = _KINDS[match["kind"]], match["device"]
        size = round(float(match["mib"]) * MIB)
        # Compute and output buffers are replaced when reserved anew. Model and KV buffers are not: a model
        # with a sliding window prints one KV line for each of its two caches.
        replaced = name in ("compute_bytes", "output_bytes")
        found[name, device] = size if replaced else found.get((name, device), 0) + size
    return found
