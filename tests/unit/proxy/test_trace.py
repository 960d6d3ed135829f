"""Trace context: continued, started, left alone."""

from __future__ import annotations

from random import Random

import pytest

from agent.errors import ConfigError
from agent.proxy.trace import Sampler, sampler_of, splice

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-2] + b"00"


def test_a_sampled_parent_is_continued() -> None:
    span = Sampler(random=Random(1)).span(PARENT)
    assert span is not None
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent_id.hex() == "b7ad6b7169203331"
    assert len(span.record) == 32


def test_an_unsampled_parent_is_respected() -> None:
    assert Sampler().span(UNSAMPLED) is None


@pytest.mark.parametrize(
    "traceparent",
    [b"", b"nonsense", b"ff" + PARENT[2:], PARENT + b"-more", b"00-" + b"0" * 32 + PARENT[35:], PARENT[:36] + b"0" * 16 + b"-01"],
)
def test_without_a_valid_parent_a_trace_starts_here(traceparent: bytes) -> None:
    span = Sampler(random=Random(1)).span(traceparent)
    assert span is not None
    assert span.parent_id == bytes(8)


@pytest.mark.parametrize(("kind", "taken"), [("always_on", 1000), ("always_off", 0), ("parentbased_always_off", 0)])
def test_root_samplers(kind: str, taken: int) -> None:
    sampler = Sampler(kind, random=Random(1))
    assert sum(sampler.span(b"") is not None for _ in range(1000)) == taken


def test_a_ratio_takes_its_share_and_ignores_the_parent_unless_told() -> None:
    sampler = Sampler("traceidratio", 0.25, Random(1))
    assert 200 < sum(sampler.span(b"") is not None for _ in range(1000)) < 300
    assert Sampler("traceidratio", 0.0).span(PARENT) is None
    assert Sampler("parentbased_traceidratio", 0.0).span(PARENT) is not None


def test_the_sampler_follows_opentelemetrys_variables() -> None:
    assert sampler_of({}) is None
    assert sampler_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}) is not None
    assert sampler_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_TRACES_EXPORTER": "none"}) is None
    assert sampler_of({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}) is None


def test_bad_sampler_variables_are_reported_together() -> None:
    with pytest.raises(ConfigError) as raised:
        sampler_of({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "sometimes"})
    assert "sometimes" in raised.value.faults[0]
    with pytest.raises(ConfigError):
        sampler_of({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"})


def test_splicing_overwrites_in_place_or_adds_one_line() -> None:
    span = Sampler(random=Random(1)).span(PARENT)
    assert span is not None
    with_parent = b"POST / HTTP/1.1\r\nX: 1\r\nTraceParent: " + PARENT + b"\r\nY: 2\r\n\r\n"
    spliced = splice(with_parent, PARENT, span)
    assert spliced == with_parent.replace(PARENT, span.header)
    assert len(spliced) == len(with_parent)
    bare = b"POST / HTTP/1.1\r\nX: 1\r\n\r\n"
    assert splice(bare, b"", span) == b"POST / HTTP/1.1\r\nX: 1\r\ntraceparent: " + span.header + b"\r\n\r\n"
