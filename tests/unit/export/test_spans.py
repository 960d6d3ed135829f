from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from agent.exchange import Exchange, Outcome
from agent.export.figures import ExportCounters
from agent.export.spans import Spans, span_of
from tests.synthetic import PARENT_ID, SPAN_ID, START_NS, TRACE_ID, exchange

ROUTE = "/v1/models/{model}:predict"
RESOURCE = Resource({"service.name": "x"})
SCOPE = InstrumentationScope("outrider", "1")


class Memory(SpanExporter):
    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.batches: list[Sequence[ReadableSpan]] = []
        self.result = result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(spans)
        return self.result


def changed(**fields: object) -> Exchange:
    return msgspec.structs.replace(exchange(), **fields)


def span(sampled: Exchange, route: str = ROUTE) -> ReadableSpan:
    return span_of(sampled, route, RESOURCE, SCOPE)


def test_span_has_the_ids_that_the_upstream_was_told() -> None:
    made = span(exchange())
    assert made.context is not None
    assert made.context.trace_id.to_bytes(16, "big") == TRACE_ID
    assert made.context.span_id.to_bytes(8, "big") == SPAN_ID
    assert made.parent is not None
    assert made.parent.span_id.to_bytes(8, "big") == PARENT_ID
    assert made.kind is SpanKind.SERVER


def test_root_span_has_no_parent() -> None:
    assert span(exchange(trace=TRACE_ID + SPAN_ID + bytes(8))).parent is None


def test_times_and_events_come_from_the_exchange() -> None:
    made = span(exchange())
    assert (made.start_time, made.end_time) == (START_NS, START_NS + 5_000_000)
    assert [(event.name, event.timestamp - START_NS) for event in made.events] == [
        ("request sent", 1_000_000),
        ("first byte", 4_000_000),
    ]


def test_what_never_happened_is_no_event() -> None:
    assert span(changed(sent_ns=0, first_byte_ns=0)).events == ()


def test_attributes_leave_the_query_out() -> None:
    attributes = span(exchange()).attributes
    assert attributes is not None
    assert attributes["url.path"] == "/v1/models/credit:predict"
    assert attributes["http.route"] == ROUTE
    assert attributes["http.response.status_code"] == 200
    assert "secret" not in str(dict(attributes))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"status": 404}, None),
        ({"status": 503}, "503"),
        ({"outcome": Outcome.CLIENT_GONE, "status": 0}, "client_gone"),
        ({"outcome": Outcome.UNREACHABLE, "status": 503}, "unreachable"),
    ],
)
def test_error_status(fields: dict[str, object], error: str | None) -> None:
    made = span(changed(**fields))
    assert made.attributes is not None
    assert made.attributes.get("error.type") == error
    assert made.status.status_code is (StatusCode.UNSET if error is None else StatusCode.ERROR)


def test_name_never_holds_what_a_client_chose() -> None:
    assert span(exchange()).name == "POST " + ROUTE
    assert span(exchange(), "other").name == "POST"
    assert span(changed(method="BREW"), "other").name == "HTTP"


def test_opentelemetrys_encoder_takes_it() -> None:
    encoded = encode_spans([span(exchange())]).resource_spans[0].scope_spans[0].spans[0]
    assert (encoded.trace_id, encoded.span_id, encoded.parent_span_id) == (TRACE_ID, SPAN_ID, PARENT_ID)


def test_only_sampled_exchanges_become_spans() -> None:
    memory, counters = Memory(), ExportCounters()
    spans = Spans([memory], RESOURCE, SCOPE, counters)
    spans.record([exchange(), exchange(trace=b""), exchange()], [ROUTE] * 3)
    assert list(spans.export()) == [True]
    assert [len(batch) for batch in memory.batches] == [2]
    assert list(spans.export()) == []
    assert counters.spans_dropped == 0


def test_queue_is_bounded_and_losses_are_counted() -> None:
    memory, counters, woken = Memory(), ExportCounters(), []
    spans = Spans([memory], RESOURCE, SCOPE, counters, capacity=5, batch=2, wake=lambda: woken.append(1))
    spans.record([exchange()] * 8, [ROUTE] * 8)
    assert counters.spans_dropped == 3
    assert woken
    assert list(spans.export()) == [True, True, True]
    assert [len(batch) for batch in memory.batches] == [2, 2, 1]


def test_refused_batch_is_counted_as_lost() -> None:
    counters = ExportCounters()
    spans = Spans([Memory(SpanExportResult.FAILURE)], RESOURCE, SCOPE, counters)
    spans.record([exchange()] * 2, [ROUTE] * 2)
    assert list(spans.export()) == [False]
    assert counters.spans_dropped == 2


def test_ids_of_the_wrong_length_are_dropped() -> None:
    counters = ExportCounters()
    spans = Spans([Memory()], RESOURCE, SCOPE, counters)
    spans.record([exchange(trace=b"short")], [ROUTE])
    assert list(spans.export()) == []
    assert counters.spans_dropped == 1


def test_nothing_is_queued_without_an_exporter() -> None:
    spans = Spans([], RESOURCE, SCOPE, ExportCounters(), capacity=1)
    spans.record([exchange()] * 3, [ROUTE] * 3)
    assert list(spans.export()) == []
