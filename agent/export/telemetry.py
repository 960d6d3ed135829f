"""OpenTelemetry outward: metrics and spans over OTLP, as the ``OTEL_*`` variables say."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agent.clock import Now, wall_ns
from agent.exchange import Exchange
from agent.export import exporters, prometheus
from agent.export.figures import ExportCounters, Figures
from agent.export.otlp import Collector
from agent.export.periodic import Complaints, Periodic
from agent.export.spans import RowScores, Spans

_log = logging.getLogger("outrider.export")
_T = TypeVar("_T")
_NONE: Mapping[bytes, RowScores] = {}
_Make = Callable[[exporters.Choice, Mapping[str, str]], list[_T]]


def resource_of(environ: Mapping[str, str], version: str) -> Resource:
    """Say what the telemetry is about: what the environment says, and defaults for the rest.

    ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` are read by OpenTelemetry. ``service.instance.id`` is by default the
    name of the host, which in Kubernetes is the pod's: it stays the same when the monitor starts again.
    """
    given = OTELResourceDetector().detect().attributes
    pod = str(given.get("k8s.pod.name") or environ.get("HOSTNAME") or socket.gethostname())
    defaults = {"service.name": "outrider", "service.version": version, "service.instance.id": pod}
    return Resource.create({name: value for name, value in defaults.items() if name not in given})


class Telemetry:
    """The export over OTLP, from start to shutdown. A dead collector costs one log line and a counter.

    Parameters
    ----------
    figures
        Gives the figures of the moment; called on the export's own thread.
    environ
        With the ``OTEL_*`` variables. The process's own environment: OpenTelemetry's exporters look nowhere else.
    counters
        Where failed exports and dropped spans are counted.
    now
        Wall clock.

    Attributes
    ----------
    resource
        What the telemetry is about, for ``target_info`` too.
    spans
        Where sampled exchanges go.
    """

    def __init__(
        self,
        figures: Callable[[], Figures],
        environ: Mapping[str, str],
        counters: ExportCounters,
        *,
        now: Now = wall_ns,
    ) -> None:
        version = figures().version
        self.resource = resource_of(environ, version)
        self._figures = figures
        self._now = now
        self._complaints = Complaints()
        self._complaints.install()
        scope = InstrumentationScope("outrider", version)
        preference = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
        self._collector = Collector(self.resource, scope, preference)
        metrics, traces = exporters.choose("METRICS", environ), exporters.choose("TRACES", environ)
        for fault in dict.fromkeys(metrics.faults + traces.faults):
            _log.warning("%s", fault)
        self._metric_exporters: list[MetricExporter] = self._made(exporters.metric_exporters, metrics, environ)
        span_exporters = self._made(exporters.span_exporters, traces, environ)
        capacity, batch = _whole(environ, "OTEL_BSP_MAX_QUEUE_SIZE", 2048), _whole(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
        self.spans = Spans(span_exporters, self.resource, scope, counters, capacity=capacity, batch=batch, wake=self._wake)
        self._threads: dict[str, Periodic] = {}
        if self._metric_exporters:
            interval_s = exporters.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60000, environ) / 1000
            ways = self._export_metrics, self._close_metrics
            self._threads["metrics"] = Periodic("metrics", metrics.endpoint, *ways, interval_s, counters, self._complaints)
        if span_exporters:
            delay_s = exporters.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000, environ) / 1000
            ways = self.spans.export, self.spans.close
            self._threads["traces"] = Periodic("traces", traces.endpoint, *ways, delay_s, counters, self._complaints)

    @property
    def target(self) -> dict[str, str]:
        """The resource's attributes as text."""
        return {name: str(value) for name, value in self.resource.attributes.items()}

    def record(self, exchanges: Sequence[Exchange], routes: Sequence[str], scored: Mapping[bytes, RowScores] = _NONE) -> None:
        """Make spans of the sampled ones among some exchanges; as `Spans.record`."""
        self.spans.record(exchanges, routes, scored)

    def prometheus(self, accept: str) -> tuple[bytes, str]:
        """Write the metrics for Prometheus, and give the text's content type; as `agent.export.prometheus.render`."""
        return prometheus.render(self._figures(), accept, self.target)

    def start(self) -> None:
        """Begin to export, if the environment asks for it."""
        for thread in self._threads.values():
            thread.start()

    def shutdown(self, timeout_s: float) -> None:
        """Export a last time and end, within `timeout_s` whatever the collector does."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads.values():
            thread.stop()
        for thread in self._threads.values():
            thread.finish(max(0.0, deadline - time.monotonic()))
        self._complaints.remove()

    def _made(self, make: _Make[_T], choice: exporters.Choice, environ: Mapping[str, str]) -> list[_T]:
        self._complaints.take()
        try:
            made = make(choice, environ)
        except Exception as error:  # noqa: BLE001 - a wrong OTEL_ variable must not stop the monitor
            _log.warning("export off reason=%r", f"{type(error).__name__}: {error}")
            return []
        if complaint := self._complaints.take():
            _log.warning("OpenTelemetry: %s", complaint)
        return made

    def _wake(self) -> None:
        self._threads["traces"].wake()

    def _export_metrics(self) -> Iterator[bool]:
        for data in self._collector.collect(self._figures(), self._now()):
            results = [exporter.export(data) for exporter in self._metric_exporters]
            yield all(result is MetricExportResult.SUCCESS for result in results)

    def _close_metrics(self) -> None:
        for exporter in self._metric_exporters:
            exporter.shutdown()


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) else default
