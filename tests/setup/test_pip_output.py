"""Progress and failures, read from what pip, ninja, make and the compilers print."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.installing.console import StatusLine, spell_seconds
from labkit.installing.pip_output import Progress, failure
from labkit.installing.run import run_step

#: (seconds, line), from `pip install -v` of llama-cpp-python 0.3.36
NINJA_BUILD = [
    (1, "Collecting llama-cpp-python==0.3.36 (from -r llama-cpp.lock (line 1))"),
    (3, "Building wheels for collected packages: llama-cpp-python"),
    (4, "Running command Building wheel for llama-cpp-python (pyproject.toml)"),
    (5, "*** scikit-build-core 1.1.2 using CMake 3.25.1 (wheel)"),
    (8, "-- Performing Test OPENSSL_VERSION_SUPPORTED - Success"),
    (9, "*** Building project with Ninja..."),
    (10, "[1/193] /usr/bin/g++ -DGGML_BUILD -O3 -DNDEBUG -std=gnu++17 -c ggml.cpp"),
    (30, "In function 'void f(int*, float*) [with int SUBBLK = 32]',"),
    (110, "[48/193] /usr/bin/g++ -DGGML_BUILD -O3 -c ops.cpp"),
]


def progress_after(lines: list[tuple[int, str]]) -> Progress:
    progress = Progress()
    for seconds, line in lines:
        progress.read(line, seconds)
    return progress


def test_ninja_progress() -> None:
    progress = progress_after(NINJA_BUILD)
    assert progress.now(110) == "compiling, 48 of 193 files, 1 min 50 s, about 5 min left"


def test_no_estimate_before_there_is_something_to_go_by() -> None:
    progress = progress_after(NINJA_BUILD[:7])
    assert progress.now(12) == "compiling, 1 of 193 files, 12 s"


def test_make_progress() -> None:
    lines = [(5, "[  1%] Building C object ggml.c.o"), (100, "[ 50%] Building CXX object llama.cpp.o")]
    assert progress_after(lines).now(100) == "compiling, 50%, 1 min 40 s, about 2 min left"


def test_package_progress() -> None:
    lines = [
        (1, "Collecting anyio==4.16.0 (from -r lab.lock)"),
        (2, "Collecting numpy==2.4.6 (from -r lab.lock)"),
    ]
    assert progress_after(lines).now(3) == "fetching, package 2 (numpy), 3 s"
    lines.append((4, "Installing collected packages: anyio, numpy"))
    assert progress_after(lines).now(5) == "installing, 5 s"


def test_a_long_download_shows_how_far_it_is() -> None:
    lines = [(1, "Collecting torch==2.13.0"), (9, "Progress 131072000 of 526574961")]
    assert progress_after(lines).now(9) == "fetching, package 1 (torch), 131 of 527 MB, 9 s"
    lines.append((20, "Collecting sympy>=1.13.3 (from torch==2.13.0)"))
    assert progress_after(lines).now(21) == "fetching, package 2 (sympy), 21 s"


def test_a_log_file_gets_whole_lines_and_few_of_them() -> None:
    stream = io.StringIO()
    status = StatusLine("[3/5] llama.cpp", stream)
    for _ in range(1000):
        status.update("compiling")
    status.done()
    assert stream.getvalue().splitlines() == ["[3/5] llama.cpp ...", "[3/5] llama.cpp: done (under 1 s)"]


def test_a_terminal_gets_one_line_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    status = StatusLine("llama.cpp", stream)
    status.update("compiling " * 20)
    status.done()
    assert stream.getvalue().count("\n") == 1
    assert all(len(part) <= 40 for part in stream.getvalue().split("\r"))


def test_seconds_in_words() -> None:
    assert [spell_seconds(s) for s in (0.2, 59.6, 130)] == ["under 1 s", "1 min 0 s", "2 min 10 s"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("error: [Errno 28] No space left on device", "disk is full"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "ran out of memory"),
        ("-- Could NOT find Vulkan (missing: Vulkan_LIBRARY)", "Vulkan SDK"),
        ("CMake Error: No CMAKE_CXX_COMPILER could be found.", "no C++ compiler"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "certificate"),
        ("ProxyError('Cannot connect to proxy.')", "proxy"),
        ("ERROR: something quite new", "something quite new"),
    ],
)
def test_failures_become_sentences(output: str, expected: str) -> None:
    error = failure("Packages", output, "build/setup.log")
    assert expected in error.what and "build/setup.log" in error.cure


def test_no_network_is_said_with_the_real_pip(tmp_path: Path) -> None:
    """pip against a port where nobody listens."""
    command = [sys.executable, "-m", "pip", "--isolated", "download", "--no-deps", "--retries", "1"]
    command += ["--dest", str(tmp_path), "--index-url", "http://127.0.0.1:1/simple", "six==1.17.0"]
    with pytest.raises(LabError, match="can't be reached"):
        run_step("Packages", command, tmp_path / "log")
    assert "six" in (tmp_path / "log").read_text()


def test_a_missing_prebuilt_wheel_is_said_with_the_real_pip(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "download",
        "--no-index",
        "llama-cpp-python==0.3.36",
    ]
    with pytest.raises(LabError, match="found no llama-cpp-python"):
        run_step("llama.cpp", command, tmp_path / "log")


def test_the_output_goes_to_the_log(tmp_path: Path) -> None:
    output = run_step("Test", [sys.executable, "-c", "print('hello')"], tmp_path / "log")
    assert "hello" in output and "hello" in (tmp_path / "log").read_text()


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_an_interrupt_ends_what_the_step_started(tmp_path: Path) -> None:
    """Ctrl-C during the build must not leave compilers behind."""
    grandchild = tmp_path / "grandchild"
    inner = f"import os, time; open({str(grandchild)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    code = (
        "import sys; from pathlib import Path; from labkit.installing.run import run_step\n"
        f"run_step('Build', [sys.executable, '-c', {outer!r}], Path({str(tmp_path / 'log')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not (grandchild.exists() and grandchild.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    number = int(grandchild.read_text())
    end = time.monotonic() + 20
    while time.monotonic() < end and _is_running(number):
        time.sleep(0.05)
    assert not _is_running(number)


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
