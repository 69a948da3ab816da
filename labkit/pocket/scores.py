"""How well a model answers what no training text holds: greedy answers through llama.cpp, counted.

    python -m labkit.pocket.scores pocket-instruct.gguf --base pocket-base.gguf
    python -m labkit.pocket.scores pocket-choice.gguf --only choices

prints tables and brings `datasets/pocket/scores.csv` up to date.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.errors import LabError
from labkit.estimating.proportion import wilson_interval
from labkit.facts import files
from labkit.measuring.results import now_utc
from labkit.models import native
from labkit.models.chat_template import chat_prompt
from labkit.models.embedded import pocket_dir
from labkit.models.loading import Model, load_model
from labkit.models.side_by_side import write_all
from labkit.pocket.document import Case
from labkit.progress_bar import ProgressBar
from labkit.tables import Table

#: of each generator, how many cases; where it has several kinds, they share them
CASES = {"world": 200, "sums": 1000, "recall": 200, "code": 400, "choices": 800, "constraints": 140}
SEED = 1
#: in place of a template's name: asked as in a document, `Question: … Answer:`
DOCUMENT = "document"
_CONTEXT = 1024


@dataclass(frozen=True)
class Score:
    """How many cases of a kind a model answers.

    Attributes
    ----------
    kind : the capability, such as `"sum-two-digits"`.
    right, total : cases answered right, and asked.
    low, high : Wilson's 95 % interval of the share, from 0 to 1.
    """

    kind: str
    right: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The part that is right, from 0 to 1."""
        return self.right / self.total

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:.1%} to {self.high:.1%}"
        return f"{self.kind}: {self.right} of {self.total}, {self.share:.1%} ({interval})"


@dataclass(frozen=True)
class Reply:
    """What a model answered to a case, whether that is right, and whether it ended by itself."""

    case: Case
    text: str
    right: bool
    ended: bool


def held_out_cases(only: Collection[str] = ()) -> list[Case]:
    """The held-out questions of the model card, the same at every call; `only` names some of `CASES`."""
    from labkit.pocket import world_questions
    from labkit.pocket.tasks import choices, code, constraints, recall, sums

    sources: dict[str, Callable[[int, int], list[Case]]] = {
        "world": world_questions.held_out,
        "sums": sums.held_out,
        "recall": recall.held_out,
        "code": code.held_out,
        "choices": choices.held_out,
        "constraints": constraints.held_out,
    }
    return [case for name, n in CASES.items() if not only or name in only for case in sources[name](n, SEED)]


def as_documents(cases: Sequence[Case]) -> list[Case]:
    """The chat cases as a base model knows such questions from its texts: `Question: … Answer:`.

    The reply counts up to the next question, with which these texts go on.
    """
    return [
        replace(
            case,
            prompt=f"Question: {case.prompt}\nAnswer:",
            chat=False,
            correct=lambda text, judge=case.correct: judge(text.split("\nQuestion:")[0].strip()),
        )
        if case.chat
        else case
        for case in cases
    ]


def replies(
    model: Model, cases: Sequence[Case], *, template_of: Model | None = None, show_progress: bool = False
) -> list[Reply]:
    """The model's most probable reply to each case, judged.

    Parameters
    ----------
    template_of : the model whose chat template the questions are put into; None for the model's own. So a
        base model, which has none, can be asked in the same words as its instruct model.

    Raises LabError when a case does not fit into the context, or there is no template for a question.
    """
    source = template_of or model
    prompts = [
        model.prompt_tokens(chat_prompt(source, case.prompt) if case.chat else case.prompt, special=True)
        for case in cases
    ]
    with ProgressBar(len(cases), "question", f"Asking {model.file.name}", show=show_progress) as bar:
        written = write_all(model, prompts, [case.max_tokens for case in cases], on_done=bar.set)
    return [
        Reply(case, each.text, case.correct(each.text), each.ended)
        for case, each in zip(cases, written, strict=True)
    ]


