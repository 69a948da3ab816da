"""`ch17-merge-step`: a function that does one step of training a BPE tokenizer.

The function is called on lists drawn afresh at each check. The reference can be told to make mistakes; the
fewest of them that give the learner's lists are what is said.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.learning.bpe import merge_pair
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.function_mistakes import fewest_mistakes, known_mistakes
from labkit.learning.function_answer import Call, Case
from labkit.learning.quantities import describe

Tokens = list[str]

#: name of a mistake → the hint that repairs it
MISTAKES = {
    "first-only": "You join the pair at its first place only. Every place where it stands becomes one token.",
    "second-kept": "After a join, the second token of the pair is still there. When you have joined two, go "
    "on behind both.",
    "last-token-lost": "The last token is missing where it belongs to no pair. Does your loop stop one too "
    "early?",
    "last-of-equals": "Several pairs are equally frequent, and you took the last of them. Take the one that "
    "comes first in the list: `>` keeps it, `>=` does not.",
    "greatest-of-equals": "Several pairs are equally frequent, and you took the one that sorts last. Take "
    "the one that comes first in the list. (max over (count, pair) compares the pairs too.)",
    "smallest-of-equals": "Several pairs are equally frequent, and you took the one that sorts first. Take "
    "the one that comes first in the list.",
    "counted-apart": "You count only pairs that do not overlap. In a, a, a the pair a + a stands twice.",
    "characters": "You work on single characters. A token may have several: it stays whole.",
    "again-and-again": "You go on merging. One step joins one pair, and then returns.",
    "pair-returned": "You return the pair. Return the whole list, with the pair joined in it.",
    "rarest": "You take the rarest pair. Take the most frequent one.",
}
_TIES = ("last-of-equals", "greatest-of-equals", "smallest-of-equals", "rarest")
_MOST_MISTAKES = 2


def merge_step(tokens: Tokens, mistakes: Iterable[str] = ()) -> Tokens:
    """One step of byte-pair encoding on a list of tokens; with `mistakes`, a wrong one.

    Taught in chapter 17.
    """
    made = frozenset(mistakes)
    tokens = list("".join(tokens)) if "characters" in made else list(tokens)
    if len(tokens) < 2:
        return tokens
    pair = _best_pair(tokens, made)
    if "pair-returned" in made:
        return list(pair)
    joined = _join(tokens, pair, made)
    if "last-token-lost" in made and joined and joined[-1] == tokens[-1]:
        joined = joined[:-1]
    if "again-and-again" in made and 1 < len(joined) < len(tokens):
        return merge_step(joined, made - {"characters"})
    return joined


def _best_pair(tokens: Tokens, made: frozenset[str]) -> tuple[str, str]:
    counts: dict[tuple[str, str], int] = {}
    before: tuple[str, str] | None = None
    for pair in itertools.pairwise(tokens):
        # In a run, two pairs that share a token are one and the same pair.
        overlaps = "counted-apart" in made and pair == before
        counts[pair] = counts.get(pair, 0) + (not overlaps)
        before = None if overlaps else pair
    wanted = (min if "rarest" in made else max)(counts.values())
    equals = [pair for pair, count in counts.items() if count == wanted]
    if "greatest-of-equals" in made:
        return max(equals)
    if "smallest-of-equals" in made:
        return min(equals)
    return equals[-1] if "last-of-equals" in made else equals[0]


def _join(tokens: Tokens, pair: tuple[str, str], made: frozenset[str]) -> Tokens:
    if "first-only" in made:
        place = list(itertools.pairwise(tokens)).index(pair)
        return [*tokens[:place], "".join(pair), *tokens[place + 2 :]]
    if "second-kept" in made:
        starts = [*(two == pair for two in itertools.pairwise(tokens)), False]
        return ["".join(pair) if start else token for token, start in zip(tokens, starts, strict=True)]
    return merge_pair(tokens, pair)


# ---------------------------------------------------------------- the cases


def draw_cases(rng: random.Random) -> list[Case]:
    """Lists of every kind, drawn until each mistake shows on them in a way of its own."""
    while True:
        lists = _draw_lists(rng)
        made = [(), *((name,) for name in MISTAKES)]
        outcomes = {str([merge_step(tokens, mistakes) for tokens in lists]) for mistakes in made}
        if len(outcomes) == len(made):
            return [_case(tokens) for tokens in lists]


def _draw_lists(rng: random.Random) -> list[Tokens]:
    letters = rng.sample("abcdefghiklmnoprstuvw", 6)
    a, b, c, d, e, f = letters
    long = [x + y for x, y in itertools.pairwise(letters)]
    plain = [b, a, c, b, a, d, b, a]
    equals = [[c, d, a, b, e, f, c, d, a, b, e, f, a][i:] for i in (0, 2, 4)]
    return [
        plain,
        [*rng.choices(long, k=3), long[0], long[1], c, long[0], long[1], long[0], long[1]],
        rng.choice(equals),
        [e, *[a] * rng.choice((5, 7)), b, c, b, c, b, c],
        [d, a, a, a, b, c, a, a, a, b, c, e],
        rng.choices(letters[:3], k=rng.randint(12, 20)),
        rng.choices([*letters[:2], *long[:2]], k=rng.randint(12, 20)),
        [a],
        [],
    ]


def _case(tokens: Tokens) -> Case:
    return Case(str(tokens) if tokens else "an empty list", (tokens,))


# ---------------------------------------------------------------- the judge: pure, calls in, sentences out


@dataclass(frozen=True)
class Stepped:
    """A read answer: what the function gave for each list."""

    calls: tuple[Call, ...]

    @property
    def wrong(self) -> list[Call]:
        """The calls that went wrong."""
        return [call for call in self.calls if call.value != merge_step(*call.case.arguments)]

    @functools.cached_property
    def mistakes(self) -> tuple[str, ...]:
        """The fewest mistakes that together give exactly these lists; empty when there are none such."""
        return fewest_mistakes(MISTAKES, self._gives, most=_MOST_MISTAKES, exclusive=(_TIES,))

    def _gives(self, made: tuple[str, ...]) -> bool:
        return all(merge_step(*call.case.arguments, made) == call.value for call in self.calls)


def read(calls: tuple[Call, ...]) -> Stepped:
    """The typed answer; a LabError when one of the values is no list of texts."""
    for call in calls:
        where = f"On {call.case.title} your function returned"
        if type(call.value) is str:
            raise LabError(
                f"{where} one text.", "Return a list of tokens; nothing is to be joined but the pair."
            )
        if type(call.value) is not list:
            raise LabError(f"{where} {describe(call.value)}.", "Return a list of tokens.")
        if odd := [item for item in call.value if type(item) is not str]:
            raise LabError(
                f"{where} a list that holds {describe(odd[0])}.",
                "A joined pair is one text: left + right.",
            )
    return Stepped(calls)


def _where(answer: Stepped) -> str:
    call = answer.wrong[0]
    return f"On {call.case.title} your function returned {call.value}."


def _elsewhere(answer: Stepped) -> str:
    call = answer.wrong[0]
    (tokens,) = call.case.arguments
    if len(tokens) < 2:
        return f"{_where(answer)} There is no pair in it: return it as it is."
    pair = _best_pair(tokens, frozenset())
    return (
        f"{_where(answer)} The most frequent pair there is {pair[0]} + {pair[1]}. Each place where it "
        "stands, from left to right, becomes one token; all else stays."
    )


def _praise(answer: Stepped) -> str:
    return (
        f"Right on {len(answer.calls)} lists that were drawn for this check. Repeat this step on enough "
        "text, and you have a tokenizer."
    )


def _stub(tokens):  # what stands in the answer cell
    ...


MERGE_STEP = Exercise(
    name="ch17-merge-step",
    title="One step of the training",
    prompt=(
        "Write a function that does one step of byte-pair encoding. It gets a list of tokens, each a text. "
        "It finds the pair of neighbours that occurs most often, and returns the list with that pair joined "
        "wherever it stands, from left to right. (There are no cuts between words here: any two neighbours "
        "are a pair.)\n\n"
        "Count every two neighbours, also where pairs overlap: in a, a, a the pair a + a stands twice. When "
        "several pairs are equally frequent, take the one that comes first in the list. A list with fewer "
        "than two tokens comes back as it is.\n\n"
        'Example: merge_step(["t", "h", "e", "t", "h"]) gives ["th", "e", "th"]. The function is called on '
        "lists that are drawn afresh for each check."
    ),
    points=6,
    form="The answer is a function: def merge_step(tokens), and at its end return with a list.",
    blank=_stub,
    read=read,
    judge=lambda answer: not answer.wrong,
    cases=draw_cases,
    known_mistakes=(*known_mistakes(MISTAKES, _where), KnownMistake("elsewhere", _elsewhere)),
    praise=_praise,
)
