"""What happened, apart from the values: calls, latencies, sizes, what could not be read, what broke the schema.

Counters only grow, from the start of the monitor on; whoever reads them computes rates. Everything here is plain numbers
under small closed keys: a route is a template, never the path that a client chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.exchange import BARE_WIDTH, MARK, NO_GRPC_STATUS, Bare, Exchange, ProxyStats
from agent.sketch.latency import LatencyHistogram

METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
"""RFC 9110's methods and PATCH (RFC 5789), which OpenTelemetry takes as known."""

OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for any other method: a client may send whatever it likes."""

OTHER_ROUTE = "_other"
"""The route of calls beyond `MAX_KEYS`."""

MAX_KEYS = 2000
"""Keys of calls that are counted apart. OpenTelemetry's default limit of attribute sets per metric."""


MAX_GRPC_STATUS = 16
"""``UNAUTHENTICATED``, the highest code of gRPC: https://grpc.io/docs/guides/status-codes/"""


class CallKey(NamedTuple):
    """What calls are counted by."""

    route: str
    """The template of the route table, such as ``/v1/models/{model}:predict``, or ``other``."""
    method: str
    """``GET``, ``POST``, ... or ``_OTHER``, as OpenTelemetry says for unknown methods."""
    status: int
    """The status code, 0 where there was none or none between 100 and 599."""
    outcome: int
    """An `agent.exchange.Outcome`."""
    grpc_status: int = NO_GRPC_STATUS
    """A code of gRPC, 0 to 16, or `NO_GRPC_STATUS` where none came or one that gRPC does not know."""


