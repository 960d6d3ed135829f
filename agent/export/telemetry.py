"""OpenTelemetry outward: metrics and spans over OTLP, as the ``OTEL_*`` variables say."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agent.clock import Now, wall_ns
from agent.export import exporters
from agent.export.figures import ExportCounters, Figures
from agent.export.otlp import Collector
from agent.export.periodic import Complaints, Periodic
from agent.export.spans import Spans

_log = logging.getLogger("outrider.export")
_T = TypeVar("_T")


def resource_of(version: str, instance: str) -> Resource:
    """Say what the telemetry is about: ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES``, and defaults for the rest.

    Parameters
    ----------
    instance
        ``service.instance.id`` where the environment names none: should stay the same over a restart.
    """
    given = OTELResourceDetector().detect().attributes
    defaults = {"service.name": "outrider", "service.version": version, "service.instance.id": instance}
    return Resource.create({name: value for name, value in defaults.items() if name not in given})


class Telemetry:
    """The export over OTLP, from start to shutdown. A dead collector costs one log line and a counter.

    Parameters
    ----------
    figures
        Gives the figures of the moment; called on the export's own thread.
    counters
        Where failed exports and dropped spans are counted.
    version
        Outrider's own.
    instance
        As in `resource_of`.
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
        counters: ExportCounters,
        *,
        version: str,
        instance: str,
        now: Now = wall_ns,
    ) -> None:
        self.resource = resource_of(version, instance)
        self._figures = figures
        self._now = now
        self._complaints = Complaints()
        self._complaints.install()
        scope = InstrumentationScope("outrider", version)
        preference = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
        self._collector = Collector(self.resource, scope, preference)
        metrics, traces = exporters.choose("METRICS", os.environ), exporters.choose("TRACES", os.environ)
        for fault in dict.fromkeys(metrics.faults + traces.faults):
            _log.warning("%s", fault)
        self._metric_exporters: list[MetricExporter] = self._made(exporters.metric_exporters, metrics)
        span_exporters = self._made(exporters.span_exporters, traces)
        capacity, batch = _whole("OTEL_BSP_MAX_QUEUE_SIZE", 2048), _whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
        self.spans = Spans(span_exporters, self.resource, scope, counters, capacity=capacity, batch=batch, wake=self._wake)
        self._threads: list[Periodic] = []
        if self._metric_exporters:
            interval_s = exporters.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60000, os.environ) / 1000
            self._threads.append(
                Periodic("metrics", self._export_metrics, self._close_metrics, interval_s, counters, self._complaints)
            )
        if span_exporters:
            delay_s = exporters.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000, os.environ) / 1000
            self._threads.append(Periodic("traces", self.spans.export, self.spans.close, delay_s, counters, self._complaints))
        self._traces = self._threads[-1] if span_exporters else None

    @property
    def target(self) -> dict[str, str]:
        """The resource's attributes as text."""
        return {name: str(value) for name, value in self.resource.attributes.items()}

    def start(self) -> None:
        """Begin to export, if the environment asks for it."""
        for thread in self._threads:
            thread.start()

    def shutdown(self, timeout_s: float) -> None:
        """Export a last time and end, within `timeout_s` whatever the collector does."""
        deadline = time.monotonic() + timeout_s
        for left, thread in zip(range(len(self._threads), 0, -1), self._threads, strict=True):
            thread.shutdown(max(0.0, deadline - time.monotonic()) / left)
        self._complaints.remove()

    def _made(self, make: Callable[[exporters.Choice], list[_T]], choice: exporters.Choice) -> list[_T]:
        self._complaints.take()
        try:
            made = make(choice)
        except Exception as error:  # noqa: BLE001 - a wrong OTEL_ variable must not stop the monitor
            _log.warning("export off reason=%r", f"{type(error).__name__}: {error}")
            return []
        if complaint := self._complaints.take():
            _log.warning("OpenTelemetry: %s", complaint)
        return made

    def _wake(self) -> None:
        if self._traces is not None:
            self._traces.wake()

    def _export_metrics(self) -> Iterator[bool]:
        for data in self._collector.collect(self._figures(), self._now()):
            results = [exporter.export(data) for exporter in self._metric_exporters]
            yield all(result is MetricExportResult.SUCCESS for result in results)

    def _close_metrics(self) -> None:
        for exporter in self._metric_exporters:
            exporter.shutdown()


def _whole(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) else default
