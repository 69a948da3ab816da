"""The same prompts to several models, bare and in a chat template. Taught in chapter 16."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import settings
from labkit.errors import LabError
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.chat_template import chat_prompt
from labkit.models.download import get_model
from labkit.models.loading import Model, load_model
from labkit.models.model_file import RANDOM_WEIGHTS_NOTICE, ModelFile
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

BARE, TEMPLATE = "bare", "in the template"
#: What is shown of an answer.
_MOST_CHARACTERS = 120
_CONTEXT = 512


@dataclass(frozen=True)
class Tried:
    """One prompt to one model in one form, and what it wrote."""

    prompt: str
    model: str
    form: str
    """`BARE` or `TEMPLATE`."""
    text: str
    ended: bool
    """The model ended its answer by itself; otherwise it was cut off."""


@dataclass(frozen=True, repr=False)
class PromptTrial(Result):
    """Prompts, tried on models in two forms. The answers are the most probable ones, token by token."""

    tried: list[Tried]
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    recorded: bool = False
    """Not run now: a run that was made earlier and kept."""
    date: str = field(default_factory=now_utc)

    def title(self) -> str:
        models = list(dict.fromkeys(each.model for each in self.tried))
        return f"{' and '.join(models)}, with and without the chat template"

    def rows(self) -> list[Row]:
        return [Row(f"{t.prompt} ({t.model}, {t.form})", t.text) for t in self.tried]

    def table(self) -> Table:
        found = {(each.prompt, each.model, each.form): _shown(each) for each in self.tried}
        models = list(dict.fromkeys(each.model for each in self.tried))
        rows: list[list[str]] = []
        for prompt in dict.fromkeys(each.prompt for each in self.tried):
            for model in models:
                # A prompt is written once, above its answers; a model where there are several.
                first = [prompt if model == models[0] else "", *([model] if len(models) > 1 else [])]
                rows.append([*first, *(found[prompt, model, form] for form in (BARE, TEMPLATE))])
        columns = ["prompt", *(["model"] if len(models) > 1 else []), "sent bare", "sent in the template"]
        return Table(self.title(), columns, rows, self.notes(), text_width=150)

    def notes(self) -> list[str]:
        notes = ["… means that it was cut off there; ↵ is a line break."]
        if self.settings["random_weights"]:
            notes.insert(0, RANDOM_WEIGHTS_NOTICE)
        if self.recorded:
            notes.insert(
                0,
                "RECORDED, not run now: the model is not on this machine, and could not be fetched. This run "
                f"was really made, on {self.date[:10]}, on {self.machine.cpu}.",
            )
        return notes

    def __repr__(self) -> str:
        return repr(self.table())


def try_prompts(
    prompts: Sequence[str], *models: ModelFile | str, max_tokens: int = 24, show_progress: bool = True
) -> PromptTrial:
    """Each prompt to each model, twice: as it is, and in the chat template. Taught in chapter 16.

    Parameters
    ----------
    prompts : one or more questions.
    models : names such as "pocket-base", or model files. One that has no template is asked in that of another
        of them, so that all get the same string.
    max_tokens : how much each may write.

    Where a model is a stand-in with random weights, a recorded run of the course's small model is given
    instead, if there is one for these prompts. Raises LabError when none of the models has a template, or a
    prompt is too long.
    """
    if isinstance(prompts, str) or not prompts or not models:
        raise LabError(
            "There is nothing to try.", 'Such as: lk.try_prompts(["What is 2 + 2?"], "pocket-base")'
        )
    files = [get_model(model) if isinstance(model, str) else model for model in models]
    if any(file.random_weights for file in files):
        kept = _recorded(prompts)
        if kept:
            return kept
    with open_models(files) as opened:
        template_of = with_template(opened)
        tried = _try_all(prompts, opened, template_of, max_tokens, show_progress)
    return PromptTrial(
        tried=tried,
        settings={
            "max_tokens": max_tokens,
            "random_weights": any(file.random_weights for file in files),
            "files": {file.name: file.sha256 for file in files},
        },
        machine=machine(),
        versions=versions(),
    )


def recording_path() -> Path:
    """Where the recorded run of the course's small model lies."""
    return settings.datasets_dir() / "recordings" / "ch16-template.json"


def _recorded(prompts: Sequence[str]) -> PromptTrial | None:
    """The recorded run, when it was made with these prompts."""
    if not recording_path().is_file():
        return None
    kept = PromptTrial.load(recording_path())
    if list(dict.fromkeys(each.prompt for each in kept.tried)) != list(prompts):
        return None
    return PromptTrial(**{**kept.__dict__, "recorded": True})


@contextlib.contextmanager
def open_models(files: Sequence[ModelFile], context: int = _CONTEXT) -> Iterator[list[Model]]:
    """The models, loaded; closed in the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(load_model(file, context=context)) for file in files]


def with_template(models: Sequence[Model]) -> Model:
    """The first of the models whose file has a chat template. LabError when none has."""
    for model in models:
        if model.header.has_chat_template:
            return model
    raise LabError(
        "None of these models has a chat template.", "Add an instruct model, such as pocket-instruct."
    )


def _try_all(
    prompts: Sequence[str], models: Sequence[Model], template_of: Model, max_tokens: int, show: bool
) -> list[Tried]:
    tried = []
    with ProgressBar(2 * len(prompts) * len(models), "answer", "Asking", show=show) as bar:
        for prompt in prompts:
            for model in models:
                own = model if model.header.has_chat_template else template_of
                for form, text in ((BARE, prompt), (TEMPLATE, chat_prompt(own, prompt))):
                    answer = model.generate(text, max_tokens=max_tokens, chat=False, special=form == TEMPLATE)
                    ended = answer.stop_reason == "end"
                    tried.append(Tried(prompt, model.file.name, form, answer.text, ended))
                    bar.update()
    return tried


def _shown(each: Tried) -> str:
    """An answer on one line, cut between words where it is long; the indents of code stay."""
    text = re.sub(r"\n( *)", lambda found: " ↵ " + "\N{NO-BREAK SPACE}" * len(found[1]), each.text.strip())
    cut = len(text) > _MOST_CHARACTERS
    if cut:
        head, space, _ = text[: _MOST_CHARACTERS + 1].rpartition(" ")
        text = (head if space else text[:_MOST_CHARACTERS]).rstrip()
    if not text:
        return "(nothing)" if each.ended else "(empty lines) …"
    return text + (" …" if cut or not each.ended else "")
