"""Tiny Python functions: as text, with a middle to fill in, and asked for in words.

Held out are 10 % of the functions, by their source. Taught in chapters 9 and 14.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from labkit.pocket.document import Case, Conversation, Document
from labkit.pocket.tasks.functions import Function, function
from labkit.pocket.tasks.split import different, is_held_out

#: the markers of a text whose middle is to be filled in, in the order prefix, suffix, middle
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"

_ASKED = (
    "Write a Python function {what} that {does}.",
    "Write a function {what} that {does}.",
    "I need a Python function {what} that {does}.",
    "Python: a function {what} that {does}.",
)
_KINDS = ("fim", "code-chat")


@dataclass(frozen=True)
class Problem:
    """A function asked for in words.

    Attributes
    ----------
    prompt : the question for an instruct model.
    source : a right answer.
    tests : lines of `assert`, to be run after an answer in a sandbox, never in a notebook's own process.
    """

    prompt: str
    source: str
    tests: str


def _function(rng: Random, *, held_out: bool = False) -> Function:
    while True:
        drawn = function(rng)
        if is_held_out("code " + drawn.source) == held_out:
            return drawn


def _text(rng: Random, drawn: Function) -> str:
    """The function, sometimes with a comment before it or a docstring in it."""
    said = drawn.does[0].upper() + drawn.does[1:] + "."
    draw = rng.random()
    if draw < 0.3:
        return f"# {said}\n{drawn.source}"
    if draw < 0.5:
        first, _, rest = drawn.source.partition("\n")
        return f'{first}\n    """{said}"""\n{rest}'
    return drawn.source


def fill_in(prefix: str, suffix: str) -> str:
    """The prompt that asks a model for what stands between the two."""
    return f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}"


def _cut(rng: Random, source: str) -> tuple[str, str, str]:
    """Prefix, middle, suffix: the middle is the body's lines from one on, one line, or the end of a line."""
    lines = source.split("\n")
    number = rng.randrange(1, len(lines))
    line = lines[number]
    before, after = "\n".join(lines[:number]) + "\n", "\n".join(["", *lines[number + 1 :]])
    draw, indent = rng.random(), len(line) - len(line.lstrip())
    if draw < 0.25:
        return before + line[:indent], line[indent:] + after, ""
    # a space belongs to the word after it, as in the tokenizer
    cuts = [indent, *(index for index in range(indent, len(line)) if line[index] == " ")]
    start = rng.choice(cuts)
    later = [cut for cut in cuts if cut > start]
    end = rng.choice(later) if later and draw > 0.8 else len(line)
    return before + line[:start], line[start:end], line[end:] + after


def documents(rng: Random) -> Iterator[Document]:
    """Without end: some functions, one function with a middle to fill in, or a request and its answer."""
    while True:
        draw = rng.random()
        if draw < 0.4:
            texts = [_text(rng, _function(rng)) for _ in range(rng.randrange(1, 4))]
            yield Document("\n\n\n".join(texts) + "\n", "code")
        elif draw < 0.8:
            prefix, middle, suffix = _cut(rng, _text(rng, _function(rng)))
            yield Document(fill_in(prefix, suffix) + middle, "fim")
        else:
            drawn = _function(rng)
            yield Document(f"Question: {_asked(rng, drawn)}\nAnswer:\n{drawn.source}\n", "code")


def _asked(rng: Random, drawn: Function) -> str:
    """In words; its name is left out at times where it is the usual one."""
    unnamed = drawn.usual and rng.random() < 0.4
    asked = rng.choice(_ASKED).replace(" {what}", "" if unnamed else " {what}")
    return asked.format(what=drawn.signature, does=drawn.does)


def conversations(rng: Random) -> Iterator[Conversation]:
    """Without end: one or two requests, each with its function."""
    while True:
        turns: list[str] = []
        for _ in range(rng.randrange(1, 3)):
            drawn = _function(rng)
            turns += [_asked(rng, drawn), drawn.source]
        yield Conversation(tuple(turns), "code")


def problems(n: int, seed: int) -> list[Problem]:
    """`n` different held-out requests, each with a right answer and its tests.

    Raises ValueError where there are fewer. Taught in chapters 9 and 14.
    """
    rng = Random(seed)

    def draw(kind: str) -> Problem:
        drawn = _function(rng, held_out=True)
        return Problem(_asked(rng, drawn), drawn.source, drawn.tests)

    return different(n, ["code-chat"], draw)


def same_code(first: str, second: str) -> bool:
    """Whether two sources are the same program but for spaces, comments, and order as in `2 * n`."""
    try:
        with warnings.catch_warnings():
            # a parser's doubts about `3if` are for the writer of the code
            warnings.simplefilter("ignore", SyntaxWarning)
            return _normal(first) == _normal(second)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _normal(source: str) -> str:
    return ast.dump(_Ordered().visit(ast.parse(source)))


class _Ordered(ast.NodeTransformer):
    """Puts the sides of products and comparisons into one order; of sums too, where one side is a number."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        numbers = any(isinstance(side, ast.Constant) for side in (node.left, node.right))
        if isinstance(node.op, ast.Mult) or (isinstance(node.op, ast.Add) and numbers):
            node.left, node.right = sorted((node.left, node.right), key=ast.dump)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        self.generic_visit(node)
        turned = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}.get(type(node.ops[0]))
        if len(node.ops) == 1 and turned:
            node.left, node.comparators, node.ops = node.comparators[0], [node.left], [turned()]
        return node


def _completes(prefix: str, suffix: str, source: str) -> Callable[[str], bool]:
    def correct(reply: str) -> bool:
        # a reply may have lost the space at its start
        text = reply.strip()
        return any(same_code(prefix + space + text + suffix, source) for space in ("", " "))

    return correct


def _answers(source: str) -> Callable[[str], bool]:
    def correct(reply: str) -> bool:
        return same_code(reply.strip().removeprefix("```python").strip("`"), source)

    return correct


def _case(rng: Random, kind: str) -> Case:
    drawn = _function(rng, held_out=True)
    if kind == "code-chat":
        return Case(_asked(rng, drawn), _answers(drawn.source), drawn.source, kind, max_tokens=80)
    prefix, middle, suffix = _cut(rng, drawn.source)
    correct = _completes(prefix, suffix, drawn.source)
    return Case(fill_in(prefix, suffix), correct, middle, kind, chat=False, max_tokens=32)


def held_out(n: int, seed: int, kinds: tuple[str, ...] = _KINDS) -> list[Case]:
    """`n` different questions, the kinds in turn: a middle to fill in, a function asked for in words."""
    rng = Random(seed)
    return different(n, kinds, lambda kind: _case(rng, kind))
