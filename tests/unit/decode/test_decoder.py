"""Exchanges to batches: what is read, what is counted, what is gathered."""

from __future__ import annotations

import gc
import gzip
import json
from typing import Any

import msgspec
import pytest

from agent.decode import decoder as module
from agent.decode.decoder import Decoder
from agent.exchange import MARK, Exchange, Flag, Outcome
from agent.proxy.http2.fields import answer_head, call_head
from agent.spelling import CustomRoute
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

PREDICT = "/v1/models/m:predict"
QUESTION: Any = {"instances": [[1, 2]]}
ANSWER: Any = {"predictions": [3]}


def ordinary(**kinds: Any) -> Exchange:
    return json_exchange(PREDICT, QUESTION, ANSWER, **kinds)


def test_nothing_in_nothing_out() -> None:
    result = Decoder().decode([])
    assert (result.batches, result.routes, result.decoded, result.rows, result.undecoded, result.unobserved) == (
        [],
        [],
        {},
        {},
        {},
        {},
    )


def test_the_same_layout_becomes_one_batch() -> None:
    exchanges = [
        json_exchange(PREDICT, {"instances": [[index, 2]]}, {"predictions": [index]}, start_ns=index) for index in (3, 9, 5)
    ]
    result = Decoder().decode(exchanges)
    (batch,) = result.batches
    assert as_lists(batch.inputs) == {"0": [3.0, 9.0, 5.0], "1": [2.0, 2.0, 2.0]}
    assert as_lists(batch.outputs) == {"0": [3.0, 9.0, 5.0]}
    assert (batch.exchanges, batch.time_ns) == (3, 9)
    assert result.decoded == {"kserve-v1": 3}
    assert result.rows == {"kserve-v1": 3}
    assert result.routes == ["/v1/models/{model}:predict"] * 3


def test_layouts_models_and_formats_are_kept_apart() -> None:
    result = Decoder().decode(
        [
            ordinary(),
            json_exchange("/v1/models/other:predict", QUESTION, ANSWER),
            json_exchange(PREDICT, {"instances": [[1, 2, 3]]}, ANSWER),
            json_exchange(PREDICT, {"instances": [["x", 2]]}, ANSWER),
            json_exchange("/invocations", QUESTION, ANSWER),
            ordinary(),
        ]
    )
    assert sorted(batch.exchanges for batch in result.batches) == [1, 1, 1, 1, 2]


def test_rows_that_are_not_answered_one_by_one_do_not_shift_the_others() -> None:
    result = Decoder().decode([json_exchange(PREDICT, {"instances": [[1, 2], [3, 4]]}, {"predictions": [5]}), ordinary()])
    assert [(batch.inputs.rows, batch.outputs.rows) for batch in result.batches] == [(2, 1), (1, 1)]


def test_routes_without_a_format_are_activity() -> None:
    live = exchange(b"GET /v2/health/live HTTP/1.1\r\n\r\n", response_bytes(b"{}"))
    unknown = json_exchange("/my/own", {}, {})
    tunnel = exchange(b"", b"", protocol="tunnel", status=0, outcome=Outcome.TUNNEL)
    result = Decoder().decode([live, unknown, tunnel])
    assert result.routes == ["/v2/health/live", "other", "other"]
    assert (result.batches, result.undecoded, result.unobserved) == ([], {}, {})


def stream(question: bytes, answer: bytes, *, promise: str = "", answer_promise: str = "", **kinds: Any) -> Exchange:
    """What the proxy makes of a stream: heads as text, and the content of the DATA frames."""
    kind = "content-type: application/json\r\n"
    request = f"POST {PREDICT} HTTP/2\r\nhost: model\r\n{kind}{promise}\r\n".encode() + question
    response = f"HTTP/2 200\r\n{kind}{answer_promise}\r\n".encode() + answer
    return exchange(request, response, protocol="http/2", **kinds)


