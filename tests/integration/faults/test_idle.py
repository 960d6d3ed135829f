"""Clients that hold connections and say nothing, or too little: `OUTRIDER_IDLE_TIMEOUT` is a second here."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.faults.parts_faults import Books, Upstream, dial, end_of, others_unaffected, request, reset, upstream_that
from tests.parts import wait_until
from tests.sidecar import Sidecar, sidecar

SOON_S = 6.0
"""A second and a quarter is what it takes; the machine may be slow."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


@pytest.fixture(scope="module")
def running(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    settings = {"OUTRIDER_READY": "none", "OUTRIDER_IDLE_TIMEOUT": "1s", "OUTRIDER_DRAIN_TIMEOUT": "0s"}
    with sidecar(tmp_path_factory.mktemp("faults"), upstream.port, settings) as process:
        yield process


def closed_for_idleness(running: Sidecar) -> float:
    return running.metric("outrider_proxy_connections_idle_total")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHos", request("/")], ids=["nothing", "half a head", "a call"])
def test_a_connection_on_which_nothing_happens_is_closed_and_counted(running: Sidecar, said: bytes) -> None:
    books, before = Books(running), closed_for_idleness(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(said)
        start = time.monotonic()
        assert end_of(client) == "end"
        assert 1.0 <= time.monotonic() - start < SOON_S
    books.balance(complete=others.calls + said.endswith(b"\r\n\r\n"))
    assert closed_for_idleness(running) == before + 1


def test_a_call_under_way_is_not_idle_however_long_it_takes(running: Sidecar, upstream: Upstream) -> None:
    def think(accepted: socket.socket, _: bytes) -> None:
        time.sleep(3)
        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstream.scripts["/think"] = think
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/think"))
        assert client.recv(12) == b"HTTP/1.1 200"
    books.balance(complete=others.calls + 1)


def test_a_head_that_comes_a_byte_at_a_time_is_closed_and_counted(running: Sidecar) -> None:
    books, before = Books(running), closed_for_idleness(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        client.settimeout(0.1)
        deadline = time.monotonic() + SOON_S
        ended = False
        while not ended and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                client.sendall(b"x")
                ended = not client.recv(1)
        assert ended
    books.balance(complete=others.calls)
    assert closed_for_idleness(running) == before + 1


def test_a_client_that_ended_its_side_and_then_died_is_noticed(running: Sidecar, upstream: Upstream) -> None:
    has_come, over = threading.Event(), threading.Event()

    def hang(accepted: socket.socket, _: bytes) -> None:
        assert end_of(accepted) == "end"
        has_come.set()
        over.wait(60)

    upstream.scripts["/hang"] = hang
    books = Books(running)
    with others_unaffected(running.port) as others:
        client = dial(running.port)
        client.sendall(request("/hang"))
        client.shutdown(socket.SHUT_WR)
        assert has_come.wait(20)
        reset(client)
        try:
            wait_until(lambda: books.since().get("client_gone") == 1, "the record", SOON_S)
        finally:
            over.set()
    books.balance(complete=others.calls, client_gone=1)
