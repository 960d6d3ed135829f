"""Every metric, declared once: from this table follow the OTLP export, the text for Prometheus, the README and the tests.

Names that OpenTelemetry has standardised are used as they are; the rest begins with ``outrider.``. No name holds the word
"total": Prometheus appends it to counters. Units in braces are annotations and leave no trace in a Prometheus name.
https://opentelemetry.io/docs/specs/semconv/general/metrics/
"""

from __future__ import annotations

import logging

from agent.export import readings, traffic
from agent.export.figures import Figures
from agent.export.findings import FINDINGS
from agent.export.metric import Kind, Metric
from agent.export.readings import Point

_log = logging.getLogger("outrider.export")


_COUNTER, _UP_DOWN, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.UP_DOWN, Kind.GAUGE, Kind.HISTOGRAM
_ROUTE = ("http.route",)
_CALL = ("http.request.method", "http.response.status_code", "http.route", "error.type")

METRICS: tuple[Metric, ...] = (
    # Calls
    Metric(
        "http.server.request.duration", _HISTOGRAM, "s",
        "From a request's first byte in to its response's last byte out.",
        _CALL, traffic.request_duration,
    ),
    Metric(
        "outrider.upstream.duration", _HISTOGRAM, "s",
        "From a request's last byte out to the first byte of the model server's response.",
        ("http.response.status_code", "http.route"), traffic.upstream_duration,
    ),
    Metric(
        "http.server.active_requests", _UP_DOWN, "{request}", "Requests under way.",
        (), traffic.proxy("active_requests"),
    ),
    Metric(
        "outrider.request.size", _COUNTER, "By", "Bytes of requests, heads and frames included.",
        _ROUTE, traffic.request_size,
    ),
    Metric(
        "outrider.response.size", _COUNTER, "By", "Bytes of responses, heads and frames included.",
        _ROUTE, traffic.response_size,
    ),
    Metric(
        "outrider.grpc.calls", _COUNTER, "{call}", "gRPC calls that ended with a status; 0 is OK.",
        ("http.route", "rpc.grpc.status_code"), traffic.grpc_calls,
    ),
    Metric(
        "outrider.messages", _COUNTER, "{message}", "gRPC messages that passed whole: one each way for a plain call.",
        ("http.route", "direction"), traffic.messages,
    ),
    Metric(
        "outrider.stream.gap", _HISTOGRAM, "s",
        "Between two pieces of a streamed response: messages of gRPC, else pieces of the body as they arrived.",
        _ROUTE, traffic.stream_gap,
    ),
    Metric("outrider.exchanges", _COUNTER, "{exchange}", "Exchanges seen by the monitor.", ("outcome",), traffic.exchanges),
    # What was read of them
    Metric(
        "outrider.decoded", _COUNTER, "{exchange}", "Exchanges whose values were read.",
        ("format",), readings.keyed(lambda activity: activity.decoded),
    ),
    Metric(
        "outrider.undecoded", _COUNTER, "{side}",
        "Sides of exchanges on a known route, request or response, whose values could not be read.",
        ("format", "reason"), readings.undecoded,
    ),
    Metric(
        "outrider.unobserved", _COUNTER, "{exchange}", "Exchanges on a known route that are not read, such as failed ones.",
        ("reason",), readings.keyed(lambda activity: activity.unobserved),
    ),
    Metric(
        "outrider.rows", _COUNTER, "{row}", "Rows read.",
        ("format",), readings.keyed(lambda activity: activity.rows),
    ),
    Metric(
        "outrider.violations", _COUNTER, "{row}", "Rows that broke the schema.",
        ("column", "kind"), readings.violations,
    ),
    Metric(
        "outrider.scored_rows", _COUNTER, "{row}", "Rows that were looked at as wholes: all, or of busy traffic an even sample.",
        (), readings.scored_rows,
    ),
    Metric(
        "outrider.anomalies", _COUNTER, "{row}",
        "Scored rows that are stranger as a whole than nearly all of training; their share is outrider.anomalies / "
        "outrider.scored_rows.",
        (), readings.anomalies,
    ),
    Metric(
        "outrider.faults", _COUNTER, "{fault}", "Errors inside the monitor that were caught.",
        ("stage",), readings.keyed(lambda activity: activity.faults),
    ),
    # The proxy
    Metric(
        "outrider.proxy.connections", _UP_DOWN, "{connection}", "Client connections open.",
        (), traffic.proxy("connections"),
    ),
    Metric(
        "outrider.proxy.accepted", _COUNTER, "{connection}", "Client connections accepted.",
        (), traffic.proxy("accepted"),
    ),
    Metric(
        "outrider.proxy.connections_refused", _COUNTER, "{connection}",
        "Client connections turned away because `OUTRIDER_MAX_CONNECTIONS` were open.",
        (), traffic.proxy("connections_refused"),
    ),
    Metric(
        "outrider.proxy.connections_idle", _COUNTER, "{connection}",
        "Client connections closed because nothing happened on them for `OUTRIDER_IDLE_TIMEOUT`.",
        (), traffic.proxy("connections_idle"),
    ),
    Metric(
        "outrider.proxy.exchanges", _COUNTER, "{exchange}", "Exchanges ended, whatever became of their records.",
        (), traffic.proxy("exchanges"),
    ),
    Metric(
        "outrider.proxy.records_dropped", _COUNTER, "{record}",
        "Exchanges whose record was lost: too much was waiting for the monitor, it was away, or it died with the record.",
        ("reason",), traffic.records_dropped,
    ),
    Metric(
        "outrider.proxy.bodies_left_out", _COUNTER, "{record}",
        "Records sent without bodies because much was waiting for the monitor.",
        (), traffic.proxy("bodies_left_out"),
    ),
    Metric(
        "outrider.proxy.unreachable", _COUNTER, "{exchange}",
        "Exchanges that the proxy answered itself because the model server could not be reached.",
        (), traffic.proxy("unreachable"),
    ),
    Metric(
        "outrider.proxy.refused", _COUNTER, "{exchange}",
        "Exchanges that the proxy refused itself because the message was ambiguous or its head too long.",
        (), traffic.proxy("refused"),
    ),
    Metric(
        "outrider.proxy.handshakes_failed", _COUNTER, "{connection}",
        "Client connections whose TLS handshake failed: no TLS at all, or a certificate that the client does not trust.",
        (), traffic.proxy("handshakes_failed"),
    ),
    Metric(
        "outrider.upstream.ready", _GAUGE, "{upstream}", "1 where a model server answers as `OUTRIDER_READY` asks, else 0.",
        ("upstream",), traffic.upstream_ready,
    ),
    Metric(
        "outrider.proxy.faults", _COUNTER, "{fault}",
        "Errors inside the proxy that were caught, and connections that broke their protocol; the bytes went on.",
        (), traffic.proxy("faults"),
    ),
    Metric(
        "outrider.proxy.monitor_restarts", _COUNTER, "{restart}", "How often the monitor was started again after it died.",
        (), traffic.proxy("monitor_restarts"),
    ),
    Metric(
        "outrider.proxy.tap.depth", _UP_DOWN, "By",
        "Bytes kept for the monitor: of exchanges under way, and of records that it has not read.",
        (), traffic.proxy("tap_bytes"),
    ),
    Metric(
        "outrider.proxy.added_latency", _HISTOGRAM, "s",
        "How long the proxy itself held an exchange, request and response together.",
        (), traffic.added_latency,
    ),
    Metric(
        "outrider.proxy.loop_lag", _HISTOGRAM, "s", "How late the proxy's event loop ran a timer, ten times a second.",
        (), traffic.loop_lag,
    ),
    # Both processes
    Metric(
        "process.cpu.time", _COUNTER, "s", "CPU time, user and system, of the proxy and of the monitor.",
        ("process",), readings.cpu_time,
    ),
    Metric(
        "process.memory.usage", _UP_DOWN, "By", "Resident memory of the proxy and of the monitor.",
        ("process",), readings.memory_usage,
    ),
    *FINDINGS,
    # Outrider itself
    Metric(
        "outrider.info", _GAUGE, "{info}", "Always 1; the attributes say what is running.",
        ("version", "model", "model_version", "profile_format"), readings.info,
    ),
    Metric(
        "outrider.export.failures", _COUNTER, "{export}", "Exports over OTLP that failed.",
        ("signal",), readings.export_failures,
    ),
    Metric(
        "outrider.export.spans_dropped", _COUNTER, "{span}", "Spans that were lost: too many were waiting, or nobody took them.",
        (), readings.spans_dropped,
    ),
)  # fmt: skip


def observe(metric: Metric, figures: Figures) -> list[Point]:
    """Read one metric. A fault of ours leaves it out and is counted under ``export``: the others are still exported."""
    try:
        return list(metric.read(figures))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other metrics matter more
        faults = figures.activity.faults
        faults["export"] = faults.get("export", 0) + 1
        if faults["export"] == 1:
            _log.warning(
                "metric left out name=%s reason=%r; counted from now on", metric.name, f"{type(error).__name__}: {error}"
            )
        return []


def markdown() -> str:
    """Write the table for the README."""
    lines = ["| metric | in Prometheus | kind | unit | attributes | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    for metric in METRICS:
        attributes = ", ".join(f"`{name}`" for name in metric.attributes)
        suffix = "_total" if metric.kind is Kind.COUNTER else ""
        lines.append(
            f"| `{metric.name}` | `{metric.prometheus}{suffix}` | {metric.kind} | `{metric.unit}` | {attributes} "
            f"| {metric.description} |"
        )
    return "\n".join(lines) + "\n"
