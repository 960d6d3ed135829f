"""The worst small bodies of every format: time and memory stay within a multiple of a body's size.

Each body goes both ways at once through the decoder. Time is bounded by executed lines, which no neighbour on the machine
changes, and by CPU seconds for what C code does in one line; both far above what bodies take today. Memory is the peak of
`tracemalloc`.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import sys
import time
import tracemalloc
import zlib
from functools import cache
from types import FrameType
from typing import Any

import brotli
import pytest
import zstandard

from agent.decode.decoder import Decoder
from agent.exchange import Exchange
from tests.exchanges import exchange, request_bytes, response_bytes
from tests.fuzz.test_decode_fuzz import CUSTOM, check
from tests.grpc_captures import grpc_exchange

SIZE = 1 << 15
"""Bytes of a body: enough to show what grows faster than a body, and all tests take less than a minute."""

LINES_A_BYTE, LINES_BEFORE = 12, 1_500_000
"""For each byte of both bodies, and besides: caps on cells are of some hundred thousand. Today it is 9 and a million."""

BYTES_A_BYTE, BYTES_BEFORE = 160, 64 << 20
"""Of memory; today 120 and 24 MiB."""

SECONDS = 8.0
"""Today the longest takes 0.3."""

V1 = "/v1/models/m:predict"
V2 = "/v2/models/m/infer"
JSON_TARGETS = (
    V1, V2, "/v1/models/m:classify", "/v1/models/m:regress", "/invocations", "/predictions/m", "/api/v1.0/predictions",
    "/api/v1.0/feedback", "/own/m", "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
)  # fmt: skip


def filled(before: bytes, piece: bytes, behind: bytes, size: int = SIZE) -> bytes:
    """As many pieces as fit."""
    return before + piece * ((size - len(before) - len(behind)) // len(piece)) + behind


def numbered(before: str, piece: str, behind: str, *, between: str = ",", size: int = SIZE) -> bytes:
    """As many pieces as fit, each with a number of its own for ``%d``."""
    pieces: list[str] = []
    room = size - len(before) - len(behind)
    while room > 0:
        pieces.append(piece.replace("%d", str(len(pieces))))
        room -= len(pieces[-1]) + len(between)
    return (before + between.join(pieces) + behind).encode()


@cache
def values_of_json() -> dict[str, bytes]:
    """Values that hurt, wherever they stand."""
    rows, keys = 400, 400
    return {
        "deep": filled(b"[", b"[", b"") + b"]" * (SIZE - 1),
        "deep objects": filled(b"", b'{"a":', b"1") + b"}" * (SIZE // 5),
        "deep, 8 levels": filled(b"[", b"[[[[[[[1]]]]]]],", b"1]"),
        "commas": filled(b"[1", b",", b"]"),
        "zeros": filled(b"[0", b",0", b"]"),
        "nulls": filled(b"[null", b",null", b"]"),
        "booleans": filled(b"[true", b",true", b"]"),
        "characters": filled(b'["a"', b',"a"', b"]"),
        "rows of one": filled(b"[[1]", b",[1]", b"]"),
        "rows of a character": filled(b'[["a"]', b',["a"]', b"]"),
        "empty rows": filled(b"[[]", b",[]", b"]"),
        "empty objects": filled(b"[{}", b",{}", b"]"),
        "small objects": filled(b'[{"a":1}', b',{"a":1}', b"]"),
        "small objects of text": filled(b'[{"a":""}', b',{"a":""}', b"]"),
        "rows of rows": filled(b"[[[1],[1]]", b",[[1],[1]]", b"]"),
        "duplicate keys": filled(b'{"a":1', b',"a":1', b"}"),
        "many keys": numbered("{", '"%d":1', "}"),
        "many lists": numbered("{", '"%d":[1]', "}"),
        "other keys each": numbered("[", '{"%d":1}', "]"),
        "rows x keys": json.dumps([{"a": 1}] * rows + [dict.fromkeys(map(str, range(keys)), "b")]).encode(),
        "long names": json.dumps([{"n" * 2000: [1] * 4096}] * 20).encode(),
        "long names in names": json.dumps([{"n" * 200: {"m" * 200: {"o" * 200: [1] * 4096}}}] * 20).encode(),
        "large numbers": filled(b"[1e999", b",1e999", b"]"),
        "many digits": b"[" + b"9" * (SIZE - 2) + b"]",
        "many fraction digits": b"[0." + b"9" * (SIZE - 4) + b"]",
        "numbers of many digits": filled(b"[", b"9" * 4000 + b",", b"1]"),
        "huge exponents": filled(b"[", b"1e-9999999999999,", b"1]"),
        "NaN": filled(b"[NaN", b",NaN", b"]"),
        "deep and NaN": b"[NaN," + b"[" * (SIZE // 2) + b"]" * (SIZE // 2) + b"]",
        "escapes": b'["' + b"\\u0041" * (SIZE // 6) + b'",NaN]',
        "spaces": b"[" + b" " * SIZE + b"]",
        "one long text": b'["' + b"a" * SIZE + b'"]',
        "base64": filled(b'[{"b64":""}', b',{"b64":"YQ=="}', b"]"),
    }


ENVELOPES = {
    V1: (
        b'{"instances":%s,"predictions":%s}', b'{"inputs":{"a":%s},"outputs":{"a":%s}}', b'{"inputs":%s,"outputs":%s}',
        b'{"instances":[%s],"predictions":[%s]}',
    ),
    V2: (
        b'{"inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","data":%s}],"outputs":[{"name":"x","shape":[9],"data":%s}]}',
        b'{"inputs":%s,"outputs":%s}',
    ),
    "/v1/models/m:classify": (b'{"examples":%s,"results":%s}', b'{"examples":[{}],"context":%s,"result":%s}'),
    "/v1/models/m:regress": (b'{"examples":%s,"results":%s}',),
    "/invocations": (b'{"dataframe_split":{"data":%s},"predictions":%s}', b'{"dataframe_records":%s,"predictions":%s}', b""),
    "/predictions/m": (b"",),
    "/api/v1.0/predictions": (
        b'{"data":{"ndarray":%s}}', b'{"data":{"tensor":{"shape":[1000000,1000000],"values":%s}}}', b'{"jsonData":%s}',
        b'{"data":{"names":%s,"ndarray":[[1]]}}',
    ),
    "/api/v1.0/feedback": (b'{"request":{"data":{"ndarray":%s}},"truth":{"data":{"ndarray":%s}}}',),
    "/own/m": (b'{"rows":%s}', b'[{"scores":%s}]'),
    "/v1/chat/completions": (
        b'{"messages":%s,"choices":%s}', b'{"messages":[{"content":%s}],"choices":[{"message":{"tool_calls":%s}}]}',
    ),
    "/v1/completions": (b'{"prompt":%s,"choices":%s}',),
    "/v1/embeddings": (b'{"input":%s,"data":[{"embedding":%s}]}', b'{"input":"a","data":%s}'),
}  # fmt: skip


def both(target: str, body: bytes, media: str = "", extra: str = "") -> Exchange:
    """The same body asks and answers."""
    return exchange(request_bytes(target, body, media, extra=extra), response_bytes(body, media, extra=extra))


def saved(descr: str, shape: str, data: bytes) -> bytes:
    """A file of numpy."""
    header = f"{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def raw(shape: list[int], datatype: str, data: bytes) -> Exchange:
    """One raw tensor both ways."""
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [tensor], "outputs": [tensor]}).encode()
    header = f"Inference-Header-Content-Length: {len(text)}\r\n"
    return both(V2, text + data, "application/octet-stream", header)


def grpc(method: str, message: bytes, *, messages: int = 1, service: str = "") -> Exchange:
    """So many equal messages both ways."""
    body = (b"\0" + len(message).to_bytes(4, "big") + message) * messages
    return grpc_exchange(method, body, body, service=service)


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf with a length."""
    size, length = len(content), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    tag = number << 3 | 2
    return bytes([tag] if tag < 0x80 else [tag & 0x7F | 0x80, tag >> 7]) + length + bytes([size]) + content


