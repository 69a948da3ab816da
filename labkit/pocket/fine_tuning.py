"""Fine-tuning a pocket model on a few texts of your own, in under a minute. Taught in chapter 16."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from labkit.errors import LabError
from labkit.models import embedded
from labkit.models.made_files import MadeFiles
from labkit.models.model_file import ModelFile
from labkit.models.trust import file_sha256

__all__ = ["FINE_TUNED", "can_fine_tune", "fine_tune"]

FINE_TUNED = MadeFiles("fine-tuned", "fine-tuned model", "fine-tuned models", "LABKIT_QUANTIZED_SPACE")
_STEPS, _ROWS, _LENGTH = 60, 8, 128
#: texts of the old data for each of the learner's: without them the model forgets what it knew
_OLD_PER_NEW = 2
_MOST_TEXTS, _LONGEST_TEXT = 200, 2000


def can_fine_tune() -> bool:
    """Whether PyTorch, tokenizers and gguf are installed: the `train` extra."""
    return all(importlib.util.find_spec(name) for name in ("torch", "tokenizers", "gguf"))


def fine_tune(
    name: str, texts: Sequence[str], *, steps: int = _STEPS, keep_old: bool = True, seed: int = 0
) -> ModelFile:
    """Trains a pocket model further on your texts and returns the new F16 GGUF, kept in labkit's cache.

    Parameters
    ----------
    name : "pocket-base" (the pocket model that continues texts).
    texts : what it shall learn, such as ten sentences that say the same in other words.
    steps : optimizer steps, 1,024 tokens each.
    keep_old : mixes in texts that the model was first trained on; without them it forgets.
    seed : of the order of the texts. The same call gives the same file on the same machine.

    Raises LabError when the `train` extra is not installed, or when there is nothing to learn.
    """
    texts = _checked(texts)
    if not 1 <= steps <= 1000:
        raise LabError(f"{steps} steps are not possible.", "Give 1 to 1000; 60 take about half a minute.")
    if not can_fine_tune():
        raise LabError(
            "Training needs PyTorch, which is not installed: it is large, so the course does not bring it.",
            "Install it with `pip install -e '.[train]'` in the course's folder, and restart the kernel.",
        )
    source = embedded.pocket_model(name)
    if source is None or name != "pocket-base":
        raise LabError(f"{name!r} cannot be trained here.", 'Give the name "pocket-base".')
    settings = [file_sha256(source), texts, steps, keep_old, seed]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    path = FINE_TUNED.folder() / f"{name}-tuned-{key}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FINE_TUNED.only_writer(path, True):
        sha256 = FINE_TUNED.recorded_sha256(path)
        if not sha256:
            FINE_TUNED.room_for(source.stat().st_size).make()
            _train(source, path, texts, steps, keep_old, seed)
            sha256 = file_sha256(path)
            FINE_TUNED.record(path, sha256)
    return ModelFile(path.stem, path, sha256, path.stat().st_size, "fine-tuned")


def _checked(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        texts = [texts]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise LabError(
            "There is nothing to learn.", 'Give a list of sentences: `["Zoe Quill has a cat.", ...]`.'
        )
    if len(texts) > _MOST_TEXTS or max(map(len, texts)) > _LONGEST_TEXT:
        raise LabError(
            "That is more than this small lesson trains on.",
            f"Give at most {_MOST_TEXTS} texts of at most {_LONGEST_TEXT:,} characters.",
        )
    return list(texts)


def _train(source: Path, path: Path, texts: list[str], steps: int, keep_old: bool, seed: int) -> None:
    import numpy as np

    from labkit.pocket import corpus, export
    from labkit.pocket.tokenizer import END_OF_TEXT_ID, load_tokenizer
    from labkit.pocket.training import Schedule, train

    tokenizer = load_tokenizer(embedded.pocket_dir() / "tokenizer.json")
    schedule = Schedule(
        steps=steps,
        rows=_ROWS,
        length=_LENGTH,
        long_share=0.0,
        muon_rate=0.005,
        adam_rate=0.001,
        warm_up=5,
    )
    rng = random.Random(f"fine-tune/{seed}")
    old = (document.text for document in corpus.documents(seed=corpus.SEED + 1, only=("world",)))
    ids: list[int] = []
    while len(ids) <= schedule.tokens + _LENGTH:
        for text in rng.sample(texts, len(texts)):
            for item in (text, *islice(old, _OLD_PER_NEW if keep_old else 0)):
                ids += [END_OF_TEXT_ID, *tokenizer.encode(item, add_special_tokens=False).ids]
    model = export.read_gguf(source)
    train(model, np.array(ids, np.uint16), schedule, title="Fine-tuning", seed=seed, compiled=False)
    about = {"name": "Pocket Base, fine-tuned", "license": "apache-2.0"}
    export.write_gguf(path, model, tokenizer, chat=False, about=about)
