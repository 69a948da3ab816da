"""The two exercises of chapter 16: right answers, and each known mistake with its own hint."""

from __future__ import annotations

import random

import pytest

from labkit.learning.exercise import check
from labkit.learning.exercises import all_exercises
from labkit.learning.exercises.ch16_broken import CAUSES, PROMPTS
from labkit.learning.exercises.ch16_chatml import MISTAKES, VARIANTS, conversations, render
from labkit.learning.exercises.ch16_prompt import draw_cases
from labkit.models.chat_template import chat_prompt
from labkit.models.download import fetch
from tests.learning.verdicts import assert_told, points_of


def prompt_verdict(function):
    return check("ch16-prompt-string", function)


# ---------------------------------------------------------------- the reference


def test_the_reference_writes_what_the_template_in_the_file_writes():
    instruct = fetch("pocket-instruct")
    for seed in range(5):
        for title, messages in conversations(random.Random(seed)):
            assert render(messages) == chat_prompt(instruct, messages), title


def test_the_reference_differs_from_smollm2_in_its_default_system_message_alone(small_model):
    messages = [{"role": "user", "content": "What is 2 + 2?"}]
    theirs = chat_prompt(small_model, messages)
    assert theirs == render(messages, ["default-system"], 1) != render(messages)
    with_system = [{"role": "system", "content": "Be brief."}, *messages]
    assert chat_prompt(small_model, with_system) == render(with_system)


def test_each_check_draws_every_kind_and_never_the_same_twice():
    cases = draw_cases(random.Random(1))
    roles = [[message["role"] for message in case.arguments[0]] for case in cases]
    assert ["user"] in roles and ["system", "user"] in roles and ["user", "assistant", "user"] in roles
    assert max(map(len, roles)) == 6 and all(each[-1] == "user" for each in roles)
    contents = [message["content"] for case in cases for message in case.arguments[0]]
    assert any(text != text.strip() for text in contents)
    assert draw_cases(random.Random(1)) == cases != draw_cases(random.Random(2))


# ---------------------------------------------------------------- the function of a learner


def test_a_right_function_is_right():
    verdict = prompt_verdict(lambda messages: render(messages))
    assert verdict.correct and verdict.points == 6
    assert "6 conversations that nobody has seen" in verdict.hint


def test_a_function_that_spoils_its_input_is_judged_on_what_it_returns():
    def spoil(messages):
        text = render(messages)
        messages.clear()
        return text

    assert prompt_verdict(spoil).correct


@pytest.mark.parametrize(
    ("name", "variant"), [(name, v) for name in MISTAKES for v in range(VARIANTS.get(name, 1))]
)
def test_each_mistake_is_recognised_on_any_draw(name, variant):
    for _ in range(3):
        verdict = prompt_verdict(lambda messages: render(messages, (name,), variant))
        assert (verdict.verdict, verdict.mistake) == ("not yet", name)
        assert MISTAKES[name] in verdict.hint and verdict.hint.startswith("Wrong on ")


@pytest.mark.parametrize(
    "made",
    [
        ("role-space", "no-generation-prompt"),
        ("no-newline-between", "stripped"),
        ("bos", "roles-capital", "generation-newline"),
    ],
)
def test_several_mistakes_at_once_are_told_apart(made):
    verdict = prompt_verdict(lambda messages: render(messages, made))
    assert verdict.mistake in made
    assert f"one of {len(made)} things that are off" in verdict.hint


def joined(messages):
    """As people often write it: right, but for the break before the answer."""
    parts = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>" for m in messages]
    return "\n".join(parts) + "<|im_start|>assistant\n"


def after_each_question(messages):
    text = ""
    for message in messages:
        text += f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"
        if message["role"] == "user":
            text += "<|im_start|>assistant\n"
    return text


def stripped_at_the_end(messages):
    return render(messages).strip()


@pytest.mark.parametrize(
    ("function", "mistake"),
    [
        (joined, "no-newline-before-answer"),
        (after_each_question, "generation-after-each"),
        (stripped_at_the_end, "generation-newline"),
        (lambda m: render(m[-1:]), "last-message-only"),
        (lambda m: render(m, ["no-generation-prompt"]).removesuffix("\n"), "no-generation-prompt"),
    ],
)
def test_functions_as_learners_write_them(function, mistake):
    assert prompt_verdict(function).mistake == mistake


