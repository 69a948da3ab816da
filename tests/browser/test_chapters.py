"""Chapters 1 to 6 and 16 in a real JupyterLab and a real Chromium: they run, and their forms answer."""

from __future__ import annotations

import contextlib

import pytest

from tests.browser.harness import Lab, answer_anew, assert_clean, chapter

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: notebook → what to look at with one's own eyes, in build/screenshots
CHAPTERS = {
    "01_what_the_numbers_mean.ipynb": ["lk.size_table", "lk.measure_sizes", "lk.exercise("],
    "02_parameter_count.ipynb": ["lk.layer_picture(tiny)", 'lk.parameter_chart("smollm2', "lk.exercise("],
    "03_dense_vs_moe.ipynb": ["lk.compare_twins", "lk.trio_chart", "lk.routing_chart"],
    "04_quantization.ipynb": ['lk.compare_bits(block, "Q4_0"', "lk.rounding_chart", "lk.quant_speed_chart"],
    "05_q4km_q8_q2k.ipynb": ["lk.size_table(file", "lk.compare_quantizations", "lk.quality_chart(table"],
    "06_kv_cache.ipynb": ["lk.kv_steps(file", "lk.compare_memory", "lk.cache_chart"],
    "16_instruct_vs_base.ipynb": ["lk.try_prompts(five", "lk.count_right(base", "lk.teach("],
}
#: notebook → the exercise, and a function that is wrong
WRONG_FUNCTIONS = {
    "02_parameter_count.ipynb": (
        "ch02-count-parameters",
        "def count_parameters(config):\n    return 0\n",
        "Wrong on SmolLM2-135M",
    ),
    "04_quantization.ipynb": (
        "ch04-quantize-block",
        "def quantize_block(weights, bits):\n    return max(weights) / 8, [8] * 32\n",
        "Wrong on a block with 4 bits",
    ),
    "16_instruct_vs_base.ipynb": (
        "ch16-prompt-string",
        # Right, but for the assistant's turn that is missing at the end.
        "def prompt_string(messages):\n"
        "    turns = [f\"<|im_start|>{m['role']}\\n{m['content']}<|im_end|>\\n\" for m in messages]\n"
        "    return ''.join(turns)\n",
        "It ends after the last message",
    ),
}


@pytest.fixture
def open_chapter(course_server, chromium):
    """A function that opens a notebook and runs it from top to bottom."""
    with contextlib.ExitStack() as stack:

        def run(notebook: str) -> Lab:
            lab = stack.enter_context(chapter(course_server, chromium, notebook))
            assert_clean(lab, notebook, CHAPTERS[notebook])
            return lab

        yield run


@pytest.mark.parametrize(
    "notebook", ["01_what_the_numbers_mean.ipynb", "03_dense_vs_moe.ipynb", "05_q4km_q8_q2k.ipynb"]
)
def test_it_runs_from_top_to_bottom_without_an_error(open_chapter, notebook):
    open_chapter(notebook)


@pytest.mark.parametrize("notebook", WRONG_FUNCTIONS)
def test_a_wrong_function_gets_its_hint_from_the_kernel(open_chapter, notebook):
    name, function, hint = WRONG_FUNCTIONS[notebook]
    lab = open_chapter(notebook)
    check = lab.cell(f'lk.check("{name}"')
    check.get_by_text("Not answered.").wait_for()
    answer_anew(lab, function.partition("(")[0], function)
    check.get_by_text("Not yet.").wait_for()
    check.get_by_text(hint).wait_for()
    lab.shot(f"chapter{notebook[:2]}-wrong-function", check)


def test_the_explorer_answers_by_keyboard_alone(open_chapter):
    """Another model, then the longest context: each time another verdict. No key reaches the notebook."""
    lab = open_chapter("06_kv_cache.ipynb")
    sources = lab.sources()
    cell = lab.cell("lk.fit_explorer()")
    form = lab.form("Will it run here?")
    status = form.locator(".lk-status")
    first = status.inner_text()
    form.get_by_label("Model", exact=True).focus()
    lab.page.keyboard.type("Gemma 3 12B")
    _wait_for_another_status(lab, status, first)
    second = status.inner_text()
    form.get_by_label("Context", exact=False).first.focus()
    lab.page.keyboard.press("End")
    _wait_for_another_status(lab, status, second)
    lab.shot("chapter06-explorer", cell)
    assert lab.sources() == sources


def _wait_for_another_status(lab: Lab, status, before: str) -> None:
    lab.page.wait_for_function(
        "([e, before]) => e.innerText !== before", arg=[status.element_handle(), before], timeout=15_000
    )
