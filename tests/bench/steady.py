"""A load of a fixed rate with open loop: requests are due at fixed times, however slow the answers are.

The latency of a request counts from the moment it was due, so a stall is felt by all that were due meanwhile (no
coordinated omission). Between events the generator sleeps in ``select``, which takes microseconds, with the timer slack of
its thread set to 1 ns: it shares its core with the upstream, so waiting busily would slow down what it measures.

``python tests/bench/steady.py PORT RATE SECONDS CONNECTIONS BODIES_FILE`` prints one JSON object.
"""

from __future__ import annotations

import ctypes
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.rows import request

_PR_SET_TIMERSLACK = 29
_GRACE_NS = 5_000_000_000
"""How long after the last due time an answer may still come."""


class Connection:
    """A keep-alive connection with at most one request under way."""

    __slots__ = ("due_ns", "received", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_ns = 0
        self.received = b""

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, message: bytes, due_ns: int) -> None:
        self.due_ns = due_ns
        self.received = b""
        self.sock.sendall(message)

    def receive(self) -> int:
        """Read what is there; give the status once the answer is whole, 0 before that.

        Raises
        ------
        ConnectionError
            If the connection ended, or the answer has no ``Content-Length``.
        """
        chunk = self.sock.recv(65536)
        if not chunk:
            raise ConnectionError("closed before the answer was whole")
        self.received += chunk
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not blank:
            return 0
        _, found, rest = head.lower().partition(b"\r\ncontent-length:")
        if not found:
            raise ConnectionError("an answer without Content-Length")
        return int(head[9:12]) if len(body) >= int(rest.partition(b"\r\n")[0]) else 0


class Steady:
    """One run. `latencies_ns` has one value per whole 2xx answer; `failed` counts all others."""

    def __init__(self, port: int, connections: int, messages: list[bytes]) -> None:
        self.latencies_ns: list[int] = []
        self.sent = 0
        self.failed = 0
        self._port = port
        self._messages = messages
        self._free = deque(Connection(port) for _ in range(connections))
        self._busy: list[Connection] = []

    def run(self, rate: float, seconds: float) -> None:
        step_ns = 1e9 / rate
        total = round(rate * seconds)
        start_ns = time.perf_counter_ns() + 10_000_000
        give_up_ns = start_ns + round(total * step_ns) + _GRACE_NS
        while len(self.latencies_ns) + self.failed < total:
            due_ns = start_ns + round(self.sent * step_ns)
            while self.sent < total and self._free and due_ns <= time.perf_counter_ns():
                self._send(due_ns)
                due_ns = start_ns + round(self.sent * step_ns)
            now_ns = time.perf_counter_ns()
            if now_ns > give_up_ns:
                self.failed = total - len(self.latencies_ns)
                return
            waits = self.sent < total and self._free
            ready = select.select(self._busy, [], [], max(0, due_ns - now_ns) / 1e9 if waits else 0.1)[0]
            for connection in ready:
                self._receive(connection)

    def _send(self, due_ns: int) -> None:
        connection = self._free.popleft()
        message = self._messages[self.sent % len(self._messages)]
        self.sent += 1
        try:
            connection.send(message, due_ns)
        except OSError:
            self._replace(connection)
        else:
            self._busy.append(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            status = connection.receive()
        except OSError:
            self._busy.remove(connection)
            self._replace(connection)
            return
        if status:
            now_ns = time.perf_counter_ns()
            self._busy.remove(connection)
            self._free.append(connection)
            if 200 <= status < 300:
                self.latencies_ns.append(now_ns - connection.due_ns)
            else:
                self.failed += 1

    def _replace(self, connection: Connection) -> None:
        self.failed += 1
        connection.sock.close()
        self._free.append(Connection(self._port))


def percentile_us(sorted_ns: list[int], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed, in µs; NaN of none."""
    if not sorted_ns:
        return float("nan")
    return sorted_ns[min(len(sorted_ns) - 1, max(0, -int(-len(sorted_ns) * share // 1) - 1))] / 1000


def main(words: list[str]) -> int:
    port, rate, seconds, connections, bodies = int(words[0]), float(words[1]), float(words[2]), int(words[3]), Path(words[4])
    messages = [request(body, f"127.0.0.1:{port}") for body in bodies.read_bytes().splitlines()]
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.disable()
    steady = Steady(port, connections, messages)
    steady.run(rate, seconds)
    latencies = sorted(steady.latencies_ns)
    result: dict[str, Any] = {
        "made": steady.sent,
        "completed": len(latencies),
        "failed": steady.failed,
        "p50_us": percentile_us(latencies, 0.5),
        "p99_us": percentile_us(latencies, 0.99),
        "max_us": percentile_us(latencies, 1.0),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