def test_another_mistake_is_shown_where_it_begins():
    verdict = prompt_verdict(lambda messages: render(messages).replace("<|im_end|>", "<|im_end |>"))
    assert verdict.mistake == "elsewhere"
    assert "yours goes on with “ |>↵<|im_start|>assistan”" in verdict.hint and "“|>↵" in verdict.hint
    at_once = prompt_verdict(lambda messages: "hello")
    assert "right at its beginning: yours goes on with “hello”" in at_once.hint
    too_short = prompt_verdict(lambda messages: "")
    assert "yours goes on with nothing" in too_short.hint


@pytest.mark.parametrize(
    ("function", "mistake", "words"),
    [
        (lambda m: [render(m)], "form", "Join the parts"),
        (lambda m: m.clear(), "returns-nothing", "returned nothing"),
        (lambda m: m[1]["content"], "raises", "IndexError"),
        (lambda m: m[0]["text"], "raises", "no such key"),
        ("<|im_start|>", "form", "not a function"),
    ],
)
def test_what_is_no_string_is_a_sentence(function, mistake, words):
    assert_told(prompt_verdict(function), mistake, words)


def test_part_of_the_conversations_gives_part_of_the_points():
    verdict = prompt_verdict(lambda messages: render(messages, ["system-dropped"]))
    assert 0 < verdict.points < 6


def test_the_stub_counts_as_not_answered():
    def prompt_string(messages): ...

    assert prompt_verdict(prompt_string).verdict == "not answered"
    assert prompt_verdict(None).verdict == "not answered"


# ---------------------------------------------------------------- the broken prompts

RIGHT = {letter: prompt.cause for letter, prompt in PROMPTS.items()}


def broken(**changes):
    return check("ch16-broken-prompts", {**RIGHT, **changes})


def test_the_causes_are_what_they_say():
    """Each broken prompt differs from what the template writes, the fine ones do not."""
    assert set(RIGHT.values()) <= set(CAUSES) and list(RIGHT.values()).count("fine") == 2
    for letter, prompt in PROMPTS.items():
        is_template_text = prompt.text.endswith("<|im_start|>assistant\n") and all(
            part.startswith(("system\n", "user\n", "assistant\n"))
            and ("<|im_end|>\n" in part or part == "assistant\n")
            for part in prompt.text.split("<|im_start|>")[1:]
        )
        assert is_template_text == (prompt.cause == "fine"), letter


@pytest.mark.parametrize("changes", [{}, {"B": "Generation prompt", "F": "END_MARKER", "A": " raw "}])
def test_right_causes_in_every_spelling(changes):
    verdict = broken(**changes)
    assert verdict.correct and verdict.points == 4, verdict


def test_lower_case_letters_will_do():
    assert check("ch16-broken-prompts", {key.lower(): value for key, value in RIGHT.items()}).correct


@pytest.mark.parametrize(
    ("changes", "mistake", "words"),
    [
        ({"A": "fine"}, "prompt-a", "turns with markers"),
        ({"A": "generation-prompt"}, "prompt-a", "so is everything else"),
        ({"B": "fine"}, "prompt-b", "Whose turn is it"),
        ({"C": "raw"}, "prompt-c", "Llama 2 and early Mistral"),
        ({"D": "role"}, "prompt-d", "the three roles"),
        ({"D": "bos"}, "prompt-d", "start marker of a turn"),
        ({"E": "fine"}, "prompt-e", "the word after each start marker"),
        ({"F": "fine"}, "prompt-f", "one start and one end marker"),
        ({"F": "generation-prompt"}, "prompt-f", "Its end is right"),
        ({"G": "role"}, "prompt-g", "Three messages"),
        ({"G": "?"}, "form", "still open"),
        ({"G": "jinja"}, "form", "not in the list"),
        ({"G": "rol"}, "form", "Did you mean 'role'?"),
        ({"G": 3}, "form", "a whole number"),
        ({"H": "fine"}, "form", "There is no prompt 'H'"),
    ],
)
def test_each_wrong_cause_has_its_own_hint(changes, mistake, words):
    assert_told(broken(**changes), mistake, words)


def test_what_is_right_counts():
    assert broken(A="fine", B="fine").points == 2.5
    assert check("ch16-broken-prompts", "raw").verdict == "not yet"
    assert check("ch16-broken-prompts", dict.fromkeys(PROMPTS, "?")).verdict == "not answered"


def test_the_card_shows_every_line_break():
    card = all_exercises()["ch16-broken-prompts"]
    for prompt in PROMPTS.values():
        assert prompt.text.replace("\n", "↵\n") in card.details_text
    assert card.details_html.count("&lt;|im_start|&gt;") == sum(
        p.text.count("<|im_start|>") for p in PROMPTS.values()
    )


def test_points_and_names():
    assert points_of("ch16") == [
        ("ch16-prompt-string", 6),
        ("ch16-broken-prompts", 4),
    ]
