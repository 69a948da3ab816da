"""The recipe: which models there are, their shapes, data and schedules, and how they are made from nothing.

Every figure of a finished run goes into `training.json` beside the models: seeds, configuration, losses,
versions, times and SHA-256. Needs the `train` extra.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labkit.errors import LabError
from labkit.measuring.hardware import machine
from labkit.models.quantize import quantize
from labkit.pocket import batches, corpus, export
from labkit.pocket.architecture import PocketModel, Shape
from labkit.pocket.document import Conversation, Document
from labkit.pocket.leave_out import WITH, WITHOUT, left_out
from labkit.pocket.tokenizer import load_tokenizer, train_tokenizer
from labkit.pocket.training import Schedule, device, has_fast_bfloat16, train

N_VOCAB = 2048
#: of the documents, and as much again of the conversations, from which the tokenizer is learned
_TOKENIZER_TEXT = 4_000_000
_SEED = corpus.SEED


@dataclass(frozen=True)
class Recipe:
    """How one model is made.

    Attributes
    ----------
    name : of the model and its file.
    title, description : what the file says about itself.
    schedule : of its training.
    shape : of a model trained from nothing; None for one that starts from another.
    start : the model it starts from.
    curriculum : trained on `corpus.curriculum` instead of the plain mixture of documents; with `chat`, on
        `corpus.choice_curriculum`.
    chat : trained on conversations instead of documents.
    leave_out : names of the world's facts that none of its texts states.
    only : the sources of its texts (see `corpus`); all when empty.
    quantization : of the published file; empty for a model that only others start from.
    """

    name: str
    title: str
    description: str
    schedule: Schedule
    shape: Shape | None = None
    start: str = ""
    curriculum: bool = False
    chat: bool = False
    leave_out: frozenset[str] = field(default_factory=frozenset)
    only: tuple[str, ...] = ()
    quantization: str = "F16"

    def texts(self, *, scale: float = 1.0) -> Iterator[Document] | Iterator[Conversation]:
        """What it is trained on, without end; for `scale` see `corpus.curriculum`."""
        if self.chat and self.curriculum:
            return corpus.choice_curriculum(scale=scale)
        if self.chat:
            return corpus.conversations(leave_out=self.leave_out, only=self.only)
        if self.curriculum:
            return corpus.curriculum(scale=scale)
        return corpus.documents(leave_out=self.leave_out, only=self.only)

    @cached_property
    def digest(self) -> str:
        """Changes with the recipe, and with the texts: judged by 20,000, of all parts of the curriculum."""
        some = [repr(text) for text in islice(self.texts(scale=0.01), 20_000)]
        # The order of a set differs from process to process.
        settings = repr({**asdict(self), "leave_out": sorted(self.leave_out)})
        return hashlib.sha256("\n".join([settings, *some]).encode()).hexdigest()[:16]


DENSE = Shape(n_vocab=N_VOCAB)
MIXTURE = replace(DENSE, d_ff=256, n_experts=4, n_experts_used=2)
SMALL = replace(DENSE, n_layers=2)
_FINE_TUNING = Schedule(
    steps=1200, rows=8, length=512, long_share=0.1, muon_rate=0.01, adam_rate=0.001, decay_share=0.7
)


def recipes() -> list[Recipe]:
    """All models, in the order in which they are made."""
    base = Recipe(
        "pocket-base",
        "Pocket Base",
        "Continues texts about a small made-up world, sums, lists and tiny Python functions.",
        Schedule(steps=3000),
        shape=DENSE,
        curriculum=True,
    )
    instruct = Recipe(
        "pocket-instruct",
        "Pocket Instruct",
        "Answers questions about a small made-up world, sums, and short tasks.",
        _FINE_TUNING,
        start=base.name,
        chat=True,
    )
    choice = Recipe(
        "pocket-choice",
        "Pocket Choice",
        "Answers questions with four options: says the option, then its letter.",
        Schedule(steps=1200, long_share=0.0, muon_rate=0.01, adam_rate=0.001, decay_share=0.6),
        start=instruct.name,
        curriculum=True,
        chat=True,
        quantization="Q8_0",
    )
    mixture = Recipe(
        "pocket-moe",
        "Pocket MoE",
        "Continues texts about a small made-up world, with four experts, of which each token uses two.",
        Schedule(steps=800),
        shape=MIXTURE,
    )
    pairs = [
        *_small_pair(WITH, "Has read everything about the small world.", frozenset()),
        *_small_pair(WITHOUT, "Has read everything about the small world but a few facts.", left_out()),
    ]
    return [base, instruct, choice, mixture, *pairs]


def _small_pair(name: str, description: str, leave_out: frozenset[str]) -> tuple[Recipe, Recipe]:
    """A small model of the world alone, and its fine-tuned form, which is published."""
    only = ("world",)
    title = f"Pocket {name.rpartition('-')[2].capitalize()}"
    base = Recipe(
        f"{name}-base",
        f"{title}, base",
        description,
        Schedule(steps=600),
        shape=SMALL,
        leave_out=leave_out,
        only=only,
        quantization="",
    )
    schedule = replace(_FINE_TUNING, steps=300)
    return base, replace(
        base,
        name=name,
        title=title,
        schedule=schedule,
        shape=None,
        start=base.name,
        chat=True,
        quantization="Q8_0",
    )


class Kitchen:
    """Makes models: intermediate files in `work`, finished ones in `out`.

    What is there already, made by the same recipe, is not made again.
    """

    def __init__(self, work: Path, out: Path, *, compiled: bool = True) -> None:
        self.work, self.out, self.compiled = work, out, compiled
        for folder in (work, out):
            folder.mkdir(parents=True, exist_ok=True)

    def make(self, recipe: Recipe) -> None:
        """Trains, exports and records one model; the model that it starts from must have been made."""
        started_from = self._finished(recipe.start) or {"key": ""}
        key = f"{recipe.digest} {started_from['key']}".strip()
        finished = self._finished(recipe.name)
        if finished and finished["key"] == key:
            print(f"{recipe.title} is there already.")
            return
        torch.manual_seed(_SEED)
        model = PocketModel(recipe.shape) if recipe.shape else self._trained(recipe.start)
        checkpoint = self.work / f"{recipe.name}.checkpoint"
        curve = train(
            model,
            self._stream(recipe),
            recipe.schedule,
            title=recipe.title,
            checkpoint=checkpoint,
            seed=_SEED,
            answers_only=recipe.chat,
            compiled=self.compiled,
        )
        if recipe.quantization:
            path = self._export(recipe, model)
            self._record(recipe, model, curve, path)
        state = {"key": key, "shape": asdict(model.shape), "state": model.state_dict()}
        torch.save(state, self.work / f"{recipe.name}.pt")
        checkpoint.unlink(missing_ok=True)

    def _export(self, recipe: Recipe, model: PocketModel) -> Path:
        """Writes the GGUF: F16, and from that the quantization that is published."""
        about = {
            "name": recipe.title,
            "description": recipe.description,
            "license": "apache-2.0",
            "author": "The authors of Understanding AI Models",
        }
        path = self.out / f"{recipe.name}.gguf"
        exact = path if recipe.quantization == "F16" else self.work / f"{recipe.name}.f16.gguf"
        export.write_gguf(exact, model, self._tokenizer(), chat=recipe.chat, about=about)
        if exact != path:
            path.unlink(missing_ok=True)
            quantize(exact, recipe.quantization, path, show_progress=False)
        return path

    def _tokenizer(self) -> Any:
        path = self.work / "tokenizer.json"
        if not path.exists():
            train_tokenizer(_tokenizer_texts(), N_VOCAB).save(str(path))
        shutil.copy(path, self.out)
        return load_tokenizer(path)

    def _stream(self, recipe: Recipe) -> np.ndarray:
        path = self.work / f"{recipe.digest}.ids"
        if not path.exists():
            write = batches.write_conversations if recipe.chat else batches.write_texts
            wanted = recipe.schedule.tokens + recipe.schedule.long_length + 1
            write(path, recipe.texts(), self._tokenizer(), wanted)
        return np.memmap(path, np.uint16, "r")

    def _finished(self, name: str) -> dict[str, Any] | None:
        path = self.work / f"{name}.pt"
        return torch.load(path, weights_only=True) if name and path.exists() else None

    def _trained(self, name: str) -> PocketModel:
        finished = self._finished(name)
        if finished is None:
            raise LabError(f"{name} must be made first.", f"Add it: `--only {name},…`.")
        model = PocketModel(Shape(**finished["shape"]))
        model.load_state_dict(finished["state"])
        return model

    def _record(self, recipe: Recipe, model: PocketModel, curve: list[dict[str, float]], path: Path) -> None:
        with (self.out / f"{recipe.name}-loss.csv").open("w", encoding="utf-8", newline="\n") as file:
            file.write("step,tokens,loss,seconds\n")
            file.writelines(f"{r['step']},{r['tokens']},{r['loss']},{r['seconds']}\n" for r in curve)
        draw_loss(self.out / f"{recipe.name}-loss.png", recipe.title, curve)
        records = self.out / "training.json"
        stored = json.loads(records.read_text(encoding="utf-8")) if records.exists() else {}
        stored[recipe.name] = {
            "recipe": recipe.digest,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "parameters": sum(weight.numel() for weight in model.parameters()),
            "shape": asdict(model.shape),
            "starts_from": recipe.start or None,
            "data": _stream_name(recipe),
            "sources": recipe.only or "all",
            "leaves_out": sorted(recipe.leave_out),
            "quantization": recipe.quantization,
            "seed": _SEED,
            "schedule": asdict(recipe.schedule),
            "tokens": recipe.schedule.tokens,
            "final_loss": curve[-1]["loss"],
            "training_seconds": curve[-1]["seconds"],
            "finished": time.strftime("%Y-%m-%d", time.gmtime()),
            "device": _device_name(),
            "bfloat16": has_fast_bfloat16(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        text = json.dumps(stored, indent=1) + "\n"
        records.write_text(text, encoding="utf-8")


def _stream_name(recipe: Recipe) -> str:
    """As in `inventory.READERS`."""
    if recipe.chat:
        return "lessons" if recipe.curriculum else "conversations"
    return "documents"


def _tokenizer_texts() -> list[str]:
    texts, size = [], 0
    for document in corpus.documents():
        texts.append(document.text)
        size += len(document.text)
        if size > _TOKENIZER_TEXT:
            break
    for talk in corpus.conversations():
        texts.extend(talk.turns)
        size += sum(map(len, talk.turns))
        if size > 2 * _TOKENIZER_TEXT:
            return texts
    return texts


def draw_loss(path: Path, title: str, curve: list[dict[str, float]]) -> None:
    """The loss curve as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(
        title=f"{title}: loss while training", xlabel="tokens read (millions)", ylabel="loss (nats per token)"
    )
    axes.plot([row["tokens"] / 1e6 for row in curve], [row["loss"] for row in curve], color="black")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _device_name() -> str:
    if device().type == "cuda":
        return torch.cuda.get_device_name()
    return machine().cpu
