"""The table of metrics as text for Prometheus, in its own format or in OpenMetrics, as the scraper prefers.

Names follow OpenTelemetry's rules: dots become underscores, the unit is appended, counters end in ``_total``.
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from agent.export.figures import Figures
from agent.export.metric import Kind, Metric
from agent.export.metrics import METRICS, observe
from agent.export.readings import Buckets, Point, Values


def render(figures: Figures, accept: str = "", target: Mapping[str, str] | None = None) -> tuple[bytes, str]:
    """Write all metrics.

    Parameters
    ----------
    accept
        The ``Accept`` header of the request: says whether OpenMetrics is wanted.
    target
        The resource's attributes for ``target_info``; no such series without any.

    Returns
    -------
    text, content_type
        Cost: about 10 µs a series; call it off the event loop.
    """
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(figures, target or {}))
    return encode(registry), content_type


class _Families(Collector):
    def __init__(self, figures: Figures, target: Mapping[str, str]) -> None:
        self._figures = figures
        self._target = target

    def describe(self) -> list[Family]:
        # With a description the registry does not collect once more just to learn the names.
        return []

    def collect(self) -> Iterator[Family]:
        if self._target:
            info = GaugeMetricFamily("target_info", "What the metrics are about.", labels=[_label(key) for key in self._target])
            info.add_metric(list(self._target.values()), 1)
            yield info
        for metric in METRICS:
            points = observe(metric, self._figures)
            if points:
                yield _family(metric, points)


def _label(attribute: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in attribute)


def _family(metric: Metric, points: list[Point]) -> Family:
    labels = [_label(name) for name in metric.attributes]
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(metric, labels, points)
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind is Kind.COUNTER:
        family = CounterMetricFamily(metric.prometheus, metric.description, labels=labels)
    else:
        family = GaugeMetricFamily(metric.prometheus, metric.description, labels=labels)
    for values, number in points:
        if not isinstance(number, Buckets):
            family.add_metric(_texts(values), number)
    return family


def _histogram(metric: Metric, labels: list[str], points: list[Point]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.prometheus, metric.description, labels=labels)
    for values, number in points:
        if isinstance(number, Buckets):
            cumulated: list[tuple[str, float]] = []
            sofar = 0
            for bound, count in zip(_bound_labels(number.bounds_s), number.counts, strict=True):
                sofar += count
                cumulated.append((bound, sofar))
            family.add_metric(_texts(values), cumulated, number.sum_s)
    return family


@cache
def _bound_labels(bounds_s: tuple[float, ...]) -> tuple[str, ...]:
    return (*map(str, bounds_s), "+Inf")


def _texts(values: Values) -> list[str]:
    return ["" if value is None else str(value) for value in values]
