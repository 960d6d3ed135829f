"""How the metrics of calls and of the proxy are read from the figures.

Attributes follow OpenTelemetry's conventions for HTTP; gRPC is HTTP/2, so its calls are among them, and their failures go by
the names of gRPC: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.exchange import DOUBLINGS, NO_GRPC_STATUS, Outcome
from agent.export.figures import Figures
from agent.export.readings import Buckets, Point, Reading, Values, summed
from agent.sketch.latency import BOUNDS_S, LatencyHistogram
from agent.window.activity import OTHER_ROUTE, CallKey, Calls

UNMATCHED = ("other", OTHER_ROUTE)
"""Routes that are no template."""

SERVER_ERRORS = {
    2: "UNKNOWN",
    4: "DEADLINE_EXCEEDED",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
}
"""Codes of gRPC that are the server's fault, as the semantic conventions have it; the others are the client's or no error."""

DOUBLING_BOUNDS_S = tuple((1024 << place) / 1e9 for place in range(DOUBLINGS - 1))
"""Upper bounds of the proxy's own histograms in seconds; one more bucket takes what is above."""


def http_route(route: str) -> str | None:
    """Give ``http.route``: the template, or ``None`` where none matched, as the semantic convention says."""
    return None if route in UNMATCHED else route


def error_type(status: int, outcome: int, grpc_status: int = NO_GRPC_STATUS) -> str | None:
    """Give ``error.type``, or ``None`` where the server did nothing wrong.

    It is the outcome where that is no good one, else the name of one of gRPC's `SERVER_ERRORS`, else the status from 500 up.
    """
    if outcome not in (Outcome.COMPLETE, Outcome.TUNNEL):
        return Outcome(outcome).name.lower()
    return SERVER_ERRORS.get(grpc_status) or (str(status) if status >= 500 else None)


def _calls(figures: Figures) -> Iterator[tuple[CallKey, Calls]]:
    yield from figures.activity.calls.copy().items()


def _histograms(pairs: Iterable[tuple[Values, LatencyHistogram]]) -> Iterator[Point]:
    merged: dict[Values, LatencyHistogram] = {}
    for values, histogram in pairs:
        merged.setdefault(values, LatencyHistogram()).merge(histogram)
    for values, histogram in merged.items():
        yield values, Buckets(histogram.counts.tolist(), histogram.sum_ns / 1e9, BOUNDS_S)


def request_duration(figures: Figures) -> Iterator[Point]:
    """Durations by method, status, route and error; a tunnel is no request and is left out."""
    return _histograms(
        (
            (
                key.method,
                key.status or None,
                http_route(key.route),
                error_type(key.status, key.outcome, key.grpc_status),
            ),
            calls.duration,
        )
        for key, calls in _calls(figures)
        if key.outcome != Outcome.TUNNEL
    )


def upstream_duration(figures: Figures) -> Iterator[Point]:
    """Time the model server itself, by status and route."""
    return _histograms(
        ((key.status or None, http_route(key.route)), calls.upstream)
        for key, calls in _calls(figures)
        if key.outcome != Outcome.TUNNEL and calls.upstream.count
    )


def stream_gap(figures: Figures) -> Iterator[Point]:
    """Time between the pieces of a streamed response, by route; routes that never streamed are left out."""
    return _histograms(((http_route(key.route),), calls.stream_gaps) for key, calls in _calls(figures) if calls.stream_gaps.count)


def request_size(figures: Figures) -> Iterator[Point]:
    """Bytes in, by route."""
    return summed(((http_route(key.route),), calls.request_bytes) for key, calls in _calls(figures))


def response_size(figures: Figures) -> Iterator[Point]:
    """Bytes out, by route."""
    return summed(((http_route(key.route),), calls.response_bytes) for key, calls in _calls(figures))


def exchanges(figures: Figures) -> Iterator[Point]:
    """Exchanges by outcome."""
    return summed(((Outcome(key.outcome).name.lower(),), calls.duration.count) for key, calls in _calls(figures))


def grpc_calls(figures: Figures) -> Iterator[Point]:
    """Count the calls that ended with a status of gRPC, by route and that status."""
    return summed(
        ((http_route(key.route), key.grpc_status), calls.duration.count)
        for key, calls in _calls(figures)
        if key.grpc_status != NO_GRPC_STATUS
    )


def messages(figures: Figures) -> Iterator[Point]:
    """Messages of gRPC by route and direction; routes without any are left out."""
    return summed(
        ((http_route(key.route), direction), number)
        for key, calls in _calls(figures)
        for direction, number in (("request", calls.request_messages), ("response", calls.response_messages))
        if number
    )


def proxy(field: str) -> Reading:
    """Make the reading of one of the proxy's counters."""

    def read(figures: Figures) -> Iterator[Point]:
        yield (), getattr(figures.activity.proxy, field)

    return read


def records_dropped(figures: Figures) -> Iterator[Point]:
    """Count lost records by reason; all reasons are there from the start, so that a rate can be taken of each."""
    stats = figures.activity.proxy
    yield ("tap_full",), stats.lost_full
    yield ("monitor_away",), stats.lost_away
    yield ("monitor_died",), stats.lost_died


def added_latency(figures: Figures) -> Iterator[Point]:
    """How long the proxy held each exchange."""
    stats = figures.activity.proxy
    yield (), Buckets(list(stats.held), stats.held_ns / 1e9, DOUBLING_BOUNDS_S)


def loop_lag(figures: Figures) -> Iterator[Point]:
    """How late the proxy's event loop ran its timer."""
    stats = figures.activity.proxy
    yield (), Buckets(list(stats.lag), stats.lag_ns / 1e9, DOUBLING_BOUNDS_S)


def upstream_ready(figures: Figures) -> Iterator[Point]:
    """Whether each model server is ready, by its address."""
    for upstream, ready in figures.activity.proxy.upstreams:
        yield (upstream,), ready
