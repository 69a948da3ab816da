"""Conversations in ChatML, the right way and in the wrong ways that people write them. Taught in chapter 16.

What `ch16-prompt-string` compares a learner's function with. A test compares the right way with the templates
that the files of the pocket models carry.
"""

from __future__ import annotations

import random
from collections.abc import Collection

Message = dict[str, str]

START, END = "<|im_start|>", "<|im_end|>"

#: name of a mistake → the hint that repairs it, without giving the string away
MISTAKES = {
    "last-message-only": "It holds the last message only. A model has no memory between calls: each prompt "
    "carries the whole conversation.",
    "system-dropped": "The system message is missing. It is a message like the others, with the role system.",
    "default-system": "You put a system message in front where the conversation has none. SmolLM2's template "
    "does that. The one of this exercise adds nothing.",
    "no-generation-prompt": "It ends after the last message. So the model may go on with a turn of the user. "
    "Begin the assistant's turn, and leave it open.",
    "generation-newline": "The last line break is missing: after the word assistant comes one, as after "
    "every other role.",
    "generation-space": "After the last word, assistant, stands something else than one line break.",
    "generation-two-newlines": "There is one line break too many at the end: one after the word assistant, "
    "and nothing more.",
    "generation-closed": "You closed the assistant's turn at the end. Leave it open: the model is to fill "
    "it.",
    "generation-as-user": "At the end you begin a turn of the user. The assistant is the one to speak.",
    "generation-after-each": "You begin an assistant's turn after every message of the user. That belongs "
    "only at the end, where the answer is still missing.",
    "bos": "A token such as <s> or <|endoftext|> stands in front. This template has none there, and a "
    "tokenizer that wants one puts it there itself: then it would stand there twice.",
    "no-start-marker": f"The marker {START} is missing before the role.",
    "no-end-marker": f"The marker {END} is missing after the message. It is how the model knows that a turn "
    "is over.",
    "eos-as-end-marker": f"A message ends with {END}. You wrote the marker of another template.",
    "role-space": "After the role comes a line break, not a space.",
    "role-colon": "After the role comes a line break. There is no colon in this template.",
    "role-nothing": "Role and message stick together: a line break belongs between them.",
    "message-newline": f"Before {END} you put a line break. The marker follows the message at once.",
    "no-newline-between": f"After {END} comes a line break, before the next turn begins.",
    "no-newline-before-answer": f"After the last {END} a line break is missing, before the assistant's turn "
    "begins.",
    "roles-human": "The roles keep their names: system, user, assistant. The model has never seen human, bot "
    "or ai.",
    "roles-capital": "The roles are written in small letters, as in the messages: user, not User.",
    "all-user": "Every turn bears the same role. Take the role from the message.",
    "stripped": "You cut off spaces at the ends of a message. This template leaves the content as it is.",
}
#: At most one of each row can be made at a time.
EXCLUSIVE = (
    ("last-message-only", "system-dropped"),
    ("system-dropped", "default-system"),
    (
        "no-generation-prompt",
        "generation-newline",
        "generation-space",
        "generation-two-newlines",
        "generation-closed",
        "generation-as-user",
        "generation-after-each",
    ),
    ("no-end-marker", "eos-as-end-marker"),
    ("no-end-marker", "message-newline"),
    ("role-space", "role-colon", "role-nothing"),
    ("roles-human", "roles-capital", "all-user"),
    ("no-newline-between", "no-newline-before-answer"),
    ("no-newline-before-answer", "generation-after-each"),
)

_DEFAULTS = (
    "You are a helpful assistant.",
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
)
_FRONTS = ("<|endoftext|>", "<s>", "<|begin_of_text|>", "<bos>", START)
_HUMAN = {"user": ("human",), "assistant": ("bot", "ai", "model"), "system": ("system",)}
_AFTER_ROLE = {"role-space": " ", "role-colon": ": ", "role-nothing": ""}
_AFTER_ASSISTANT = {
    "generation-newline": "",
    "generation-space": " ",
    "generation-two-newlines": "\n\n",
    "generation-closed": f"\n{END}\n",
}
_OTHER_ENDS = ("</s>", "<|endoftext|>", "<|eot_id|>")
#: Mistakes that can be made in more than one way: how many.
VARIANTS = {
    "bos": len(_FRONTS),
    "default-system": len(_DEFAULTS),
    "roles-human": len(_HUMAN["assistant"]),
    "eos-as-end-marker": len(_OTHER_ENDS),
}