def test_streams_of_json_are_read_like_any_other() -> None:
    question, answer = json.dumps(QUESTION).encode(), json.dumps(ANSWER).encode()
    lengths = {"promise": f"content-length: {len(question)}\r\n", "answer_promise": f"content-length: {len(answer)}\r\n"}
    packed = {"promise": "content-encoding: gzip\r\n", "answer_promise": "content-encoding: gzip\r\n"}
    decoder = Decoder()
    for _ in range(2):  # with heads unknown, then known
        result = decoder.decode(
            [
                stream(question, answer),
                stream(question, answer, **lengths),
                stream(gzip.compress(question), gzip.compress(answer), **packed),
                ordinary(),
            ]
        )
        (batch,) = result.batches
        assert as_lists(batch.inputs) == {"0": [1.0] * 4, "1": [2.0] * 4}
        assert as_lists(batch.outputs) == {"0": [3.0] * 4}
        assert (result.undecoded, result.unobserved) == ({}, {})


def test_heads_are_read_as_the_proxy_writes_them() -> None:
    kind = (b"content-type", b"application/json")
    pseudo = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"model:80"), (b":path", PREDICT.encode())]
    asked = call_head([*pseudo, kind, (b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"x", "größe".encode())])
    answered = answer_head([(b":status", b"200"), kind, (b"grpc-message", b"")])
    made = exchange(
        asked.text + json.dumps(QUESTION).encode(), answered.text + json.dumps(ANSWER).encode(), protocol=asked.head.protocol
    )
    result = Decoder().decode([made])
    assert (result.decoded, result.undecoded) == ({"kserve-v1": 1}, {})


def test_a_stream_without_its_bodies_still_has_its_route() -> None:
    left_out = exchange(b"", b"", method="POST", target=PREDICT, flags=Flag.BODIES_LEFT_OUT, protocol="http/2")
    cut = exchange(b"POST /v1/mo", b"", method="POST", target=PREDICT, flags=Flag.REQUEST_CUT, protocol="http/2")
    result = Decoder().decode([left_out, cut])
    assert result.routes == ["/v1/models/{model}:predict"] * 2
    assert result.unobserved == {"bodies_left_out": 1, "truncated": 1}


def test_streams_with_marks_are_read() -> None:
    good = ordinary()
    marked = msgspec.structs.replace(good, marks=MARK.pack(5, 8 << 2 | 1) * 2, flags=Flag.MARKS_CUT)
    assert Decoder().decode([marked]).decoded == {"kserve-v1": 1}


GRPC_METHOD = "/shop.Pricing/Predict"


def grpc_call(grpc_status: int, **fields: Any) -> Exchange:
    head = b"POST " + GRPC_METHOD.encode() + b" HTTP/2\r\ncontent-type: application/grpc\r\n\r\n"
    made = exchange(head + bytes(5), b"HTTP/2 200\r\ncontent-type: application/grpc\r\n\r\n" + bytes(5), protocol="grpc")
    return msgspec.structs.replace(made, grpc_status=grpc_status, **fields)


@pytest.mark.parametrize(
    "fields", [{}, {"request": b"", "response": b"", "flags": int(Flag.BODIES_LEFT_OUT)}, {"request": b"POST /sh", "flags": 1}]
)
def test_a_grpc_call_that_failed_is_not_observed(fields: dict[str, Any]) -> None:
    decoder = Decoder((CustomRoute(GRPC_METHOD, "$", ""),))
    result = decoder.decode([grpc_call(14, **fields)])
    assert result.routes == [GRPC_METHOD]
    assert result.unobserved == {"status": 1}
    assert result.undecoded == {}


@pytest.mark.parametrize("grpc_status", [0, -1])
def test_messages_of_grpc_are_no_json(grpc_status: int) -> None:
    result = Decoder((CustomRoute(GRPC_METHOD, "$", "$"),)).decode([grpc_call(grpc_status)])
    assert result.undecoded == {("custom", "content_type"): 2}
    assert result.unobserved == {}


def test_methods_of_grpc_without_values_are_activity() -> None:
    metadata = "/inference.GRPCInferenceService/ModelMetadata"
    request = grpc_call(0).request.replace(GRPC_METHOD.encode(), metadata.encode())
    result = Decoder().decode([grpc_call(0, request=request, target=metadata), grpc_call(0)])
    assert result.routes == [metadata, "other"]
    assert (result.batches, result.undecoded, result.unobserved) == ([], {}, {})


