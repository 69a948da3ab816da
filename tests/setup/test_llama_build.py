"""Which llama.cpp is asked for, and whether this computer can build it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.installing import compiler, llama_build
from labkit.installing.llama_build import LlamaBuild, choose, pip_arguments

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"

posix_only = pytest.mark.skipif(os.name == "nt", reason="uses shell scripts as programs")


@pytest.fixture(autouse=True)
def no_arguments_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    monkeypatch.delenv("CXX", raising=False)


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_plain_build_takes_pip_s_cache_and_every_other_passes_it_by() -> None:
    assert "--no-cache-dir" not in pip_arguments(choose("cpu", False, None), REQUIREMENTS)
    for variant in ("cuda", "vulkan", "hip", "portable"):
        arguments = pip_arguments(choose(variant, False, None), REQUIREMENTS)
        assert "--no-cache-dir" in arguments and "--require-hashes" in arguments


def test_own_arguments_are_added_and_pass_the_cache_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_BLAS=ON")
    build = choose(None, False, choose("cpu", False, None).to_dict())
    assert build.cmake_arguments == "-DGGML_BLAS=ON" and not build.may_use_pip_cache
    assert choose("vulkan", False, None).cmake_arguments == "-DGGML_VULKAN=on -DGGML_BLAS=ON"


def test_what_is_there_stays() -> None:
    recorded = LlamaBuild("cuda", "-DGGML_CUDA=on", False)
    assert choose(None, False, recorded.to_dict()) == recorded
    assert choose("cpu", False, recorded.to_dict()).variant == "cpu"
    assert choose(None, False, {"from": "another version of this file"}).variant == "cpu"


def test_a_prebuilt_wheel_comes_from_upstream_s_index() -> None:
    arguments = pip_arguments(choose("vulkan", True, None), REQUIREMENTS)
    assert arguments[-1].startswith("llama-cpp-python==")
    assert arguments[arguments.index("--extra-index-url") + 1].endswith("/whl/vulkan")


@posix_only
@pytest.mark.parametrize(
    ("driver", "folder"), [("13.0", "cu130"), ("12.9", "cu125"), ("12.4", "cu124"), ("11.8", "cu118")]
)
def test_the_cuda_wheel_fits_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, folder: str
) -> None:
    program(
        tmp_path, "nvidia-smi", f"echo '| NVIDIA-SMI 580.1  Driver Version: 580.1  CUDA Version: {driver} |'"
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert llama_build.prebuilt_folder("cuda") == folder


def test_no_driver_no_cuda_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="No NVIDIA driver"):
        llama_build.prebuilt_folder("cuda")


def test_a_missing_gpu_compiler_is_said_before_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="needs `glslc`"):
        llama_build.check_gpu_tools(choose("vulkan", False, None))
    llama_build.check_gpu_tools(choose("vulkan", True, None))
    llama_build.check_gpu_tools(choose("cpu", False, None))


@pytest.mark.skipif(sys.platform == "darwin", reason="Metal is right there")
def test_metal_is_for_macs() -> None:
    with pytest.raises(LabError, match="Macs"):
        choose("metal", False, None)


def test_jobs() -> None:
    assert llama_build.compile_jobs(3) == 3
    assert 1 <= llama_build.compile_jobs(None) <= (os.cpu_count() or 1)


@posix_only
def test_a_compiler_that_works_is_found_here() -> None:
    assert compiler.find_compiler()


@posix_only
def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError) as error:
        compiler.find_compiler()
    assert "no C++ compiler" in error.value.what and "install" in error.value.cure.lower()


@posix_only
def test_a_compiler_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gcc without libstdc++: there is a `c++`, and it can't compile."""
    program(tmp_path, "c++", "echo \"try.cpp:1:10: fatal error: 'vector' file not found\" >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if sys.platform != "darwin":
        with pytest.raises(LabError, match="does not work: .*vector"):
            compiler.find_compiler()


@posix_only
def test_a_wrong_cxx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(LabError, match="CXX is set to no-such-compiler"):
        compiler.find_compiler()
