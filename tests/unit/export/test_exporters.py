from __future__ import annotations

import pytest

from agent.export.exporters import choose, milliseconds

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "otlp", "console"),
    [
        ({}, "", False),
        ({ENDPOINT: "http://c:4317"}, "grpc", False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, "grpc", False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, "", False),
        ({ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http/protobuf", False),
        (
            {ENDPOINT: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"},
            "grpc",
            False,
        ),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "grpc", False),
        ({ENDPOINT: "http://c:4317", "OTEL_METRICS_EXPORTER": "none"}, "", False),
        ({ENDPOINT: "http://c:4317", "OTEL_METRICS_EXPORTER": "prometheus"}, "", False),
        ({ENDPOINT: "http://c:4317", "OTEL_METRICS_EXPORTER": " Console "}, "", True),
        ({"OTEL_METRICS_EXPORTER": "otlp,console"}, "grpc", True),
        ({ENDPOINT: "http://c:4317", "OTEL_SDK_DISABLED": "TRUE"}, "", False),
    ],
)
def test_choice_of_metrics(environ: dict[str, str], otlp: str, console: bool) -> None:
    choice = choose("METRICS", environ)
    assert (choice.otlp, choice.console, choice.faults) == (otlp, console, ())


def test_unknown_exporter_is_a_fault_and_nothing_else() -> None:
    choice = choose("TRACES", {"OTEL_TRACES_EXPORTER": "zipkin"})
    assert (choice.otlp, choice.console) == ("", False)
    assert "zipkin" in choice.faults[0]


def test_unknown_protocol_falls_back_to_http() -> None:
    choice = choose("TRACES", {ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    assert choice.otlp == "http/protobuf"
    assert "http/json" in choice.faults[0]


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("http://user:password@c:4317/v1", "c:4317"),
        ("collector:4317", "collector:4317"),
        ("", "localhost:4317"),
    ],
)
def test_endpoint_is_shown_without_secrets(endpoint: str, shown: str) -> None:
    assert choose("METRICS", {ENDPOINT: endpoint, "OTEL_METRICS_EXPORTER": "otlp"}).endpoint == shown


@pytest.mark.parametrize(("text", "value"), [("250", 250), ("", 60), ("x", 60), ("-1", 60), ("inf", 60), ("nan", 60)])
def test_milliseconds(text: str, value: float) -> None:
    assert milliseconds("NAME", 60, {"NAME": text}) == value
