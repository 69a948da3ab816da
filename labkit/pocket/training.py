"""Training: one loop for all pocket models, with checkpoints, on a CPU or a GPU.

Matrices are trained with Muon, embeddings, routers and norms with AdamW, both from PyTorch. The learning rate
rises over the first steps, stays, and falls to zero over the last part. Products are computed in bfloat16
where the processor has instructions for it. A run that is repeated on the same machine gives the same bits.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labkit.pocket.architecture import PocketModel
from labkit.pocket.batches import LEARN, batch
from labkit.progress_bar import ProgressBar

CHECKPOINT_SECONDS = 300.0
#: target of tokens that are not learned
_IGNORED = -100
_BALANCE_WEIGHT = 0.01
_LOG_EVERY = 20


@dataclass(frozen=True)
class Schedule:
    """How a model is trained.

    Attributes
    ----------
    steps : optimizer steps.
    rows, length : sequences in a step, and their tokens.
    long_length : length of the sequences in the last `long_share` of the steps (as many tokens a step).
    muon_rate, adam_rate : highest learning rates for matrices, and for everything else.
    warm_up : steps until the highest rate.
    decay_share : part of the steps, at the end, in which the rate falls to zero.
    """

    steps: int
    rows: int = 16
    length: int = 256
    long_length: int = 1024
    long_share: float = 0.2
    muon_rate: float = 0.02
    adam_rate: float = 0.002
    weight_decay: float = 0.02
    warm_up: int = 50
    decay_share: float = 0.4

    def rate(self, step: int) -> float:
        """The learning rate of a step, as a share of the highest."""
        rise = min(1.0, (step + 1) / self.warm_up)
        fall = min(1.0, (self.steps - step) / (self.steps * self.decay_share))
        return rise * fall

    def sizes(self, step: int) -> tuple[int, int]:
        """(rows, length) of a step."""
        if step < self.steps * (1 - self.long_share):
            return self.rows, self.length
        return max(1, self.rows * self.length // self.long_length), self.long_length

    @property
    def tokens(self) -> int:
        return self.steps * self.rows * self.length


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bfloat16() -> bool:
    """Whether products in bfloat16 are quicker than in float32 here."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    from labkit.models import native

    return bool({"AVX512_BF16", "AMX_INT8"} & native.cpu_features())


def train(
    model: PocketModel,
    stream: np.ndarray,
    schedule: Schedule,
    *,
    title: str,
    checkpoint: Path | None = None,
    seed: int = 0,
    answers_only: bool = False,
    compiled: bool = True,
) -> list[dict[str, float]]:
    """Trains the model in place on a stream of ids (see `batches`), and returns the loss curve.

    `answers_only` learns the ids that `batches.write_conversations` marked. `compiled=False` spares the
    compiler, for short runs. With `checkpoint`, the state is stored there every five minutes, and a run that
    was stopped goes on from it.
    Each row of the curve: step, tokens, loss (nats per token, mean of the last steps), seconds.
    """
    where = device()
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    model.to(where).train()
    run = _Run(model, schedule, compiled)
    start, curve = run.restore(checkpoint) if checkpoint else (0, [])
    spent = curve[-1]["seconds"] if curve else 0.0
    began = last_saved = time.monotonic()
    losses = []
    with ProgressBar(schedule.steps, "step", title) as bar:
        bar.set(start, resumed=True)
        for step in range(start, schedule.steps):
            ids = batch(stream, step, *schedule.sizes(step))
            losses.append(run.step(step, *_inputs_and_targets(ids, answers_only, where)))
            if (step + 1) % _LOG_EVERY == 0 or step + 1 == schedule.steps:
                loss = float(torch.stack(losses).mean())
                losses = []
                seconds = spent + time.monotonic() - began
                tokens = (step + 1) * schedule.rows * schedule.length
                row = {"step": step + 1, "tokens": tokens, "loss": round(loss, 4)}
                curve.append({**row, "seconds": round(seconds, 1)})
                bar.text = f"loss {loss:.3f}"
                if checkpoint and time.monotonic() - last_saved > CHECKPOINT_SECONDS:
                    run.save(checkpoint, step + 1, curve)
                    last_saved = time.monotonic()
            bar.set(step + 1)
    model.eval()
    return curve


def _inputs_and_targets(ids: np.ndarray, answers_only: bool, where: torch.device) -> tuple[Tensor, Tensor]:
    """Both of shape (rows, length), int64."""
    plain = torch.from_numpy(ids & ~int(LEARN))
    inputs, targets = plain[:, :-1], plain[:, 1:]
    if answers_only:
        targets = targets.masked_fill(torch.from_numpy(ids[:, 1:] & int(LEARN)) == 0, _IGNORED)
    return inputs.contiguous().to(where), targets.contiguous().to(where)


class _Run:
    """A model with its optimizers."""

    def __init__(self, model: PocketModel, schedule: Schedule, compiled: bool) -> None:
        self.model, self.schedule = model, schedule
        matrices = [weight for name, weight in model.named_parameters() if _is_matrix(name, weight)]
        others = [weight for name, weight in model.named_parameters() if not _is_matrix(name, weight)]
        # The rates are set at every step.
        self.muon = torch.optim.Muon(matrices, weight_decay=schedule.weight_decay)
        self.adam = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0)
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.bfloat16 = has_fast_bfloat16()

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(inputs)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)
        return loss + _BALANCE_WEIGHT * self.model.balance_loss()

    def step(self, step: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step of training; returns the loss before it, without waiting for it."""
        rate = self.schedule.rate(step)
        highest = {self.muon: self.schedule.muon_rate, self.adam: self.schedule.adam_rate}
        for optimizer, top in highest.items():
            for group in optimizer.param_groups:
                group["lr"] = top * rate
        loss = self.loss(inputs, targets)
        loss.backward()
        for optimizer in highest:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def save(self, path: Path, step: int, curve: list[dict[str, float]]) -> None:
        state = {
            "schedule": asdict(self.schedule),
            "step": step,
            "curve": curve,
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def restore(self, path: Path) -> tuple[int, list[dict[str, float]]]:
        """Goes on from a checkpoint of the same schedule, if there is one: (steps done, loss curve)."""
        if not path.exists():
            return 0, []
        state = torch.load(path, map_location=next(self.model.parameters()).device, weights_only=True)
        if state["schedule"] != asdict(self.schedule):
            return 0, []
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        return state["step"], state["curve"]


def _is_matrix(name: str, weight: Tensor) -> bool:
    return weight.dim() == 2 and "embedding" not in name and "router" not in name
