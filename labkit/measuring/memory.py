"""How much memory this process uses.

* resident: what lies in RAM now.
* private: the part that is this process's own (heap, KV cache, compute buffers).
* file-backed: the part that is a file's pages, above all the mapped model. The system may drop it and read it
  again, and shares it between processes that map the same file.
* peak: the largest resident size since the process started.

Linux tells all four in /proc/self/status; elsewhere psutil gives what the system offers. Taught in
chapter 19.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemoryReading:
    """The memory of this process at one moment, in bytes. private + file-backed = resident."""

    resident_bytes: int
    private_bytes: int
    file_backed_bytes: int
    peak_bytes: int


def memory_now() -> MemoryReading:
    """Read the memory of this process."""
    status = Path("/proc/self/status")
    return _from_linux(status.read_text(encoding="utf-8")) if status.exists() else _from_psutil()


def _from_linux(status: str) -> MemoryReading:
    kib = {}
    for line in status.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            kib[words[0].rstrip(":")] = int(words[1])
    # Shared memory without a file (RssShmem) is as private as the heap where nobody else maps it.
    private = (kib.get("RssAnon", 0) + kib.get("RssShmem", 0)) * 1024
    file_backed = kib.get("RssFile", 0) * 1024
    # The kernel counts resident pages in batches per thread, so VmHWM may lag behind the sum by some pages.
    resident = private + file_backed
    return MemoryReading(resident, private, file_backed, max(kib.get("VmHWM", 0) * 1024, resident))


def _from_psutil() -> MemoryReading:
    import psutil

    process = psutil.Process()
    memory = process.memory_info()
    resident = memory.rss
    if sys.platform == "win32":
        # `private` there counts memory that is committed, resident or not.
        private, peak = min(memory.private, resident), memory.peak_wset
    else:
        import resource

        private = min(process.memory_full_info().uss, resident)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = used if sys.platform == "darwin" else used * 1024
    return MemoryReading(resident, private, resident - private, max(peak, resident))
