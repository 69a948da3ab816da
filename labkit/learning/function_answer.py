"""A function as an answer: it is called on fresh inputs, and what comes back is judged as plain values.

The two halves are apart. The *cases* (an exercise draws them) and the *judge* are pure: numbers, text, lists
and dictionaries in, a verdict out. The *calling* happens here, next to the learner's function, and yields
one `Call` per case, made of plain values too: it can be done in another process than the judging.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labkit.errors import LabError
from labkit.learning.plain_value import to_plain
from labkit.learning.quantities import describe
from labkit.learning.time_limit import OutOfTime, run_for

#: For one call. A function that is asked for here takes far less than a millisecond.
SECONDS_PER_CALL = 3.0
_LONGEST_MESSAGE = 200
_CALLABLE = (types.FunctionType, types.MethodType, functools.partial)

Ended = Literal["returned", "raised", "late", "not plain"]


@dataclass(frozen=True)
class Case:
    """One input on which a function is tried."""

    title: str  #: for the hint: "a model with 4 layers, width 96, …"
    arguments: tuple[Any, ...]  #: plain values; the function gets a copy


@dataclass(frozen=True)
class Call:
    """What the function did on one case. Every field is a plain value."""

    case: Case
    ended: Ended
    value: Any = None  #: what it returned, as a plain value
    problem: str = ""  #: the exception, or what it returned that is no plain value
    printed: bool = False  #: it printed something


def is_function(answer: object) -> bool:
    """Is it a function that a learner can have written? (No class, no built-in.)"""
    return any(type(answer) is kind for kind in _CALLABLE)


def is_stub(answer: object, stub: object) -> bool:
    """Is it still the function that stood in the answer cell at first?"""
    if type(answer) is not types.FunctionType or type(stub) is not types.FunctionType:
        return False
    ours, theirs = answer.__code__, stub.__code__
    return (ours.co_code, ours.co_names) == (theirs.co_code, theirs.co_names)


def call_on(
    function: Any, cases: Sequence[Case], seconds_per_call: float = SECONDS_PER_CALL
) -> tuple[Call, ...]:
    """Call `function` on each case. After a call that took too long there are no more.

    Never raises, whatever the function does, but for KeyboardInterrupt: the learner pressed stop.
    """
    calls = []
    for case in cases:
        calls.append(_call(function, case, seconds_per_call))
        if calls[-1].ended == "late":
            break
    return tuple(calls)


class _Sink:
    """Takes what a function prints, and keeps only that there was something."""

    printed = False

    def write(self, text: object) -> int:
        self.printed = True
        return len(text) if type(text) is str else 0

    def flush(self) -> None:
        """There is nothing to flush."""

    def isatty(self) -> bool:
        return False


def _call(function: Any, case: Case, seconds: float) -> Call:
    sink, streams = _Sink(), (sys.stdout, sys.stderr)
    arguments = copy.deepcopy(case.arguments)
    try:
        sys.stdout = sys.stderr = sink  # type: ignore[assignment]
        ended, value, problem = run_for(seconds, _attempt, function, arguments)
    except OutOfTime:
        ended, value, problem = "late", None, f"{seconds:g} s"
    finally:
        sys.stdout, sys.stderr = streams
    if ended == "returned":
        try:
            value = to_plain(value)
        except LabError:
            ended, value, problem = "not plain", None, describe(value)
    return Call(case, ended, value, problem, sink.printed)


def _attempt(function: Any, arguments: tuple[Any, ...]) -> tuple[Ended, Any, str]:
    try:
        return "returned", function(*arguments), ""
    except (OutOfTime, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: a cell must not end the kernel
        return "raised", None, _tell(error, function)


def _tell(error: BaseException, function: Any) -> str:
    """`"KeyError: 'layers' (line 4 of the cell)"`."""
    text = ""
    # An exception of the learner's own may raise anything when it is asked for its message.
    with contextlib.suppress(Exception, SystemExit, GeneratorExit):
        text = str(error)
    text = text if type(text) is str else ""
    short = text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
    name = describe(error).removeprefix("an object of type ")
    line = _line_in(error, function)
    return ": ".join(filter(None, [name, short])) + (f" (line {line} of its cell)" if line else "")


def _line_in(error: BaseException, function: Any) -> int | None:
    """The line of the function's file, which for a notebook is the cell, where it went wrong."""
    code = getattr(function, "__code__", None) if type(function) is types.FunctionType else None
    line, trace = None, error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# ---------------------------------------------------------------- what any function may do wrong


def trouble(calls: Iterable[Call]) -> tuple[str, str] | None:
    """(name of the mistake, hint) for the first call that brought back nothing to judge; else None."""
    return next(filter(None, map(_trouble, calls)), None)


def _trouble(call: Call) -> tuple[str, str] | None:
    on = f"On {call.case.title} your function"
    if call.ended == "raised":
        no_key = " This input has no such key: read it with `.get`."
        more = no_key if call.problem.startswith("KeyError") else ""
        return "raises", f"{on} stopped with an error. {call.problem}.{more}"
    if call.ended == "late":
        return "too-slow", f"{on} was not done after {call.problem}. Does it hold a loop that never ends?"
    if call.ended == "not plain":
        return "not-plain", f"{on} returned {call.problem}. Return a plain Python value, such as 12."
    if call.value is None and call.printed:
        return "prints", f"{on} printed something and returned nothing. End it with `return`, not `print`."
    if call.value is None:
        return "returns-nothing", f"{on} returned nothing. Does it end with `return` and the result?"
    return None