class Calls:
    """Calls of one key: how many, how long, how large, and the pieces of those that stream."""

    __slots__ = (
        "duration",
        "request_bytes",
        "request_messages",
        "response_bytes",
        "response_messages",
        "stream_gaps",
        "upstream",
    )

    def __init__(self) -> None:
        self.duration = LatencyHistogram()
        """From the first byte in to the last byte out."""
        self.upstream = LatencyHistogram()
        """From the request's last byte out to the response's first byte in; only exchanges that had both."""
        self.stream_gaps = LatencyHistogram()
        """Between two pieces of a streamed response, message or chunk; only exchanges with `agent.exchange.Exchange.marks`."""
        self.request_bytes = 0
        self.response_bytes = 0
        self.request_messages = 0
        """Messages of gRPC, as the next one."""
        self.response_messages = 0

    def add(self, exchanges: Sequence[Exchange]) -> None:
        """Add exchanges of this key, at least one."""
        count = len(exchanges)
        end = np.fromiter([exchange.end_ns for exchange in exchanges], dtype=np.int64, count=count)
        sent = np.fromiter([exchange.sent_ns for exchange in exchanges], dtype=np.int64, count=count)
        first_byte = np.fromiter([exchange.first_byte_ns for exchange in exchanges], dtype=np.int64, count=count)
        self._add_times(sent, first_byte, end)
        self.request_bytes += sum([exchange.request_size for exchange in exchanges])
        self.response_bytes += sum([exchange.response_size for exchange in exchanges])
        self.request_messages += sum([exchange.request_messages for exchange in exchanges])
        self.response_messages += sum([exchange.response_messages for exchange in exchanges])
        marked = [exchange.marks for exchange in exchanges if exchange.marks]
        if marked:
            self.stream_gaps.update(response_gaps(marked))

    def add_bare(self, numbers: NDArray[np.int64]) -> None:
        """Add exchanges of this key as columns, shape ``(n, BARE_WIDTH)``, as in `agent.exchange.Bare`."""
        sent, first_byte, end, request_size, response_size, request_messages, response_messages = numbers.T
        self._add_times(sent, first_byte, end)
        self.request_bytes += int(request_size.sum())
        self.response_bytes += int(response_size.sum())
        self.request_messages += int(request_messages.sum())
        self.response_messages += int(response_messages.sum())

    def _add_times(self, sent: NDArray[np.int64], first_byte: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        # A response that began before the request's end counts as 0 ns upstream.
        self.duration.update(np.maximum(end, 0))
        answered = (sent > 0) & (first_byte > 0)
        self.upstream.update(np.maximum(first_byte - sent, 0)[answered])


def response_gaps(marks: Sequence[bytes]) -> NDArray[np.int64]:
    """Give the nanoseconds between each piece of a response and the one before it.

    Parameters
    ----------
    marks
        `agent.exchange.Exchange.marks` of one exchange each. Those of requests are passed over.

    Returns
    -------
    gaps
        int64, not negative, at most one fewer than marks; empty where no response has two pieces. Cost: 7 ns a mark in
        long streams, 40 ns where each has two.
    """
    numbers = np.frombuffer(b"".join(marks), dtype=np.int64).reshape(-1, 2)
    owners = np.repeat(np.arange(len(marks)), [len(each) // MARK.size for each in marks])
    responses = (numbers[:, 1] & 1).astype(np.bool_)
    times, owners = numbers[responses, 0], owners[responses]
    same: NDArray[np.bool_] = owners[1:] == owners[:-1]
    gaps: NDArray[np.int64] = np.diff(times)[same]
    return np.maximum(gaps, 0, out=gaps)


@dataclass(slots=True)
class Activity:
    """All counters of the monitor.

    Parameters
    ----------
    calls
        Every exchange, by key.
    decoded
        Exchanges whose values were read, by format.
    undecoded
        Exchanges on a known route whose values could not be read, by (format, reason).
    unobserved
        Exchanges on a known route without values to read, by reason, as `agent.decode.gather.Decoded.unobserved`,
        and ``other_model``.
    rows
        Rows read, by format.
    violations
        Rows that broke the schema, by (column, kind).
    scored_rows
        Rows that were looked at as wholes (`agent.window.sampling`).
    anomalies
        Those of them that are stranger, as a whole, than the quantile of training that the settings say.
    faults
        Errors of our own that were caught, by stage (``decode``, ``sketch``, ``evaluate``, ``state``, ``frame``, ...).
    proxy
        The newest counters of the proxy process.
    """

    calls: dict[CallKey, Calls] = field(default_factory=dict)
    decoded: dict[str, int] = field(default_factory=dict)
    undecoded: dict[tuple[str, str], int] = field(default_factory=dict)
    unobserved: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    violations: dict[tuple[str, str], int] = field(default_factory=dict)
    scored_rows: int = 0
    anomalies: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    proxy: ProxyStats = field(default_factory=ProxyStats)

    def fault(self, stage: str) -> None:
        """Count an error of our own."""
        self.faults[stage] = self.faults.get(stage, 0) + 1

    def record(self, exchanges: Sequence[Exchange], routes: Sequence[str]) -> None:
        """Count exchanges. Cost: 0.3 µs each for 4,096 at once.

        Parameters
        ----------
        exchanges
            Whatever ended.
        routes
            One template per exchange.
        """
        groups: dict[tuple[str, str, int, int, int], list[Exchange]] = {}
        for exchange, route in zip(exchanges, routes, strict=True):
            key = (route, exchange.method, exchange.status, exchange.outcome, exchange.grpc_status)
            group = groups.get(key)
            if group is None:
                groups[key] = [exchange]
            else:
                group.append(exchange)
        for key, group in groups.items():
            self._calls_of(*key).add(group)

    def record_bare(self, bare: Bare, route: str) -> int:
        """Count exchanges whose bodies were left out; give how many they are. Cost: 0.05 µs each for 1,000 at once."""
        numbers = np.frombuffer(bare.numbers, dtype=np.int64).reshape(-1, BARE_WIDTH)
        self._calls_of(route, bare.method, bare.status, bare.outcome, bare.grpc_status).add_bare(numbers)
        return len(numbers)

    def _calls_of(self, route: str, method: str, status: int, outcome: int, grpc_status: int) -> Calls:
        known_method = method if method in METHODS else OTHER_METHOD
        known_status = status if 100 <= status <= 599 else 0
        known_grpc_status = grpc_status if 0 <= grpc_status <= MAX_GRPC_STATUS else NO_GRPC_STATUS
        key = CallKey(route, known_method, known_status, outcome, known_grpc_status)
        if key not in self.calls and len(self.calls) >= MAX_KEYS:
            if known_grpc_status == NO_GRPC_STATUS:
                # Whole hundreds, because the upstream may send any status: at most 360 keys more.
                key = CallKey(OTHER_ROUTE, known_method, known_status // 100 * 100, outcome)
            else:
                # gRPC is always POST and 200, so they say nothing: at most 102 keys more.
                key = CallKey(OTHER_ROUTE, OTHER_METHOD, 0, outcome, known_grpc_status)
        calls = self.calls.get(key)
        if calls is None:
            calls = self.calls[key] = Calls()
        return calls
