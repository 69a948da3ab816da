"""`ch16-broken-prompts`: seven prompts for pocket-instruct; what is wrong with each?"""

from __future__ import annotations

import difflib
import html
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.ch16_chatml import END, START, render
from labkit.learning.quantities import describe

#: What may be wrong with a prompt, and what each word means.
CAUSES = {
    "fine": "nothing: the template writes just this, for messages from system, user and assistant",
    "raw": "no template at all: a bare text",
    "other-template": "the template of another model",
    "role": "a role other than system, user and assistant",
    "end-marker": "a message without its end marker",
    "generation-prompt": "at the end no turn is begun for the answer, or it is not left open",
    "bos": "a beginning-of-text token that this template does not have",
}


@dataclass(frozen=True)
class Prompt:
    """One of the strings. `look` is the hint for whoever names another cause."""

    text: str
    cause: str
    look: str


_ASK = [{"role": "user", "content": "What is 3 + 4?"}]
_SYSTEM = [{"role": "system", "content": "Answer with a number."}, *_ASK]
_MORE = [*_ASK, {"role": "assistant", "content": "7"}, {"role": "user", "content": "And 3 + 5?"}]

PROMPTS = {
    "A": Prompt("What is 3 + 4?", "raw", "Is there any marker in it?"),
    "B": Prompt(
        render(_ASK, ["no-generation-prompt"]),
        "generation-prompt",
        "Read it to its end. Whose turn is it, and who says so?",
    ),
    "C": Prompt(
        "[INST] What is 3 + 4? [/INST]",
        "other-template",
        "Compare its markers with those that you saw above.",
    ),
    "D": Prompt(
        render(_SYSTEM),
        "fine",
        "A system message is a message like the others, and may stand first.",
    ),
    "E": Prompt(render(_ASK, ["roles-human"]), "role", "Read the word after each start marker."),
    "F": Prompt(
        render(_MORE).replace(f"7{END}\n", "7\n"),
        "end-marker",
        "Count: each message has one start and one end marker. Only the last turn, the open one, has none.",
    ),
    "G": Prompt(render(_MORE), "fine", "Three messages, one after the other, and then the assistant's turn."),
}


def read(plain: Any) -> dict[str, str]:
    """Letter → cause; a LabError says what its form should be."""
    form = 'Write {"A": "…", "B": "…", …}, a word for each letter.'
    if not isinstance(plain, dict):
        raise LabError(f"The answer is {describe(plain)}, not a dictionary.", form)
    given = {key.strip().upper(): value for key, value in plain.items()}
    strange = [key for key in given if key not in PROMPTS]
    missing = [letter for letter in PROMPTS if given.get(letter) in (None, "", "?")]
    if strange:
        raise LabError(f"There is no prompt {strange[0][:40]!r}.", f"The prompts are {', '.join(PROMPTS)}.")
    if missing:
        raise LabError(f"Prompt {missing[0]} is still open.", f"Choose one of {', '.join(CAUSES)}.")
    return {letter: _cause(given[letter], letter) for letter in PROMPTS}


def _cause(word: Any, letter: str) -> str:
    if not isinstance(word, str):
        raise LabError(f"The cause of {letter} is {describe(word)}.", f"Choose one of {', '.join(CAUSES)}.")
    clean = word.strip().lower().replace(" ", "-").replace("_", "-")
    if clean in CAUSES:
        return clean
    near = difflib.get_close_matches(clean, CAUSES, 1, 0.6)
    cure = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(CAUSES)}."
    raise LabError(f"Prompt {letter}: {word.strip()[:40]!r} is not in the list of causes.", cure)


#: (prompt, wrong cause) → what to say besides the prompt's own hint: mix-ups that suggest themselves.
_MIX_UPS = {
    ("A", "fine"): "A base model would go on with it. An instruct model was trained on turns with markers.",
    ("A", "generation-prompt"): "That is missing too, and so is everything else.",
    ("C", "raw"): "It has markers: Llama 2 and early Mistral models were trained on these.",
    ("D", "role"): "system, user and assistant are the three roles that messages have.",
    ("D", "bos"): "It begins with the start marker of a turn, as each turn does.",
    ("F", "generation-prompt"): "Its end is right.",
}


def _wrong(letter: str) -> KnownMistake:
    def hint(answer: dict[str, str]) -> str | None:
        if answer[letter] == PROMPTS[letter].cause:
            return None
        said = f"{letter} is not {answer[letter]!r}. {PROMPTS[letter].look}"
        return f"{said} {_MIX_UPS.get((letter, answer[letter]), '')}".rstrip()

    return KnownMistake(f"prompt-{letter.lower()}", hint)


def _right(answer: dict[str, str]) -> int:
    return sum(answer[letter] == prompt.cause for letter, prompt in PROMPTS.items())


def _visible(text: str) -> str:
    """The string with its line breaks both shown and made."""
    return text.replace("\n", "↵\n")


def _details_html() -> str:
    style = "margin:0;white-space:pre-wrap;background:none"
    rows = "".join(
        f'<tr><th scope="row" style="vertical-align:top">{letter}</th><td style="text-align:left">'
        f'<pre style="{style}">{html.escape(_visible(prompt.text))}</pre></td></tr>'
        for letter, prompt in PROMPTS.items()
    )
    words = "".join(f"<li><code>{word}</code>: {html.escape(what)}</li>" for word, what in CAUSES.items())
    caption = "The prompts (↵ is a line break)"
    return f"<table><caption>{caption}</caption>{rows}</table><p>Causes:</p><ul>{words}</ul>"


def _details_text() -> str:
    prompts = [f"{letter}:\n{_visible(prompt.text)}" for letter, prompt in PROMPTS.items()]
    words = [f"  {word}: {what}" for word, what in CAUSES.items()]
    return "\n".join([*prompts, "", "Causes (↵ is a line break):", *words])


BROKEN_PROMPTS = Exercise(
    name="ch16-broken-prompts",
    title="What is wrong with this prompt?",
    prompt=(
        "Somebody sent these seven strings to pocket-instruct, through a program that changes nothing in "
        f"them: it turns markers such as {START} into their tokens. (The beginning-of-text token is put in "
        "front by the tokenizer, as it should be.) Two of the strings are fine. What is wrong with the "
        "others? A cause may fit several strings or none."
    ),
    points=4,
    form='The answer is a dictionary with a word for each letter: {"A": "…", "B": "…", …}.',
    blank=dict.fromkeys(PROMPTS, "?"),
    read=read,
    judge=lambda answer: _right(answer) == len(PROMPTS),
    partial=lambda answer: 0.5 * _right(answer),
    known_mistakes=tuple(_wrong(letter) for letter in PROMPTS),
    praise=lambda answer: (
        "All seven. None of the five broken ones raises an error anywhere, and the model may even answer "
        "some questions right. That is why such a mistake is easily overlooked."
    ),
    details_html=_details_html(),
    details_text=_details_text(),
)
