"""Connections to the outside are seen; those within the machine do not count."""

from __future__ import annotations

import socket
import time

import pytest

from labkit.measuring import network


@pytest.mark.parametrize(
    ("host", "outside"),
    [("127.0.0.1", False), ("127.5.5.5", False), ("::1", False), ("192.0.2.7", True), ("2001:db8::1", True)],
)
def test_only_loopback_is_inside(host, outside):
    assert network._is_outside(host) is outside


@pytest.fixture
def loopback_talk():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk():
            with socket.create_connection(server.getsockname()):
                time.sleep(0.15)

        yield talk


def test_a_loopback_connection_does_not_count(loopback_talk):
    seen = network.outside_connections(loopback_talk)
    assert seen.addresses == ()
    assert seen.samples >= 2
    assert "No connection to the outside" in repr(seen)


def test_a_connection_that_leaves_is_listed(loopback_talk, monkeypatch):
    """The real sockets of a real connection, with loopback declared to be outside."""
    monkeypatch.setattr(network, "_is_outside", lambda host: True)
    seen = network.outside_connections(loopback_talk)
    assert any(address.startswith("127.0.0.1:") for address in seen.addresses)
    assert "127.0.0.1:" in repr(seen)


def test_an_exception_passes_through():
    with pytest.raises(ZeroDivisionError):
        network.outside_connections(lambda: 1 / 0)
