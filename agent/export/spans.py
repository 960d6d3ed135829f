"""Spans, made after the fact from the times that the proxy took down.

One span of kind SERVER per sampled exchange. It bears the id that the proxy wrote into the ``traceparent`` for the model
server, so whatever the model server records hangs below it. A call of gRPC is described as one, by service and method; of a
streaming call the first `MAX_MESSAGES` messages are events, because a stream may have as many as it likes.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agent.decode.routes import path_of
from agent.exchange import MARK, NO_GRPC_STATUS, Exchange
from agent.export.figures import ExportCounters
from agent.export.traffic import error_type, http_route
from agent.window.activity import METHODS, OTHER_METHOD

TRACE_LENGTH = 32
"""Bytes of `Exchange.trace`: trace id 16, span id 8, parent span id 8."""

MAX_MESSAGES = 32
"""Messages of a streaming call that become events of its span."""

RowScores = tuple[float, int]
"""The highest anomaly score of an exchange's rows, and how many of them are anomalies."""

_NONE: Mapping[bytes, RowScores] = {}
_GRPC = "grpc"
_ZERO = bytes(8)


class Spans:
    """A bounded queue of sampled exchanges, and their way out.

    Parameters
    ----------
    exporters
        Where the spans go; with none of them nothing is ever queued.
    resource, scope
        What the spans are about and who made them.
    counters
        Where spans that were lost are counted.
    capacity, batch
        Spans that may wait, and spans in one request.
    wake
        Called when a batch is full.
    """

    def __init__(
        self,
        exporters: Sequence[SpanExporter],
        resource: Resource,
        scope: InstrumentationScope,
        counters: ExportCounters,
        *,
        capacity: int = 2048,
        batch: int = 512,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._exporters = tuple(exporters)
        self._resource = resource
        self._scope = scope
        self._counters = counters
        self._capacity = capacity
        self._batch = min(batch, capacity)
        self._wake = wake
        self._queue: deque[tuple[Exchange, str, RowScores | None]] = deque()

    def record(self, exchanges: Sequence[Exchange], routes: Sequence[str], scored: Mapping[bytes, RowScores] = _NONE) -> None:
        """Queue the sampled ones among some exchanges. Cost: 30 ns for one that is not sampled.

        Parameters
        ----------
        routes
            The template of each exchange's route.
        scored
            The highest score of an exchange's rows, and how many are anomalies, by `Exchange.trace`.
        """
        if not self._exporters:
            return
        for exchange, route in zip(exchanges, routes, strict=True):
            if exchange.trace:
                self._add(exchange, route, scored.get(exchange.trace))

    def _add(self, exchange: Exchange, route: str, scores: RowScores | None) -> None:
        if len(self._queue) >= self._capacity or len(exchange.trace) != TRACE_LENGTH:
            self._counters.spans_dropped += 1
            return
        # Without the bodies, and without marks that are not shown: 2,048 of them could be 4 GiB, and 128 MiB.
        marks = exchange.marks[: MAX_MESSAGES * MARK.size]
        self._queue.append((msgspec.structs.replace(exchange, request=b"", response=b"", marks=marks), route, scores))
        if len(self._queue) == self._batch:
            self._wake()

    def export(self) -> Iterator[bool]:
        """Send what waits, batch by batch, and yield whether each was taken. A batch that was refused is lost."""
        while self._queue:
            taken = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            spans = [span_of(exchange, route, self._resource, self._scope, scores) for exchange, route, scores in taken]
            results = [exporter.export(spans) for exporter in self._exporters]
            taken_well = all(result is SpanExportResult.SUCCESS for result in results)
            self._counters.spans_dropped += 0 if taken_well else len(spans)
            yield taken_well

    def close(self) -> None:
        """Break off a request under way."""
        for exporter in self._exporters:
            exporter.shutdown()


def span_of(
    exchange: Exchange, route: str, resource: Resource, scope: InstrumentationScope, scores: RowScores | None = None
) -> ReadableSpan:
    """Make the span of one sampled exchange."""
    trace_id = int.from_bytes(exchange.trace[:16], "big")
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent_id = exchange.trace[24:]
    parent = None
    if parent_id != _ZERO:
        parent = SpanContext(trace_id, int.from_bytes(parent_id, "big"), is_remote=True, trace_flags=sampled)
    template = http_route(route)
    failed = error_type(exchange.status, exchange.outcome, exchange.grpc_status)
    return ReadableSpan(
        name=_name(exchange, template),
        context=SpanContext(trace_id, int.from_bytes(exchange.trace[16:24], "big"), is_remote=False, trace_flags=sampled),
        parent=parent,
        resource=resource,
        attributes=_attributes(exchange, template, failed) | _of_rows(scores),
        events=_events(exchange),
        kind=SpanKind.SERVER,
        status=Status(StatusCode.ERROR) if failed else Status(StatusCode.UNSET),
        start_time=exchange.start_ns,
        end_time=exchange.start_ns + exchange.end_ns,
        instrumentation_scope=scope,
    )


def _name(exchange: Exchange, template: str | None) -> str:
    """Name a span after what is in the table of routes, never after what a client chose."""
    if exchange.protocol == _GRPC:
        return template.removeprefix("/") if template else _GRPC
    method = exchange.method if exchange.method in METHODS else "HTTP"
    return f"{method} {template}" if template else method


def _attributes(exchange: Exchange, template: str | None, failed: str | None) -> dict[str, str | int | float]:
    is_grpc = exchange.protocol == _GRPC
    attributes: dict[str, str | int | None] = {
        **(_of_grpc(exchange) if is_grpc else _of_http(exchange)),
        "http.route": template,
        "network.protocol.name": "http",
        "network.protocol.version": "2" if is_grpc else exchange.protocol.partition("/")[2] or None,
        "http.request.size": exchange.request_size,
        "http.response.size": exchange.response_size,
        "http.response.status_code": exchange.status or None,
        "error.type": failed,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _of_rows(scores: RowScores | None) -> dict[str, str | int | float]:
    return {} if scores is None else {"outrider.anomaly.score": scores[0], "outrider.anomaly.rows": scores[1]}


def _of_http(exchange: Exchange) -> dict[str, str | int | None]:
    return {
        "http.request.method": exchange.method if exchange.method in METHODS else OTHER_METHOD,
        # Without the query and the authority, which may carry a secret.
        "url.path": path_of(exchange.target) if exchange.target else None,
        "url.scheme": "http",
    }


def _of_grpc(exchange: Exchange) -> dict[str, str | int | None]:
    service, _, method = path_of(exchange.target)[1:].rpartition("/")
    return {
        "rpc.system": _GRPC,
        "rpc.service": service or None,
        "rpc.method": method or None,
        "rpc.grpc.status_code": None if exchange.grpc_status == NO_GRPC_STATUS else exchange.grpc_status,
    }


def _events(exchange: Exchange) -> list[Event]:
    times = (("request sent", exchange.sent_ns), ("first byte", exchange.first_byte_ns))
    events = [Event(name, timestamp=exchange.start_ns + after_ns) for name, after_ns in times if after_ns]
    return events + _messages(exchange) if exchange.protocol == _GRPC else events


def _messages(exchange: Exchange) -> list[Event]:
    """Make an event of each message, seen from the server: what came from upstream was sent. Each direction counts from 1."""
    events = []
    passed = {"SENT": 0, "RECEIVED": 0}
    for after_ns, kind in MARK.iter_unpack(exchange.marks[: MAX_MESSAGES * MARK.size]):
        direction = "SENT" if kind & 1 else "RECEIVED"
        passed[direction] += 1
        attributes: dict[str, str | int] = {"message.type": direction, "message.id": passed[direction]}
        events.append(Event("message", attributes, timestamp=exchange.start_ns + after_ns))
    return events
