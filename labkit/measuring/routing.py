"""Which experts a router picks, token by token and layer by layer. Taught in chapter 3."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.measuring.bench import resolve_model
from labkit.measuring.results import Result, Row, now_utc
from labkit.models.model_file import ModelFile
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

#: after how many tokens the table counts
_COUNTED_AFTER = (1, 4, 16, 64)
_MOST_TOKENS = 512


@dataclass(frozen=True, repr=False)
class Routing(Result):
    """The experts that were picked for each token in each layer."""

    model: str
    n_experts: int
    """Experts in a layer."""
    chosen: list[list[list[int]]]
    """token → layer → the experts picked, the one with the highest score first."""
    random_weights: bool
    date: str = field(default_factory=now_utc)

    @property
    def n_layers(self) -> int:
        return len(self.chosen[0])

    @property
    def n_used(self) -> int:
        """Experts picked in a layer for one token."""
        return len(self.chosen[0][0])

    @property
    def n_blocks(self) -> int:
        """Experts of all layers."""
        return self.n_layers * self.n_experts

    def used_after(self, tokens: int) -> int:
        """How many of all experts were picked at least once for the first `tokens` tokens."""
        picked = {
            (layer, expert)
            for by_layer in self.chosen[:tokens]
            for layer, experts in enumerate(by_layer)
            for expert in experts
        }
        return len(picked)

    def even_share_after(self, tokens: int) -> float:
        """The share that would have been picked if every expert were as likely as any other."""
        return 1 - (1 - self.n_used / self.n_experts) ** tokens

    @property
    def changes(self) -> float:
        """The share of (token, layer) in which the pick differs from that for the token before, 0 to 1."""
        pairs = [
            set(now) != set(then)
            for before, after in zip(self.chosen, self.chosen[1:], strict=False)
            for then, now in zip(before, after, strict=True)
        ]
        return sum(pairs) / len(pairs) if pairs else 0.0

    @property
    def changed_text(self) -> str:
        """`changes` as a sentence."""
        what = "the pick" if self.n_used == 1 else f"at least one of the {self.n_used} picked experts"
        return f"From one token to the next, {what} changed in {self.changes:.0%} of the cases."

    def title(self) -> str:
        return f"Experts used at least once, of {self.n_blocks} ({self.n_layers} layers × {self.n_experts})"

    def _counted(self) -> list[int]:
        n = len(self.chosen)
        return [after for after in _COUNTED_AFTER if after < n] + [n]

    def rows(self) -> list[Row]:
        return [
            Row(f"After {n} token{'' if n == 1 else 's'}", self.used_after(n), "experts")
            for n in self._counted()
        ]

    def table(self) -> Table:
        rows = [
            [
                f"{n:,}",
                f"{self.used_after(n)}",
                f"{self.used_after(n) / self.n_blocks:.0%}",
                f"{self.even_share_after(n):.0%}",
            ]
            for n in self._counted()
        ]
        columns = ["tokens", "experts used", "share", "share if all were equally likely"]
        return Table(self.title(), columns, rows, self.notes())

    def notes(self) -> list[str]:
        n = len(self.chosen)
        share = self.used_after(n) / self.n_blocks
        lines = [
            f"One token used {self.used_after(1) / self.n_blocks:.0%} of the experts; {n} tokens together "
            f"used {share:.0%}. {self.changed_text}"
        ]
        if self.random_weights:
            lines.append(
                "This router has random weights: its picks mean nothing. A trained one picks by what it "
                "learned."
            )
        return lines

    def __repr__(self) -> str:
        return repr(self.table())


def watch_experts(
    model: ModelFile | str | os.PathLike[str], *, tokens: int = 64, show_progress: bool = True
) -> Routing:
    """Run random tokens through a mixture of experts, and note which experts the router picks.

    Parameters
    ----------
    model : a mixture of experts: a twin, a catalogue name, or the path of a GGUF file.
    tokens : how many, 2 to 512; they go through one after another.

    Raises LabError when the model is dense, or llama.cpp refuses it. Taught in chapter 3.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 2 <= tokens <= _MOST_TOKENS:
        raise LabError(
            f"`tokens` must be a whole number from 2 to {_MOST_TOKENS}, not {tokens!r}.", "Leave it out."
        )
    file = resolve_model(model)
    job = {"path": str(file.path), "tokens": tokens}
    with ProgressBar(tokens, "token", "Watching the router", show=show_progress) as bar:
        answer = run_child(
            "labkit.measuring._routing_child", job, lambda done, of, text: bar.set(done, total=of)
        )
    return Routing(file.name, answer["n_experts"], answer["chosen"], file.random_weights)
