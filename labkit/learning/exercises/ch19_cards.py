"""`ch19-three-and-three`: eight tasks; which need open weights, for which deciding constraint?"""

from __future__ import annotations

import difflib
import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.quantities import describe

#: The deciding constraints that an answer may name, and what each means.
CONSTRAINTS = {
    "offline": "it must run with no connection, ever",
    "weights": "you must look into the weights or change them",
    "pinned": "the very same weights must stay available for years, whatever a vendor does",
    "redistribution": "you pass the model itself on to others",
    "quality": "only the strongest model will do, and that is a closed one",
    "volume": "so few requests that setting a model up is not worth it",
    "hardware": "no machine to run a model on and nobody to look after one, so it must be hosted",
    "privacy": "the data are confidential",
}

OPEN, CLOSED, UNDECIDED = "needs_open", "closed_is_fine", "undecided"
_SIDE_IN_WORDS = {OPEN: "needs open weights", CLOSED: "can be done with a closed model"}


@dataclass(frozen=True)
class Card:
    """One task. `why` is the hint for whoever puts it on the wrong side or gives another constraint."""

    text: str
    side: str
    constraint: str
    why: str


CARDS = {
    "A": Card(
        "A research group hunts for errors in proofs. On the group's own test set, one closed model finds "
        "twice as many as any open one. The proofs are published, money is no concern, and each result is "
        "checked by hand.",
        CLOSED,
        "quality",
        "The group measured which model is best, and nothing else is asked for.",
    ),
    "B": Card(
        "A measuring buoy drifts in the Southern Ocean for six years. Its small Linux computer sorts "
        "log messages. It has no radio link, so nobody can bring an update or renew a licence key.",
        OPEN,
        "offline",
        "No service can be reached, and no vendor can deliver or unlock anything out there.",
    ),
    "C": Card(
        "A museum translates 40 public labels once a year. That costs a few cents at any provider. The "
        "museum has a computer that could run a model, but setting it up would take longer than the job.",
        CLOSED,
        "volume",
        "Forty labels a year: look at how much work there is.",
    ),
    "D": Card(
        "A clinical study runs until 2036. Its protocol names the SHA-256 of the model, so that any result "
        "can be repeated bit for bit. A model that its maker retires or replaces would end the study.",
        OPEN,
        "pinned",
        "A hosted model is retired when its maker decides. Only a file that you hold stays the same.",
    ),
    "E": Card(
        "A law firm wants drafts of letters. The files are confidential. The firm has not yet said anything "
        "about its network, its contracts, its hardware or the number of letters.",
        UNDECIDED,
        "",
        "",
    ),
    "F": Card(
        "You sell a translation program. The model is part of what the buyer installs, "
        "and buyers may give the whole program to others. They have fast internet access.",
        OPEN,
        "redistribution",
        "The buyer receives the model itself. Nobody can hand on a model that stays with its owner.",
    ),
    "G": Card(
        "A village school wants worksheets on public topics, every day, for 20 classes. It has old tablets "
        "with internet access, no server, no money for one, and nobody who would run it.",
        CLOSED,
        "hardware",
        "Look at what the school has, and at what it has not.",
    ),
    "H": Card(
        "A team studies how a model stores facts. It reads the intermediate numbers of every layer "
        "(activations), edits single rows of a matrix, and measures what the model then says. It has good "
        "internet access and a GPU.",
        OPEN,
        "weights",
        "A service shows text, never the inside of the model. Fine-tuning through a service does not either.",
    ),
}

_NOT_INSIDE = "'weights' means looking inside the model or changing it; here nobody does."
#: (card, wrong constraint) → what to say besides the card's own hint: mix-ups that learners really make.
_MIX_UPS = {
    ("B", "pinned"): "Look at the radio.",
    ("D", "weights"): _NOT_INSIDE,
    ("F", "weights"): _NOT_INSIDE,
}

