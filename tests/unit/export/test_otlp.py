from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agent.export.otlp import POINTS_PER_REQUEST, Collector
from agent.export.traffic import DOUBLING_BOUNDS_S
from agent.sketch.latency import BOUNDS_S
from agent.window.activity import Activity
from tests import synthetic

NOW = synthetic.START_NS + 100 * synthetic.SECOND


def collector(preference: str = "CUMULATIVE") -> Collector:
    return Collector(Resource({"service.name": "x"}), InstrumentationScope("outrider", "1"), preference)


def metrics_of(requests: Sequence[MetricsData]) -> dict[str, Metric]:
    return {
        metric.name: metric
        for data in requests
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_kinds_become_opentelemetrys_own() -> None:
    found = metrics_of(list(collector().collect(synthetic.figures(), NOW)))
    requests, active, score = (
        found[name].data for name in ("outrider.exchanges", "http.server.active_requests", "outrider.drift.score")
    )
    assert isinstance(requests, Sum)
    assert requests.is_monotonic
    assert isinstance(active, Sum)
    assert not active.is_monotonic
    assert isinstance(score, Gauge)
    assert found["process.memory.usage"].unit == "By"


def test_histogram_keeps_buckets_bounds_and_times() -> None:
    data = metrics_of(list(collector().collect(synthetic.figures(), NOW)))["http.server.request.duration"].data
    assert isinstance(data, Histogram)
    point = data.data_points[0]
    assert point.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/models/{model}:predict",
    }
    assert point.count == 3 == sum(point.bucket_counts)
    assert tuple(point.explicit_bounds) == BOUNDS_S
    assert len(point.bucket_counts) == len(BOUNDS_S) + 1
    assert (point.start_time_unix_nano, point.time_unix_nano) == (synthetic.START_NS, NOW)


def test_each_histogram_has_bounds_of_its_own() -> None:
    data = metrics_of(list(collector().collect(synthetic.figures(), NOW)))["outrider.proxy.added_latency"].data
    assert isinstance(data, Histogram)
    (point,) = data.data_points
    assert tuple(point.explicit_bounds) == DOUBLING_BOUNDS_S
    assert (point.count, point.sum, len(point.bucket_counts)) == (7, 9.0, len(DOUBLING_BOUNDS_S) + 1)


def test_opentelemetrys_encoder_takes_it() -> None:
    requests = [encode_metrics(data) for data in collector().collect(synthetic.figures(), NOW)]
    point = requests[0].resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
    assert point.count == 3
    assert not point.HasField("min")


def test_many_points_are_cut_into_requests() -> None:
    requests = list(collector().collect(synthetic.many_columns(100), NOW))
    sizes = [sum(len(metric.data.data_points) for metric in metrics_of([data]).values()) for data in requests]
    assert len(sizes) > 1
    assert set(sizes[:-1]) == {POINTS_PER_REQUEST}
    assert max(encode_metrics(data).ByteSize() for data in requests) < 4 << 20


def test_delta_exports_only_what_was_added() -> None:
    deltas = collector("delta")
    first = synthetic.figures()
    list(deltas.collect(first, NOW))
    later = replace(first, activity=synthetic.activity())
    later.activity.decoded["kserve-v1"] = 10
    found = metrics_of(list(deltas.collect(later, NOW + 5)))
    decoded = found["outrider.decoded"].data
    assert isinstance(decoded, Sum)
    assert decoded.aggregation_temporality is AggregationTemporality.DELTA
    point = decoded.data_points[0]
    assert (point.value, point.start_time_unix_nano, point.time_unix_nano) == (7, NOW, NOW + 5)
    assert "outrider.undecoded" not in found
    assert "http.server.request.duration" not in found
    active = found["http.server.active_requests"].data
    assert isinstance(active, Sum)
    assert active.aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_delta_of_a_histogram_counts_new_values_only() -> None:
    deltas = collector("DELTA")
    list(deltas.collect(synthetic.figures(), NOW))
    grown = synthetic.activity()
    grown.calls[synthetic.PREDICT].duration.merge(synthetic.activity().calls[synthetic.PREDICT].duration)
    data = metrics_of(list(deltas.collect(replace(synthetic.figures(), activity=grown), NOW + 5)))[
        "http.server.request.duration"
    ].data
    assert isinstance(data, Histogram)
    assert [(point.count, round(point.sum, 9)) for point in data.data_points] == [(3, 0.045)]
    assert tuple(data.data_points[0].explicit_bounds) == BOUNDS_S


def test_low_memory_keeps_counters_cumulative() -> None:
    found = metrics_of(list(collector("LOWMEMORY").collect(synthetic.figures(), NOW)))
    counter, histogram = found["outrider.decoded"].data, found["http.server.request.duration"].data
    assert isinstance(counter, Sum)
    assert counter.aggregation_temporality is AggregationTemporality.CUMULATIVE
    assert isinstance(histogram, Histogram)
    assert histogram.aggregation_temporality is AggregationTemporality.DELTA


def test_empty_monitor_exports_its_information_and_zeros() -> None:
    figures = replace(synthetic.figures(), activity=Activity(), report=None, totals={}, schema=None, processes=())
    found = metrics_of(list(collector().collect(figures, NOW)))
    assert "outrider.info" in found
    assert "outrider.drift.score" not in found
