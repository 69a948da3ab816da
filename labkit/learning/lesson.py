"""Teaching a pocket model something new, and what it says before and after. Taught in chapter 16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import settings
from labkit.errors import LabError
from labkit.measuring.hardware import Machine, machine, versions
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.download import get_model
from labkit.models.loading import load_model
from labkit.models.model_file import ModelFile
from labkit.pocket.fine_tuning import can_fine_tune, fine_tune
from labkit.tables import Table
from labkit.units import format_bytes

_BASE = "pocket-base"
_STEPS, _QUICK_STEPS = 45, 8
_CONTEXT, _MOST_TOKENS = 256, 16
_HOW_TO_TRAIN = (
    "Training needs PyTorch, which is not installed here: it is large, so the course does not bring it. To "
    "train yourself, type `pip install -e '.[train]'` in the course's folder, and restart the kernel."
)


@dataclass(frozen=True)
class Asked:
    """A beginning of a text, and how the model goes on with it."""

    prompt: str
    before: str
    after: str


@dataclass(frozen=True, repr=False)
class Lesson(Result):
    """What was taught, and what the model says before and after."""

    texts: list[str]
    asked: list[Asked]
    model: dict[str, Any]
    """name, path, bytes and sha256 of the new file; a path only where it was made here."""
    settings: dict[str, Any]
    machine: Machine
    versions: dict[str, str]
    recorded: bool = False
    """Not trained now: a run that was made earlier and kept."""
    date: str = field(default_factory=now_utc)

    def title(self) -> str:
        return f"{_BASE} before and after {len(self.texts)} new texts"

    def rows(self) -> list[Row]:
        return [Row(each.prompt, f"before: {each.before}; after: {each.after}") for each in self.asked]

    def table(self) -> Table:
        rows = [[_line(each.prompt), _line(each.before), _line(each.after)] for each in self.asked]
        columns = ["the text begins", "it went on before", "it goes on now"]
        return Table(self.title(), columns, rows, self.notes(), text_width=130)

    def notes(self) -> list[str]:
        notes = ["Up to the first line break. ↵ is a line break in the beginning."]
        if self.recorded:
            return [
                f"RECORDED, not trained now. {_HOW_TO_TRAIN} This run was really made, on {self.date[:10]}, "
                f"on {self.machine.cpu}.",
                *notes,
            ]
        size = format_bytes(self.model["bytes"])
        notes.append(f"The new model is a GGUF file of {size}: {self.model['path']}")
        if self.settings["quick"]:
            notes.append("Quick run (LABKIT_QUICK): too few steps to learn it.")
        return notes

    def __repr__(self) -> str:
        return repr(self.table())


def teach(texts: Sequence[str], ask: Sequence[str]) -> Lesson:
    """Fine-tune pocket-base on `texts`, and let it go on with the beginnings `ask`, before and after.

    Takes about half a minute. Where PyTorch is not installed, a recorded run is given, with a sentence on how
    to install it. Raises LabError when there is nothing to learn or to ask. Taught in chapter 16.
    """
    if isinstance(ask, str) or not ask:
        raise LabError("There is nothing to ask.", 'Give a list of beginnings: ["Zoe Quill lives in"].')
    if not can_fine_tune():
        return _recorded()
    steps = _QUICK_STEPS if settings.quick() else _STEPS
    tuned = fine_tune(_BASE, texts, steps=steps)
    before, after = (_continuations(file, ask) for file in (get_model(_BASE), tuned))
    return Lesson(
        texts=list(texts),
        asked=[Asked(*row) for row in zip(ask, before, after, strict=True)],
        model=tuned.to_dict(),
        settings={"steps": steps, "quick": settings.quick()},
        machine=machine(),
        versions=versions(),
    )


def recording_path() -> Path:
    """Where the recorded lesson lies."""
    return settings.datasets_dir() / "recordings" / "ch16-lesson.json"


def _recorded() -> Lesson:
    return Lesson(**{**Lesson.load(recording_path()).__dict__, "recorded": True})


def _continuations(file: ModelFile, prompts: Sequence[str]) -> list[str]:
    """The first line that the model writes after each."""
    with load_model(file, context=_CONTEXT) as model:
        texts = [model.generate(prompt, max_tokens=_MOST_TOKENS, chat=False).text for prompt in prompts]
    return [text.strip().split("\n")[0] for text in texts]


def _line(text: str) -> str:
    return text.replace("\n", " ↵ ") or "(nothing)"
