"""A monitor that is killed, stopped or slow, under load: inference goes on, memory is bounded, every loss is counted."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    rss_bytes,
    stops_with,
    upstream_that,
)
from tests.parts import wait_until
from tests.relay import read_exactly
from tests.sidecar import Sidecar, sidecar

SMALL_TAP = {"OUTRIDER_READY": "none", "OUTRIDER_CAPTURE_BYTES": "64KiB", "OUTRIDER_TAP_BYTES": "256KiB"}
TAP_BYTES = 256 << 10
BODY = b"b" * 8000

STOPPED_S = 15.0
"""How long the monitor is stopped, instead of a minute. Nothing in the proxy looks at the time until two minutes of silence,
when the monitor counts as hung. What changes while it is stopped is how much waits for it, and that has reached its bound when
the first record is lost; the test sees to it that this happens well before the end, so a longer stop adds only more of the
same losses."""

SLACK_BYTES = 6 << 20
"""What the proxy may grow beside the tap's bytes: the links of the callers and the allocator's rounding."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


def monitor_of(running: Sidecar) -> psutil.Process:
    monitor = running.monitor()
    assert monitor is not None
    return monitor


@contextmanager
def stopped(monitor: psutil.Process) -> Iterator[None]:
    monitor.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        monitor.send_signal(signal.SIGCONT)


class Calls:
    """Calls one after another, each of which must be answered 200."""

    def __init__(self, port: int) -> None:
        self.made = 0
        self._port = port

    def make(self, count: int) -> None:
        for _ in range(count):
            assert ask(self._port) == (200, "")
            self.made += 1


def test_a_killed_monitor_loses_just_what_it_had_not_taken_in(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none"}) as running:
        books = Books(running)
        calls = Calls(running.port)
        calls.make(7)
        books.balance(complete=7)
        monitor = monitor_of(running)
        with contextlib.suppress(psutil.NoSuchProcess), stopped(monitor):
            until = time.monotonic() + 0.5
            while time.monotonic() < until:  # several frames of records
                calls.make(1)
            monitor.kill()
        unread = calls.made - 7
        wait_until(lambda: "monitor died" in running.log(), "its end")
        calls.make(5)
        wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 1, "the next monitor")
        calls.make(3)
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") == calls.made, "all exchanges")
        wait_until(lambda: running.metric("outrider_exchanges_total") > 0, "the first records of the next monitor")
        now = running.metrics()
        with_it = int(now['outrider_proxy_records_dropped_total{reason="monitor_died"}'])
        without = int(now['outrider_proxy_records_dropped_total{reason="monitor_away"}'])
        assert with_it > 0
        assert with_it + without >= unread, "beside those, what was called until the next one was there"
        taken_in = int(now['outrider_exchanges_total{outcome="complete"}'])
        assert taken_in == calls.made - 7 - with_it - without, "the next monitor begins anew"
        stops_with(running, calls.made, with_it + without)


def test_a_monitor_killed_under_load_costs_no_call_and_each_loss_is_counted(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, {"OUTRIDER_READY": "none"}) as running:
        with others_unaffected(running.port, 4, BODY) as others:
            monitor_of(running).kill()
            wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 1, "the next monitor")
            monitor_of(running).kill()
            wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 2, "the one after that")
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") == others.calls, "all exchanges")
        now = running.metrics()
        assert now['outrider_proxy_records_dropped_total{reason="monitor_away"}'] > 0
        assert now['outrider_proxy_records_dropped_total{reason="tap_full"}'] == 0
        stops_with(running, others.calls, int(running.metric("outrider_proxy_records_dropped_total")))


def test_a_stopped_monitor_costs_no_call_and_bounded_memory_and_each_loss_is_counted(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, SMALL_TAP) as running:
        books = Books(running)
        with others_unaffected(running.port, 4, BODY, pause_s=0) as others:
            before = most = rss_bytes(running)
            with stopped(monitor_of(running)):
                until = time.monotonic() + STOPPED_S
                while time.monotonic() < until:
                    others.each_calls_again()
                    most = max(most, rss_bytes(running))
                    time.sleep(0.1)
            while_stopped = others.calls
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") == others.calls, "all exchanges")
        lost = int(running.metric("outrider_proxy_records_dropped_total"))
        print(f"stopped monitor: {while_stopped} calls, {lost} records lost, +{(most - before) / 1e6:.1f} MB resident")
        assert lost > while_stopped / 4, "the tap was full long before the end"
        assert most - before < TAP_BYTES + SLACK_BYTES
        books.balance(complete=others.calls - lost, tap_full=lost)
        assert running.metric("outrider_proxy_bodies_left_out_total") > 0
        wait_until(lambda: running.metric("outrider_proxy_tap_depth_bytes") == 0, "an empty tap")
        stops_with(running, others.calls, lost)


def test_a_slow_monitor_costs_no_call_and_each_loss_is_counted(tmp_path: Path, upstream: Upstream) -> None:
    with sidecar(tmp_path, upstream.port, SMALL_TAP) as running:
        books, monitor = Books(running), monitor_of(running)
        with others_unaffected(running.port, 4, BODY, pause_s=0) as others:
            until = time.monotonic() + 5
            while time.monotonic() < until:  # a twentieth of a core
                with stopped(monitor):
                    time.sleep(0.19)
                time.sleep(0.01)
        wait_until(lambda: running.metric("outrider_proxy_exchanges_total") == others.calls, "all exchanges")
        lost = int(running.metric("outrider_proxy_records_dropped_total"))
        print(f"slow monitor: {others.calls} calls, {lost} records lost, {running.metric('outrider_proxy_bodies_left_out')} cut")
        books.balance(complete=others.calls - lost, tap_full=lost)
        stops_with(running, others.calls, lost)


def test_bodies_beyond_the_tap_are_left_out_and_no_record_is(tmp_path: Path, upstream: Upstream) -> None:
    go, calls = threading.Event(), 12

    def hold(accepted: socket.socket, rest: bytes) -> None:
        read_exactly(accepted, 60_000 - len(rest))
        go.wait(20)
        accepted.sendall(answer(b"a" * 60_000))

    upstream.scripts["/hold"] = hold
    with sidecar(tmp_path, upstream.port, SMALL_TAP) as running, ExitStack() as stack:
        books = Books(running)
        with others_unaffected(running.port) as others:
            clients = [stack.enter_context(dial(running.port)) for _ in range(calls)]
            for client in clients:
                client.sendall(request("/hold", b"b" * 60_000))
            others.each_calls_again()
            go.set()
            whole = answer(b"a" * 60_000)
            assert all(read_exactly(client, len(whole)) == whole for client in clients)
        books.balance(complete=others.calls + calls)
        assert calls / 2 < running.metric("outrider_proxy_bodies_left_out_total")
        wait_until(lambda: running.metric("outrider_proxy_tap_depth_bytes") == 0, "an empty tap")
