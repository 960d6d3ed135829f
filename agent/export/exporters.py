"""Which exporters the ``OTEL_*`` variables ask for.

OTLP is on where an OTLP endpoint is set, or where ``OTEL_METRICS_EXPORTER`` or ``OTEL_TRACES_EXPORTER`` names it. With none
of them set there is most likely no collector: then only ``/metrics`` is served, instead of a failed export each minute.
Endpoint, headers, compression, certificates and time limits are read by OpenTelemetry's exporters themselves.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

KNOWN = ("otlp", "console", "none", "prometheus")
"""What may stand in ``OTEL_METRICS_EXPORTER`` and ``OTEL_TRACES_EXPORTER``; ``prometheus`` is served in any case."""

PROTOCOLS = ("grpc", "http/protobuf")
"""OTLP's transports; the first is the default of OpenTelemetry for Python."""


class Choice(NamedTuple):
    """What the environment asks for, for one signal.

    Parameters
    ----------
    otlp
        Empty, or one of `PROTOCOLS`.
    console
        Whether to print to standard output.
    endpoint
        Where OTLP goes, as ``host:port``, for log lines: without the user and password that a URL may hold.
    faults
        Sentences about values that mean nothing here; what they belong to falls back to its default.
    """

    otlp: str
    console: bool
    endpoint: str
    faults: tuple[str, ...]


def choose(signal: str, environ: Mapping[str, str]) -> Choice:
    """Decide for one signal, ``METRICS`` or ``TRACES``. ``OTEL_SDK_DISABLED=true`` switches all of it off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Choice("", False, "", ())
    faults = []
    variable = f"OTEL_{signal}_EXPORTER"
    names = [name.strip().lower() for name in environ.get(variable, "").split(",") if name.strip()]
    faults += [f"{variable}: there is no exporter {name!r}; known are {', '.join(KNOWN)}" for name in names if name not in KNOWN]
    endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or ""
    if not names and endpoint:
        names = ["otlp"]
    if "none" in names:
        names = []
    otlp = ""
    if "otlp" in names:
        own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "").strip()
        asked = (own or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()).lower() or PROTOCOLS[0]
        otlp = asked if asked in PROTOCOLS else PROTOCOLS[1]
        if asked != otlp:
            faults.append(f"OTEL_EXPORTER_OTLP_PROTOCOL={asked}: not one of {', '.join(PROTOCOLS)}; taking {otlp}")
    default = "localhost:4317" if otlp == PROTOCOLS[0] else "localhost:4318"
    return Choice(otlp, "console" in names, _host(endpoint) or default, tuple(faults))


def _host(endpoint: str) -> str:
    # gRPC endpoints may come without a scheme.
    authority = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").netloc
    return authority.rpartition("@")[2]


def metric_exporters(choice: Choice, environ: Mapping[str, str]) -> list[MetricExporter]:
    """Make the exporters of metrics; raises whatever OpenTelemetry raises on a value it can't use."""
    exporters: list[MetricExporter] = [ConsoleMetricExporter(out=sys.stdout)] if choice.console else []
    timeout_s = _timeout_s("METRICS", environ)
    if choice.otlp == "grpc":
        _quiet_grpc()
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc  # noqa: PLC0415 - 11 MB

        exporters.append(grpc.OTLPMetricExporter(timeout=timeout_s))
    elif choice.otlp:
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as http  # noqa: PLC0415 - 4 MB

        exporters.append(http.OTLPMetricExporter(timeout=timeout_s))
    return exporters


def span_exporters(choice: Choice, _: Mapping[str, str]) -> list[SpanExporter]:
    """Make the exporters of spans; raises whatever OpenTelemetry raises on a value it can't use."""
    exporters: list[SpanExporter] = [ConsoleSpanExporter(out=sys.stdout)] if choice.console else []
    if choice.otlp == "grpc":
        _quiet_grpc()
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc  # noqa: PLC0415 - 11 MB

        exporters.append(grpc.OTLPSpanExporter())
    elif choice.otlp:
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http  # noqa: PLC0415 - 4 MB

        exporters.append(http.OTLPSpanExporter())
    return exporters


def _quiet_grpc() -> None:
    # gRPC's core writes to standard error by itself, and watches for forks that never happen here.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


def _timeout_s(signal: str, environ: Mapping[str, str]) -> float | None:
    """Apply ``OTEL_METRIC_EXPORT_TIMEOUT``, which OpenTelemetry's own exporters leave unread; ``None`` where it is not set.

    The OTLP variables are in seconds in OpenTelemetry for Python, this one is in milliseconds.
    """
    limit_ms = milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", 0, environ)
    if not limit_ms:
        return None
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT") or environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") or "10"
    return min(float(own), limit_ms / 1000)


def milliseconds(name: str, default: float, environ: Mapping[str, str]) -> float:
    """Read a duration; what is not a number above zero counts as not set."""
    try:
        value = float(environ.get(name) or default)
    except ValueError:
        return default
    return value if 0 < value < float("inf") else default
