"""A computation graph of tensors that hold nothing, and how much memory ggml plans for it.

ggml walks through the graph in the order of computation. A result gets the best-fitting gap in the buffer, or
its end; where an operation can work in place, it takes its operand's memory; memory is free again when the
last user of a result is done. The buffer is as long as the farthest result reaches: gaps count.

Source: ggml/src/ggml-alloc.c (`ggml_gallocr_alloc_graph_impl`, `ggml_dyn_tallocr_alloc`) of llama.cpp, as
built into llama-cpp-python 0.3.36. Going further from chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterator

_ALIGNMENT = 32


class Node:
    """A result in the graph.

    Attributes
    ----------
    shape : its sizes, and "strided" at the end when its rows do not lie side by side.
    n_bytes : what it takes; 0 for what needs no memory of its own here: weights, the cache.
    sources : what it is computed from, in ggml's order.
    view_of : the result whose memory it looks at.
    in_place : can the operation overwrite its operand?
    kept : a result that is read at the end, so its memory is never free again.
    unused : an input that nobody fills.
    place : where it begins in the buffer; None before it is planned, and for what has no memory of its own.
    """

    __slots__ = (
        "children",
        "in_place",
        "kept",
        "n_bytes",
        "offset",
        "place",
        "shape",
        "sources",
        "unused",
        "view_of",
        "views",
    )

    def __init__(
        self,
        shape: tuple[object, ...],
        n_bytes: int,
        sources: tuple[Node, ...] = (),
        *,
        view_of: Node | None = None,
        in_place: bool = False,
    ) -> None:
        self.shape, self.sources, self.in_place = shape, sources, in_place
        self.n_bytes = -(-n_bytes // _ALIGNMENT) * _ALIGNMENT
        self.view_of = view_of
        self.kept = self.unused = False
        self.children = self.views = 0
        self.offset: int | None = None  # while its memory is taken
        self.place: int | None = None


class Graph:
    """Results in the order in which they are computed: `add` puts one behind all that it needs."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []
        self._seen: set[int] = set()

    def add(self, node: Node) -> Node:
        for needed in _unseen_first(node, self._seen):
            (self.nodes if needed.sources else self.leaves).append(needed)
        return node

    def planned_bytes(self) -> int:
        """The length of the buffer that ggml plans for the graph."""
        buffer = _Buffer()
        for leaf in self.leaves:
            leaf.offset = leaf.place = buffer.take(leaf.n_bytes)
        for node in self.nodes:
            if node.view_of is not None:
                node.view_of.views += 1
            for source in node.sources:
                source.children += 1
        for node in self.nodes:
            if node.view_of is None:
                _place(node, buffer)
            for source in node.sources:
                source.children -= 1
                if source.children == 0 and source.views == 0:
                    _release(source, buffer)
        return buffer.length

    def touched_bytes(self, smaller: Graph) -> int:
        """Bytes written when `smaller` is computed, the same graph of a smaller batch, in this one's buffer.

        ggml leaves every result where the largest batch had it. Call `planned_bytes` first.
        """
        touched = end = 0
        pairs = zip(self.leaves + self.nodes, smaller.leaves + smaller.nodes, strict=True)
        spans = [
            (node.place, node.place + small.n_bytes)
            for node, small in pairs
            if node.place is not None and not node.unused
        ]
        for first, last in sorted(spans):
            touched += max(0, last - max(first, end))
            end = max(end, last)
        return touched


def _unseen_first(node: Node, seen: set[int]) -> Iterator[Node]:
    """What `node` needs and was not yet seen, each behind its sources, and at last `node`."""
    stack: list[tuple[Node, bool]] = [(node, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            yield current
        elif id(current) not in seen:
            seen.add(id(current))
            stack.append((current, True))
            stack.extend((source, False) for source in reversed(current.sources))


def _place(node: Node, buffer: _Buffer) -> None:
    """Gives a result its memory: an operand's, where the operation allows, or a gap."""
    for parent in node.sources if node.in_place else ():
        alone = parent.children == 1 and not parent.views and not parent.kept
        if parent.view_of is None and alone and parent.offset is not None and parent.shape == node.shape:
            node.offset = node.place = parent.offset
            parent.offset = None
            return
    node.offset = node.place = buffer.take(node.n_bytes)


def _release(node: Node, buffer: _Buffer) -> None:
    owner = node
    if node.view_of is not None:
        owner = node.view_of
        owner.views -= 1
        if owner.views or owner.children:
            return
    if owner.offset is not None and not owner.kept:
        buffer.give_back(owner.offset, owner.n_bytes)
        owner.offset = None


class _Buffer:
    """Free blocks by rising offset; the last one has no end."""

    def __init__(self) -> None:
        self.length = 0
        self._gaps: list[list[int]] = []  # [offset, bytes]
        self._end = 0

    def take(self, n_bytes: int) -> int:
        fitting = [gap for gap in self._gaps if gap[1] >= n_bytes]
        if not fitting:
            offset, self._end = self._end, self._end + n_bytes
            self.length = max(self.length, self._end)
            return offset
        smallest = min(gap[1] for gap in fitting)
        gap = [gap for gap in fitting if gap[1] == smallest][-1]
        offset = gap[0]
        gap[0] += n_bytes
        gap[1] -= n_bytes
        if not gap[1]:
            self._gaps.remove(gap)
        return offset

    def give_back(self, offset: int, n_bytes: int) -> None:
        self._gaps.append([offset, n_bytes])
        self._gaps.sort()
        merged: list[list[int]] = []
        for gap in self._gaps:
            if merged and merged[-1][0] + merged[-1][1] == gap[0]:
                merged[-1][1] += gap[1]
            else:
                merged.append(gap)
        if merged[-1][0] + merged[-1][1] == self._end:
            self._end = merged.pop()[0]
        self._gaps = merged
