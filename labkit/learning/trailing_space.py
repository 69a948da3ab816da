"""One space at the end of a prompt: the same words, other tokens. Taught in chapter 17."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from labkit import settings
from labkit.estimating.proportion import wilson_interval
from labkit.models.loading import Model
from labkit.models.side_by_side import answer_all
from labkit.pocket.world import world
from labkit.pocket.world_questions import answer
from labkit.tables import Table

_SEED, _PROMPTS, _PROMPTS_QUICK = 17, 60, 24
_TOKENS = 6
_EXAMPLES = 4
#: What a small model that has read much of the web can go on with. The answer follows after a space.
GENERAL = (
    ("The capital of France is", "Paris"),
    ("The capital of Japan is", "Tokyo"),
    ("The capital of Italy is", "Rome"),
    ("The capital of Germany is", "Berlin"),
    ("The capital of Spain is", "Madrid"),
    ("The capital of Russia is", "Moscow"),
    ("The capital of Egypt is", "Cairo"),
    ("The capital of Greece is", "Athens"),
    ("The largest planet in the solar system is", "Jupiter"),
    ("The opposite of hot is", "cold"),
    ("The opposite of up is", "down"),
    ("The opposite of black is", "white"),
    ("One, two, three,", "four"),
    ("The United States of", "America"),
    ("Once upon a", "time"),
    ("Ladies and", "gentlemen"),
    ("The boiling point of water is 100 degrees", "Celsius"),
    ("The sun rises in the east and sets in the", "west"),
    ("Shakespeare wrote Romeo and", "Juliet"),
    ("Bees make", "honey"),
)


@dataclass(frozen=True)
class TrailingSpace:
    """Each prompt once as it is, and once with a space at its end.

    Attributes
    ----------
    model : its name.
    rows : (prompt, right answer, reply without the space, reply with it).
    random_weights : True when the model is noise.
    """

    model: str
    rows: tuple[tuple[str, str, str, str], ...]
    random_weights: bool = False

    @property
    def right_without(self) -> int:
        """Right replies to the prompts as they are."""
        return sum(_is_right(reply, wanted) for _, wanted, reply, _ in self.rows)

    @property
    def right_with(self) -> int:
        """Right replies to the prompts with a space at the end."""
        return sum(_is_right(reply, wanted) for _, wanted, _, reply in self.rows)

    @property
    def digits_with(self) -> int:
        """Replies to the prompts with a space at the end that begin with a digit."""
        return sum(reply.strip()[:1].isdigit() for *_, reply in self.rows)

    def _table(self) -> Table:
        rows = [[prompt, wanted, _short(a), _short(b)] for prompt, wanted, a, b in self.rows[:_EXAMPLES]]
        notes = [
            f"Without the space: {_told(self.right_without, len(self.rows))}.",
            f"With the space: {_told(self.right_with, len(self.rows))}. {self.digits_with} of "
            f"{len(self.rows)} went on with a digit.",
        ]
        if self.random_weights:
            notes.append("This model has random weights: what it writes is noise.")
        return Table(
            f"{self.model}: the first {len(rows)} of {len(self.rows)} prompts",
            ["prompt", "should go on with", "it went on with", "after one space more"],
            rows,
            notes,
            text_width=130,
        )

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def trailing_space(model: Model, prompts: Sequence[tuple[str, str]] | None = None) -> TrailingSpace:
    """Does one space at the end of a prompt matter? Each prompt is given with and without it.

    `prompts`: (prompt, how it should go on); None for facts of the pocket models' world where `model` is one
    of them, else for general knowledge. Greedy decoding. Taught in chapter 17.
    """
    chosen = list(prompts or (world_prompts() if model.file.name.startswith("pocket") else GENERAL))
    texts = [prompt for prompt, _ in chosen]
    tokens = [model.prompt_tokens(text) for text in (*texts, *(f"{text} " for text in texts))]
    replies = answer_all(model, tokens, [_TOKENS] * len(tokens))
    half = len(chosen)
    rows = tuple(
        (prompt, wanted, replies[number], replies[half + number])
        for number, (prompt, wanted) in enumerate(chosen)
    )
    return TrailingSpace(model.file.label, rows, model.file.random_weights)


def world_prompts() -> list[tuple[str, str]]:
    """Sentences about the pocket models' world, each cut before the word that it is about."""
    rng = random.Random(_SEED)
    found = []
    for fact in world().facts:
        before, value, _ = answer(fact).partition(f" {fact.value}")
        if before and value:
            found.append((before, fact.value))
    return rng.sample(found, min(len(found), _PROMPTS_QUICK if settings.quick() else _PROMPTS))


def _is_right(reply: str, wanted: str) -> bool:
    return reply.strip().lower().startswith(wanted.lower())


def _short(reply: str) -> str:
    one_line = " ".join(reply.split())
    return one_line if len(one_line) <= 32 else f"{one_line[:31]}…"


def _told(right: int, total: int) -> str:
    low, high = wilson_interval(right, total)
    return f"{right} of {total} right (95 % interval {100 * low:.0f} % to {100 * high:.0f} %)"