def named(name: bytes, content: bytes) -> bytes:
    """An entry of a map."""
    return field(1, field(1, name) + field(2, content))


def one_tensor(datatype: bytes, size: bytes, values: bytes) -> bytes:
    """A TensorProto of one dimension, of which not all values are there."""
    return field(2, field(1, b"x") + field(2, datatype + field(2, field(2, size)) + values))


def examples(context: int, count: int) -> bytes:
    """Examples without features of their own, and a context of many."""
    value = field(2, field(1, struct.pack("<f", 1)))
    features = field(1, b"".join(named(str(number).encode(), value) for number in range(context)))
    return field(2, field(2, field(1, b"") * count + field(2, features)))


@cache
def other_bodies() -> dict[str, Exchange]:
    """What is no JSON, or is JSON of one format alone."""
    zeros = bytes(4 << 20)
    bomb = b'{"instances":[' + b"1," * ((4 << 20) // 2 - 20) + b"1]}"
    tf = "tensorflow.serving.PredictionService"
    csv, octets, npy = "text/csv", "application/octet-stream", "application/x-npy"
    coded = "Content-Encoding: "
    form = "multipart/form-data; boundary=b"
    shape = field(2, field(2, b"\x08\x01"))
    return {
        "csv: commas": both("/invocations", b"," * SIZE, csv),
        "csv: lines": both("/invocations", b"\n" * SIZE, csv),
        "csv: rows of a character": both("/invocations", b"a\n" * (SIZE // 2), csv),
        "csv: rows of a digit": both("/invocations", b"1\n" * (SIZE // 2), csv),
        "csv: quotes": both("/invocations", b'"' * SIZE, csv),
        "csv: one field": both("/invocations", b'"' + b"a\n" * (SIZE // 2), csv),
        "csv: ragged": both("/invocations", b"1,1\n1\n" * (SIZE // 6), csv),
        "csv: wide": both("/invocations", b"1," * 9_000 + b"1\n" + b"1," * 9_000 + b"x\n", csv),
        "csv: digits": both("/invocations", b"9" * SIZE, csv),
        "lines of numbers": both("/invocations", b"1\n" * (SIZE // 2), "application/jsonlines"),
        "lines of nothing": both("/invocations", b"\n" * SIZE, "application/jsonlines"),
        "lines of objects": both("/invocations", b"{}\n" * (SIZE // 3), "application/jsonlines"),
        "lines of NaN": both("/invocations", b"[NaN]\n" * (SIZE // 6), "application/jsonlines"),
        "lines of sparse vectors": both(
            "/invocations", b'{"features":{"keys":[],"values":[],"shape":[9999]}}\n' * 5_000, "application/jsonlines"
        ),
        "sparse vectors": both(
            "/invocations",
            filled(b'{"instances":[', b'{"data":{"features":{"keys":[0],"shape":[9999],"values":[1]}}},', b"1]}"),
        ),
        "npy: huge shape": both("/invocations", saved("<f8", "(999999999999999999, 999999999999999999)", b""), npy),
        "npy: many empty": both("/invocations", saved("<f8", "(999999999999999999, 0)", b""), npy),
        "npy: bytes": both("/invocations", saved("|S1", f"({SIZE}, 1)", b"a" * SIZE), npy),
        "npy: turned": both("/invocations", saved("|u1", f"({SIZE // 64}, 64)", b"a" * SIZE), npy),
        "npy: long header": both("/invocations", b"\x93NUMPY\x02\x00\xff\xff\0\0" + b"{'descr': " * 7_000, npy),
        "npy: spaces": both("/invocations", saved("<f8", "(" + " ," * 4_000 + ")", b""), npy),
        "raw: huge shape": raw([1 << 62, 1 << 62], "FP32", b"\0" * 4),
        "raw: texts of nothing": raw([SIZE // 4, 1], "BYTES", bytes(SIZE)),
        "raw: bytes": raw([SIZE, 1], "UINT8", bytes(SIZE)),
        "raw: booleans": raw([SIZE, 1], "BOOL", bytes(SIZE)),
        "raw: wide": raw([SIZE // 8192, 8192], "UINT8", bytes(SIZE)),
        "raw: as text": both(V2, bytes(SIZE), octets),
        "many tensors": both(V2, numbered('{"inputs":[', '{"name":"%d","shape":[1],"data":[1]}', "]}")),
        "long names of tensors": both(
            V2,
            json.dumps({"inputs": [{"name": f"{at}" * 50, "shape": [1, 4000], "data": [1] * 4000} for at in (1, 2)]}).encode(),
        ),
        "long shape": both(V2, filled(b'{"inputs":[{"name":"x","data":[1],"shape":[1', b",1", b"]}]}")),
        "huge shape": both(V2, b'{"inputs":[{"name":"x","data":[1],"shape":[9223372036854775807,9223372036854775807,0]}]}'),
        "huge tensor of Seldon": both(
            "/api/v1.0/predictions",
            filled(
                b'{"data":{"tftensor":{"dtype":"DT_FLOAT","floatVal":[1],"tensorShape":{"dim":[', b'{"size":9999},', b"{}]}}}}"
            ),
        ),
        "gzip": both(V1, gzip.compress(bomb), extra=coded + "gzip\r\n"),
        "gzip, too large": both(V1, gzip.compress(zeros + zeros), extra=coded + "gzip\r\n"),
        "gzip of gzip": both(V1, gzip.compress(gzip.compress(zeros)), extra=coded + "gzip\r\n"),
        "deflate": both(V1, zlib.compress(zeros + zeros), extra=coded + "deflate\r\n"),
        "br": both(V1, brotli.compress(zeros + zeros, quality=5), extra=coded + "br\r\n"),
        "zstd": both(V1, zstandard.compress(zeros + zeros), extra=coded + "zstd\r\n"),
        "zstd, many frames": both(V1, zstandard.compress(b"") * (SIZE // 9), extra=coded + "zstd\r\n"),
        "zstd, large window": both(V1, b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", extra=coded + "zstd\r\n"),
        "utf-16": both("/invocations", ("1\n" * (SIZE // 4)).encode("utf-16"), "text/csv; charset=utf-16"),
        "forms": both("/predictions/m", b"--b\r\n" * (SIZE // 5), form),
        "form: many parts": both("/predictions/m", b"--b\r\n\r\n\r\n\r\n" * 1_000 + b"--b--\r\n", form),
        "form: long head": both(
            "/predictions/m", b"--b\r\nContent-Disposition: " + b'name="\\' * (SIZE // 8) + b"\r\n\r\n\r\n--b--\r\n", form
        ),
        "form: many lines": both("/predictions/m", b"--b\r\n" + b"a:\r\n" * (SIZE // 4) + b"\r\n\r\n--b--\r\n", form),
        "events": both("/v1/chat/completions", b"data:\n\n" * (SIZE // 7), "text/event-stream"),
        "events of nothing": both("/v1/chat/completions", b"\n" * SIZE, "text/event-stream"),
        "events of objects": both("/v1/chat/completions", b"data:{}\n\n" * (SIZE // 9), "text/event-stream"),
        "event of many lines": both("/v1/chat/completions", b"data:1\n" * (SIZE // 7) + b"\n", "text/event-stream"),
        "events of choices": both(
            "/v1/chat/completions", numbered("", 'data:{"choices":[{"index":%d}]}\n\n', "", between=""), "text/event-stream"
        ),
        "a context of lists": both(
            "/v1/models/m:classify",
            filled(b'{"context":{"a":' + json.dumps([1] * 4096).encode() + b'},"examples":[{}', b",{}", b"]}")
        ),
        "a context of texts": both(
            "/v1/models/m:classify",
            json.dumps({"context": {str(at): "" for at in range(2_000)}, "examples": [{}] * 130}).encode(),
        ),
        "cloud event in itself": both(V1, b'{"data":' * (SIZE // 8) + b"1" + b"}" * (SIZE // 8), "application/cloudevents+json"),
        "chunks": exchange(
            f"POST {V1} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"1\r\n[\r\n" * (SIZE // 6) + b"0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * SIZE + b"\r\n",
        ),
        "interim answers": exchange(request_bytes(V1, b"1"), b"HTTP/1.1 100 a\r\n\r\n" * (SIZE // 18) + response_bytes(b"1")),
        "header lines": exchange(request_bytes(V1, b"1"), response_bytes(b"1", extra="Content-a: b\r\n" * (SIZE // 14))),
        "header of spaces": exchange(request_bytes(V1, b"1"), response_bytes(b"1", "a;" * (SIZE // 2))),
        "grpc: empty messages": grpc("ModelInfer", b"", messages=SIZE // 5),
        "grpc: as many as may be": grpc("ModelStreamInfer", field(5, b""), messages=16_384),
        "grpc: empty tensors": grpc("ModelInfer", field(5, b"") * (SIZE // 2)),
        "grpc: empty outputs": grpc("ModelInfer", field(5, b"") * 32_000 + field(6, b"") * 700),
        "grpc: empty raw contents": grpc("ModelInfer", field(7, b"") * (SIZE // 2)),
        "grpc: groups": grpc("ModelInfer", b"\x0b" * SIZE),
        "grpc: deep": grpc("ModelInfer", b"\x2a\xff\xff\x03" * (SIZE // 4)),
        "grpc: long shape": grpc("ModelInfer", field(5, field(3, b"\x01" * SIZE)) + field(6, field(3, b"\x01" * SIZE))),
        "grpc: huge shape": grpc(
            "ModelInfer", field(5, field(2, b"FP32") + field(3, (b"\xff" * 8 + b"\x7f") * 3)) + field(7, b"1")
        ),
        "grpc: small numbers": grpc(
            "ModelInfer",
            field(5, field(2, b"INT32") + field(3, b"\x80\x80\x10") + field(5, field(2, b"\x01" * SIZE))),
        ),
        "grpc: booleans": grpc(
            "ModelInfer",
            field(5, field(2, b"BOOL") + field(3, b"\x80\x80\x10") + field(5, field(1, b"\x01" * SIZE))),
        ),
        "grpc: texts of nothing": grpc(
            "ModelInfer",
            field(5, field(2, b"BYTES") + field(3, b"\x80\x80\x08") + field(5, field(8, b"") * (SIZE // 2))),
        ),
        "predict: no tensors": grpc("Predict", field(2, b"") * (SIZE // 2), service=tf),
        "predict: a value to fill all": grpc(
            "Predict", one_tensor(b"\x08\x01", b"\x08\x80\x80\x40", field(5, b"1234")), service=tf
        ),
        "predict: texts to fill all": grpc(
            "Predict", one_tensor(b"\x08\x07", b"\x08\x80\x80\x10", field(8, b"ab")), service=tf
        ),
        "predict: too many texts": grpc(
            "Predict", one_tensor(b"\x08\x07", b"\x08\x80\x80\x40", field(8, b"ab")), service=tf
        ),
        "predict: scalars and rows": grpc(
            "Predict",
            b"".join(field(2, field(1, b"%d" % at) + field(2, b"\x08\x01" + field(5, b"1234"))) for at in range(100))
            + one_tensor(b"\x08\x04", b"\x08\xa0\x9c\x01", field(7, bytes(20_000))),
            service=tf,
        ),
        "predict: dimensions": grpc("Predict", field(2, field(2, shape * (SIZE // 6))), service=tf),
        "classify: empty examples": grpc("Classify", field(2, field(1, field(1, b"") * (SIZE // 2))), service=tf),
        "classify: a wide context": grpc("Classify", examples(1_000, 2_000), service=tf),
        "classify: a context of lists": grpc(
            "Classify",
            field(2, field(2, field(1, b"") * 20_000 + field(2, field(1, named(b"a", field(3, field(1, bytes(4096)))))))),
            service=tf,
        ),
        "classify: as wide a context as may be": grpc("Classify", examples(2_000, 130), service=tf),
        "classify: too wide a context": grpc("Classify", examples(5_000, 60_000), service=tf),
        "classify: empty classes": grpc("Classify", field(1, field(1, b"") * (SIZE // 2)), service=tf),
        "regress: empty results": grpc("Regress", field(1, field(1, b"") * (SIZE // 2)), service=tf),
        "multi: empty results": grpc("MultiInference", field(1, b"") * (SIZE // 2), service=tf),
    }  # fmt: skip


def lines_of(exchanges: list[Exchange]) -> int:
    """Count executed lines of the decoders."""
    count = 0

    def local(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        return local if "agent" in frame.f_code.co_filename else None

    decoder = Decoder(CUSTOM)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decoder.decode(exchanges)
    finally:
        sys.settrace(before)
    return count


def bounded(one: Exchange, name: str) -> None:
    """Assert the bounds for an exchange."""
    size = len(one.request) + len(one.response)
    if b"ontent-Encoding" in one.request:
        size = 1 << 20  # what it unfolds to counts, but for less: 8 MiB may be held, and as many numbers are too many rows
    start = time.process_time()
    decoder = Decoder(CUSTOM)
    result = decoder.decode([one])
    assert time.process_time() - start < SECONDS, name
    check(result, [one])
    del result
    tracemalloc.start(1)
    try:
        decoder.decode([one])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BYTES_BEFORE + BYTES_A_BYTE * size, name
    assert lines_of([one]) < LINES_BEFORE + LINES_A_BYTE * size, name


def with_value(target: str, place: int, value: bytes) -> Exchange:
    envelope = ENVELOPES[target][place]
    body = re.sub(rb"%s", lambda _: value, envelope) if envelope else value
    return both(target, body)


@pytest.mark.parametrize("target", JSON_TARGETS)
def test_values_of_json(target: str) -> None:
    for place in range(len(ENVELOPES[target])):
        for name, value in values_of_json().items():
            bounded(with_value(target, place, value), name)


@pytest.mark.parametrize("name", list(other_bodies()))
def test_other_bodies(name: str) -> None:
    bounded(other_bodies()[name], name)