_PRIVACY_HINT = (
    "Card E gives privacy alone, and that decides neither way. Closed models are also sold under contracts "
    "that forbid storing and training, and for networks of your own without internet. And an open model that "
    "you use through somebody else's service is no more private than a closed one. Choose another card."
)


@dataclass(frozen=True)
class Sides:
    """A read answer: letter → constraint, for both sides."""

    needs_open: dict[str, str]
    closed_is_fine: dict[str, str]

    def all(self) -> list[tuple[str, str, str]]:
        """(side, letter, constraint) of each choice."""
        return [
            (side, letter, word) for side in (OPEN, CLOSED) for letter, word in getattr(self, side).items()
        ]


def read(plain: Any) -> Sides:
    """The typed answer; a LabError says what its form should be."""
    form = 'Write {"needs_open": {"A": "offline", …}, "closed_is_fine": {"B": "volume", …}}.'
    if not isinstance(plain, dict):
        raise LabError(f"The answer is {describe(plain)}, not a dictionary.", form)
    missing = [side for side in (OPEN, CLOSED) if side not in plain]
    strange = [key for key in plain if key not in (OPEN, CLOSED)]
    if missing or strange:
        what = f"has no {missing[0]!r}" if missing else f"has a key {strange[0][:40]!r} that is not asked for"
        raise LabError(f"The dictionary {what}.", form)
    return Sides(_read_side(plain[OPEN], OPEN), _read_side(plain[CLOSED], CLOSED))


def _read_side(side: Any, name: str) -> dict[str, str]:
    if not isinstance(side, dict):
        what = f"{name!r} is {describe(side)}. It must say why, card by card."
        raise LabError(what, f'Write {name!r}: {{"A": "offline", …}}.')
    found: dict[str, str] = {}
    for key, word in side.items():
        letter = key.strip().upper().removeprefix("CARD").strip()
        if letter in ("", "?") and word in (None, "", "?"):
            continue  # a placeholder that was left standing
        if letter not in CARDS:
            raise LabError(f"There is no card {key[:40]!r}.", f"The cards are {', '.join(CARDS)}.")
        if letter in found:
            raise LabError(f"Card {letter} stands twice in {name!r}.", "Name each card once.")
        found[letter] = _read_constraint(word, letter)
    return found


def _read_constraint(word: Any, letter: str) -> str:
    if not isinstance(word, str) or word.strip() in ("", "?"):
        shown = "missing" if word in (None, "", "?") else describe(word)
        raise LabError(
            f"The constraint of card {letter} is {shown}.", f"Choose one of {', '.join(CONSTRAINTS)}."
        )
    clean = word.strip().lower().rstrip(".")
    if clean in CONSTRAINTS:
        return clean
    near = difflib.get_close_matches(clean, CONSTRAINTS, 1, 0.6)
    cure = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(CONSTRAINTS)}."
    raise LabError(f"Card {letter}: {word.strip()[:40]!r} is not in the list of constraints.", cure)


def is_right(answer: Sides) -> bool:
    """Three cards on each side, each on its own side and with its own deciding constraint."""
    return (
        len(answer.needs_open) == len(answer.closed_is_fine) == 3
        and all(CARDS[letter].side == side for side, letter, _ in answer.all())
        and all(CARDS[letter].constraint == word for _, letter, word in answer.all())
    )


def points_so_far(answer: Sides) -> float:
    """A point for each card on its side with its constraint; a card too many takes one off."""
    both = set(answer.needs_open) & set(answer.closed_is_fine)
    points = 0
    for side in (OPEN, CLOSED):
        chosen = getattr(answer, side)
        right = [
            letter
            for letter, word in chosen.items()
            if (CARDS[letter].side, CARDS[letter].constraint) == (side, word) and letter not in both
        ]
        points += max(0, min(3, len(right)) - max(0, len(chosen) - 3))
    return float(points)


# ---------------------------------------------------------------- known mistakes, the gravest first


