"""Each chapter as a learner meets it: blank, solved, and with wrong answers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.nbval_run import replace_answer, run_nbval

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "course/source").glob("[0-9][0-9]_*.py"))
WITH_EXERCISES = [source for source in SOURCES if 'tags=["check"]' in source.read_text(encoding="utf-8")]

#: what a learner might really write, chosen to be wrong, and a piece of the hint that must come back
WRONG_ANSWERS = {
    "01_what_the_numbers_mean": {
        "ch01-three-cards": (
            "three_cards = {'mistral_file_gb': 7.71, 'mistral_memory_gib': 7.18, 'qwen_file_gb': 4.66, "
            "'qwen_memory_gib': 4.56, 'llama_file_gb': 4.81, 'llama_memory_gib': 6.48}",
            "keys and values of 4,096 tokens come on top",
        ),
        "ch01-your-file": (
            "your_file = {'record': 'file 98362432 bytes; 134515008 parameters; 512 tokens: 139.6 MiB, "
            "8192 tokens: 309.2 MiB; 2026-11-22', 'bits_per_parameter': 0.731, 'memory_over_file': 3.3}",
            "A byte has 8 bits",
        ),
    },
    "03_dense_vs_moe": {
        "ch03-mixtral": (
            "mixtral = {'total_billions': 46.7, 'active_billions': 12.9, 'active_percent': 25, "
            "'weights_gib': 7.3}",
            "25 % is 2 of 8 experts",
        ),
        "ch03-your-trio": (
            "your_trio = {'record': 'small 152.1 tok/s 148.2 MiB; moe 160.4 tok/s 431.0 MiB; "
            "large 55.9 tok/s 430.6 MiB; 6 rounds; 2026-11-22', 'speed_ratio': 0.349, 'memory_ratio': 1.0}",
            "the other way round",
        ),
    },
    "04_quantization": {
        "ch04-quantize-block": (
            "def quantize_block(weights, bits):\n"
            "    half, weights = 2 ** (bits - 1), np.array(weights)\n"
            "    scale = weights[abs(weights).argmax()] / -half\n"
            "    steps = weights / scale if scale else weights\n"
            "    return scale, np.floor(steps + half + 0.5).clip(0, 2 * half - 1)",
            "more digits than a file keeps",
        ),
        "ch04-your-speed": (
            "your_speed = {'record': 'F16 42.50 tg 146.8 pp 480.1 MiB; Q8_0 61.10 tg 200.9 pp 255.1 MiB; "
            "Q4_0 113.8 tg 268.3 pp 136.2 MiB; 6 rounds; 2026-11-22', 'generation_ratio': 2.68, "
            "'prompt_ratio': 0.547, 'gb_per_second': 16.3}",
            "the other way round",
        ),
    },
    "06_kv_cache": {
        "ch06-mistral": (
            "mistral = {'bytes_per_token': 2 * 32 * 32 * 128 * 2, 'cache_gib': 4, 'total_gib': 8.07, "
            "'total_gib_for_4': 32.3}",
            "counted the query heads",
        ),
        "ch06-your-slope": (
            "your_slope = {'record': 'f16 512: 105.1 MiB, 4096: 184.3 MiB, 8192: 274.5 MiB; 30 layers, "
            "9 heads, 3 KV heads, head size 64; 2026-11-22', 'measured_bytes_per_token': 35135, "
            "'computed_bytes_per_token': 23040, 'tokens_in_a_gib': 46603}",
            "The weights are in it too",
        ),
    },
    "02_parameter_count": {
        "ch02-where-they-live": (
            "where_they_live = {'gemma_embedding_percent': 62.6, 'llama_feed_forward_percent': 70.2, "
            "'llama_attention_percent': 26.7}",
            "has 8 KV heads",
        ),
        "ch02-count-parameters": (
            "def count_parameters(config):\n"
            "    width = config['hidden_size']\n"
            "    layer = 4 * width**2 + 3 * width * config['intermediate_size'] + 2 * width\n"
            "    embedding = 2 * config['vocab_size'] * width\n"
            "    return embedding + config['num_hidden_layers'] * layer + width",
            "although the embeddings are tied",
        ),
    },
    "05_q4km_q8_q2k": {
        "ch05-published": (
            "published = "
            "{'q4_k_m_more_percent': 5, 'q2_k_more_percent': 15, 'q4_k_m_bits': 4, 'q2_k_bits': 2}",
            "what many tables on the web say",
        ),
        "ch05-three-budgets": (
            "three_budgets = {'record': 'F16 6291456 B ppl 4.500; Q8_0 3342336 B ppl 4.501 kl 0.0001200 same "
            "99.61 %; Q6_K 2600000 B ppl 4.504 kl 0.0008000 same 98.70 %; Q4_K_M 2100000 B ppl 4.570 kl "
            "0.009000 same 95.00 %; Q2_K 1500000 B ppl 5.200 kl 0.1300 same 82.00 %; 4845 tokens; "
            "pocket-base 0123456789ab; 2026-11-22', 'page': 'Q2_K', 'page_percent': 12.5, 'service': 'Q8_0', "
            "'service_percent': 99.6, 'reader': 'Q2_K', 'reader_percent': 15.6}",
            "the one nearest to F16 among them",
        ),
    },
    "16_instruct_vs_base": {
        "ch16-prompt-string": (
            "def prompt_string(messages):\n"
            "    turns = [f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\" for m in messages]\n"
            "    return '\\n'.join(turns)",
            "It ends after the last message",
        ),
        "ch16-broken-prompts": (
            "broken_prompts = {'A': 'fine', 'B': 'generation-prompt', 'C': 'other-template', 'D': 'fine', "
            "'E': 'role', 'F': 'end-marker', 'G': 'fine'}",
            "An instruct model was trained on turns with markers",
        ),
    },
    "17_tokenizers": {
        "ch17-merge-step": (
            "def merge_step(tokens):\n"
            "    pairs = list(zip(tokens, tokens[1:]))\n"
            "    if not pairs:\n"
            "        return tokens\n"
            "    i = pairs.index(max(pairs, key=pairs.count))\n"
            "    return [*tokens[:i], tokens[i] + tokens[i + 1], *tokens[i + 2:]]",
            "You join the pair at its first place only",
        ),
        "ch17-your-texts": (
            "your_texts = {'record': 'first 412 bytes 97 tokens; second 655 bytes 284 tokens; SmolLM2; "
            "2026-11-22', 'tokens_per_1000_bytes': 235, 'times_as_many': 1.84, 'so_often_it_fits': 28.8, "
            "'price_usd': 2.13}",
            "compare their tokens as they are",
        ),
    },
    "19_open_vs_closed": {
        "ch19-three-and-three": (
            "three_and_three = {'needs_open': {'E': 'privacy', 'B': 'offline', 'D': 'pinned'}, "
            "'closed_is_fine': {'A': 'quality', 'C': 'volume', 'G': 'hardware'}}",
            "privacy alone",
        ),
        "ch19-hours-and-cost": (
            "hours_and_cost = {'record': 'tg 40,41,42 tok/s; pp 300,301,302 tok/s; peak 190 MiB; "
            "smollm2-135m-instruct-q4_1 b179c9523d0e; 2026-11-22', "
            "'hours_for_a_million_tokens': 0.92, 'electricity_cost': 0.018}",
            "prompt processing",
        ),
    },
}


def _builder():
    spec = importlib.util.spec_from_file_location("course_build", ROOT / "course/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = _builder()


def _names(notebook: nbformat.NotebookNode, tag: str) -> list[str]:
    return [cell.metadata["name"] for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


#: These run every cell of a chapter, the download of the model included.
runs_a_chapter = pytest.mark.usefixtures("model_cache")


def by_source(function):
    return pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)(function)


@by_source
def test_the_committed_notebook_is_what_its_source_builds(source):
    committed = (ROOT / "course" / f"{source.stem}.ipynb").read_text(encoding="utf-8")
    assert committed == builder.to_text(builder.build(source))


@by_source
def test_a_learners_notebook_holds_no_output_and_no_solution(source):
    notebook = builder.build(source)
    text = builder.to_text(notebook)
    assert "STUB" not in text
    assert "widgets" not in notebook.metadata
    assert not any(cell.get("outputs") for cell in notebook.cells)
    solved = builder.build(source, solved=True)
    for blank_cell, solved_cell in zip(notebook.cells, solved.cells, strict=True):
        assert blank_cell.id == solved_cell.id
        is_answer = "answer" in blank_cell.metadata.get("tags", [])
        assert (blank_cell.source != solved_cell.source) == is_answer, blank_cell.source


@by_source
def test_every_answer_is_checked_and_every_link_leads_somewhere(source):
    notebook = builder.build(source)
    checked = re.findall(r'lk\.check\("([^"]+)"', builder.to_text(notebook).replace('\\"', '"'))
    assert _names(notebook, "answer") == checked
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)#]+\.ipynb)\)", cell.source):
            assert (ROOT / "course" / target).exists(), target


@by_source
def test_no_cell_is_too_long_to_be_read_at_a_glance(source):
    for cell in builder.build(source).cells:
        assert len(cell.source.splitlines()) <= (15 if cell.cell_type == "code" else 25), cell.source


@by_source
@pytest.mark.slow
@runs_a_chapter
def test_blank_runs_from_top_to_bottom(source, tmp_path):
    run = run_nbval(builder.build(source), tmp_path, strict=False)
    assert run.exit_code == 0, run.output[-3000:]
    assert run.cells == sum(cell.cell_type == "code" for cell in builder.build(source).cells)


@by_source
@pytest.mark.slow
def test_blank_runs_with_no_network_at_all(source, tmp_path, monkeypatch):
    """No hub, no mirror, empty caches: the committed model with random weights stands in."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    run = run_nbval(builder.build(source), tmp_path, strict=False)
    assert run.exit_code == 0, run.output[-3000:]


