"""Streams on the real process: WebSocket through a tunnel, and SSE piece by piece."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator

import pytest

from tests.integration.faults.parts_faults import HEAD_END, Books, Upstream, dial, end_of, others_unaffected, upstream_that
from tests.parts import wait_until
from tests.relay import read_exactly
from tests.sidecar import Sidecar, sidecar

KEY = base64.b64encode(bytes(range(16)))
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest())
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT + HEAD_END
)
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: m\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY + HEAD_END
)
CLOSE, TEXT, BINARY = 8, 1, 2


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that({"/socket": echo_frames}) as server:
        yield server


@pytest.fixture(scope="module")
def running(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with sidecar(tmp_path_factory.mktemp("faults"), upstream.port, {"OUTRIDER_READY": "none"}) as process:
        yield process


# WebSocket (RFC 6455)


def frame(kind: int, content: bytes, mask: bytes = b"") -> bytes:
    """A final frame of up to 64 KiB; clients mask theirs."""
    masked = 128 if mask else 0
    size = bytes([masked | len(content)]) if len(content) < 126 else bytes([masked | 126]) + len(content).to_bytes(2, "big")
    if mask:
        content = bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))
    return bytes([128 | kind]) + size + mask + content


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    """Read one; give its kind and content, unmasked."""
    first, second = read_exactly(connection, 2)
    size = second & 127
    if size == 126:
        size = int.from_bytes(read_exactly(connection, 2), "big")
    mask = read_exactly(connection, 4) if second & 128 else bytes(4)
    return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(read_exactly(connection, size)))


def echo_frames(accepted: socket.socket, _: bytes) -> None:
    """Greet, as servers may before the client says anything; echo frames until the closing one."""
    accepted.sendall(SWITCHING + frame(TEXT, b"hello"))
    kind = TEXT
    while kind != CLOSE:
        kind, content = read_frame(accepted)
        accepted.sendall(frame(kind, content))


def test_a_websocket_passes_through_and_is_counted_as_a_tunnel(running: Sidecar) -> None:
    books, mask = Books(running), b"\x01\x02\x03\x04"
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(UPGRADE)
        assert read_exactly(client, len(SWITCHING)) == SWITCHING
        assert read_frame(client) == (TEXT, b"hello")
        for kind, content in ((TEXT, b"question"), (BINARY, bytes(range(256)) * 200), (CLOSE, b"\x03\xe8")):
            client.sendall(frame(kind, content, mask))
            assert read_frame(client) == (kind, content)
        assert end_of(client) == "end"
    books.balance(complete=others.calls + 1, tunnel=1)  # the upgrade itself, and what came after it
    assert running.metric("outrider_proxy_faults_total") == 0


def test_a_websocket_s_server_that_dies_ends_the_tunnel(running: Sidecar, upstream: Upstream) -> None:
    upstream.scripts["/socket"] = lambda accepted, _: accepted.sendall(SWITCHING)
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(UPGRADE)
        assert read_exactly(client, len(SWITCHING)) == SWITCHING
        assert end_of(client) == "end"
    books.balance(complete=others.calls + 1, tunnel=1)


# Server-sent events

EVENTS = 20


def event(number: int) -> bytes:
    return b'data: {"token": %d}\n\n' % number


def test_each_event_reaches_the_client_before_the_next_one_is_sent(running: Sidecar, upstream: Upstream) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def send_events(accepted: socket.socket, _: bytes) -> None:
        accepted.sendall(head)
        for number in range(EVENTS):
            assert theirs.recv(1), "the client has what was sent before"
            accepted.sendall(b"%x\r\n%b\r\n" % (len(event(number)), event(number)))
        accepted.sendall(b"0\r\n\r\n")

    upstream.scripts["/events"] = send_events
    books, gaps = Books(running), running.metric("outrider_stream_gap_seconds_count")
    with ours, theirs, others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(b"GET /events HTTP/1.1\r\nHost: m\r\nAccept: text/event-stream\r\n\r\n")
        assert read_exactly(client, len(head)) == head
        for number in range(EVENTS):
            ours.sendall(b"!")
            chunk = b"%x\r\n%b\r\n" % (len(event(number)), event(number))
            assert read_exactly(client, len(chunk)) == chunk
        assert read_exactly(client, 5) == b"0\r\n\r\n"
    books.balance(complete=others.calls + 1)
    # The last chunk says only that it is the last; whether it comes with an event is up to TCP.
    assert running.metric("outrider_stream_gap_seconds_count") - gaps in (EVENTS - 1, EVENTS)


def test_nothing_is_left_of_all_that(running: Sidecar) -> None:
    wait_until(lambda: running.metrics().get("outrider_proxy_connections") == 0, "the end of all connections")
    assert "Traceback" not in running.log()
