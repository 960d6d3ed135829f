"""Clients that leave, crawl or never finish; one sidecar lives through all of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.faults.parts_faults import (
    Books,
    Upstream,
    dial,
    end_of,
    others_unaffected,
    request,
    reset,
    rss_bytes,
    upstream_that,
)
from tests.parts import wait_until
from tests.relay import read_exactly
from tests.sidecar import Sidecar, sidecar

AT_ONCE_S = 1.0
"""How soon the model server must learn that its client is gone: it takes a millisecond, unless it is not passed on."""

BIG = 50_000_000


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


@pytest.fixture(scope="module")
def running(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    settings = {"OUTRIDER_READY": "none", "OUTRIDER_DRAIN_TIMEOUT": "0s"}
    with sidecar(tmp_path_factory.mktemp("faults"), upstream.port, settings) as process:
        yield process


class Watching:
    """What a model server that waits sees: when a request came, and when and how its connection ended."""

    def __init__(self, answers: bytes = b"") -> None:
        self.has_come = threading.Event()
        self.end = ""
        self.ended_s = 0.0
        self._answers = answers

    def script(self, accepted: socket.socket, _: bytes) -> None:
        accepted.sendall(self._answers)
        self.has_come.set()
        end = end_of(accepted)
        self.ended_s = time.monotonic()
        self.end = end

    def after(self, start_s: float) -> float:
        """Wait for the end; give how long after a moment it came."""
        wait_until(lambda: bool(self.end), "the end at the server")
        return self.ended_s - start_s


LEAVINGS = {"end": socket.socket.close, "reset": reset}
MOMENTS = {
    "while waiting": (b"", request("/watch")),
    "mid-request": (b"", request("/watch", b"b" * 100_000)[:50_000]),
    "mid-answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"a" * 500, request("/watch")),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", LEAVINGS)
def test_the_server_learns_at_once_that_its_client_is_gone(running: Sidecar, upstream: Upstream, moment: str, how: str) -> None:
    answers, asks = MOMENTS[moment]
    watching = Watching(answers)
    upstream.scripts["/watch"] = watching.script
    books = Books(running)
    with others_unaffected(running.port) as others:
        client = dial(running.port)
        client.sendall(asks)
        assert watching.has_come.wait(20)
        assert read_exactly(client, len(answers)) == answers
        left_s = time.monotonic()
        LEAVINGS[how](client)
        assert watching.after(left_s) < AT_ONCE_S
    books.balance(complete=others.calls, client_gone=1)


def test_a_client_that_reads_slowly_grows_no_memory(running: Sidecar, upstream: Upstream) -> None:
    sent: list[int] = []
    ended = threading.Event()

    def answer_big(accepted: socket.socket, _: bytes) -> None:
        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        piece = b"a" * 65536
        try:
            while sum(sent) < BIG:
                accepted.sendall(piece)
                sent.append(len(piece))
        except OSError:
            ended.set()

    upstream.scripts["/big"] = answer_big
    books = Books(running)
    with others_unaffected(running.port) as others:
        before = rss_bytes(running)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", running.port))
        client.sendall(request("/big"))
        most = 0
        for _ in range(100):
            assert client.recv(4096)
            most = max(most, rss_bytes(running))
            time.sleep(0.03)
        at_server = sum(sent)
        reset(client)
        assert ended.wait(AT_ONCE_S)
    print(f"slow reader: +{(most - before) / 1e6:.1f} MB resident, the server got rid of {at_server / 1e6:.1f} MB")
    assert at_server < BIG / 2
    assert most - before < 4 << 20
    books.balance(complete=others.calls, client_gone=1)


def test_nothing_is_left_of_all_that(running: Sidecar) -> None:
    wait_until(lambda: running.metrics().get("outrider_proxy_connections") == 0, "the end of all connections")
    assert running.metrics()["http_server_active_requests"] == 0
    assert "Traceback" not in running.log()
