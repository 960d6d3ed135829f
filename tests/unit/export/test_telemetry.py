from __future__ import annotations

import os

import pytest

from agent.export.figures import ExportCounters
from agent.export.telemetry import Telemetry, resource_of
from tests import synthetic
from tests.parts import logged


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def counters() -> ExportCounters:
    return ExportCounters()


def telemetry(counters: ExportCounters) -> Telemetry:
    return Telemetry(synthetic.figures, os.environ, counters)


def test_resource_has_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "pod-7")
    attributes = resource_of(os.environ, "0.1.0").attributes
    assert attributes["service.name"] == "outrider"
    assert attributes["service.version"] == "0.1.0"
    assert attributes["service.instance.id"] == "pod-7"


def test_environment_goes_before_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,service.instance.id=b,k8s.namespace.name=ml")
    attributes = resource_of(os.environ, "0.1.0").attributes
    assert [attributes[name] for name in ("service.name", "service.instance.id", "k8s.namespace.name")] == ["a", "b", "ml"]
    monkeypatch.setenv("OTEL_SERVICE_NAME", "c")
    assert resource_of(os.environ, "0.1.0").attributes["service.name"] == "c"


def test_nothing_is_exported_unless_asked_for(counters: ExportCounters) -> None:
    with logged("outrider.export") as lines:
        quiet = telemetry(counters)
        quiet.start()
        quiet.record([synthetic.exchange()], ["other"])
        quiet.shutdown(1)
    assert lines == []
    assert counters == ExportCounters()


def test_metrics_are_served_all_the_same(counters: ExportCounters) -> None:
    quiet = telemetry(counters)
    body, content_type = quiet.prometheus("")
    quiet.shutdown(1)
    assert b"target_info{" in body
    assert b'service_name="outrider"' in body
    assert content_type.startswith("text/plain")


def test_console_exporter_prints(
    counters: ExportCounters, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    printing = telemetry(counters)
    printing.start()
    printing.record([synthetic.exchange()], ["other"])
    printing.shutdown(10)
    printed = capsys.readouterr().out
    assert '"name": "outrider.drift.score"' in printed
    assert '"trace_id": "0x0102030405060708090a0b0c0d0e0f10"' in printed
    assert counters == ExportCounters()


def test_unusable_variable_is_one_line_and_no_crash(counters: ExportCounters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli")
    with logged("outrider.export") as lines:
        broken = telemetry(counters)
        broken.start()
        broken.shutdown(1)
    assert len(lines) == 1
    assert lines[0].startswith("warning: export off")
    assert "brotli" in lines[0]


def test_unknown_exporter_is_said_at_start(counters: ExportCounters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "jaeger")
    with logged("outrider.export") as lines:
        telemetry(counters).shutdown(1)
    assert lines == ["warning: OTEL_TRACES_EXPORTER: there is no exporter 'jaeger'; known are otlp, console, none, prometheus"]
