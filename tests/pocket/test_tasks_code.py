"""Tiny functions: all of them do what their words say, and judges compare programs, not letters."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from labkit.pocket.tasks import code, functions
from labkit.pocket.tasks.code import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    fill_in,
    held_out,
    problems,
    same_code,
)
from labkit.pocket.tasks.functions import TEMPLATES, Function, Template
from labkit.pocket.tasks.split import is_held_out


def all_of(template: Template) -> list[Function]:
    """Every function of a kind."""
    return [
        functions.written(template, index, arguments, constant)
        for index in range(len(template.names))
        for arguments in template.arguments
        for constant in template.constants
    ]


def completed(text: str) -> str:
    """The whole source of a text with a middle to fill in."""
    prefix, _, rest = text.removeprefix(FIM_PREFIX).partition(FIM_SUFFIX)
    suffix, _, middle = rest.partition(FIM_MIDDLE)
    return prefix + middle + suffix


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.names[0])
def test_every_function_does_what_its_words_say(template: Template) -> None:
    for function in all_of(template):
        place: dict[str, object] = {}
        exec(compile(function.source + "\n" + function.tests, function.signature, "exec"), place)
        assert function.tests.count("assert") == len(template.examples) >= 4
        assert function.signature.partition("(")[0] in place
        assert 2 <= len(function.source.split("\n")) <= 6


def test_no_two_functions_have_the_same_source() -> None:
    sources = [function.source for template in TEMPLATES for function in all_of(template)]
    assert len(sources) == len(set(sources)) > 1500


def test_the_tests_of_a_function_fail_for_another_function() -> None:
    alike = []
    for template, other in zip(TEMPLATES, TEMPLATES[1:], strict=False):
        function, wrong = all_of(template)[0], all_of(other)[0]
        name = function.signature.partition("(")[0]
        place: dict[str, object] = {}
        exec(wrong.source, place)
        place[name] = place[wrong.signature.partition("(")[0]]
        try:
            exec(function.tests, place)
        except Exception:
            continue
        alike.append((function.signature, wrong.signature))
    assert alike == [("times_2(n)", "double(n)")]


def test_letters_are_counted_in_a_text_that_has_several() -> None:
    for letter in functions._LETTERS:
        counts = [text.count(letter) for (text,) in functions._TEXTS]
        assert max(counts) >= 2 and min(counts) == 0, letter


def test_a_text_with_a_hole_is_a_whole_function_again_when_filled() -> None:
    texts = [d.text for d in islice(code.documents(Random(3)), 4000) if d.kind == "fim"]
    assert len(texts) > 1200
    for text in texts:
        assert text.count(FIM_PREFIX) == text.count(FIM_SUFFIX) == text.count(FIM_MIDDLE) == 1
        assert not text.endswith(FIM_MIDDLE)
        compile(completed(text), "filled in", "exec")


def test_no_training_text_holds_a_held_out_function() -> None:
    sources = {function.source for template in TEMPLATES for function in all_of(template)}
    kept = {source for source in sources if is_held_out("code " + source)}
    assert len(kept) == pytest.approx(0.1 * len(sources), rel=0.3)
    texts = []
    for document in islice(code.documents(Random(4)), 4000):
        texts.append(completed(document.text) if document.kind == "fim" else document.text)
    for talk in islice(code.conversations(Random(4)), 3000):
        texts += talk.turns[1::2]
    bare = "\n".join(line for text in texts for line in text.split("\n") if '"""' not in line) + "\n"
    assert sum(source + "\n" in bare for source in sources) > 0.7 * len(sources)
    assert not {source for source in kept if source + "\n" in bare}


def test_problems_come_with_tests_that_their_answer_passes() -> None:
    asked = problems(120, 2)
    assert len({problem.prompt for problem in asked}) == 120
    for problem in asked:
        assert is_held_out("code " + problem.source)
        exec(problem.source + "\n" + problem.tests, {})
    assert len({problem.source.partition("(")[2] for problem in asked}) > 40


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("return n * 2", "return 2 * n"),
        ("return n + 7", "return 7 + n  # seven more"),
        ("return a > b", "return b < a"),
        ("return a >= b", "return (b <= a)"),
        ("return n*2", "return n * 2"),
    ],
)
def test_the_same_program_in_other_letters_is_the_same(one: str, other: str) -> None:
    assert same_code(f"def f(n, a, b):\n    {one}", f"def f(n, a, b):\n    {other}\n")


@pytest.mark.parametrize(
    "other",
    [
        "return 2",
        "return n * 3",
        "return n + 2",
        "return n - 2",
        "return n *",
        "return m * 2",
        "return n * 2 + 0",
    ],
)
def test_another_program_is_not_the_same(other: str) -> None:
    assert not same_code("def f(n):\n    return n * 2", f"def f(n):\n    {other}")


@pytest.mark.parametrize(("one", "other"), [("a + b", "b + a"), ("a - b", "b - a"), ("a < b", "b < a")])
def test_order_counts_where_it_may_matter(one: str, other: str) -> None:
    """`"ab" + "c"` is not `"c" + "ab"`."""
    assert not same_code(one, other)


@pytest.mark.parametrize("reply", ["(" * 5000, "\0", "def", "-" * 100_000 + "1", "3if 4else 5", "\ud800"])
def test_nonsense_is_wrong_and_does_no_harm(reply: str, recwarn: pytest.WarningsRecorder) -> None:
    for case in held_out(4, 1):
        assert not case.correct(reply)
    assert not recwarn.list


def test_replies_may_lose_the_space_before_them_and_gain_a_frame() -> None:
    cases = held_out(100, 6)
    holes = [case for case in cases if case.kind == "fim" and case.answer.startswith(" ")]
    assert len(holes) > 15
    for case in holes:
        assert case.correct(case.answer.strip())
        assert not case.chat
    chat = next(case for case in cases if case.kind == "code-chat")
    assert chat.correct(f"```python\n{chat.answer}\n```")
    assert not chat.correct(chat.answer.replace("def ", "def other_"))


def test_the_prompt_with_a_hole_has_the_markers_in_order() -> None:
    assert fill_in("def f():\n    ", "\n") == "<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>"
