"""Spans, made after the fact from the times that the proxy took down.

One span of kind SERVER per sampled exchange. It bears the id that the proxy wrote into the ``traceparent`` for the model
server, so whatever the model server records hangs below it.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agent.exchange import Exchange
from agent.export.figures import ExportCounters
from agent.export.readings import error_type
from agent.window.activity import CallKey

TRACE_LENGTH = 32
"""Bytes of `Exchange.trace`: trace id 16, span id 8, parent span id 8."""

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
        Where spans that no longer fitted are counted.
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
        self._queue: deque[tuple[Exchange, CallKey]] = deque()

    def record(self, exchanges: Sequence[Exchange], keys: Sequence[CallKey]) -> None:
        """Queue the sampled ones among some exchanges.

        Parameters
        ----------
        keys
            What each exchange is counted by: template of its route, method, status, outcome.
        """
        if not self._exporters:
            return
        for exchange, key in zip(exchanges, keys, strict=True):
            if exchange.trace:
                self._add(exchange, key)

    def _add(self, exchange: Exchange, key: CallKey) -> None:
        if len(self._queue) >= self._capacity or len(exchange.trace) != TRACE_LENGTH:
            self._counters.spans_dropped += 1
            return
        # Without the bodies: 2,048 of them could be 4 GiB.
        self._queue.append((msgspec.structs.replace(exchange, request=b"", response=b""), key))
        if len(self._queue) == self._batch:
            self._wake()

    def export(self) -> Iterator[bool]:
        """Send what waits, batch by batch, and yield whether each was taken. A batch that was refused is lost."""
        while self._queue:
            taken = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            spans = [span_of(exchange, key, self._resource, self._scope) for exchange, key in taken]
            results = [exporter.export(spans) for exporter in self._exporters]
            yield all(result is SpanExportResult.SUCCESS for result in results)

    def close(self) -> None:
        """Break off a request under way."""
        for exporter in self._exporters:
            exporter.shutdown()


def span_of(exchange: Exchange, key: CallKey, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    """Make the span of one sampled exchange."""
    trace_id = int.from_bytes(exchange.trace[:16], "big")
    sampled = TraceFlags(TraceFlags.SAMPLED)
    parent_id = exchange.trace[24:]
    parent = None
    if parent_id != _ZERO:
        parent = SpanContext(trace_id, int.from_bytes(parent_id, "big"), is_remote=True, trace_flags=sampled)
    method = "HTTP" if key.method == "_OTHER" else key.method
    failed = error_type(key)
    return ReadableSpan(
        name=method if key.route == "other" else f"{method} {key.route}",
        context=SpanContext(trace_id, int.from_bytes(exchange.trace[16:24], "big"), is_remote=False, trace_flags=sampled),
        parent=parent,
        resource=resource,
        attributes=_attributes(exchange, key, failed),
        events=_events(exchange),
        kind=SpanKind.SERVER,
        status=Status(StatusCode.ERROR) if failed else Status(StatusCode.UNSET),
        start_time=exchange.start_ns,
        end_time=exchange.start_ns + exchange.end_ns,
        instrumentation_scope=scope,
    )


def _attributes(exchange: Exchange, key: CallKey, failed: str | None) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "http.request.method": key.method,
        # Without the query, which may carry a secret.
        "url.path": exchange.target.partition("?")[0],
        "url.scheme": "http",
        "network.protocol.name": "http",
        "network.protocol.version": exchange.protocol.partition("/")[2],
        "http.request.size": exchange.request_size,
        "http.response.size": exchange.response_size,
    }
    if key.route != "other":
        attributes["http.route"] = key.route
    if key.status:
        attributes["http.response.status_code"] = key.status
    if failed:
        attributes["error.type"] = failed
    return attributes


def _events(exchange: Exchange) -> list[Event]:
    times = (("request sent", exchange.sent_ns), ("first byte", exchange.first_byte_ns))
    return [Event(name, timestamp=exchange.start_ns + after_ns) for name, after_ns in times if after_ns]