@pytest.mark.parametrize("source", WITH_EXERCISES, ids=lambda path: path.stem)
@pytest.mark.slow
@runs_a_chapter
def test_blank_is_red_at_its_checks_alone_in_strict_mode(source, tmp_path):
    notebook = builder.build(source)
    checks = _names(notebook, "check")
    run = run_nbval(notebook, tmp_path, strict=True)
    assert sorted(run.failures) == sorted(checks), run.output[-3000:]


@by_source
@pytest.mark.slow
@runs_a_chapter
def test_solved_is_green_in_strict_mode(source, tmp_path):
    run = run_nbval(builder.build(source, solved=True), tmp_path, strict=True)
    assert run.failures == {}, json.dumps(run.failures, indent=1)[:3000]
    assert run.exit_code == 0


@pytest.mark.slow
@runs_a_chapter
@pytest.mark.parametrize("stem", WRONG_ANSWERS)
def test_wrong_answers_are_refused_with_their_hint(stem, tmp_path):
    notebook = builder.build(ROOT / "course/source" / f"{stem}.py")
    for name, (source, _) in WRONG_ANSWERS[stem].items():
        replace_answer(notebook, name, source)
    run = run_nbval(notebook, tmp_path, strict=True)
    assert sorted(run.failures) == sorted(_names(notebook, "check"))
    for said, (_, hint) in zip(run.failures.values(), WRONG_ANSWERS[stem].values(), strict=True):
        assert hint in said