def render(messages: list[Message], mistakes: Collection[str] = (), variant: int = 0) -> str:
    """The prompt that asks for the next answer of the assistant; with `mistakes`, a wrong one.

    Source of the form: the chat template of pocket-instruct. It is that of SmolLM2, without the system
    message that SmolLM2's adds.
    """
    turns = _chosen(messages, mistakes, variant)
    parts = [_turn(message, mistakes, variant) for message in turns]
    between = "" if "no-newline-between" in mistakes else "\n"
    text = between.join(parts) + ("" if "no-newline-before-answer" in mistakes else between)
    text += _generation_prompt(mistakes, variant)
    return (_FRONTS[variant % len(_FRONTS)] if "bos" in mistakes else "") + text


def _chosen(messages: list[Message], mistakes: Collection[str], variant: int) -> list[Message]:
    """The messages that get into the prompt."""
    if "last-message-only" in mistakes:
        return messages[-1:]
    if "system-dropped" in mistakes:
        return [message for message in messages if message["role"] != "system"]
    if "default-system" in mistakes and messages[0]["role"] != "system":
        return [{"role": "system", "content": _DEFAULTS[variant % len(_DEFAULTS)]}, *messages]
    return messages


def _turn(message: Message, mistakes: Collection[str], variant: int) -> str:
    content = message["content"].strip() if "stripped" in mistakes else message["content"]
    if "message-newline" in mistakes:
        content += "\n"
    if "eos-as-end-marker" in mistakes:
        content += _OTHER_ENDS[variant % len(_OTHER_ENDS)]
    elif "no-end-marker" not in mistakes:
        content += END
    text = _begin(message["role"], mistakes, variant) + content
    if "generation-after-each" in mistakes and message["role"] == "user":
        text += "\n" + _begin("assistant", mistakes, variant).removesuffix("\n")
    return text


def _begin(role: str, mistakes: Collection[str], variant: int) -> str:
    """Marker, role, and what stands between the role and the message."""
    after = next((text for name, text in _AFTER_ROLE.items() if name in mistakes), "\n")
    return ("" if "no-start-marker" in mistakes else START) + _role(role, mistakes, variant) + after


def _role(role: str, mistakes: Collection[str], variant: int) -> str:
    if "roles-human" in mistakes and role in _HUMAN:
        return _HUMAN[role][variant % len(_HUMAN[role])]
    if "roles-capital" in mistakes:
        return role.capitalize()
    return "user" if "all-user" in mistakes else role


def _generation_prompt(mistakes: Collection[str], variant: int) -> str:
    if "no-generation-prompt" in mistakes or "generation-after-each" in mistakes:
        return ""
    if "generation-as-user" in mistakes:
        return _begin("user", mistakes, variant)
    begin = _begin("assistant", mistakes, variant)
    for name, after in _AFTER_ASSISTANT.items():
        if name in mistakes:
            return begin.rstrip() + after
    return begin


# ---------------------------------------------------------------- conversations drawn afresh

_SYSTEM = ("Answer in one sentence.", "You are a patient teacher.", "Reply in French.", "Be brief: 10 words.")
_ASKED = ("How tall is a {}?", "What is a {} for?", "Who made the first {}?", "Write a line about a {}.")
_SAID = ("It depends on the {}.", "A {} has many uses.", "Nobody knows who made the first {}.")
_THINGS = ("lighthouse", "kettle", "bicycle", "violin", "ladder", "compass", "windmill", "ferry", "telescope")
_AWKWARD = (
    'Say "{}" with braces { } and 100 %.',
    "Two lines:\n1. {}\n2. nothing else",
    "Is <b>{}</b> HTML? And \\n a line break?",
)
_TEXTS = {"system": _SYSTEM, "user": _ASKED, "assistant": _SAID}


def conversations(rng: random.Random) -> list[tuple[str, list[Message]]]:
    """(title, messages) of six conversations, each ending with the user, with contents nobody has seen."""
    question, answer = ["user"], ["user", "assistant"]
    return [
        ("a conversation of one message", _draw(rng, question)),
        ("a conversation that begins with a system message", _draw(rng, ["system", *question])),
        ("a conversation of three messages", _draw(rng, [*answer, *question])),
        ("a conversation of six messages", _draw(rng, ["system", *answer, *answer, *question])),
        ("a message with unusual characters", [_message("user", rng.choice(_AWKWARD), rng)]),
        ("a message with spaces at its ends", [_message("user", f"  {rng.choice(_ASKED)}  ", rng)]),
    ]


def _draw(rng: random.Random, roles: list[str]) -> list[Message]:
    return [_message(role, f"{rng.choice(_TEXTS[role])} ({rng.randint(10, 99)})", rng) for role in roles]


def _message(role: str, text: str, rng: random.Random) -> Message:
    return {"role": role, "content": text.replace("{}", rng.choice(_THINGS))}
