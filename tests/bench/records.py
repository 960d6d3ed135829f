"""Exchanges as the proxy hands them to the monitor: whole messages in frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from agent.exchange import Exchange, Frame, Outcome
from tests.bench.rows import PATH

V2_PATH = "/v2/models/demo/infer"
_START_NS = 1_760_000_000_000_000_000


def v1(rows: Sequence[Sequence[float]]) -> tuple[str, bytes, bytes]:
    """Path, request body and response body of KServe V1."""
    return PATH, _json({"instances": rows}), _json({"predictions": [0.5] * len(rows)})


def v2(rows: Sequence[Sequence[float]]) -> tuple[str, bytes, bytes]:
    """Path, request body and response body of Open Inference, all features in one tensor."""
    flat = [value for row in rows for value in row]
    given = {"name": "input-0", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": flat}
    made = {"name": "output-0", "shape": [len(rows), 1], "datatype": "FP64", "data": [0.5] * len(rows)}
    return V2_PATH, _json({"inputs": [given]}), _json({"model_name": "demo", "outputs": [made]})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def exchange(path: str, body: bytes, answer: bytes, number: int) -> Exchange:
    """Make one record. The server's clock in the answer's head moves on every 4,096 records."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    response = (
        f"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 23 Nov 2026 10:{number // 4096 % 60:02}:00 GMT\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
    ).encode() + answer
    return Exchange(
        protocol="http/1.1",
        method="POST",
        target=path,
        status=200,
        outcome=Outcome.COMPLETE,
        flags=0,
        start_ns=_START_NS + number * 10_000,
        sent_ns=20_000,
        first_byte_ns=80_000 + number % 997 * 100,
        end_ns=100_000 + number % 997 * 100,
        request_size=len(request),
        response_size=len(response),
        request=request,
        response=response,
    )


def frames(messages: Sequence[tuple[str, bytes, bytes]], per_frame: int) -> list[bytes]:
    """Encode records as they cross the socket, without the length in front."""
    records = [exchange(*message, number) for number, message in enumerate(messages)]
    encoder = msgspec.msgpack.Encoder()
    return [encoder.encode(Frame(records[at : at + per_frame])) for at in range(0, len(records), per_frame)]
