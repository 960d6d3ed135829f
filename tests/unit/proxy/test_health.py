"""Probes are answered by the proxy."""

from __future__ import annotations

import pytest

from agent.proxy.health import HealthSide
from tests.unit.proxy.fakes import FakeTransport


def ask(*requests: bytes, ready: bool = True) -> bytes:
    side = HealthSide(lambda: ready)
    transport = FakeTransport()
    side.connection_made(transport.as_transport)
    for request in requests:
        side.data_received(request)
    return transport.written


@pytest.mark.parametrize(
    ("request_line", "ready", "status"),
    [
        (b"GET /livez HTTP/1.1", True, b"200 OK"),
        (b"GET /livez HTTP/1.1", False, b"200 OK"),
        (b"GET /readyz HTTP/1.1", True, b"200 OK"),
        (b"GET /readyz?verbose HTTP/1.1", False, b"503 Service Unavailable"),
        (b"GET /metrics HTTP/1.1", True, b"404 Not Found"),
        (b"POST /livez HTTP/1.1", True, b"405 Method Not Allowed"),
    ],
)
def test_answers(request_line: bytes, ready: bool, status: bytes) -> None:
    assert ask(request_line + b"\r\nHost: a\r\n\r\n", ready=ready).startswith(b"HTTP/1.1 " + status)


def test_a_head_request_gets_no_body() -> None:
    assert ask(b"HEAD /livez HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_heads_may_come_in_pieces_and_one_after_the_other() -> None:
    probe = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    assert ask(probe[:9], probe[9:] + probe).count(b"200 OK") == 2


def test_an_endless_head_is_cut() -> None:
    side = HealthSide(lambda: True)
    transport = FakeTransport()
    side.connection_made(transport.as_transport)
    side.data_received(b"x" * 10_000)
    assert transport.closed