@pytest.mark.parametrize("status", [0, 100, 199, 300, 400, 422, 500, 503])
def test_other_statuses_are_not_observed(status: int) -> None:
    result = Decoder().decode([ordinary(status=status)])
    assert result.unobserved == {"status": 1}
    assert result.batches == []


def test_bodies_that_were_left_out() -> None:
    result = Decoder().decode([exchange(b"", b"", method="POST", target=PREDICT, flags=Flag.BODIES_LEFT_OUT)])
    assert result.routes == ["/v1/models/{model}:predict"]
    assert result.unobserved == {"bodies_left_out": 1}
    failed = exchange(b"", b"", method="POST", target=PREDICT, flags=Flag.BODIES_LEFT_OUT, status=500)
    assert Decoder().decode([failed]).unobserved == {"status": 1}


def test_the_whole_side_of_a_truncated_exchange_is_kept() -> None:
    one = Decoder().decode([ordinary(flags=Flag.REQUEST_CUT)])
    assert one.unobserved == {"truncated": 1}
    assert (one.batches[0].inputs.rows, one.batches[0].outputs.rows) == (0, 1)
    assert one.rows == {"kserve-v1": 1}
    known = Decoder()
    known.decode([ordinary()])
    two = known.decode([ordinary(flags=Flag.RESPONSE_CUT)])
    assert (two.batches[0].inputs.rows, two.batches[0].outputs.rows) == (1, 0)
    both = Decoder().decode([ordinary(flags=Flag.REQUEST_CUT | Flag.RESPONSE_CUT)])
    assert both.unobserved == {"truncated": 1}
    assert both.batches == []


def test_a_request_that_was_cut_within_its_head() -> None:
    cut = exchange(b"POST /v1/models/m:predict HT", b"", target=PREDICT, flags=Flag.REQUEST_CUT)
    result = Decoder().decode([cut])
    assert result.routes == ["/v1/models/{model}:predict"]
    assert result.unobserved == {"truncated": 1}


def test_an_answer_that_was_cut_off_leaves_the_inputs() -> None:
    decoder = Decoder()
    for _ in range(2):  # with heads unknown, then known
        result = decoder.decode([ordinary(outcome=Outcome.CLIENT_GONE)])
        assert result.unobserved == {"incomplete": 1}
        assert result.batches[0].inputs.rows == 1
        assert result.batches[0].outputs.rows == 0
        assert decoder.decode([ordinary()]).batches[0].outputs.rows == 1


def test_a_side_that_can_not_be_read_is_counted_and_the_other_kept() -> None:
    result = Decoder().decode([json_exchange(PREDICT, "{", ANSWER), json_exchange(PREDICT, QUESTION, "sorry")])
    assert result.undecoded == {("kserve-v1", "json"): 2}
    assert result.decoded == {"kserve-v1": 2}
    assert [(batch.inputs.rows, batch.outputs.rows) for batch in result.batches] == [(0, 1), (1, 0)]
    neither = Decoder().decode([json_exchange(PREDICT, "{", "sorry")])
    assert neither.undecoded == {("kserve-v1", "json"): 2}
    assert neither.decoded == {}


def test_malformed_heads_are_counted() -> None:
    good = ordinary()
    bad_request = exchange(b"POST /v1/models/m:predict HTTP/1.1\r\nno colon\r\n\r\n", good.response, target=PREDICT)
    bad_response = exchange(good.request, b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}")
    no_response = exchange(good.request, b"")
    result = Decoder().decode([bad_request, bad_response, no_response])
    assert result.undecoded == {("kserve-v1", "head"): 3}
    assert result.decoded == {"kserve-v1": 2}


def test_interim_responses_are_skipped() -> None:
    good = ordinary()
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + good.response
    decoder = Decoder()
    for _ in range(2):  # the second time from memory
        result = decoder.decode([exchange(good.request, early)])
        assert as_lists(result.batches[0].outputs) == {"0": [3.0]}


