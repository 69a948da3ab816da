"""`ch16-prompt-string`: a function that writes the string that a model reads, from the messages of a chat.

The function is called on conversations drawn afresh at each check. The reference can be told to make
mistakes; the smallest set of them that gives the learner's strings is what is said.
"""

from __future__ import annotations

import functools
import os
import random
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.ch16_chatml import (
    EXCLUSIVE,
    MISTAKES,
    VARIANTS,
    conversations,
    render,
)
from labkit.learning.exercises.function_mistakes import fewest_mistakes, known_mistakes
from labkit.learning.function_answer import Call, Case
from labkit.learning.quantities import describe

_MOST_MISTAKES = 3
#: Characters of the two strings that a hint shows from where they part.
_SHOWN = 24


def draw_cases(rng: random.Random) -> list[Case]:
    """Six conversations, each ending with the user."""
    return [Case(title, (messages,)) for title, messages in conversations(rng)]


@dataclass(frozen=True)
class Written:
    """A read answer: the string that the function gave for each conversation."""

    calls: tuple[Call, ...]

    @property
    def wrong(self) -> list[Call]:
        """The calls whose string is not the right one."""
        return [call for call in self.calls if call.value != render(*call.case.arguments)]

    @functools.cached_property
    def mistakes(self) -> tuple[str, ...]:
        """The fewest mistakes that together give exactly these strings; empty when there are none such."""
        return fewest_mistakes(MISTAKES, self._gives, most=_MOST_MISTAKES, exclusive=EXCLUSIVE)

    def _gives(self, made: tuple[str, ...]) -> bool:
        variants = max((VARIANTS.get(name, 1) for name in made), default=1)
        return any(
            all(render(*call.case.arguments, made, variant) == call.value for call in self.calls)
            for variant in range(variants)
        )


def read(calls: tuple[Call, ...]) -> Written:
    """The typed answer; a LabError when one of the values is no text."""
    for call in calls:
        if type(call.value) is not str:
            raise LabError(
                f"On {call.case.title} your function returned {describe(call.value)}, not one text.",
                'Join the parts, and return the string: return "".join(parts)',
            )
    return Written(calls)


def _where(answer: Written) -> str:
    return f"Wrong on {answer.wrong[0].case.title}."


def _elsewhere(answer: Written) -> str:
    """Where the first wrong string leaves the right one."""
    call = answer.wrong[0]
    right = render(*call.case.arguments)
    n = len(os.path.commonprefix([call.value, right]))
    place = f"after {_visible(right[max(0, n - _SHOWN) : n])}" if n else "right at its beginning"
    return (
        f"Wrong on {call.case.title}, {place}: yours goes on with {_visible(call.value[n : n + _SHOWN])}, "
        f"and {_visible(right[n : n + _SHOWN])} should follow. (↵ is a line break.)"
    )


def _visible(text: str) -> str:
    return "“" + text.replace("\n", "↵") + "”" if text else "nothing"


def _stub(messages):  # what stands in the answer cell
    ...


PROMPT_STRING = Exercise(
    name="ch16-prompt-string",
    title="Write the prompt of a conversation",
    prompt=(
        "Write a function that takes the messages of a conversation and returns the string that "
        "pocket-instruct is to read, up to the place where its answer begins.\n\n"
        "Each message is a dictionary with a role (system, user or assistant) and a content. The last one is "
        "from the user. The function is called on six conversations that are drawn afresh for each check, "
        "and its strings must be right to the last character."
    ),
    points=6,
    form="The answer is a function: def prompt_string(messages), and at its end return with one string.",
    blank=_stub,
    read=read,
    judge=lambda answer: not answer.wrong,
    partial=lambda answer: 0.5 * (len(answer.calls) - len(answer.wrong)),
    cases=draw_cases,
    known_mistakes=(*known_mistakes(MISTAKES, _where), KnownMistake("elsewhere", _elsewhere)),
    praise=lambda answer: (
        f"Right to the last character on {len(answer.calls)} conversations that nobody has seen before. The "
        "template in the file gives the same strings."
    ),
)
