from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent.export import prometheus
from agent.export.metric import Kind
from agent.export.metrics import METRICS, observe
from agent.export.traffic import DOUBLING_BOUNDS_S
from tests import synthetic

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def test_plain_text_is_the_default() -> None:
    body, content_type = prometheus.render(synthetic.figures())
    assert content_type.startswith("text/plain; version=0.0.4")
    names = {family.name for family in parse_text(body.decode())}
    assert "outrider_drift_score" in names


def test_openmetrics_where_it_is_asked_for() -> None:
    body, content_type = prometheus.render(synthetic.figures(), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    families = {family.name: family for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]  # prometheus_client's own
    for metric in METRICS:
        if observe(metric, synthetic.figures()):
            assert families[metric.prometheus].documentation == metric.description


def test_every_point_is_a_series() -> None:
    body, _ = prometheus.render(synthetic.figures())
    families = {family.name: family for family in parse_text(body.decode())}
    for metric in METRICS:
        points = observe(metric, synthetic.figures())
        if points and metric.kind is not Kind.HISTOGRAM:
            samples = families[metric.prometheus].samples
            assert sorted(sample.value for sample in samples) == sorted(float(number) for _, number in points), metric.name  # type: ignore[arg-type]  # no buckets here


def test_buckets_are_cumulated() -> None:
    body, _ = prometheus.render(synthetic.figures())
    family = next(f for f in parse_text(body.decode()) if f.name == "http_server_request_duration_seconds")
    good = {s.labels["le"]: s.value for s in family.samples if "le" in s.labels and s.labels["error_type"] == ""}
    assert (good["0.001"], good["0.0025"], good["0.005"], good["0.05"], good["+Inf"]) == (0, 1, 2, 3, 3)


def test_each_histogram_has_bounds_of_its_own() -> None:
    body, _ = prometheus.render(synthetic.figures())
    family = next(f for f in parse_text(body.decode()) if f.name == "outrider_proxy_added_latency_seconds")
    found = {sample.labels["le"]: sample.value for sample in family.samples if "le" in sample.labels}
    assert [float(bound) for bound in found] == [*DOUBLING_BOUNDS_S, float("inf")]
    assert list(found.values())[:3] == [0, 1, 6]
    assert (found["4.294967296"], found["+Inf"]) == (6, 7)


@pytest.mark.parametrize("value", ['back\\slash "quoted"', "two\nlines", "größe", ""])
def test_labels_survive_whatever_a_profile_calls_a_column(value: str) -> None:
    report = synthetic.REPORT
    column = msgspec.structs.replace(report.columns[0], name=value)
    figures = replace(synthetic.figures(), schema=None, report=msgspec.structs.replace(report, columns=[column]))
    body, _ = prometheus.render(figures)
    family = next(f for f in parse_text(body.decode()) if f.name == "outrider_column_rows")
    assert [sample.labels["column"] for sample in family.samples] == [value]


def test_target_says_what_the_metrics_are_about() -> None:
    body, _ = prometheus.render(synthetic.figures(), "", {"service.name": "shop", "k8s.pod.name": "shop-0"})
    assert b'target_info{k8s_pod_name="shop-0",service_name="shop"} 1.0' in body
