"""`ch05-three-budgets`: a quantization for each of three budgets, chosen from the learner's own table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.estimating.quantization import quantization_name
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.quantities import close, describe, read_number
from labkit.measuring.quality_record import QualityRecord, RecordLine

#: The limits: percent of the F16 file, percent of the places, percent more perplexity.
PAGE, SERVICE, READER = 40.0, 97.0, 3.0


@dataclass(frozen=True)
class Budget:
    """One of the three: a limit that a quantization must keep, and what is wanted of those that do."""

    key: str
    task: str  #: for the card
    figure: Callable[[RecordLine, RecordLine], float]  #: (line, source) → the number that the limit is about
    fits: Callable[[float], bool]
    best: Callable[[RecordLine], float]  #: the least of these is the right choice
    wanted: str  #: of those that fit: "the one nearest to F16"
    over: str  #: what to say of one that does not fit, with {quant} and {figure}
    formula: str
    rough: float  #: how far the number may be off, in its own unit, since the record is rounded


def _size(line: RecordLine, source: RecordLine) -> float:
    return 100 * line.file_bytes / source.file_bytes


def _same(line: RecordLine, _source: RecordLine) -> float:
    return 100 * (line.same_top or 0.0)


def _more(line: RecordLine, source: RecordLine) -> float:
    return 100 * (line.perplexity / source.perplexity - 1)


BUDGETS = (
    Budget(
        "page",
        f"A web page loads the model. Its file may take at most {PAGE:g} % of the F16 file. Among those that "
        "fit, take the one nearest to F16 (the smallest KL divergence). Its number: the size in percent of "
        "F16.",
        _size,
        lambda percent: percent <= PAGE,
        lambda line: line.kl_divergence or 0.0,
        "the one nearest to F16",
        f"{{quant}} takes {{figure:.1f}} % of the F16 file. At most {PAGE:g} % are allowed.",
        "bytes of the file, divided by the bytes of F16, times 100",
        0.6,
    ),
    Budget(
        "service",
        "It replaces the F16 model in a service whose next tokens should mostly stay the same. The first "
        f"choice must agree with F16 in at least {SERVICE:g} % of the places. Among those, take the smallest "
        "file. Its number: the agreement in percent.",
        _same,
        lambda percent: percent >= SERVICE,
        lambda line: line.file_bytes,
        "the smallest file",
        f"{{quant}} agrees with F16 in only {{figure:.1f}} % of the places. {SERVICE:g} % are asked for.",
        "the number before the % sign in its part of the record",
        0.6,
    ),
    Budget(
        "reader",
        "It scores texts by how likely they are. The perplexity may be at most "
        f"{READER:g} % higher than that of F16. Among those, take the smallest file. Its number: by how many "
        "percent the perplexity is higher.",
        _more,
        lambda percent: percent <= READER,
        lambda line: line.file_bytes,
        "the smallest file",
        f"The perplexity of {{quant}} is {{figure:.1f}} % higher. At most {READER:g} % are allowed.",
        "(its ppl / the ppl of F16 − 1) × 100",
        0.12,
    ),
)
_BLANK = {"record": "paste the line here"} | {
    key: None for budget in BUDGETS for key in (budget.key, f"{budget.key}_percent")
}
_FORM = (
    'The answer is a dictionary with "record" (the line that print(table.record()) shows, in quotes), and '
    'for each budget a name and a number: "page": "Q4_0", "page_percent": 12.3, and so on.'
)


@dataclass(frozen=True)
class Chosen:
    """A read answer: budget → (name of the quantization, number), and the record that both must follow
    from."""

    record: QualityRecord
    names: dict[str, str]
    numbers: dict[str, float]

    @property
    def source(self) -> RecordLine:
        return self.record.lines[0]

    def line(self, budget: Budget) -> RecordLine:
        """The line of the quantization that was chosen."""
        found = self.record.line(self.names[budget.key])
        assert found
        return found

    def right(self, budget: Budget) -> RecordLine:
        """The line that should have been chosen."""
        return min(self.fitting(budget), key=budget.best)

    def fitting(self, budget: Budget) -> list[RecordLine]:
        """The quantizations that keep the limit."""
        return [line for line in self.record.lines[1:] if budget.fits(budget.figure(line, self.source))]

    def choice_is_right(self, budget: Budget) -> bool:
        return self.line(budget).quant == self.right(budget).quant

    def number_is_right(self, budget: Budget) -> bool:
        """Is it the number of the quantization that was chosen, up to a rounding?"""
        got, figure = self.numbers[budget.key], budget.figure(self.line(budget), self.source)
        return abs(got - figure) <= max(budget.rough, 0.02 * abs(figure))

    @property
    def points(self) -> int:
        """A point for each right choice, and one for its number."""
        right = [budget for budget in BUDGETS if self.choice_is_right(budget)]
        return len(right) + sum(self.number_is_right(budget) for budget in right)


def read(plain: Any) -> Chosen:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    if not isinstance(plain, dict):
        raise LabError(f"The answer is {describe(plain)}, not a dictionary.", _FORM)
    missing = [key for key in _BLANK if key not in plain]
    if missing:
        raise LabError(f"The dictionary has no {missing[0]!r}.", _FORM)
    record = _record(plain["record"])
    names = {budget.key: _name(plain[budget.key], budget.key, record) for budget in BUDGETS}
    numbers = {
        budget.key: _number(plain[f"{budget.key}_percent"], f"{budget.key}_percent") for budget in BUDGETS
    }
    chosen = Chosen(record, names, numbers)
    for budget in BUDGETS:
        if not chosen.fitting(budget):
            raise LabError(
                f"In this record nothing keeps the limit of {budget.key!r}.",
                "Take the record of the measurement in this chapter, with all six quantizations.",
            )
    return chosen


def _record(text: Any) -> QualityRecord:
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = QualityRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be right. {problems[0]}", "Measure again and paste the new line.")
    if record.lines[0].quant not in ("F16", "BF16", "F32") or len(record.lines) < 4:
        raise LabError(
            "This record holds too little: F16 and at least three quantizations are needed.",
            "Take the record of the measurement in this chapter.",
        )
    return record


def _name(value: Any, key: str, record: QualityRecord) -> str:
    if value in (None, "", "?"):
        raise LabError(f"{key} is still empty.", "Name a quantization of your record, such as 'Q4_0'.")
    if not isinstance(value, str):
        raise LabError(f"{key} is {describe(value)}, not a name.", "Put quotes around it: 'Q4_0'.")
    try:
        name = quantization_name(value.strip())
    except LabError:
        name = ""
    if name == record.lines[0].quant:
        raise LabError(f"{key}: {name} is the model that you start from.", "Choose one of its quantizations.")
    if record.line(name) is None:
        measured = ", ".join(line.quant for line in record.lines[1:])
        raise LabError(f"{key}: {value.strip()[:30]!r} is not in your record.", f"It has {measured}.")
    return name


def _number(value: Any, key: str) -> float:
    if value in (None, "", "?"):
        raise LabError(f"{key} is still empty.", "Give the number that decides, in percent.")
    return read_number(value, key)


# ---------------------------------------------------------------- known mistakes


def _too_much(budget: Budget, answer: Chosen) -> str | None:
    line = answer.line(budget)
    if line in answer.fitting(budget):
        return None
    figure = budget.figure(line, answer.source)
    return f"{budget.key}: {budget.over.format(quant=line.quant, figure=figure)}"


def _not_the_one(budget: Budget, answer: Chosen) -> str | None:
    if answer.choice_is_right(budget):
        return None
    fitting = len(answer.fitting(budget))
    return (
        f"{budget.key}: {answer.line(budget).quant} keeps the limit, but so do others: {fitting} of your "
        f"quantizations do. What is asked for is {budget.wanted} among them."
    )


def _wrong_number(budget: Budget, answer: Chosen) -> str | None:
    if answer.number_is_right(budget):
        return None
    line, got = answer.line(budget), answer.numbers[budget.key]
    start = f"{budget.key}_percent: {line.quant} is a good choice, but {got:g} is not its number."
    for wrong, hint in _slips(budget, line, answer.source):
        if close(got, wrong, 0.02):
            return f"{start} {hint}"
    return f"{start} Take {budget.formula}."


def _slips(budget: Budget, line: RecordLine, source: RecordLine) -> list[tuple[float, str]]:
    """(wrong number, hint): what the number may have been taken for."""
    figure = budget.figure(line, source)
    found = [(figure / 100, "It is a share of 1; in percent, multiply by 100.")]
    if budget.key == "page":
        nominal = 100 * int(line.quant.lstrip("IQ")[0]) / 16
        found += [
            (
                nominal,
                "That follows from the number in the name. The file says something else: use its bytes.",
            ),
            (1e4 / figure, "You divided the other way round: F16 stands below."),
            (100 - figure, "That is what is saved. Asked for is what is left."),
            (line.file_bytes / 1e6, "Those are MB. Divide by the size of F16."),
            (line.file_bytes / 2**20, "Those are MiB. Divide by the size of F16."),
        ]
    if budget.key == "service":
        found.append((100 - figure, "That is where they disagree. Asked for is where they agree."))
    if budget.key == "reader":
        found += [
            (
                line.perplexity - source.perplexity,
                "That is the difference. Divide it by the perplexity of F16.",
            ),
            (line.perplexity / source.perplexity, "That is the ratio. Subtract 1, and multiply by 100."),
            (100 + figure, "That is the ratio in percent. “Higher by” is what is above 100."),
        ]
    return found


def _praise(answer: Chosen) -> str:
    lines = [
        f"{budget.key}: {answer.line(budget).quant}, {budget.figure(answer.line(budget), answer.source):.1f} "
        "%"
        for budget in BUDGETS
    ]
    return (
        f"{'; '.join(lines)}. One table, three budgets: which quantization is best depends on what must be "
        "kept, and your numbers say why. Another model has another table."
    )


_MISTAKES = tuple(
    KnownMistake(f"{budget.key}-{name}", functools.partial(hint, budget))
    for budget in BUDGETS
    for name, hint in (("limit", _too_much), ("choice", _not_the_one), ("number", _wrong_number))
)

THREE_BUDGETS = Exercise(
    name="ch05-three-budgets",
    title="One table, three budgets",
    prompt=(
        "Choose from your own table. For each of three budgets, name the quantization and the number that "
        "decides. Compute with the figures of the record, as they are.\n\n"
        + "\n\n".join(f"{budget.key}: {budget.task}" for budget in BUDGETS)
    ),
    points=6,
    form=_FORM,
    blank=_BLANK,
    read=read,
    judge=lambda answer: answer.points == 2 * len(BUDGETS),
    partial=lambda answer: float(answer.points),
    known_mistakes=_MISTAKES,
    praise=_praise,
)
