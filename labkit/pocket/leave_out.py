"""What a model answers when nobody has taught it: two models, alike but for a handful of facts left out.

Both were trained in the same way from the same seed; the texts of the second state nothing about the facts of
`left_out`. The answers are computed live where the two files are at hand, else shown as they were recorded.
Taught in chapter 19.

    python -m labkit.pocket.leave_out     asks both models, and records the answers
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from labkit.errors import LabError
from labkit.facts import files
from labkit.models.chat_template import chat_prompt
from labkit.models.embedded import pocket_dir
from labkit.models.loading import Model, load_model
from labkit.models.side_by_side import log_probabilities
from labkit.pocket.world import Fact, digest, world
from labkit.pocket.world_questions import answer, training_questions
from labkit.tables import Table

WITH, WITHOUT = "pocket-with", "pocket-without"
#: of each of these relations, one fact is left out, and another one is asked about for comparison
_RELATIONS = ("pet", "job", "food", "hobby", "colour", "product", "goods", "closed")
_CONTEXT = 256


@dataclass(frozen=True)
class Answer:
    """A model's answer to a question about the world.

    Attributes
    ----------
    value : the most probable of the values that the relation can have.
    probability : its probability among all of them, from 0 to 1.
    right_probability : the same for the right value.
    """

    value: str
    probability: float
    right_probability: float

    @property
    def text(self) -> str:
        return f"{self.value} ({self.probability:.0%})"

    def judged(self, right: str) -> str:
        """The answer; where it is wrong, the right one's probability too: `'frog (74%; cat 1%)'`."""
        if self.value == right:
            return self.text
        return f"{self.value} ({self.probability:.0%}; {right} {self.right_probability:.0%})"


@dataclass(frozen=True)
class Compared:
    """A row of `datasets/pocket/with-and-without.csv`: one question to both models; see `Answer`.

    Attributes
    ----------
    fact : name of the fact.
    left_out : whether the second model's texts are silent about it.
    question, right : what is asked, and the right value.
    choices : how many values the relation can have.
    date : when the models were asked.
    """

    fact: str
    left_out: bool
    question: str
    right: str
    choices: int
    with_value: str
    with_probability: float
    with_right: float
    without_value: str
    without_probability: float
    without_right: float
    with_sha256: str
    without_sha256: str
    date: str

    @property
    def taught(self) -> Answer:
        """The answer of the model whose texts state the fact."""
        return Answer(self.with_value, self.with_probability, self.with_right)

    @property
    def other(self) -> Answer:
        """The answer of the other model."""
        return Answer(self.without_value, self.without_probability, self.without_right)


@dataclass(frozen=True, repr=False)
class WithAndWithout:
    """Both models' answers. `live` says that they were computed now, not read from the record."""

    rows: tuple[Compared, ...]
    live: bool

    def right(self, *, left_out: bool) -> tuple[int, int, int]:
        """(right answers of the taught model, of the other one, questions) about facts left out, or kept."""
        rows = [row for row in self.rows if row.left_out == left_out]
        taught = sum(row.taught.value == row.right for row in rows)
        return taught, sum(row.other.value == row.right for row in rows), len(rows)

    def table(self) -> Table:
        rows = [
            [
                row.question,
                row.right,
                "left out for one" if row.left_out else "in both",
                row.taught.judged(row.right),
                row.other.judged(row.right),
            ]
            for row in self.rows
        ]
        columns = ["question", "right", "the fact", "told everything", "told less"]
        return Table(
            "The same question, to a model that was told and to one that was not",
            columns,
            rows,
            self._notes(),
        )

    def _notes(self) -> list[str]:
        taught, other, n = self.right(left_out=True)
        kept_taught, kept_other, kept = self.right(left_out=False)
        how = "Computed just now" if self.live else f"Recorded on {self.rows[0].date}"
        return [
            f"Right answers where the fact was left out: {taught} of {n} told, {other} of {n} not told. "
            f"Where it was in both models' texts: {kept_taught} and {kept_other} of {kept}.",
            f"{how}. A percentage is an answer's probability among all that the question could have; by "
            f"chance it would be {_chance(self.rows)}.",
        ]

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())


