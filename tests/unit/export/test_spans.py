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

from agent.exchange import MARK, Exchange, Outcome
from agent.export.figures import ExportCounters
from agent.export.spans import MAX_MESSAGES, Spans, span_of
from agent.window.activity import OTHER_ROUTE
from tests.synthetic import PARENT_ID, SPAN_ID, START_NS, STREAM, STREAM_METHOD, TRACE_ID, exchange, stream

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


@pytest.mark.parametrize(("protocol", "version"), [("http/1.1", "1.1"), ("http/2", "2"), ("grpc", "2"), ("tunnel", None)])
def test_protocol_has_its_version(protocol: str, version: str | None) -> None:
    attributes = span(changed(protocol=protocol)).attributes
    assert attributes is not None
    assert attributes["network.protocol.name"] == "http"
    assert attributes.get("network.protocol.version") == version


def test_absolute_target_gives_its_path() -> None:
    made = span(exchange(target="http://user:secret@credit:80/v1/models/credit:predict?key=secret"))
    assert made.attributes is not None
    assert made.attributes["url.path"] == "/v1/models/credit:predict"


def test_span_of_grpc_is_a_remote_procedure_call() -> None:
    made = span(stream(), STREAM.route)
    assert made.name == STREAM_METHOD
    assert made.kind is SpanKind.SERVER
    assert made.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "inference.GRPCInferenceService",
        "rpc.method": "ModelStreamInfer",
        "rpc.grpc.status_code": 0,
        "http.route": STREAM.route,
        "network.protocol.name": "http",
        "network.protocol.version": "2",
        "http.request.size": 150,
        "http.response.size": 90,
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize("route", ["other", OTHER_ROUTE])
def test_unknown_method_of_grpc_is_no_name(route: str) -> None:
    made = span(stream(target="/client.Chose/This"), route)
    assert made.name == "grpc"
    assert made.attributes is not None
    assert (made.attributes["rpc.service"], made.attributes["rpc.method"]) == ("client.Chose", "This")


@pytest.mark.parametrize("target", ["/", "", "*"])
def test_grpc_without_a_method_has_no_such_attribute(target: str) -> None:
    made = span(stream(target=target), "other")
    assert made.attributes is not None
    assert not {"rpc.service", "rpc.method"} & made.attributes.keys()


@pytest.mark.parametrize(("grpc_status", "error"), [(0, None), (5, None), (16, None), (-1, None), (4, "DEADLINE_EXCEEDED")])
def test_error_status_of_grpc(grpc_status: int, error: str | None) -> None:
    made = span(stream(grpc_status=grpc_status), STREAM.route)
    assert made.attributes is not None
    assert made.attributes.get("error.type") == error
    assert made.attributes.get("rpc.grpc.status_code") == (None if grpc_status < 0 else grpc_status)
    assert made.status.status_code is (StatusCode.UNSET if error is None else StatusCode.ERROR)


def test_messages_of_a_stream_are_events() -> None:
    made = span(stream(2), STREAM.route)
    assert [(event.timestamp - START_NS, dict(event.attributes or {})) for event in made.events if event.name == "message"] == [
        (500_000, {"message.type": "RECEIVED", "message.id": 1}),
        (1_000_000, {"message.type": "SENT", "message.id": 1}),
        (2_000_000, {"message.type": "SENT", "message.id": 2}),
    ]
    assert [event.name for event in made.events][:2] == ["request sent", "first byte"]


def test_messages_of_a_long_stream_are_cut_and_its_marks_not_kept() -> None:
    memory = Memory()
    spans = Spans([memory], RESOURCE, SCOPE, ExportCounters())
    spans.record([stream(1000)], [STREAM.route])
    ((queued, *_),) = spans._queue
    assert len(queued.marks) == MAX_MESSAGES * MARK.size
    list(spans.export())
    ((made,),) = memory.batches
    assert len([event for event in made.events if event.name == "message"]) == MAX_MESSAGES == 32


def test_pieces_of_a_body_are_no_messages() -> None:
    made = span(msgspec.structs.replace(stream(), protocol="http/1.1", grpc_status=-1))
    assert [event.name for event in made.events] == ["request sent", "first byte"]


def test_opentelemetrys_encoder_takes_a_stream() -> None:
    encoded = encode_spans([span(stream(), STREAM.route)]).resource_spans[0].scope_spans[0].spans[0]
    assert [event.name for event in encoded.events].count("message") == 4


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


def test_scores_of_an_exchange_s_rows_are_on_its_span_alone() -> None:
    memory = Memory()
    spans = Spans([memory], RESOURCE, SCOPE, ExportCounters())
    other = changed(trace=bytes([9]) * 32)
    spans.record([exchange(), other], [ROUTE, ROUTE], {exchange().trace: (3.5, 2)})
    list(spans.export())
    ((scored, plain),) = memory.batches
    assert scored.attributes is not None
    assert plain.attributes is not None
    assert (scored.attributes["outrider.anomaly.score"], scored.attributes["outrider.anomaly.rows"]) == (3.5, 2)
    assert not [name for name in plain.attributes if name.startswith("outrider.anomaly")]
