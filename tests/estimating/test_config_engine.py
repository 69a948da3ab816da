"""Blueprints from config.json against llama.cpp itself: it demands every tensor by name and shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.estimating.config import blueprint_from_config
from labkit.models.gguf import read_gguf_header
from tests.estimating.configs import SMALL

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", [1, 2])
def test_llama_loads_every_altered_configuration_and_counts_the_same_elements(
    seed: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.estimating.load_with_llama", str(seed), str(tmp_path)]
    run = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    wrong = {line["name"]: line["told"] for line in lines if line["told"] != "ok"}
    assert not wrong
    assert len(lines) == len(SMALL), f"ended after {lines[-1:]}: {run.stderr[-2000:]}"


def test_a_published_file_has_the_tensors_and_keys_that_its_config_gives(small_model: object) -> None:
    real = read_gguf_header(small_model.path).blueprint()
    ours = blueprint_from_config(
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 576,
            "intermediate_size": 1536,
            "max_position_embeddings": 8192,
            "num_attention_heads": 9,
            "num_hidden_layers": 30,
            "num_key_value_heads": 3,
            "rms_norm_eps": 1e-05,
            "rope_theta": 100000,
            "tie_word_embeddings": True,
            "vocab_size": 49152,
        }
    )
    assert {t.name: t.shape for t in ours.tensors} == {t.name: t.shape for t in real.tensors}
    for key, value in ours.metadata.items():
        if key.startswith("llama.") and key in real.metadata:
            assert real.metadata[key] == pytest.approx(value), key