def count(answered: Sequence[Reply]) -> list[Score]:
    """The replies counted by kind, in the order in which the kinds first come."""
    kinds = dict.fromkeys(reply.case.kind for reply in answered)
    scores = []
    for kind in kinds:
        judged = [reply.right for reply in answered if reply.case.kind == kind]
        scores.append(Score(kind, sum(judged), len(judged), *wilson_interval(sum(judged), len(judged))))
    return scores


def score(
    model: str | os.PathLike[str],
    cases: Sequence[Case],
    *,
    template_of: str | os.PathLike[str] | None = None,
    show_progress: bool = False,
) -> list[Score]:
    """Scores of a GGUF file, one for each kind of case; see `replies`. Taught in chapter 16.

    One thread: the models are small, and threads that wait for each other on a busy machine cost far more.
    """
    with load_model(Path(model), context=_CONTEXT, threads=1) as asked:
        if template_of is None:
            return count(replies(asked, cases, show_progress=show_progress))
        with load_model(Path(template_of), context=256, threads=1) as other:
            return count(replies(asked, cases, template_of=other, show_progress=show_progress))


def held_out_scores(
    model: str | os.PathLike[str],
    *,
    template_of: str | os.PathLike[str] | None = None,
    as_document: bool = False,
    only: Collection[str] = (),
) -> list[Score]:
    """Scores of a GGUF file on held-out cases, as in the model card; see `replies` and `as_documents`."""
    cases = as_documents(held_out_cases(only)) if as_document else held_out_cases(only)
    return score(model, cases, template_of=template_of, show_progress=True)


# ---------------------------------------------------------------- the record: scores.csv


@dataclass(frozen=True)
class Record:
    """A row of `datasets/pocket/scores.csv`.

    `template` names the model whose chat template was used, or is `DOCUMENT`; `sha256` is that of the model's
    file.
    """

    model: str
    kind: str
    right: int
    total: int
    low: float
    high: float
    template: str
    sha256: str
    engine: str
    date: str


def records_path() -> Path:
    return pocket_dir() / "scores.csv"


def read_records() -> list[Record]:
    """The recorded scores; empty when there are none yet."""
    return list(files.records("pocket/scores", Record)) if records_path().is_file() else []


def record(path: Path, scores: Sequence[Score], template: str) -> list[Record]:
    from labkit.models.trust import file_sha256

    sha256, engine, day = file_sha256(path), native.engine_name(), now_utc()[:10]
    return [
        Record(
            path.stem,
            s.kind,
            s.right,
            s.total,
            round(s.low, 4),
            round(s.high, 4),
            template,
            sha256,
            engine,
            day,
        )
        for s in scores
    ]


def write_records(new: Sequence[Record]) -> None:
    """Replaces the rows of the models in `new`; those of others stay."""
    fresh = {record.model for record in new}
    rows = [record for record in read_records() if record.model not in fresh] + list(new)
    rows.sort(key=lambda record: record.model)
    files.write_records("pocket/scores", rows)


def _table(name: str, template: str, scores: Sequence[Score]) -> Table:
    rows = [[s.kind, s.right, s.total, f"{s.share:.1%}", f"{s.low:.1%} to {s.high:.1%}"] for s in scores]
    columns = ["kind", "right", "asked", "share", "95 % interval"]
    return Table(f"{name}, asked in the form of {template}: held-out questions", columns, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Score pocket models on the held-out questions.")
    parser.add_argument("model", type=Path, help="a GGUF file with a chat template")
    parser.add_argument("--base", type=Path, help="its base model, asked in the same form and in its own")
    parser.add_argument("--only", action="append", choices=CASES, default=[], help="some questions only")
    arguments = parser.parse_args()
    template = arguments.model.stem
    rounds = [(arguments.model, template), (arguments.base, template), (arguments.base, DOCUMENT)]
    try:
        rows: list[Record] = []
        for path, form in rounds if arguments.base else rounds[:1]:
            scores = held_out_scores(
                path, template_of=arguments.model, as_document=form == DOCUMENT, only=arguments.only
            )
            print(_table(path.stem, form, scores), end="\n\n")
            rows += record(path, scores, form)
        write_records(rows)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