def _on_both_sides(answer: Sides) -> str | None:
    both = sorted(set(answer.needs_open) & set(answer.closed_is_fine))
    return f"Card {both[0]} stands on both sides. Decide for one." if both else None


def _privacy_alone(answer: Sides) -> str | None:
    return _PRIVACY_HINT if any(letter == "E" for _, letter, _ in answer.all()) else None


def _swapped(answer: Sides) -> str | None:
    for side, letter, _ in answer.all():
        card = CARDS[letter]
        if card.side != side:
            return f"Card {letter} does not belong there: it {_SIDE_IN_WORDS[card.side]}. {card.why}"
    return None


def _privacy_as_reason(answer: Sides) -> str | None:
    for _, letter, word in answer.all():
        if word == "privacy":
            return f"Card {letter} says nothing of confidential data. {CARDS[letter].why}"
    return None


def _wrong_constraint(answer: Sides) -> str | None:
    for _, letter, word in answer.all():
        if CARDS[letter].constraint != word:
            hint = f"Card {letter} is on the right side, but {word!r} does not decide it. {CARDS[letter].why}"
            return f"{hint} {_MIX_UPS.get((letter, word), '')}".rstrip()
    return None


def _wrong_number(answer: Sides) -> str | None:
    for side in (OPEN, CLOSED):
        n = len(getattr(answer, side))
        if n != 3:
            return f"So far so good, but {side!r} has {n} card{'' if n == 1 else 's'}. Choose three."
    return None


def _mistake(name: str, hint: Callable[[Sides], str | None]) -> KnownMistake:
    return KnownMistake(name, hint)


def _cards_html() -> str:
    rows = "".join(
        f'<tr><th scope="row" style="vertical-align:top">{letter}</th>'
        f'<td style="text-align:left;white-space:normal">{html.escape(card.text)}</td></tr>'
        for letter, card in CARDS.items()
    )
    words = "".join(
        f"<li><code>{word}</code>: {html.escape(what)}</li>" for word, what in CONSTRAINTS.items()
    )
    return f"<table><caption>The cards</caption>{rows}</table><p>Deciding constraints:</p><ul>{words}</ul>"


def _cards_text() -> str:
    cards = [f"{letter}: {card.text}" for letter, card in CARDS.items()]
    words = [f"  {word}: {what}" for word, what in CONSTRAINTS.items()]
    return "\n".join([*cards, "", "Deciding constraints:", *words])


THREE_AND_THREE = Exercise(
    name="ch19-three-and-three",
    title="Three that need open weights, three that do not",
    prompt=(
        "Read the eight cards. Choose three tasks that need open weights, and three for which a closed model "
        "is fine. Name for each the constraint on the card that decides it. More cards fit than you need, "
        "and one fits neither side.\n\nFor the right-hand side (“closed_is_fine”), name the reason why a "
        "hosted service is enough. An open model might be hosted just as well. Judge by what the card says, "
        "not by what you would add."
    ),
    points=6,
    form=(
        'The answer is a dictionary: {"needs_open": {"X": "offline", "?": "?"}, '
        '"closed_is_fine": {"?": "?"}}, '
        "with three letters and their constraints in each. X stands for the letter of a card."
    ),
    blank={"needs_open": {"?": "?"}, "closed_is_fine": {"?": "?"}},
    read=read,
    judge=is_right,
    partial=points_so_far,
    known_mistakes=(
        _mistake("on-both-sides", _on_both_sides),
        _mistake("privacy-alone", _privacy_alone),
        _mistake("swapped", _swapped),
        _mistake("privacy-as-reason", _privacy_as_reason),
        _mistake("wrong-constraint", _wrong_constraint),
        _mistake("not-three", _wrong_number),
    ),
    praise=lambda answer: (
        "Each of the six follows from one constraint. Card E was the trap: confidential data alone decide "
        "neither way."
    ),
    details_html=_cards_html(),
    details_text=_cards_text(),
)
