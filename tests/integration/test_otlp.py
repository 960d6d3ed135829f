"""A real OTLP receiver gets metrics and spans; a dead or silent one harms nothing."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.export.figures import ExportCounters
from agent.export.metrics import METRICS, observe
from agent.export.telemetry import Telemetry
from tests import synthetic
from tests.integration.parts_telemetry import Rotel, rotel
from tests.parts import free_port, logged, wait_until

PROTOCOLS = ("grpc", "http/protobuf")
ROUTE = "/v1/models/{model}:predict"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def asked(port: int, protocol: str, **more: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **more,
    }


def started(environ: Mapping[str, str], counters: ExportCounters, monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    telemetry = Telemetry(synthetic.figures, os.environ, counters)
    telemetry.start()
    return telemetry


def port_of(receiver: Rotel, protocol: str) -> int:
    return receiver.grpc_port if protocol == "grpc" else receiver.http_port


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_receiver_gets_metrics_and_spans(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = ExportCounters()
    with rotel(tmp_path) as receiver, logged("outrider.export") as lines:
        environ = asked(
            port_of(receiver, protocol), protocol,
            OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name=shop-0,team=risk",
        )  # fmt: skip
        telemetry = started(environ, counters, monkeypatch)
        telemetry.record([synthetic.exchange(), synthetic.exchange(trace=b"")], [ROUTE, ROUTE])
        wait_until(lambda: "ResourceSpans" in receiver.text() and "ResourceMetrics" in receiver.text(), "both signals")
        telemetry.shutdown(5)
        text = receiver.text()
    assert counters == ExportCounters()
    assert lines == []
    for attribute in (
        "service.name: Str(shop)",
        "k8s.pod.name: Str(shop-0)",
        "team: Str(risk)",
        "service.instance.id: Str(shop-0)",
    ):
        assert attribute in text
    observed = {metric.name for metric in METRICS if observe(metric, synthetic.figures())}
    # The receiver spells out histograms, sums and gauges; every name that has points must be there.
    assert observed - set(re.findall(r"-> Name: (\S+)", text)) == set()
    assert "Buckets #4, Count: 1" in text
    span = text[text.index("Span #0") : text.index("SpanEvent #0")]
    for field in (
        r"Trace ID +: 0102030405060708090a0b0c0d0e0f10",
        r"Parent ID +: 4142434445464748",
        r" ID +: 2122232425262728",
        r"Name +: POST /v1/models/\{model\}:predict",
        r"Kind +: SPAN_KIND_SERVER",
        r"Start time: 1700000000000000000",
        r"End time: 1700000000005000000",
    ):
        assert re.search(field, span), field
    assert "Span #1" not in text
    assert "secret" not in text


def test_last_values_are_exported_at_shutdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rotel(tmp_path) as receiver:
        environ = asked(
            receiver.http_port, "http/protobuf", OTEL_METRIC_EXPORT_INTERVAL="600000", OTEL_BSP_SCHEDULE_DELAY="600000"
        )
        telemetry = started(environ, ExportCounters(), monkeypatch)
        telemetry.record([synthetic.exchange()], [ROUTE])
        telemetry.shutdown(5)
        wait_until(lambda: "ResourceSpans" in receiver.text() and "ResourceMetrics" in receiver.text(), "both signals")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dead_collector_costs_one_line_and_no_time(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counters, port = ExportCounters(), free_port()
    with logged("outrider.export") as lines, logged("") as elsewhere:
        environ = asked(port, protocol, OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_TIMEOUT="1.3")
        telemetry = started(environ, counters, monkeypatch)
        wait_until(lambda: counters.failures.get("metrics", 0) >= 2, "failures are counted")
        begin = time.monotonic()
        telemetry.shutdown(2)
        assert time.monotonic() - begin < 2.5
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"warning: export failing signal=metrics endpoint=127.0.0.1:{port} ")
    assert re.search("UNAVAILABLE|[Rr]efused", lines[0])
    assert [line for line in elsewhere if not line.startswith("debug") and line not in lines] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_shutdown_does_not_wait_for_a_silent_collector(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = ExportCounters()
    with socket.create_server(("127.0.0.1", 0)) as silent, logged("outrider.export"):
        telemetry = started(asked(silent.getsockname()[1], protocol), counters, monkeypatch)
        telemetry.record([synthetic.exchange()], [ROUTE])
        begin = time.monotonic()
        telemetry.shutdown(1)
        assert time.monotonic() - begin < 1.5


def test_recovery_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    counters = ExportCounters()
    with logged("outrider.export") as lines:
        environ = asked(port, "http/protobuf", OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_TIMEOUT="1.3")
        telemetry = started(environ, counters, monkeypatch)
        wait_until(lambda: counters.failures.get("metrics", 0) >= 1, "failures are counted")
        with rotel(tmp_path, http_port=port) as receiver:
            wait_until(lambda: "ResourceMetrics" in receiver.text(), "metrics after all")
            wait_until(lambda: len(lines) >= 2, "recovery is logged")
            telemetry.shutdown(5)
    assert lines[1] == f"info: export recovered signal=metrics endpoint=127.0.0.1:{port}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_process_ends_with_a_dead_collector(protocol: str) -> None:
    program = (
        "import os, time\n"
        "from agent.export.figures import ExportCounters\n"
        "from agent.export.telemetry import Telemetry\n"
        "from tests import synthetic\n"
        "telemetry = Telemetry(synthetic.figures, os.environ, ExportCounters())\n"
        "telemetry.start()\n"
        "telemetry.record([synthetic.exchange()], ['other'])\n"
        "time.sleep(0.3)\n"
        "telemetry.shutdown(0.5)\n"
    )
    environ = {**os.environ, **asked(free_port(), protocol), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ended = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    # One line per signal, and nothing from OpenTelemetry or gRPC.
    assert len(ended.stderr.splitlines()) == 2, ended.stderr
