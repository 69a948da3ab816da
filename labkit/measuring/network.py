"""Does a piece of code open connections to the outside? Watched, not promised."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class OutsideConnections:
    """The remote addresses seen while a function ran. Taught in chapter 19.

    Attributes
    ----------
    addresses : `host:port` of every remote end outside this machine, in order of first sight.
    samples : how many times the process's sockets were listed.
    """

    addresses: tuple[str, ...]
    samples: int

    def __repr__(self) -> str:
        looked = f"Looked {self.samples} times while the code ran."
        if not self.addresses:
            return f"No connection to the outside. {looked}"
        return "Connections to the outside: " + ", ".join(self.addresses) + f". {looked}"


def _is_outside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return True


def _remote_ends(process: psutil.Process) -> set[str]:
    """`host:port` of this process's and its children's connections that leave the machine."""
    ends: set[str] = set()
    for member in [process, *process.children(recursive=True)]:
        try:
            connections = member.net_connections(kind="inet")
        except psutil.Error:
            continue
        for connection in connections:
            if connection.raddr and _is_outside(connection.raddr.ip):
                ends.add(f"{connection.raddr.ip}:{connection.raddr.port}")
    return ends


def outside_connections(code: Callable[[], object], *, interval_s: float = 0.02) -> OutsideConnections:
    """Run `code` and list the connections to the outside that this process had open meanwhile.

    The sockets are listed every `interval_s` seconds, so a connection shorter than that can be missed;
    to be certain, unplug the network and run it again. Connections that were open before (a notebook
    server on another machine, say) do not count. Exceptions of `code` pass through.
    """
    process = psutil.Process()
    before = _remote_ends(process)
    seen: dict[str, None] = {}
    samples = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal samples
        while True:
            seen.update(dict.fromkeys(sorted(_remote_ends(process) - before)))
            samples += 1
            if done.wait(interval_s):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        code()
    finally:
        done.set()
        watcher.join()
    return OutsideConnections(tuple(seen), samples)
