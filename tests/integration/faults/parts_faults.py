"""What the tests of faults ask each time: were others unaffected, what did the client get, are the counts exact.

A model server that misbehaves where it is told to, callers that go on all the while, and the sidecar's books.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

import psutil
import pytest

from tests.parts import wait_until
from tests.relay import read_exactly
from tests.sidecar import Sidecar

Script = Callable[[socket.socket, bytes], None]
"""What the model server does with a request: its connection, and what has come behind the head."""

HEAD_END = b"\r\n\r\n"
SLOWEST_S = 1.0
"""No call of the others may take longer. They take milliseconds; whoever waits for something broken waits for ever."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


# The model server


class Upstream:
    """A model server: it answers 200, except for the targets in `scripts`, whose script then has the connection.

    The target of an HTTP/2 connection is ``*``, as its preface has it.
    """

    def __init__(self, path: str = "") -> None:
        self.scripts: dict[str, Script] = {}
        self.resets_at_once = False
        self.port = 0
        self._path = path
        self.listen()

    def listen(self) -> None:
        """Listen, for the first time or again where it listened before."""
        if self._path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(self._path)
            self._listener.listen(128)
        else:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Listen no more; connections that are there go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits in accept(), who would hold the port
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                if self.resets_at_once:
                    reset(accepted)
                else:
                    threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(60)
            held = b""
            while True:
                while HEAD_END not in held:
                    piece = accepted.recv(65536)
                    if not piece:
                        return
                    held += piece
                head, _, rest = held.partition(HEAD_END)
                script = self.scripts.get(head.split(b" ", 2)[1].decode())
                if script is not None:
                    script(accepted, rest)
                    return
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                size = int(length[1]) if length else 0
                held = (rest + read_exactly(accepted, size - len(rest)))[size:]
                accepted.sendall(answer(b"calm"))


@contextmanager
def upstream_that(scripts: Mapping[str, Script] | None = None, path: str = "") -> Iterator[Upstream]:
    """Run such a model server on a free port, or on a Unix socket."""
    server = Upstream(path)
    server.scripts.update(scripts or {})
    try:
        yield server
    finally:
        server.refuse()


def answer(body: bytes, status: str = "200 OK", *fields: str) -> bytes:
    """A response with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + HEAD_END + body


def reset(connection: socket.socket) -> None:
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()


def end_of(connection: socket.socket) -> str:
    """Read until the connection ends; say how: ``end`` or ``reset``."""
    try:
        while connection.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    return "end"


# Clients


def dial(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def request(target: str, body: bytes = b"", *fields: str) -> bytes:
    """A request; with a body, its length is told."""
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: m", *length, *fields]).encode() + HEAD_END + body


def ask(port: int, target: str = "/") -> tuple[int, str]:
    """Call on a connection of its own; give the status and ``x-outrider-error``."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("x-outrider-error", "")


class Others:
    """Callers on connections of their own, which call over and over."""

    def __init__(self, port: int, count: int, body: bytes, pause_s: float) -> None:
        self.failures: list[str] = []
        self.slowest_s = 0.0
        self._calls = [0] * count
        self._message = (body, pause_s)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call_on, args=(port, place), daemon=True) for place in range(count)]

    @property
    def calls(self) -> int:
        """Calls that were answered."""
        return sum(self._calls)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.each_calls_again()

    def _call_on(self, port: int, place: int) -> None:
        body, pause_s = self._message
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while not self._stopping.is_set():
                start = time.monotonic()
                try:
                    connection.request("POST" if body else "GET", "/calm", body)
                    with connection.getresponse() as response:
                        found = response.status, response.read()
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(repr(error))
                    return
                self.slowest_s = max(self.slowest_s, time.monotonic() - start)
                if found != (200, b"calm"):
                    self.failures.append(repr(found))
                self._calls[place] += 1
                if pause_s:
                    self._stopping.wait(pause_s)

    def each_calls_again(self) -> None:
        """Wait until each one has been answered once more."""
        before = [calls + 1 for calls in self._calls]
        wait_until(
            lambda: bool(self.failures) or all(now > then for now, then in zip(self._calls, before, strict=True)), "their calls"
        )

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)


@contextmanager
def others_unaffected(port: int, count: int = 2, body: bytes = b"", pause_s: float = 0.005) -> Iterator[Others]:
    """Others call while the block lasts; each call is answered 200, none late, and they go on after what happens in it."""
    others = Others(port, count, body, pause_s)
    others.start()
    try:
        yield others
        others.each_calls_again()
    finally:
        others.stop()
    if others.failures or others.slowest_s > SLOWEST_S:
        pytest.fail(f"others were affected: failures={others.failures} slowest_s={others.slowest_s:.3f}")


# The books


class Books:
    """What the sidecar counts from here on."""

    def __init__(self, running: Sidecar) -> None:
        self._running = running
        self._before: dict[str, int] = {}
        wait_until(self._is_settled, "books that balance")

    def _is_settled(self) -> bool:
        """Whether all that was counted so far is in: exchanges come along once a second, records at once."""
        self._before = self._read() or {}
        return 2 * self._before.get("exchanges", -1) == sum(self._before.values())

    def _read(self) -> dict[str, int] | None:
        metrics = self._running.metrics()
        if "outrider_proxy_exchanges_total" not in metrics:
            return None
        found = {"exchanges": int(metrics["outrider_proxy_exchanges_total"])}
        for name, value in metrics.items():
            by_outcome = re.fullmatch(r'outrider_exchanges_total\{outcome="(\w+)"\}', name)
            by_reason = re.fullmatch(r'outrider_proxy_records_dropped_total\{reason="(\w+)"\}', name)
            if label := by_outcome or by_reason:
                found[label[1]] = int(value)
        return found

    def since(self) -> dict[str, int]:
        """Exchanges, records by outcome, and losses by reason; those that are not 0."""
        now = self._read() or {}
        changes = {key: count - self._before.get(key, 0) for key, count in now.items()}
        return {key: change for key, change in changes.items() if change}

    def balance(self, **expected: int) -> None:
        """Wait until there are just so many records and losses, and as many exchanges as both together."""
        whole = {key: count for key, count in expected.items() if count}
        whole["exchanges"] = sum(whole.values())
        found: dict[str, int] = {}

        def agrees() -> bool:
            found.clear()
            found.update(self.since())
            return found == whole

        with contextlib.suppress(pytest.fail.Exception):
            wait_until(agrees, "the counts", 15)
        if found != whole:
            pytest.fail(f"the counts are wrong: found {found}, expected {whole}")


def stops_with(running: Sidecar, exchanges: int, dropped: int = 0) -> None:
    """End the sidecar in order; its last words have the same counts."""
    code = running.stop()
    words = f"stopped exchanges={exchanges} records_dropped={dropped}"
    if code or words not in running.log():
        pytest.fail(f"it should have ended with 0 and {words!r}, but ended with {code} and:\n{running.log()}")


def rss_bytes(running: Sidecar) -> int:
    """Resident memory of the proxy."""
    return int(psutil.Process(running.process.pid).memory_info().rss)
