"""Tiny Python functions of many kinds: what they are called, what they do, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any

_NUMBER = ("n", "x", "number")
_TWO = ("a, b", "x, y")
_TEXT = ("text", "word", "s")
_LIST = ("items", "numbers", "values")


@dataclass(frozen=True)
class Template:
    """A kind of function. `{n}` is its argument, `{a}` and `{b}` its two, `{k}` a constant.

    Attributes
    ----------
    names : what such a function may be called; the first name is the usual one.
    arguments : what its arguments may be called.
    does : what it does, in words: "adds {k} to {n}".
    body : its lines after `def`, each indented by four spaces or more.
    constants : what `{k}` may be.
    reference : says what it returns, for the constant and the arguments.
    examples : arguments to try it with.
    """

    names: tuple[str, ...]
    arguments: tuple[str, ...]
    does: str
    body: str
    constants: tuple[int | str, ...]
    reference: Callable[..., Any]
    examples: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Function:
    """A tiny Python function.

    Attributes
    ----------
    signature : `"add_7(n)"`.
    usual : whether its name is the usual one for what it does.
    does : `"adds 7 to n"`.
    source : the whole function, with no line end after the last line.
    template : its kind.
    constant : what stands for `{k}`.
    """

    signature: str
    usual: bool
    does: str
    source: str
    template: Template
    constant: int | str

    @property
    def tests(self) -> str:
        """Lines of `assert`, to be run after the source in a sandbox."""
        name = self.signature.partition("(")[0]
        return "\n".join(
            f"assert {name}({', '.join(map(repr, example))})"
            f" == {self.template.reference(self.constant, *example)!r}"
            for example in self.template.examples
        )


_SMALL = tuple(range(2, 21))
_LETTERS = tuple("abcdeilmnorst")
_NUMBERS = ((0,), (1,), (5,), (12,), (-3,), (30,))
_PAIRS = ((1, 2), (7, 3), (-4, 4), (5, 5))
#: each of the letters is in some text at least twice, and in another not at all
_TEXTS = (("",), ("a",), ("river",), ("tomato",), ("bubbles and circles",), ("a middle hammer in the sand",))
_LISTS = (([1],), ([3, 1, 2],), ([4, 4, 10],), ([-2, 0, 7, 30],))


def _t(
    names: str,
    arguments: tuple[str, ...],
    does: str,
    body: str,
    reference: Callable[..., Any],
    examples: tuple[tuple[Any, ...], ...],
    constants: tuple[int | str, ...] = ("",),
) -> Template:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return Template(tuple(names.split()), arguments, does, lines, constants, reference, examples)


TEMPLATES = (
    _t("add_{k} plus_{k}", _NUMBER, "adds {k} to {n}", "return {n} + {k}",
       lambda k, n: n + k, _NUMBERS, _SMALL),
    _t("subtract_{k} minus_{k}", _NUMBER, "subtracts {k} from {n}", "return {n} - {k}",
       lambda k, n: n - k, _NUMBERS, _SMALL),
    _t("times_{k} multiply_by_{k}", _NUMBER, "multiplies {n} by {k}", "return {n} * {k}",
       lambda k, n: n * k, _NUMBERS, _SMALL),
    _t("double twice", _NUMBER, "doubles {n}", "return {n} * 2", lambda k, n: n * 2, _NUMBERS),
    _t("triple three_times", _NUMBER, "triples {n}", "return {n} * 3", lambda k, n: n * 3, _NUMBERS),
    _t("square squared", _NUMBER, "squares {n}", "return {n} * {n}", lambda k, n: n * n, _NUMBERS),
    _t("is_even even", _NUMBER, "says whether {n} is even", "return {n} % 2 == 0",
       lambda k, n: n % 2 == 0, _NUMBERS),
    _t("is_odd odd", _NUMBER, "says whether {n} is odd", "return {n} % 2 == 1",
       lambda k, n: n % 2 == 1, _NUMBERS),
    _t("is_multiple_of_{k} divides_by_{k}", _NUMBER, "says whether {n} is a multiple of {k}",
       "return {n} % {k} == 0", lambda k, n: n % k == 0, _NUMBERS, _SMALL),
    _t("is_above_{k} above_{k}", _NUMBER, "says whether {n} is above {k}", "return {n} > {k}",
       lambda k, n: n > k, _NUMBERS, _SMALL),
    _t("is_below_{k} below_{k}", _NUMBER, "says whether {n} is below {k}", "return {n} < {k}",
       lambda k, n: n < k, _NUMBERS, _SMALL),
    _t("absolute distance_from_zero", _NUMBER, "gives {n} without its sign",
       "if {n} < 0:\n    return -{n}\nreturn {n}", lambda k, n: abs(n), _NUMBERS),
    _t("at_most_{k} limit_to_{k}", _NUMBER, "gives {n}, but at most {k}",
       "if {n} > {k}:\n    return {k}\nreturn {n}", lambda k, n: min(n, k), _NUMBERS, _SMALL),
    _t("at_least_{k} no_less_than_{k}", _NUMBER, "gives {n}, but at least {k}",
       "if {n} < {k}:\n    return {k}\nreturn {n}", lambda k, n: max(n, k), _NUMBERS, _SMALL),
    _t("sum_to add_up_to", _NUMBER, "adds the numbers from 1 to {n}",
       "total = 0\nfor i in range({n} + 1):\n    total += i\nreturn total",
       lambda k, n: sum(range(n + 1)), _NUMBERS),
    _t("add plus", _TWO, "adds {a} and {b}", "return {a} + {b}", lambda k, a, b: a + b, _PAIRS),
    _t("subtract minus", _TWO, "subtracts {b} from {a}", "return {a} - {b}", lambda k, a, b: a - b, _PAIRS),
    _t("multiply times", _TWO, "multiplies {a} and {b}", "return {a} * {b}", lambda k, a, b: a * b, _PAIRS),
    _t("larger bigger", _TWO, "gives the larger of {a} and {b}",
       "if {a} > {b}:\n    return {a}\nreturn {b}", lambda k, a, b: max(a, b), _PAIRS),
    _t("smaller lesser", _TWO, "gives the smaller of {a} and {b}",
       "if {a} < {b}:\n    return {a}\nreturn {b}", lambda k, a, b: min(a, b), _PAIRS),
    _t("same equal", _TWO, "says whether {a} and {b} are equal", "return {a} == {b}",
       lambda k, a, b: a == b, _PAIRS),
    _t("length size", _TEXT, "gives the length of {n}", "return len({n})", lambda k, n: len(n), _TEXTS),
    _t("is_longer_than_{k} longer_than_{k}", _TEXT, "says whether {n} is longer than {k}",
       "return len({n}) > {k}", lambda k, n: len(n) > k, _TEXTS, _SMALL),
    _t("is_shorter_than_{k} shorter_than_{k}", _TEXT, "says whether {n} is shorter than {k}",
       "return len({n}) < {k}", lambda k, n: len(n) < k, _TEXTS, _SMALL),
    _t("reverse backwards", _TEXT, "reverses {n}", "return {n}[::-1]", lambda k, n: n[::-1], _TEXTS),
    _t("repeat_{k} say_{k}_times", _TEXT, "repeats {n} {k} times", "return {n} * {k}",
       lambda k, n: n * k, _TEXTS, _SMALL),
    _t("first_{k} start_{k}", _TEXT, "gives the first {k} letters of {n}", "return {n}[:{k}]",
       lambda k, n: n[:k], _TEXTS, _SMALL),
    _t("without_first_{k} skip_{k}", _TEXT, "leaves out the first {k} letters of {n}", "return {n}[{k}:]",
       lambda k, n: n[k:], _TEXTS, _SMALL),
    _t("count_{k} number_of_{k}", _TEXT, 'counts the letter "{k}" in {n}', 'return {n}.count("{k}")',
       lambda k, n: n.count(k), _TEXTS, _LETTERS),
    _t("has_{k} contains_{k}", _TEXT, 'says whether {n} has the letter "{k}"', 'return "{k}" in {n}',
       lambda k, n: k in n, _TEXTS, _LETTERS),
    _t("starts_with_{k} begins_with_{k}", _TEXT, 'says whether {n} starts with "{k}"',
       'return {n}.startswith("{k}")', lambda k, n: n.startswith(k), _TEXTS, _LETTERS),
    _t("to_capitals shout", _TEXT, "writes {n} in capitals", "return {n}.upper()",
       lambda k, n: n.upper(), _TEXTS),
    _t("total add_all", _LIST, "adds all {n}",
       "total = 0\nfor item in {n}:\n    total += item\nreturn total", lambda k, n: sum(n), _LISTS),
    _t("product multiply_all", _LIST, "multiplies all {n}",
       "result = 1\nfor item in {n}:\n    result *= item\nreturn result",
       lambda k, n: prod(n), _LISTS),
    _t("largest find_largest", _LIST, "finds the largest of {n}",
       "best = {n}[0]\nfor item in {n}:\n    if item > best:\n        best = item\nreturn best",
       lambda k, n: max(n), _LISTS),
    _t("smallest find_smallest", _LIST, "finds the smallest of {n}",
       "best = {n}[0]\nfor item in {n}:\n    if item < best:\n        best = item\nreturn best",
       lambda k, n: min(n), _LISTS),
    _t("count_above_{k} how_many_above_{k}", _LIST, "counts the {n} above {k}",
       "count = 0\nfor item in {n}:\n    if item > {k}:\n        count += 1\nreturn count",
       lambda k, n: sum(item > k for item in n), _LISTS, _SMALL),
    _t("first first_item", _LIST, "gives the first of {n}", "return {n}[0]", lambda k, n: n[0], _LISTS),
    _t("last last_item", _LIST, "gives the last of {n}", "return {n}[-1]", lambda k, n: n[-1], _LISTS),
    _t("add_{k}_to_all all_plus_{k}", _LIST, "adds {k} to all {n}", "return [item + {k} for item in {n}]",
       lambda k, n: [item + k for item in n], _LISTS, _SMALL),
)  # fmt: skip


def function(rng: Random) -> Function:
    """A function of any kind, drawn at random."""
    template = rng.choice(TEMPLATES)
    index = int(rng.random() * 1.5)  # the usual name twice as often
    constant = rng.choice(template.constants)
    arguments = rng.choice(template.arguments)
    return written(template, index, arguments, constant)


def written(template: Template, index: int, arguments: str, constant: int | str) -> Function:
    """The function of a kind with its name (by number), arguments and constant put in."""
    first, _, second = arguments.partition(", ")
    put = {"n": first, "a": first, "b": second, "k": constant}
    name = template.names[index].format(**put)
    return Function(
        signature=f"{name}({arguments})",
        usual=index == 0,
        does=template.does.format(**put),
        source=f"def {name}({arguments}):\n{template.body.format(**put)}",
        template=template,
        constant=constant,
    )
