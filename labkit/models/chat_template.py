"""A conversation as the one string that a model reads, by the chat template in its file. Taught in chapter
16.

A GGUF file of an instruct model carries a small program in the language Jinja. It gets the messages and
writes the prompt, with the markers that the model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError
from labkit.models.gguf import GGUFHeader, read_gguf_header

if TYPE_CHECKING:
    from labkit.models.loading import Model
    from labkit.models.model_file import ModelFile

#: One turn of a conversation: `{"role": "user", "content": "What is 2 + 2?"}`.
Message = Mapping[str, str]

_TEMPLATE = "tokenizer.chat_template"
_EXAMPLE = 'Write it so: [{"role": "user", "content": "What is 2 + 2?"}].'


def chat_template(source: Model | ModelFile) -> str:
    """The chat template that a model's file carries, as it stands there. Taught in chapter 16.

    Raises LabError when the file has none.
    """
    header = _header(source)
    if not header.has_chat_template:
        raise LabError(
            f"{_name(source)} has no chat template: nobody taught it to answer.",
            "Give it a text to go on with, or take an instruct model.",
        )
    return str(header.metadata[_TEMPLATE])


def chat_prompt(
    source: Model | ModelFile, messages: str | Sequence[Message], *, add_generation_prompt: bool = True
) -> str:
    """What the model reads when it is to answer this conversation. Taught in chapter 16.

    Parameters
    ----------
    source : a loaded model, or a model file.
    messages : one text from the user, or the turns so far: dictionaries with "role" and "content".
    add_generation_prompt : end with the beginning of the assistant's turn, so that the model writes an
    answer.

    Raises LabError when the file has no template, the messages have another form, or the template fails.
    """
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template, metadata = chat_template(source), _header(source).metadata
    turns = _turns(messages)
    try:
        formatter = Jinja2ChatFormatter(
            template=template,
            eos_token=_special_token(metadata, "eos"),
            bos_token=_special_token(metadata, "bos"),
            add_generation_prompt=add_generation_prompt,
        )
        return formatter(messages=turns).prompt  # type: ignore[arg-type]
    except Exception as error:  # whatever a template written by others can raise
        raise LabError(
            f"The chat template in {_name(source)} does not work: {error}.",
            "Use `chat=False`, or another file of this model.",
        ) from error


def _turns(messages: object) -> list[dict[str, str]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Sequence) and messages and all(map(_is_message, messages)):
        return [dict(message) for message in messages]
    raise LabError(
        "This is not a conversation: a list of messages, each with a role and a content.", _EXAMPLE
    )


def _is_message(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _special_token(metadata: Mapping[str, Any], key: str) -> str:
    """The text of the token that the header calls "bos" or "eos"; empty when there is none."""
    tokens = metadata.get("tokenizer.ggml.tokens") or []
    number = metadata.get(f"tokenizer.ggml.{key}_token_id", -1)
    return tokens[number] if isinstance(number, int) and 0 <= number < len(tokens) else ""


def _header(source: Model | ModelFile) -> GGUFHeader:
    header = getattr(source, "header", None)
    if isinstance(header, GGUFHeader):
        return header
    path = getattr(source, "path", None)
    if isinstance(path, Path):
        return read_gguf_header(path)
    raise LabError(
        f"{type(source).__name__} is no model.", "Give a loaded model, or what `lk.get_model()` returned."
    )


def _name(source: Model | ModelFile) -> str:
    return getattr(source, "file", source).name
