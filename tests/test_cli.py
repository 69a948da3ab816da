"""The `labkit` command as a person or a script types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.models.model_file import ModelFile


def labkit(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with the test's own folders."""
    return subprocess.run(
        [sys.executable, "-m", "labkit.cli", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


def answer(*arguments: str, status: int = 0, **environment: str) -> dict | list:
    """The JSON document of a verb that ends with `status`."""
    result = labkit(*arguments, "--json", **environment)
    assert result.returncode == status, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_help_names_every_verb() -> None:
    result = labkit("--help")
    assert result.returncode == 0
    for verb in ("lab", "doctor", "models", "fetch", "bench"):
        assert f"\n  {verb} " in result.stdout
        assert "--json" in labkit(verb, "--help").stdout


def test_the_command_starts_light() -> None:
    code = (
        "import sys, labkit.cli\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'llama_cpp', 'huggingface_hub', 'IPython', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_doctor() -> None:
    found = answer("doctor")
    assert found["healthy"] is True
    by_name = {finding["name"]: finding for finding in found["findings"]}
    expected = "Python Compiler llama.cpp Processor Cores Memory Disk GPU Model Hub Mirror"
    assert list(by_name) == expected.split()
    assert by_name["llama.cpp"]["status"] == "ok"
    assert by_name["Hub"]["status"] == "warn" and by_name["Hub"]["cure"]  # nothing listens at the test's hub
    lines = labkit("doctor").stdout.splitlines()
    assert lines[0].startswith("[ OK ] Python: ")
    assert any(line.startswith("[WARN] Hub: http://127.0.0.1:9 can't be reached") for line in lines)


def test_doctor_fails_when_llama_cpp_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise OSError('libllama.so: cannot open')")
    found = answer("doctor", status=1, PYTHONPATH=str(tmp_path))
    llama = next(finding for finding in found["findings"] if finding["name"] == "llama.cpp")
    assert llama["status"] == "fail" and "make setup" in llama["cure"]
    assert found["healthy"] is False


@pytest.mark.skipif(os.name == "nt", reason="sends itself a POSIX signal")
def test_doctor_survives_a_llama_cpp_for_another_processor(tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text(
        "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    )
    found = answer("doctor", status=1, PYTHONPATH=str(tmp_path))
    llama = next(finding for finding in found["findings"] if finding["name"] == "llama.cpp")
    assert "another processor" in llama["text"] and "GPU=cpu" in llama["cure"]


def test_models() -> None:
    entries = answer("models")
    small = next(entry for entry in entries if entry["name"] == "smollm2-135m-instruct-q4_1")
    assert small["bytes"] == 98_362_432 and small["licence"] == "apache-2.0"
    assert small["name"] in labkit("models").stdout


def test_fetch_and_bench(small_model: ModelFile) -> None:
    cache = str(small_model.path.parents[2])
    file = answer("fetch", "smollm2-135m-instruct-q4_1", LABKIT_CACHE=cache)
    assert {"path", "sha256", "bytes", "source"} <= set(file)
    assert file["source"] == "cache" and Path(file["path"]).stat().st_size == file["bytes"]
    result = answer("bench", file["path"], "--threads", "1", LABKIT_QUICK="1")
    for speed in ("pp_tokens_per_s", "tg_tokens_per_s"):
        assert {"mean", "median", "std", "values"} <= set(result[speed])
        assert all(value > 0 for value in result[speed]["values"])
    memory = {"resident_bytes", "peak_bytes", "model_bytes", "kv_bytes", "compute_bytes"}
    assert memory <= set(result["memory"])
    assert {"ttft_s", "machine", "versions", "date"} <= set(result)
    assert result["settings"]["threads"] == 1


def test_bench_takes_all_its_options(random_model: ModelFile) -> None:
    options = [
        "--threads",
        "1",
        "--prompt",
        "16",
        "--generate",
        "4",
        "--repetitions",
        "2",
        "--context",
        "512",
    ]
    settings = answer("bench", str(random_model.path), *options)["settings"]
    assert [settings[name] for name in ("prompt", "generate", "repetitions", "context")] == [16, 4, 2, 512]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["fetch", "smollm3"], 1, "no model called"),
        (["fetch"], 2, "Missing argument"),
        (["bench", "nowhere.gguf"], 1, "no file"),
        (["bench", __file__], 1, "not GGUF"),
        (["bench", "x.gguf", "--prompt", "many"], 2, "not a valid integer"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_problems_are_sentences(arguments: list[str], status: int, words: str) -> None:
    result = labkit(*arguments)
    assert result.returncode == status
    assert words in result.stderr and "Traceback" not in result.stderr and not result.stdout
    if arguments != ["frobnicate"]:
        error = answer(*arguments, status=status)["error"]
        assert words in error["what"] and error["cure"]


def test_lab_without_a_browser(small_model: ModelFile) -> None:
    cache = str(small_model.path.parents[2])
    environment = {"LABKIT_CACHE": cache, "LABKIT_QUICK": "1"}
    found = answer("lab", "--no-browser", **environment)
    assert found["model"]["random_weights"] is False
    assert found["answer"]["tokens"] > 0 and found["answer"]["text"]
    assert found["bench"]["tg_tokens_per_s"]["median"] > 0
    shown = labkit("lab", "--no-browser", **environment).stdout
    assert "Model: " in shown and "tokens/s" in shown


def test_lab_without_any_network_says_so_and_goes_on(tmp_path: Path) -> None:
    nowhere = {
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }
    result = labkit("lab", "--no-browser", LABKIT_QUICK="1", PIP_EXTRA_INDEX_URL="", **nowhere)
    assert result.returncode == 0, result.stderr
    assert "RANDOM weights" in result.stderr and "RANDOM" in result.stdout
