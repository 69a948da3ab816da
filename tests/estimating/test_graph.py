"""The planner of the compute buffer on graphs small enough to follow by hand."""

from __future__ import annotations

from labkit.estimating.graph import Graph, Node


def node(size: int, *sources: Node, in_place: bool = False) -> Node:
    return Node((size,), size, sources, in_place=in_place)


def test_memory_is_used_again_when_its_last_user_is_done() -> None:
    graph, first = Graph(), node(64)
    second = node(64, first)
    third = node(64, second)  # the leaf's place is free by now
    graph.add(node(64, third))
    assert graph.planned_bytes() == 128
    assert third.place == first.place == 0


def test_an_operation_in_place_takes_its_operand() -> None:
    graph = Graph()
    graph.add(node(64, node(64, node(64), in_place=True), in_place=True))
    assert graph.planned_bytes() == 64


def test_not_in_place_while_somebody_else_needs_the_operand() -> None:
    graph, start = Graph(), node(64)
    middle = node(64, start)
    changed = node(64, middle, in_place=True)
    graph.add(node(64, changed, middle, in_place=True))
    assert changed.place is None
    graph.planned_bytes()
    assert changed.place != middle.place


def test_a_view_keeps_what_it_looks_at() -> None:
    graph, start = Graph(), node(64)
    whole = node(64, start)
    part = Node((32,), 0, (whole,), view_of=whole)
    other = node(64, node(64))
    graph.add(other)
    graph.add(node(32, other, part))
    assert part.n_bytes == 0 and part.place is None
    assert graph.planned_bytes() >= 64 + 64 + 32


def test_the_best_gap_is_taken_and_gaps_count() -> None:
    graph, large, small = Graph(), node(320), node(32)
    kept = node(32, large, small)
    kept.kept = True
    graph.add(kept)
    fits = graph.add(node(32, node(32, kept)))
    too_large = graph.add(node(512, fits))
    assert graph.planned_bytes() == too_large.place + 512


def test_touched_is_what_the_smaller_batch_writes_where_the_larger_lies() -> None:
    def chain(size: int) -> Graph:
        graph = Graph()
        graph.add(node(size, node(size, node(size))))
        return graph

    large, small = chain(320), chain(32)
    assert large.planned_bytes() == 640
    assert large.touched_bytes(small) == 64  # two places, 32 bytes each


def test_an_order_of_computation_puts_operands_first() -> None:
    graph = Graph()
    left, right = node(32, node(32)), node(32, node(32))
    last = graph.add(node(32, left, right))
    assert graph.nodes == [left, right, last]
    assert graph.add(last) is last and len(graph.nodes) == 3
