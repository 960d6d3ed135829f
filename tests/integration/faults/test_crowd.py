"""Ten thousand connections on which nothing happens."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.faults.parts_faults import Books, others_unaffected, rss_bytes, stops_with
from tests.parts import wait_until
from tests.sidecar import Sidecar, sidecar

CROWD = 10_000
FEWEST = 2_000
OTHER_FILES = 1100
"""What the sidecar keeps for itself (64), and more than enough for the callers beside the crowd."""

MOST_BYTES_EACH = 40_000


class Process:
    """One end of the crowd."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def number(self) -> int:
        """Read the next number that it prints."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@contextmanager
def crowd(*arguments: str) -> Iterator[Process]:
    command = [sys.executable, str(Path(__file__).with_name("crowd.py")), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Process(process)
    finally:
        try:
            process.communicate(timeout=10)  # the end of its input ends it
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def size_of_the_crowd() -> int:
    """As many connections as are wanted and as the limit of open files allows: the sidecar needs two for each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fit = CROWD if hard == resource.RLIM_INFINITY else (hard - OTHER_FILES) // 2
    if fit < FEWEST:
        pytest.skip(f"the limit of open files, {hard}, allows only {fit} connections")
    return min(CROWD, fit)


def connections(running: Sidecar) -> float:
    return running.metrics().get("outrider_proxy_connections", -1)


def test_ten_thousand_idle_connections_cost_others_nothing_and_little_memory(tmp_path: Path) -> None:
    count = size_of_the_crowd()
    with crowd("server") as server, sidecar(tmp_path, server.number(), {"OUTRIDER_READY": "none"}) as running:
        books = Books(running)
        with others_unaffected(running.port) as others:
            before = rss_bytes(running)
            with crowd("clients", str(running.port), str(count)) as clients:
                assert clients.number() == count, "each one was answered"
                wait_until(lambda: connections(running) == count + 2, "all connections")
                each = (rss_bytes(running) - before) / count
                print(f"crowd: {count} idle connections, {each:.0f} bytes resident each, others {others.slowest_s:.3f} s at most")
                calls = others.calls
                others.each_calls_again()
                assert others.calls > calls
                assert each < MOST_BYTES_EACH
                clients.go_on()
                assert clients.number() == count, "none was closed meanwhile"
                wait_until(lambda: connections(running) == 2, "the end of the crowd")
                clients.go_on()
        wait_until(lambda: connections(running) == 0, "the end of all connections")
        books.balance(complete=others.calls + count)
        stops_with(running, others.calls + count)
