"""llama.cpp's log → bytes of each kind of buffer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.models.buffers import parse_buffers, parse_buffers_by_device
from labkit.units import MIB

CPU_LOG = """\
load_tensors: loading model tensors, this can take a while... (load_mode = mmap)
load_tensors:   CPU_Mapped model buffer size =    92.10 MiB
load_tensors:   CPU_REPACK model buffer size =    12.66 MiB
llama_context: n_ctx                 = 768
llama_context:        CPU  output buffer size =     0.19 MiB
llama_kv_cache:        CPU KV buffer size =    16.88 MiB
llama_kv_cache: size =   16.88 MiB (   768 cells,  30 layers,  1/1 seqs), K (f16):    8.44 MiB, V (f16):    8.44 MiB
sched_reserve:        CPU compute buffer size =    98.25 MiB
"""  # noqa: E501

# Other builds: several devices, a sliding-window model (two caches), a recurrent one, an older release.
GPU_LOG = """\
load_tensors:        CUDA0 model buffer size =  4095.05 MiB
load_tensors:   CPU_Mapped model buffer size =   281.81 MiB
llama_kv_cache_unified:      CUDA0 KV buffer size =   896.00 MiB
llama_kv_cache_unified:      CUDA0 KV buffer size =    42.00 MiB
llama_memory_recurrent:      CUDA0 RS buffer size =     1.50 MiB
llama_context:      CUDA0 compute buffer size =   560.00 MiB
llama_context:  CUDA_Host compute buffer size =    24.01 MiB
llama_context:  CUDA_Host  output buffer size =     0.49 MiB
"""
METAL_LOG = """\
load_tensors: Metal_Mapped model buffer size =   762.81 MiB
llama_kv_cache_init:      Metal KV buffer size =   128.00 MiB
llama_context:      Metal compute buffer size =   254.50 MiB
"""


def mib(*sizes: float) -> int:
    return sum(round(size * MIB) for size in sizes)


def test_cpu() -> None:
    assert parse_buffers(CPU_LOG) == {
        "model_bytes": mib(92.10, 12.66),
        "kv_bytes": mib(16.88),
        "compute_bytes": mib(98.25),
        "output_bytes": mib(0.19),
    }


def test_gpu_and_two_caches() -> None:
    buffers = parse_buffers(GPU_LOG)
    assert buffers["model_bytes"] == mib(4095.05, 281.81)
    assert buffers["kv_bytes"] == mib(896, 42, 1.5)
    assert buffers["compute_bytes"] == mib(560, 24.01)
    assert parse_buffers_by_device(GPU_LOG)["CUDA0"]["kv_bytes"] == mib(896, 42, 1.5)


def test_metal() -> None:
    assert parse_buffers(METAL_LOG)["kv_bytes"] == mib(128)


def test_a_buffer_reserved_again_counts_once() -> None:
    again = CPU_LOG + "sched_reserve:        CPU compute buffer size =   100.00 MiB\n"
    assert parse_buffers(again)["compute_bytes"] == mib(100)


@given(st.text())
def test_any_text_gives_four_numbers(text: str) -> None:
    assert all(size >= 0 for size in parse_buffers(text).values())
    assert len(parse_buffers(text)) == 4
