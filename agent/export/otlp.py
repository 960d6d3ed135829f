"""The table of metrics as OpenTelemetry's own data, ready for any of its exporters.

The SDK's instruments are left out on purpose. They take a latency only one `record()` at a time, while ours are already
counted in arrays; and they cap an observable instrument at 2,000 sets of attributes, which the bins of 40 columns exceed.
The exporters take `MetricsData` from anyone, so it is made here, with the temporality that
``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`` asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtlpMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agent.export.figures import Figures
from agent.export.metric import Kind, Metric
from agent.export.metrics import METRICS, observe
from agent.export.readings import Buckets, Point, Values

POINTS_PER_REQUEST = 2000
"""Points that go into one request: about 150 KiB, below the 4 MiB at which a gRPC server refuses a message. While one is
being sent its points are objects of the SDK and of protobuf too, a kilobyte each; this bounds them to 2 MB."""

_DELTA, _CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE

TEMPORALITIES = {
    "CUMULATIVE": {},
    "DELTA": {Kind.COUNTER: _DELTA, Kind.HISTOGRAM: _DELTA},
    "LOWMEMORY": {Kind.HISTOGRAM: _DELTA},
}
"""Which kinds are exported as differences, by preference; all counters here are observable ones in the sense of
https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration"""


class Collector:
    """Turns figures into `MetricsData`, and remembers the last values of what is exported as differences.

    Parameters
    ----------
    resource
        What the metrics are about.
    scope
        Who made them.
    preference
        A key of `TEMPORALITIES`; anything else counts as ``CUMULATIVE``.
    """

    def __init__(self, resource: Resource, scope: InstrumentationScope, preference: str = "CUMULATIVE") -> None:
        self._resource = resource
        self._scope = scope
        self._temporality: dict[Kind, AggregationTemporality] = TEMPORALITIES.get(preference.strip().upper(), {})
        self._last: dict[tuple[str, Values], int | float | Buckets] = {}
        self._last_ns = 0

    def collect(self, figures: Figures, time_ns: int) -> Iterator[MetricsData]:
        """Read all metrics, at most `POINTS_PER_REQUEST` points at a time.

        Parameters
        ----------
        time_ns
            Wall clock, now.
        """
        full: list[OtlpMetric] = []
        room = POINTS_PER_REQUEST
        for metric in METRICS:
            temporality = self._temporality.get(metric.kind, _CUMULATIVE)
            delta = temporality is _DELTA
            start_ns = self._last_ns or figures.start_ns if delta else figures.start_ns
            points = iter(self._differences(metric, figures) if delta else observe(metric, figures))
            while part := list(islice(points, room)):
                full.append(_otlp_metric(metric, temporality, part, start_ns, time_ns))
                room -= len(part)
                if room == 0:
                    yield self._data(full)
                    full, room = [], POINTS_PER_REQUEST
        self._last_ns = time_ns
        if full:
            yield self._data(full)

    def _differences(self, metric: Metric, figures: Figures) -> Iterator[Point]:
        for values, number in observe(metric, figures):
            key = (metric.name, values)
            last = self._last.get(key)
            self._last[key] = number
            if last is None:
                yield values, number
            elif isinstance(number, Buckets) and isinstance(last, Buckets):
                counts = [now - before for now, before in zip(number.counts, last.counts, strict=True)]
                if any(counts):
                    yield values, Buckets(counts, number.sum_s - last.sum_s, number.bounds_s)
            elif not isinstance(number, Buckets) and not isinstance(last, Buckets) and number != last:
                yield values, number - last

    def _data(self, metrics: list[OtlpMetric]) -> MetricsData:
        scoped = ScopeMetrics(self._scope, metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scoped], self._resource.schema_url)])


def _otlp_metric(
    metric: Metric, temporality: AggregationTemporality, points: Iterable[Point], start_ns: int, time_ns: int
) -> OtlpMetric:
    data: Sum | Gauge | Histogram
    if metric.kind is Kind.HISTOGRAM:
        data = Histogram([_histogram_point(metric, point, start_ns, time_ns) for point in points], temporality)
    else:
        numbers = [_number_point(metric, point, start_ns, time_ns) for point in points]
        data = Gauge(numbers) if metric.kind is Kind.GAUGE else Sum(numbers, temporality, metric.kind is Kind.COUNTER)
    return OtlpMetric(metric.name, metric.description, metric.unit, data)


def _attributes(metric: Metric, values: Values) -> dict[str, str | int]:
    return {name: value for name, value in zip(metric.attributes, values, strict=True) if value is not None}


def _number_point(metric: Metric, point: Point, start_ns: int, time_ns: int) -> NumberDataPoint:
    values, number = point
    if isinstance(number, Buckets):
        raise TypeError(f"{metric.name} is no histogram")
    return NumberDataPoint(_attributes(metric, values), start_ns, time_ns, number)


def _histogram_point(metric: Metric, point: Point, start_ns: int, time_ns: int) -> HistogramDataPoint:
    values, buckets = point
    if not isinstance(buckets, Buckets):
        raise TypeError(f"{metric.name} is a histogram")
    return HistogramDataPoint(
        attributes=_attributes(metric, values),
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=sum(buckets.counts),
        sum=buckets.sum_s,
        bucket_counts=buckets.counts,
        explicit_bounds=buckets.bounds_s,
        # Unknown, and OTLP has them optional: the encoder leaves out what is None.
        min=None,  # type: ignore[arg-type]  # the SDK's annotation forgets that they are optional
        max=None,  # type: ignore[arg-type]
    )
