"""More connections than may be: beyond a setting, beyond the limit of open files, and beyond all files there are."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.integration.faults.parts_faults import (
    Books,
    Upstream,
    answer,
    ask,
    dial,
    others_unaffected,
    request,
    stops_with,
    upstream_that,
)
from tests.parts import wait_until
from tests.relay import read_all, read_exactly
from tests.sidecar import Sidecar, fetch, sidecar

CALM = answer(b"calm")
FILES = 128
ALLOWED = (FILES - 64) // 2
"""Connections that so many files allow: two files each, and 64 for everything else (README, `OUTRIDER_MAX_CONNECTIONS`)."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


def works(client: socket.socket) -> bool:
    client.sendall(request("/"))
    return read_exactly(client, len(CALM)) == CALM


def is_turned_away(client: socket.socket) -> bool:
    """Whether it got 503 with the reason, and the end."""
    said = read_all(client)
    return said.startswith(b"HTTP/1.1 503 ") and b"x-outrider-error: too-many-connections" in said


def connections(running: Sidecar) -> int:
    """Connections of clients that the proxy has."""
    found = psutil.Process(running.process.pid).net_connections("tcp")
    return sum(one.laddr.port == running.port and one.status == psutil.CONN_ESTABLISHED for one in found)


def fill(running: Sidecar, stack: ExitStack, allowed: int, excess: int) -> list[socket.socket]:
    """Open as many connections as are allowed, which all work, then some more, which are all turned away; give the former."""
    inside = [stack.enter_context(dial(running.port)) for _ in range(allowed)]
    assert all(works(client) for client in inside)
    outside = [stack.enter_context(dial(running.port)) for _ in range(excess)]
    assert all(is_turned_away(client) for client in outside)
    assert all(works(client) for client in inside), "those that are there go on"
    for client in outside:
        client.close()
    return inside


@pytest.mark.parametrize(
    ("settings", "files", "allowed"),
    [({"OUTRIDER_MAX_CONNECTIONS": "3"}, 0, 3), ({}, FILES, ALLOWED)],
    ids=["the setting", "the limit of open files"],
)
def test_connections_beyond_the_limit_get_503_and_cost_the_others_nothing(
    tmp_path: Path, upstream: Upstream, settings: dict[str, str], files: int, allowed: int
) -> None:
    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none", **settings}, files=files) as running, ExitStack() as stack:
        books = Books(running)
        with others_unaffected(running.port, 1) as others:
            inside = fill(running, stack, allowed - 1, 8)
            inside.pop().close()
            wait_until(lambda: connections(running) < allowed, "the end of one")
            with dial(running.port) as client:
                assert works(client), "there is room again"
        books.balance(complete=others.calls + 2 * (allowed - 1) + 1)
        assert running.metric("outrider_proxy_connections_refused_total") == 8
        assert "Traceback" not in running.log()


def test_more_connections_than_files_cost_those_that_are_there_nothing(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none"}, files=FILES) as running, ExitStack() as stack:
        books = Books(running)
        before = len(running.log().splitlines())
        with others_unaffected(running.port, 4) as others:
            crowd = [stack.enter_context(dial(running.port)) for _ in range(3 * FILES)]
            others.each_calls_again()
            said = running.log().splitlines()[before:]
            assert len(said) <= 1, "\n".join(said[:10])
            for client in crowd:
                client.close()
            wait_until(lambda: connections(running) <= 5, "the end of the crowd")
            assert ask(running.port) == (200, "")
        books.balance(complete=others.calls + 1)
        stops_with(running, others.calls + 1)


def test_probes_are_answered_while_clients_storm_a_full_sidecar(tmp_path: Path, upstream: Upstream) -> None:
    over = threading.Event()

    def call_again_and_again(port: int) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), dial(port) as client:
                client.sendall(request("/"))
                client.recv(12)
                over.wait(0.1)  # as a client that waits before it tries again, its connection not closed yet

    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none"}, files=FILES) as running, ExitStack() as stack:
        inside = fill(running, stack, ALLOWED, 0)
        storm = [threading.Thread(target=call_again_and_again, args=(running.port,)) for _ in range(100)]
        for thread in storm:
            thread.start()
        try:
            probes = [fetch(running.health, "/livez") for _ in range(20) if not over.wait(0.1)]
            assert all(works(client) for client in inside)
        finally:
            over.set()
            for thread in storm:
                thread.join()
        assert probes == [(200, b"alive\n")] * 20


def test_what_the_limit_leaves_is_enough_for_the_monitor_to_start_again(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none"}, files=FILES) as running, ExitStack() as stack:
        fill(running, stack, ALLOWED, 20)
        monitor = running.monitor()
        assert monitor is not None
        monitor.kill()
        wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 1, "the next monitor")