def test_chunked_and_compressed_bodies() -> None:
    question = gzip.compress(json.dumps(QUESTION).encode())
    request = request_bytes(PREDICT, question, extra="Content-Encoding: gzip\r\n")
    answer = json.dumps(ANSWER).encode()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\n" + answer[:5] + b"\r\n%x\r\n" % (len(answer) - 5)
    chunked += answer[5:] + b"\r\n0\r\n\r\n"
    until_close = b"HTTP/1.0 200 OK\r\n\r\n" + answer
    decoder = Decoder()
    for _ in range(2):
        result = decoder.decode([exchange(request, chunked), exchange(request, until_close)])
        assert as_lists(result.batches[0].outputs) == {"0": [3.0, 3.0]}
        assert as_lists(result.batches[0].inputs) == {"0": [1.0, 1.0], "1": [2.0, 2.0]}


def test_an_answer_without_content_is_no_table() -> None:
    nothing = exchange(ordinary().request, b"HTTP/1.1 204 No Content\r\n\r\n", status=204)
    assert Decoder().decode([nothing]).undecoded == {("kserve-v1", "json"): 1}


def test_too_many_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    exchanges = [json_exchange(PREDICT, {"instances": [1] * rows}, {"predictions": [1] * rows}) for rows in (2, 3)]
    result = Decoder().decode(exchanges)
    assert result.undecoded == {("kserve-v1", "too_many_rows"): 2}
    assert result.rows == {"kserve-v1": 2}


def test_event_streams_are_counted() -> None:
    stream = exchange(ordinary().request, response_bytes(b"data: {}\n\n", "text/event-stream"))
    assert Decoder().decode([stream]).undecoded == {("kserve-v1", "content_type"): 1}


def test_heads_that_never_repeat_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 8)
    decoder = Decoder()
    for index in range(50):
        request = request_bytes(f"{PREDICT}?{index}", b'{"instances": [[1]]}', extra=f"traceparent: {index}\r\n")
        response = response_bytes(b'{"predictions": [1]}', extra=f"x-request-id: {index}\r\n")
        assert decoder.decode([exchange(request, response)]).decoded == {"kserve-v1": 1}
    for known in (decoder._plans, decoder._answers, decoder._plans_by_lines, decoder._answers_by_lines):
        assert 0 < len(known) <= 8


def test_long_heads_are_read_but_not_remembered() -> None:
    decoder = Decoder()
    request = request_bytes(PREDICT, b'{"instances": [[1]]}', extra=f"x: {'y' * module.MAX_REMEMBERED_HEAD}\r\n")
    assert decoder.decode([exchange(request, ordinary().response)]).decoded == {"kserve-v1": 1}
    assert not decoder._plans


def test_nothing_of_a_payload_ends_in_a_counter() -> None:
    secret = "s3cret"
    exchanges = [
        json_exchange(PREDICT, body, body)
        for body in (secret, {secret: 1}, {"instances": [[secret], secret]}, {"instances": {secret: [1], "b": [1, 2]}})
    ]
    result = Decoder().decode(exchanges)
    assert secret not in repr((result.undecoded, result.unobserved, result.decoded, result.rows, result.routes))


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_collection_pauses_and_is_as_before_then(collects: bool) -> None:
    seen: list[str] = []
    exchange = json_exchange("/v1/models/m:predict", {"instances": [["a"]] * 20_000}, {"predictions": [1]})

    def note(phase: str, _info: dict[str, int]) -> None:
        seen.append(phase)

    was = gc.isenabled()
    decoder = Decoder()
    try:
        gc.callbacks.append(note)
        (gc.enable if collects else gc.disable)()
        seen.clear()
        result = decoder.decode([exchange])
        passes = len(seen)
        assert gc.isenabled() == collects
    finally:
        gc.callbacks.remove(note)
        (gc.enable if was else gc.disable)()
    assert result.rows == {"kserve-v1": 20_000}
    assert passes <= 4  # one before, one behind it; 20,000 lists would be 28
