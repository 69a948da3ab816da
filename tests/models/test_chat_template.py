"""The chat template of a file: read, and applied to conversations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import LabError
from labkit.models.chat_template import chat_prompt, chat_template
from labkit.models.download import fetch
from labkit.models.loading import load_model

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def instruct():
    return fetch("pocket-instruct")


@pytest.fixture(scope="module")
def model(instruct):
    with load_model(instruct, context=256, threads=1) as loaded:
        yield loaded


def test_a_file_and_a_loaded_model_give_the_same_template(instruct, model):
    assert "<|im_start|>" in chat_template(instruct) and chat_template(instruct) == chat_template(model)
    assert chat_prompt(instruct, HELLO) == chat_prompt(model, HELLO)


def test_one_text_is_one_message_of_the_user(instruct):
    assert chat_prompt(instruct, "Hello") == chat_prompt(instruct, HELLO)
    assert chat_prompt(instruct, "Hello") == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"


def test_without_the_generation_prompt_it_ends_with_the_last_message(instruct):
    text = chat_prompt(instruct, HELLO, add_generation_prompt=False)
    assert text == "<|im_start|>user\nHello<|im_end|>\n"


def test_generate_uses_it(model):
    """The same tokens by hand, with markers read as markers, and through `chat`."""
    by_hand = chat_prompt(model, "Who are you?")
    chatted = model.generate("Who are you?", max_tokens=12)
    assert chatted.prompt == by_hand
    again = model.generate(by_hand, max_tokens=12, chat=False, special=True)
    assert (again.text, again.prompt_tokens) == (chatted.text, chatted.prompt_tokens)
    as_text = model.generate(by_hand, max_tokens=12, chat=False)
    assert as_text.prompt_tokens > again.prompt_tokens


@pytest.mark.parametrize(
    "messages",
    [[], [{}], [{"role": "user"}], [{"role": "user", "content": 3}], ["Hello"], 7, None, {"role": "user"}],
)
def test_what_is_no_conversation_is_a_sentence(instruct, messages):
    with pytest.raises(LabError, match="not a conversation"):
        chat_prompt(instruct, messages)


def test_a_base_model_has_none():
    with pytest.raises(LabError, match="pocket-base has no chat template"):
        chat_prompt(fetch("pocket-base"), HELLO)


def test_what_is_no_model_is_a_sentence():
    with pytest.raises(LabError, match="str is no model"):
        chat_template("pocket-instruct")


class _WithTemplate:
    """What a loaded model is, as far as the template goes, with another template in its header."""

    def __init__(self, model, template):
        self.file = model.file
        self.header = replace(
            model.header, metadata={**model.header.metadata, "tokenizer.chat_template": template}
        )


def test_a_broken_template_is_a_sentence(model):
    for template in ("{% for", "{{ messages[99].content }}", "{{ raise_exception('no tools') }}"):
        with pytest.raises(LabError, match="does not work"):
            chat_prompt(_WithTemplate(model, template), HELLO)


def test_special_tokens_are_those_of_the_file(model):
    both = chat_prompt(_WithTemplate(model, "{{ bos_token }}|{{ eos_token }}"), HELLO)
    tokens = model.header.metadata["tokenizer.ggml.tokens"]
    ids = [model.header.metadata[f"tokenizer.ggml.{key}_token_id"] for key in ("bos", "eos")]
    assert both == "|".join(tokens[number] for number in ids)


def test_a_template_cannot_reach_the_machine(model):
    """Templates are written by others: they run in a sandbox."""
    with pytest.raises(LabError, match="does not work"):
        chat_prompt(_WithTemplate(model, "{{ messages.__class__.__mro__ }}"), HELLO)
