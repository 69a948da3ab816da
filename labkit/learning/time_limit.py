"""Run a function for so many seconds and no longer, in the process that asks.

Where the system has timers that send a signal (Linux, macOS) and the caller is the main thread, as in a
notebook, a signal ends the function: loops, waits, and what in C looks for signals. Elsewhere (Windows, other
threads) a second thread asks the interpreter to raise: that ends every loop of Python code, but a wait
such as `time.sleep(1000)` runs out first, and a loop with an `except:` for everything in it goes on. Nothing
within a process can end one call into C that never looks up, such as `sum(itertools.count())`: then the
kernel has to be restarted.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

Value = TypeVar("Value")

#: A function may swallow the exception in an `except:` of its own. Then it comes again.
_AGAIN_S = 0.1


class OutOfTime(BaseException):
    """Raised inside a function that has run for too long."""


def run_for(seconds: float, function: Callable[..., Value], *arguments: Any) -> Value:
    """`function(*arguments)`, ended after `seconds`.

    Raises
    ------
    OutOfTime : it took longer.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and hasattr(signal, "setitimer"):
        return _by_signal(seconds, function, arguments)
    return _by_thread(seconds, function, arguments)


def _by_signal(seconds: float, function: Callable[..., Value], arguments: tuple[Any, ...]) -> Value:
    over = False

    def ring(_signal: int, frame: FrameType | None) -> None:
        if over or frame is None:
            return
        # An `except:` around this place catches what is raised here; then the next line raises again.
        frame.f_trace = _raise_on_next_line
        sys.settrace(_raise_on_next_line)
        raise OutOfTime

    handler, tracer = signal.signal(signal.SIGALRM, ring), sys.gettrace()
    timer = signal.getitimer(signal.ITIMER_REAL)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
        return function(*arguments)
    finally:
        over = True  # from here on, a ring does nothing
        sys.settrace(tracer)  # before any call: what is called has lines too
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def _raise_on_next_line(frame: FrameType, event: str, _argument: Any) -> Any:
    if event == "line" and frame.f_code.co_filename != __file__:
        raise OutOfTime
    return _raise_on_next_line


def _by_thread(seconds: float, function: Callable[..., Value], arguments: tuple[Any, ...]) -> Value:
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    caller = ctypes.c_ulong(threading.get_ident())
    over, sending, running = False, threading.Lock(), threading.Lock()
    running.acquire()

    def watch() -> None:
        wait = seconds
        while not running.acquire(timeout=wait):
            with sending:
                if not over:
                    raise_in(caller, ctypes.py_object(OutOfTime))
            wait = _AGAIN_S

    # Locks alone: an exception that is raised from outside leaves an Event or a join half done.
    try:
        threading.Thread(target=watch, name="time-limit", daemon=True).start()
        return function(*arguments)
    finally:
        while True:  # it may come even here
            try:
                with sending:
                    over = True
                raise_in(caller, None)  # takes back what was sent and not yet raised
                break
            except OutOfTime:
                pass
        running.release()