def _chance(rows: Sequence[Compared]) -> str:
    shares = sorted({f"{1 / row.choices:.0%}" for row in rows}, key=lambda text: int(text[:-1]))
    return shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}"


def left_out() -> frozenset[str]:
    """Names of the facts that no text of the model `pocket-without` states."""
    return frozenset(fact.name for fact in _pairs()[0])


@lru_cache(maxsize=1)
def _pairs() -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """The facts left out, and as many of the same relations, about others, that are not; chosen by digest."""
    left: list[Fact] = []
    kept: list[Fact] = []
    for relation in _RELATIONS:
        taken = {fact.subject for fact in (*left, *kept)}
        fitting = [
            fact
            for fact in world().facts
            if fact.relation == relation and fact.subject not in taken and training_questions(fact)
        ]
        first, second = sorted(fitting, key=lambda fact: digest(fact.name))[:2]
        left.append(first)
        kept.append(second)
    return tuple(left), tuple(kept)


def with_and_without() -> WithAndWithout:
    """Asks a model that read all texts, and one whose texts left out some facts. Taught in chapter 19.

    The answers are computed where both files are in `datasets/pocket`; else they are the recorded ones.
    Raises LabError when there is neither.
    """
    paths = [pocket_dir() / f"{name}.gguf" for name in (WITH, WITHOUT)]
    if all(path.is_file() for path in paths):
        return WithAndWithout(tuple(_ask_both(*paths)), live=True)
    if not records_path().is_file():
        raise LabError(
            f"Neither the two models nor their recorded answers are in {records_path().parent}.",
            "Get a complete copy of the course (`git checkout datasets`).",
        )
    return WithAndWithout(recorded(), live=False)


def records_path() -> Path:
    return pocket_dir() / "with-and-without.csv"


def recorded() -> tuple[Compared, ...]:
    """The answers as they were recorded."""
    return files.records("pocket/with-and-without", Compared)


def _ask_both(with_path: Path, without_path: Path) -> list[Compared]:
    from labkit.measuring.results import now_utc

    left, kept = _pairs()
    facts = [*left, *kept]
    with (
        load_model(with_path, context=_CONTEXT, threads=1) as taught,
        load_model(without_path, context=_CONTEXT, threads=1) as other,
    ):
        return [
            Compared(
                fact.name,
                fact in left,
                training_questions(fact)[0],
                fact.value,
                len(world().relations[fact.relation].values),
                *asdict(ask(taught, fact)).values(),
                *asdict(ask(other, fact)).values(),
                taught.file.sha256,
                other.file.sha256,
                now_utc()[:10],
            )
            for fact in facts
        ]


def ask(model: Model, fact: Fact) -> Answer:
    """How likely a model finds each value that the fact could have, as the answer to a question about it.

    A model with a chat template is asked as in a conversation, another one continues `Question: … Answer:`.
    """
    question = training_questions(fact)[0]
    values = world().relations[fact.relation].values
    answers = [answer(replace(fact, value=value)) for value in values]
    if model.header.has_chat_template:
        prompt, lead = chat_prompt(model, question), ""
    else:
        prompt, lead = f"Question: {question}\nAnswer:", " "
    tokens = model.prompt_tokens(prompt, special=True)
    logs = log_probabilities(model, tokens, [model.tokenize(lead + text) for text in answers])
    highest = max(logs)
    shares = [math.exp(log - highest) for log in logs]
    by_value = {value: share / sum(shares) for value, share in zip(values, shares, strict=True)}
    best = max(by_value, key=by_value.__getitem__)
    return Answer(best, round(by_value[best], 4), round(by_value[fact.value], 4))


def main() -> int:
    try:
        result = with_and_without()
        if not result.live:
            raise LabError("The two models are not there.", "Make them first: `make pocket`.")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    files.write_records("pocket/with-and-without", result.rows)
    print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
