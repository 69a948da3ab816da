"""`check` gives a verdict on whatever an answer cell can hold, and never raises for a learner."""

from __future__ import annotations

import sys

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.learning.exercise import NotSolved, check, exercise
from labkit.learning.exercises import all_exercises
from labkit.learning.plain_value import is_blank, to_plain
from labkit.learning.progress import events

NAMES = list(all_exercises())
VERDICTS = {"correct", "not yet", "not answered"}


class _HostileMeta(type):
    def __eq__(cls, other):
        raise SystemExit("eq of a type")

    __hash__ = None

    def __instancecheck__(cls, other):
        raise SystemExit("isinstance")


def _raise(*_args, **_kwargs):
    raise SystemExit("a hostile method")


HOSTILE_METHODS = (
    *("__eq__", "__ne__", "__repr__", "__str__", "__bool__", "__len__", "__iter__", "__getattribute__"),
    *("__float__", "__int__", "__index__", "__hash__", "__lt__", "__array__", "__format__", "__contains__"),
)
HostileObject = type("HostileObject", (), dict.fromkeys(HOSTILE_METHODS, _raise))
HostileText = type("HostileText", (str,), dict.fromkeys(HOSTILE_METHODS, _raise))
HostileDict = type("HostileDict", (dict,), dict.fromkeys((*HOSTILE_METHODS, "items", "keys"), _raise))
HostileNumber = type("HostileNumber", (float,), dict.fromkeys(HOSTILE_METHODS, _raise))
HostileType = _HostileMeta("HostileType", (), {})


def odd_answers():
    """Every kind of thing that a cell may leave in a variable."""
    knot: list = []
    knot.append(knot)
    deep: list = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    endless = {"a": None}
    endless["a"] = endless
    return [
        *(None, ..., "", "?", 0, -1, True, 1e308, float("nan"), float("inf"), 10**5000, 1j, b"bytes", b""),
        *([], {}, (), set(), [None], {"a": None}, {1: 2}, {None: 1}, {(): ()}),
        *("x" * 10**6, list(range(10**6)), {str(i): i for i in range(10**5)}),
        *(knot, deep, endless, range(10**12), (i for i in range(3)), lambda: 1, print, int, NotImplemented),
        *(HostileObject(), HostileText("a"), HostileDict(a=1), HostileNumber(1.0), HostileType()),
        *(
            [HostileObject()],
            {"record": HostileText("tg")},
            {"needs_open": HostileDict(), "closed_is_fine": {}},
        ),
        *(numpy.float64(3.5), numpy.zeros((1000, 1000)), numpy.array(3), numpy.datetime64("2026-11-22")),
        *(ValueError("x"), sys, object, type, "\ud800", "\x00", "🙂" * 100),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_makes_it_raise(name):
    for answer in odd_answers():
        verdict = check(name, answer)
        assert verdict.verdict in ("not yet", "not answered")
        assert verdict.points == 0
        assert verdict.hint and len(verdict.hint) < 2000
        verdict._repr_html_(), repr(verdict)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["record", "hours_for_a_million_tokens", "electricity_cost", "needs_open", "closed_is_fine"]
            )
            | st.sampled_from("ABCDEFGHIabc?")
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", NAMES)
@given(answer=plain)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_plain_answers_get_a_verdict(name, answer):
    # Judged without the disk: `check` writes each verdict, and 600 commits take their time.
    from labkit.learning.exercise import _judge

    verdict = _judge(all_exercises()[name], answer)
    assert verdict.verdict in VERDICTS
    assert verdict.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_answer_is_not_answered(name):
    item = all_exercises()[name]
    for blank in (None, ..., "", {}, [], item.blank):
        verdict = check(name, blank)
        assert verdict.verdict == "not answered"
        assert "Fill in the answer cell" in verdict.hint
        assert item.form in verdict.hint


@pytest.mark.parametrize("name", NAMES)
def test_strict_mode_raises_the_hint(name, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(NotSolved, match="not answered") as caught:
        check(name, None)
    assert isinstance(caught.value, AssertionError)
    assert caught.value._render_traceback_() == [f"NotSolved: {caught.value}"]
    for answer in odd_answers()[:20]:
        with pytest.raises(NotSolved):
            check(name, answer)


def test_an_unknown_exercise_names_the_near_ones():
    with pytest.raises(LabError, match="Did you mean ch19-hours-and-cost"):
        check("ch19-hour-and-cost", 1)
    with pytest.raises(LabError, match="Did you mean"):
        exercise("zzz")
    for name in (None, 3, HostileObject(), HostileText("ch19-hours-and-cost"), "x" * 10**6):
        with pytest.raises(LabError) as caught:
            check(name, 1)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_to_do_and_keeps_the_answer_to_itself(name):
    card = exercise(name)
    item = all_exercises()[name]
    for text in (repr(card), card._repr_html_()):
        assert item.title in text
        assert f"{item.points:g} points" in text
    assert item.form in repr(card)
    for mistake in item.known_mistakes:
        assert mistake.name and mistake.hint


def test_every_check_is_kept():
    name = NAMES[0]
    check(name, None)
    check(name, 3)
    kept = events("exercise", name)
    assert [e.verdict for e in kept] == ["not answered", "not yet"]
    assert kept[1].data == {"mistake": "form"}


def test_plain_values():
    assert to_plain({"a": (1, numpy.float32(0.5), numpy.int64(3), numpy.bool_(True), ...)}) == {
        "a": [1, 0.5, 3, True, None]
    }
    assert to_plain(numpy.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    for odd in (numpy.array([None]), numpy.array("2026-11-22", "M8[D]"), numpy.zeros(10**6)):
        with pytest.raises(LabError):
            to_plain(odd)
    assert is_blank(to_plain({"a": "?", "b": [None, " "]}), None)
    assert is_blank("paste here", {"x": "paste here"})
    assert not is_blank(0, None)
