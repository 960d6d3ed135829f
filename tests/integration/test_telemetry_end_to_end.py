"""The real sidecar, real traffic, a real Prometheus that is asked about drift, and a real OTLP receiver."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.parts_telemetry import prometheus, rotel
from tests.parts import wait_until
from tests.sidecar import sidecar
from tests.traffic import FAST, PREDICT, connect, replay, training

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_prometheus_scrapes_the_sidecar_and_answers_about_drift(tmp_path: Path, upstream: int, profile: str) -> None:
    with (
        sidecar(tmp_path, upstream, {"OUTRIDER_PROFILE": profile, **FAST}) as running,
        prometheus([running.admin], tmp_path) as asked,
    ):
        replay(running, training(4000))
        wait_until(lambda: asked.query("outrider_window_rows") == {(): 4000}, "the rows in Prometheus")
        assert asked.query("outrider_column_drifted == 1") == {}
        pounds = training(4000)
        pounds[:, 1] *= 2.2
        replay(running, pounds)
        weight = (("column", "weight"), ("role", "feature"))
        wait_until(lambda: weight in asked.query("outrider_column_drifted == 1"), "the drifted column in Prometheus")
        exceeded = asked.query('outrider_drift_lower_bound{role!="derived"} > outrider_drift_threshold')
        assert {dict(labels)["column"] for labels in exceeded} == {"weight", "prediction"}
        rate = asked.query("sum(http_server_request_duration_seconds_count)")
        assert rate == {(): 160}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_receiver_gets_metrics_and_the_clients_trace(tmp_path: Path, upstream: int, profile: str, protocol: str) -> None:
    with rotel(tmp_path) as receiver:
        settings = {
            "OUTRIDER_PROFILE": profile,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.grpc_port if protocol == 'grpc' else receiver.http_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            **FAST,
        }
        with sidecar(tmp_path, upstream, settings) as running:
            replay(running, training(1000))
            connection = connect(running)
            connection.request("POST", PREDICT, b'{"instances": [[5, 100, 0.5]]}', {"traceparent": PARENT})
            with connection.getresponse() as response:
                assert response.status == 200
                response.read()
            connection.close()
            wait_until(lambda: "outrider.drift.score" in receiver.text(), "drift over OTLP")
            wait_until(lambda: PARENT[3:35] in receiver.text(), "the client's trace over OTLP")
            assert running.stop() == 0
        names = set(re.findall(r"-> Name: (\S+)", receiver.text()))
        assert {"http.server.request.duration", "outrider.window.rows", "outrider.drift.lower_bound"} <= names
        assert PARENT[36:52] in receiver.text(), "the client's span is the parent"
