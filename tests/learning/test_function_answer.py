"""A function as an answer: called on fresh inputs, and nothing it does harms whoever calls it."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import sys
import threading
import time

import numpy
import pytest

from labkit.learning.exercise import Exercise, _judge
from labkit.learning.function_answer import Case, call_on, is_function, trouble
from labkit.learning.time_limit import OutOfTime, run_for

CASES = [Case("the first", ({"n": 2, "list": [1, 2]},)), Case("the second", ({"n": 3, "list": []},))]


class Hostile:
    def __getattribute__(self, name):
        raise SystemExit("a hostile method")


class HostileError(Exception):
    def __str__(self):
        raise SystemExit("a hostile message")


def endless(_config):
    while True:
        pass


def endless_that_catches_everything(_config):
    while True:
        try:  # noqa: SIM105
            time.sleep(0.001)
        except:  # noqa: E722
            pass


def recursion(config):
    return recursion(config)


def raising(error):
    def function(config):
        raise error

    return function


def ended(function, **more):
    return [(call.ended, call.value) for call in call_on(function, CASES, **more)]


def test_each_case_is_called_once_and_gives_a_plain_value():
    assert ended(lambda c: c["n"]) == [("returned", 2), ("returned", 3)]
    assert ended(lambda c: numpy.int64(c["n"])) == [("returned", 2), ("returned", 3)]
    value = call_on(lambda c: numpy.int64(c["n"]), CASES)[0].value
    assert type(value) is int
    value = call_on(lambda c: (numpy.float16(0.1), numpy.arange(3)), CASES)[0].value
    assert value == [float(numpy.float16(0.1)), [0, 1, 2]] and type(value[1][2]) is int


def test_a_function_may_change_its_input_without_changing_the_case():
    def spoil(config):
        config["n"] = 0
        config["list"].clear()
        return 1

    call_on(spoil, CASES)
    assert CASES[0].arguments == ({"n": 2, "list": [1, 2]},)


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (raising(ValueError("no good")), "raises", "ValueError: no good (line"),
        (raising(KeyError("head_dim")), "raises", "KeyError: 'head_dim'"),
        (raising(KeyError("head_dim")), "raises", "has no such key"),
        (raising(SystemExit(3)), "raises", "SystemExit: 3"),
        (raising(HostileError()), "raises", "HostileError"),
        (raising(ValueError("x" * 10**6)), "raises", "…"),
        (recursion, "raises", "RecursionError"),
        (lambda: 1, "raises", "takes 0 positional arguments"),
        (lambda c: c["n"] / 0, "raises", "ZeroDivisionError"),
        (lambda c: Hostile(), "not-plain", "an object of type Hostile"),
        (lambda c: numpy.array([None]), "not-plain", "ndarray"),
        (lambda c: numpy.zeros(10**6), "not-plain", "ndarray"),
        (lambda c: lambda: 1, "not-plain", "a function"),
        (lambda c: 10**5000, "not-plain", "a whole number"),
        (lambda c: print(c["n"]), "prints", "End it with `return`"),
        (lambda c: sys.stderr.write("2") and None, "prints", "returned nothing"),
        (lambda c: None, "returns-nothing", "Does it end with `return`"),
    ],
)
def test_what_can_go_wrong_gets_a_sentence_and_a_name(function, name, words, capsys):
    found = trouble(call_on(function, CASES))
    assert found and found[0] == name and words in found[1], found
    assert found[1].startswith("On the first") and len(found[1]) < 500
    assert capsys.readouterr() == ("", "")


def test_a_good_function_has_no_trouble_and_its_streams_are_back():
    streams = sys.stdout, sys.stderr
    assert trouble(call_on(lambda c: c["n"], CASES)) is None
    call_on(raising(SystemExit()), CASES)
    assert (sys.stdout, sys.stderr) == streams


@pytest.mark.parametrize(
    ("function", "in_a_thread"),
    [(endless, False), (endless, True), (endless_that_catches_everything, False)],
)
def test_an_endless_loop_ends_and_is_not_tried_again(function, in_a_thread):
    calls = []
    if in_a_thread:  # as on Windows: no timer that sends a signal
        thread = threading.Thread(target=lambda: calls.extend(call_on(function, CASES, seconds_per_call=0.2)))
        thread.start()
        thread.join()
    else:
        calls.extend(call_on(function, CASES, seconds_per_call=0.2))
    assert [call.ended for call in calls] == ["late"]
    assert trouble(calls) == (
        "too-slow",
        "On the first your function was not done after 0.2 s. Does it hold a loop that never ends?",
    )


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that send signals")
def test_a_wait_ends_in_the_main_thread():
    start = time.monotonic()
    with pytest.raises(OutOfTime):
        run_for(0.1, time.sleep, 60)
    assert time.monotonic() - start < 30


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that send signals")
def test_the_timer_and_its_handler_are_put_back():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 100)
        assert run_for(5, lambda: 7) == 7
        assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 100
        assert signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
        with pytest.raises(OutOfTime):
            run_for(0.05, endless, None)
        assert not rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_no_time_limit_outlives_its_call():
    """Many calls that end about when their time does: none may be interrupted afterwards."""

    def several_limits():
        for seconds in itertools.islice(itertools.cycle((0.001, 0.002, 0.003)), 60):
            end = time.monotonic() + seconds
            with contextlib.suppress(OutOfTime):
                run_for(0.002, lambda end=end: [None for _ in iter(lambda: time.monotonic() < end, False)])
        time.sleep(0.15)
        done.append(sum(range(10_000)))

    done: list[int] = []
    several_limits()
    thread = threading.Thread(target=several_limits)
    thread.start()
    thread.join()
    assert done == [49_995_000] * 2


def test_stop_pressed_by_the_learner_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        call_on(raising(KeyboardInterrupt()), CASES)


def test_only_what_a_learner_can_have_written_is_a_function():
    assert is_function(endless) and is_function(lambda: 1)
    assert not any(map(is_function, (print, int, Hostile, Hostile(), 3, None, "f")))


# ---------------------------------------------------------------- in an exercise


def _stub(n): ...


DOUBLE = Exercise(
    name="ch00-double",
    title="Double it",
    prompt="Double.",
    points=1,
    form="A function.",
    blank=_stub,
    read=lambda calls: calls,
    judge=lambda calls: all(call.value == 2 * call.case.arguments[0] for call in calls),
    known_mistakes=(),
    cases=lambda rng: [Case("a number", (rng.randint(1, 10**9),)) for _ in range(3)],
)


def test_an_exercise_calls_the_function_on_fresh_inputs():
    seen = []

    def double(n):
        seen.append(n)
        return 2 * n

    assert _judge(DOUBLE, double).correct and _judge(DOUBLE, double).correct
    assert len(set(seen)) == 6
    assert _judge(DOUBLE, lambda n: 4).verdict == "not yet"


def test_the_judge_needs_no_function_only_plain_calls():
    """Another process may do the calling: cases in, values back, then the same judge."""
    calls = call_on(lambda n: 2 * n, DOUBLE.cases(random.Random(1)))
    again = call_on(lambda n: 2 * n, DOUBLE.cases(random.Random(1)))
    assert calls == again and DOUBLE.judge(calls)


def test_a_stub_is_not_answered_and_a_number_is_no_function():
    def stub(n): ...

    assert _judge(DOUBLE, stub).verdict == "not answered"
    assert _judge(DOUBLE, None).verdict == "not answered"
    verdict = _judge(DOUBLE, 6)
    assert verdict.mistake == "form"
    assert "a whole number, not a function" in verdict.hint and "without parentheses" in verdict.hint
