"""Hostile bytes: decoding gives a result or a count, and nothing else."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.decode.decoder import Decoded, Decoder
from agent.decode.message import body_of, request_head, request_lines, unchunk
from agent.errors import DecodeError
from agent.exchange import Exchange
from agent.spelling import CustomRoute
from tests.exchanges import CAPTURES, captured, captured_cases, exchange, json_exchange, request_bytes, response_bytes
from tests.grpc_captures import grpc_captured, grpc_cases

REASONS = {
    "charset", "chunked", "cloud_event", "compression", "content_encoding", "content_type", "csv", "datatype",
    "duplicate_names", "fields", "grpc_frame", "head", "incomplete", "json", "mixed_rows", "name_too_long", "no_columns", "npy",
    "other_layout", "path", "pickle", "protobuf", "ragged", "shape", "size", "too_large", "too_many_columns", "too_many_fields",
    "too_many_messages", "too_many_rows", "too_many_values",
    "transfer_encoding",
}  # fmt: skip
FORMATS = {
    "custom",
    "invocations",
    "kserve-v1",
    "kserve-v1-explain",
    "open-inference",
    "openai",
    "seldon",
    "seldon-feedback",
    "tensorflow-serving",
    "torchserve",
}
UNOBSERVED = {
    "bodies_left_out",
    "image",
    "incomplete",
    "no_rows",
    "no_table",
    "shared_memory",
    "status",
    "too_wide",
    "truncated",
    "untyped",
}
TARGETS = [
    "/v1/models/m:predict", "/v1/models/m:explain", "/v1/models/m:classify", "/v1/models/m:regress",
    "/v2/models/m/infer", "/invocations", "/predictions/m",
    "/api/v1.0/predictions", "/api/v1.0/feedback", "/own/m", "/v2/health/live", "/x",
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
    "/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ModelStreamInfer",
    *(f"/tensorflow.serving.PredictionService/{method}" for method in ("Predict", "Classify", "Regress", "MultiInference")),
]  # fmt: skip
MEDIA = [
    "",
    "application/json",
    "application/grpc",
    "text/csv",
    "application/csv; charset=utf-16",
    "application/cloudevents+json",
    "application/octet-stream",
    "application/jsonlines",
    "application/x-npy",
    "image/png",
    "multipart/form-data; boundary=b",
    "text/event-stream",
]
CUSTOM = (CustomRoute("/own/{model}", "$.rows", "$[0].scores"),)


def check(result: Decoded, exchanges: list[Exchange]) -> None:
    assert len(result.routes) == len(exchanges)
    assert {reason for _, reason in result.undecoded} <= REASONS
    assert set(result.unobserved) <= UNOBSERVED
    assert set(result.decoded) <= FORMATS
    for batch in result.batches:
        assert batch.exchanges > 0
        assert batch.inputs.rows + batch.outputs.rows > 0
        for side in (batch.inputs, batch.outputs):
            assert len(side.names) == len(side.columns) == len(set(side.names))
            assert bool(side.names or side.tables) == bool(side.rows)
            assert all(table.values.shape[0] == side.rows and table.values.ndim == 2 for table in side.tables)
            assert all(column.shape == (side.rows,) for column in side.columns)
            for column in side.columns:
                assert column.dtype == float or {type(value) for value in column} <= {str, bool, int, float, type(None)}
                assert column.dtype == float or all(value.encode() is not None for value in column if isinstance(value, str))


def decode(exchanges: list[Exchange]) -> None:
    decoder = Decoder(CUSTOM)
    check(decoder.decode(exchanges), exchanges)
    check(decoder.decode(exchanges), exchanges)


EVENT = "application/cloudevents+json"
FORM = b'--b\r\nContent-Disposition: form-data; name="data"\r\nContent-Type: text/csv\r\n\r\n1,2\r\n--b--\r\n'
SAVED = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<U2', 'fortran_order': True, 'shape': (2, 1), }".ljust(118) + b"a\0\0\0" * 4
RAW = (
    b'{"inputs":[{"name":"s","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}},'
    b'{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}],"outputs":'
    b'[{"name":"y","datatype":"UINT8","shape":[3,3],"parameters":{"binary_data_size":9}}]}'
)
RAW_HEADER = f"Inference-Header-Content-Length: {len(RAW)}\r\n"
"""Raw tensors behind JSON, of a request and of a response at once."""

SEEDS = [captured(case) for case in captured_cases() if "metrics" not in case] if CAPTURES.is_dir() else []
SEEDS += [call for case in grpc_cases() for call in grpc_captured(case)]
SEEDS += [
    json_exchange("/v1/models/m:predict", {"instances": [{"a": 1, "b": [True, None, "x"]}]}, {"predictions": {"p": [1]}}),
    json_exchange(
        "/v1/models/m:classify",
        {"examples": [{"a": [1], "b": {"b64": "/w=="}}], "context": {"c": "x"}},
        {"results": [[["u", 0.9], ["v", 0.1]]]},
    ),
    json_exchange(
        "/api/v1.0/predictions",
        {"data": {"names": ["a"], "tensor": {"shape": [1, 1], "values": [1]}}},
        {
            "meta": {"puid": "p"},
            "data": {"tftensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": 1}]}, "floatVal": [1]}},
        },
    ),
    json_exchange(
        "/api/v1.0/feedback",
        {"request": {"strData": "x"}, "response": {"binData": "YQ=="}, "truth": {"data": {"ndarray": [1]}}, "reward": 0.5},
        {},
    ),
    json_exchange(
        "/api/v0.1/predictions",
        {"data": {"tftensor": {"dtype": "DT_HALF", "tensorShape": {"dim": [{"size": "1"}, {"size": 2}]}, "halfVal": [1, 2]}}},
        {"data": {"tftensor": {"dtype": "DT_INT64", "tensorShape": {"dim": [{"size": 1}]}, "int64Val": ["1"]}}},
    ),
    json_exchange(
        "/invocations",
        {"instances": [{"features": {"keys": [0, 2], "shape": [3], "values": [1, 2]}}, {"data": [0, 0, 1]}]},
        {"predictions": [{"score": 1}]},
    ),
    exchange(
        request_bytes("/v1/models/m:predict", b'{"id": "1", "data_base64": "eyJpbnN0YW5jZXMiOlsxXX0="}', EVENT),
        response_bytes(b'{"id": "1", "data": "{\\"predictions\\": [1]}"}', EVENT),
    ),
    exchange(request_bytes("/predictions/m", FORM, "multipart/form-data; boundary=b"), response_bytes(b"[1]", "")),
    exchange(
        request_bytes("/invocations", SAVED, "application/x-npy"),
        response_bytes(b'{"score": 1}\n{"score": NaN}\n', "application/jsonlines"),
    ),
    json_exchange("/v2/models/m/infer", {"inputs": [{"name": "x", "shape": [1, 2], "data": [1, 2]}]}, {"outputs": []}),
    exchange(
        request_bytes("/v2/models/m/infer", RAW + b"\x01\x00\x00\x00a\x00\x00\x80\x7f", extra=RAW_HEADER),
        response_bytes(RAW + b"\x01\x00\x00\x00a\x00\x00\x80\x7f", extra=RAW_HEADER),
    ),
    json_exchange("/own/m", {"rows": [[1, 2]]}, [{"scores": [1]}]),
    json_exchange("/v1/embeddings", {"model": "m", "input": ["a"]}, {"data": [{"embedding": [1, 2]}, {"embedding": "AACAPw=="}]}),
    exchange(
        request_bytes("/v1/chat/completions", b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "n": 1}'),
        response_bytes(b'data: {"choices": [{"index": 0, "delta": {"content": "b"}}]}\n\ndata: [DONE]\n\n', "text/event-stream"),
    ),
    exchange(
        request_bytes("/invocations", gzip.compress(b"a,b\n1,x\n"), "text/csv", extra="Content-Encoding: gzip\r\n"),
        response_bytes(b"[1]"),
    ),
]


PIECES = [
    b"\r\n", b"\r\n\r\n", b"[", b"]", b"{", b"}", b",", b"NaN", b"-Infinity", b"1e999", b"null", b"true", b'"\\ud800"', b'"a"',
    b"-1", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: deflate\r\n", b"9" * 400, b"[" * 2000, b"\x00",
]  # fmt: skip
"""What hurts parsers."""


@st.composite
def mutated(draw: st.DrawFn, raw: bytes) -> bytes:
    """A message with a few pieces overwritten, cut out or put in; half of the time only in a body of the right length."""
    head, empty_line, body = raw.rpartition(b"\r\n\r\n")
    reframe = draw(st.booleans()) and b"chunked" not in head
    text = body if reframe else raw
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        text = text[:at] + draw(st.one_of(st.binary(max_size=8), st.sampled_from(PIECES))) + text[end:]
    if not reframe:
        return text
    head = re.sub(rb"(?i)(\r\ncontent-length: *)\d+", rb"\g<1>%d" % len(text), head)
    return head + empty_line + text


@st.composite
def mutants(draw: st.DrawFn) -> Exchange:
    seed = draw(st.sampled_from(SEEDS))
    usual = draw(st.booleans())
    return exchange(
        draw(mutated(seed.request)),
        draw(mutated(seed.response)),
        method=seed.method,
        target=seed.target,
        status=200 if usual else draw(st.sampled_from([200, 204, 0, 500])),
        outcome=0 if usual else draw(st.sampled_from([0, 1, 2, 3, 4, 5])),
        flags=0 if usual else draw(st.sampled_from([0, 1, 2, 3, 4, 7])),
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(mutants(), min_size=1, max_size=4))
def test_mutated_messages(exchanges: list[Exchange]) -> None:
    decode(exchanges)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
    max_leaves=20,
)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": draw(st.sampled_from(["x", "y", ""])),
        "shape": draw(st.one_of(st.lists(st.integers(-2, 5), max_size=4), json_values)),
        "datatype": draw(st.sampled_from(["FP32", "BYTES", "BOOL", "INT64"])),
        "data": draw(json_values),
        "parameters": draw(
            st.one_of(st.none(), json_values, st.just({"shared_memory_region": "r"}), st.just({"content_type": "np"}))
        ),
    }


@st.composite
def envelopes(draw: st.DrawFn) -> Any:
    key = draw(
        st.sampled_from(
            [
                "instances",
                "inputs",
                "outputs",
                "predictions",
                "data",
                "dataframe_split",
                "dataframe_records",
                "rows",
                "scores",
                "examples",
                "results",
                "b64",
                "features",
                "tensor",
                "ndarray",
                "tftensor",
                "jsonData",
                "truth",
            ]
        )
    )
    inner = draw(
        st.one_of(
            json_values, st.lists(tensors(), max_size=3), st.fixed_dictionaries({"columns": json_values, "data": json_values})
        )
    )
    return draw(st.sampled_from([{key: inner}, [{key: inner}], {"data": {key: inner}}, inner]))


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(TARGETS), st.sampled_from(MEDIA), st.sampled_from(MEDIA), envelopes(), envelopes())
@example("/v1/models/m:predict", "", "", {"instances": [[]]}, {"predictions": [{}]})
@example("/v2/models/m/infer", "", "", {"inputs": [{"name": "x", "shape": [0, 10**30], "data": []}]}, {"outputs": []})
def test_any_json_in_any_envelope(target: str, asked: str, answered: str, question: Any, answer: Any) -> None:
    request = request_bytes(target, json.dumps(question).encode(), asked)
    decode([exchange(request, response_bytes(json.dumps(answer).encode(), answered))])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TARGETS), st.sampled_from(MEDIA), st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_as_bodies(target: str, media: str, question: bytes, answer: bytes) -> None:
    decode([exchange(request_bytes(target, question, media), response_bytes(answer, media))])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(TARGETS))
def test_any_bytes_as_messages(request: bytes, response: bytes, target: str) -> None:
    decode([exchange(request, response, method="POST", target=target)])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_any_text_as_csv(text: str) -> None:
    decode([exchange(request_bytes("/invocations", text.encode(), "text/csv"), response_bytes(text.encode(), "text/csv"))])


@given(st.binary(max_size=400), st.lists(st.integers(1, 60), max_size=20), st.binary(max_size=20))
def test_chunking_round_trip(body: bytes, sizes: list[int], behind: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked, rest = b"", body
    for size in sizes:
        piece, rest = rest[:size], rest[size:]
        if piece:
            chunked += b"%X;x=y\r\n" % len(piece) + piece + b"\r\n"
    if rest:
        chunked += b"%x\r\n" % len(rest) + rest + b"\r\n"
    raw = head + chunked + b"0\r\n\r\n" + behind
    assert body_of(request_head(request_lines(head)), raw, len(head)) == body
    for end in range(len(chunked)):
        try:
            unchunk(chunked[:end], 0)
        except DecodeError as error:
            assert error.reason == "incomplete"  # noqa: PT017 - each end is checked, and each must raise
        else:
            raise AssertionError(end)
