"""The `labkit` command as a person or a script types it."""

from __future__ import annotations

import json
import os
import re
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
    for verb in (
        "lab",
        "doctor",
        "models",
        "fetch",
        "bench",
        "estimate",
        "fit",
        "cost",
        "quantize",
        "quality",
    ):
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


def test_every_verb_stands_in_the_help_with_a_whole_sentence() -> None:
    """A newcomer reads this first; click cuts a long sentence and puts dots in its place."""
    commands = labkit("--help").stdout.partition("Commands:")[2]
    verbs = {line.split()[0] for line in commands.splitlines() if line.strip()}
    assert {"bench", "doctor", "estimate", "fetch", "fit"} <= verbs
    assert "..." not in commands, commands


def test_the_commands_of_the_readme_can_be_typed() -> None:
    """Every verb and every option that the README shows exists."""
    from labkit.cli import labkit as command

    text = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?:^ +\.venv/bin/|`)labkit ([a-z]+)([^#`\n]*)", text, re.MULTILINE)
    assert {"doctor", "estimate", "quantize", "quality"} <= {verb for verb, _ in lines}
    for verb, rest in lines:
        known = {name for option in command.commands[verb].params for name in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (verb, rest)


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
        (["estimate", "llama-3.1-8b", "--gpu-layers", "-7"], 1, "from -1 up"),
        (["fetch"], 2, "Missing argument"),
        (["bench", "nowhere.gguf"], 1, "no file"),
        (["bench", __file__], 1, "not GGUF"),
        (["bench", "x.gguf", "--prompt", "many"], 2, "not a valid integer"),
        (["quantize", "nowhere.gguf", "Q4_K_M"], 1, "no file"),
        (["quantize", "only-a-model"], 2, "Name a model and a quantization"),
        (["quality", "x.gguf", "--baseline", "y.gguf", "--quants", "Q8_0"], 2, "itself is the baseline"),
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


def test_quantize_and_quality(random_model: ModelFile, tmp_path: Path) -> None:
    text, small = tmp_path / "text.txt", tmp_path / "small.gguf"
    text.write_text("the sea is cold and old " * 6)
    file = answer("quantize", str(random_model.path), "q4_0", "--out", str(small))
    assert (file["path"], file["source"]) == (str(small), "quantized")
    how = ["--text", str(text), "--n-ctx", "32", "--threads", "1"]
    found = answer("quality", str(small), "--baseline", str(random_model.path), *how)
    assert found["perplexity"]["value"] > 1 and found["comparison"]["kl_divergence"]["value"] > 0
    table = answer("quality", str(random_model.path), "--quants", "Q8_0,Q4_0", *how)
    assert [line["quant"] for line in table["lines"]] == ["F16", "Q8_0", "Q4_0"]
    assert "2 quantized files" in answer("quantize", "--forget")["removed"]


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


def test_estimate(small_model: ModelFile) -> None:
    found = answer("estimate", str(small_model.path), "--context", "4096", "--kv-type", "q8_0,f16")
    assert found["parameters"] == 134_515_008 and found["file_bytes"] == 98_362_432
    assert found["kv_bytes"] == 4096 * 30 * 3 * (64 * 34 // 32 + 64 * 2)
    other = answer("estimate", str(small_model.path), "--quant", "q8_0", "--no-flash-attn")
    assert other["quantization"] == "Q8_0" and other["flash_attention"] is False
    text = labkit("estimate", "qwen3-30b-a3b", "--quant", "Q2_K").stdout
    assert "Parameters used for each token" in text and "Largest context" in text


def test_estimate_of_nonsense_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("<html>Please log in</html>")
    (tmp_path / "empty").mkdir()
    for source, expected in {
        "smollm2-135m-instruct": "Did you mean",
        str(tmp_path): "web page",
        str(tmp_path / "empty"): "neither",
        "someone/something": "cannot be reached",
    }.items():
        error = answer("estimate", source, status=1)["error"]
        assert expected in error["what"] + error["cure"]
    error = answer("estimate", "qwen3-0.6b", "--quant", "Q4_KM", status=1)["error"]
    assert "Did you mean Q4_K_M" in error["cure"]
    assert "HF_HUB_OFFLINE" in labkit("estimate", "someone/something", HF_HUB_OFFLINE="1").stderr
    assert labkit("estimate").returncode == 2


def test_fit() -> None:
    found = answer("fit", "--memory", "8GiB", LABKIT_QUICK="1")
    assert found["memory_allowed_bytes"] == 8 * 2**30 and found["what_if"] is True
    assert {row["verdict"] for row in found["models"]} == {"fits", "fits with", "does not fit"}
    few = answer("fit", "llama-3.1-8b", "nobody", "--memory", "16 GB", "--vram", "6GiB", "--quant", "Q5_K_M")
    assert few["memory_allowed_bytes"] == 16_000_000_000
    assert few["models"][0]["place"] == "GPU and RAM" and few["models"][1]["verdict"] == "not known"
    for size, words in {"much": "is no size", "8": "write it as 8GiB", "-4GiB": "is no size"}.items():
        typed = labkit("fit", "--memory", size)
        assert typed.returncode == 2 and words in typed.stderr
    alone = labkit("fit", "nobody")
    assert alone.returncode == 1 and "no model called 'nobody'" in alone.stderr


def test_cost(tmp_path: Path, random_model: ModelFile) -> None:
    numbers = ("--pp", "100", "--tg", "10", "--hardware-price", "480", "--lifetime-months", "24")
    found = answer("cost", *numbers, "--tokens-in-per-day", "1000")
    assert found["local"]["hardware_per_month"] == {"low": 20, "high": 20}
    assert found["apis"] and found["numbers"]["tokens_in_per_day"] == 1000
    result = tmp_path / "result.json"
    result.write_text(labkit("bench", str(random_model.path), "--json", LABKIT_QUICK="1").stdout)
    assert "random weights" in labkit("cost", str(result)).stdout
    assert labkit("cost", "--pp", "100").returncode == 2
    for wrong in ("-3", "0", "nan", "inf"):
        typed = labkit("cost", "--pp", wrong, "--tg", "40")
        assert typed.returncode == 2 and "--pp" in typed.stderr and "tokens/s" in typed.stderr
    assert "can't be read" in labkit("cost", str(tmp_path / "none.json")).stderr
