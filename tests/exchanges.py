"""Exchanges for tests of decoding: made from JSON, or read from recorded captures; and a way to compare columns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from agent.batch import Side
from agent.exchange import Exchange, Outcome

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"
"""Recorded traffic of real servers, beside the repository; absent on most machines."""


def request_bytes(
    target: str, body: bytes, content_type: str = "application/json", *, method: str = "POST", extra: str = ""
) -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: model\r\nAccept: */*\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def response_bytes(body: bytes, content_type: str = "application/json", *, status: int = 200, extra: str = "") -> bytes:
    kind = f"content-type: {content_type}\r\n" if content_type else ""
    head = f"HTTP/1.1 {status} OK\r\nserver: test\r\n{extra}{kind}content-length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def exchange(
    request: bytes,
    response: bytes,
    *,
    target: str | None = None,
    method: str | None = None,
    status: int = 200,
    outcome: int = Outcome.COMPLETE,
    flags: int = 0,
    start_ns: int = 1,
    protocol: str = "http/1.1",
) -> Exchange:
    words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return Exchange(
        protocol=protocol,
        method=words[0] if method is None else method,
        target=(words[1] if len(words) > 1 else "") if target is None else target,
        status=status,
        outcome=outcome,
        flags=flags,
        start_ns=start_ns,
        sent_ns=10,
        first_byte_ns=20,
        end_ns=30,
        request_size=len(request),
        response_size=len(response),
        request=request,
        response=response,
    )


def json_exchange(target: str, question: Any, answer: Any, **kinds: Any) -> Exchange:
    """An exchange of two JSON bodies; a `str` or `bytes` body is sent as it is."""
    return exchange(request_bytes(target, _text(question)), response_bytes(_text(answer)), **kinds)


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def captured(case: str) -> Exchange:
    """A recorded exchange, such as ``kserve/v1_iris_predict``."""
    request = (CAPTURES / f"{case}.req").read_bytes()
    response = (CAPTURES / f"{case}.resp").read_bytes()
    final = response
    while final.startswith(b"HTTP/1.1 1"):
        final = final.partition(b"\r\n\r\n")[2]
    return exchange(request, response, status=int(final[9:12]))


def captured_cases() -> list[str]:
    """Every recorded connection that speaks HTTP/1."""
    requests = sorted(CAPTURES.rglob("*.req"))
    return [str(path.relative_to(CAPTURES))[:-4] for path in requests if b" HTTP/1.1\r\n" in path.read_bytes()[:2048]]


def as_lists(side: Side) -> dict[str, list[Any]]:
    """Columns by name as plain lists, with ``None`` for missing of both kinds."""
    return {
        name: [None if isinstance(value, float) and math.isnan(value) else value for value in column.tolist()]
        for name, column in zip(side.names, side.columns, strict=True)
    }


def kinds(side: Side) -> list[str]:
    """The kind of each column, ``f`` or ``O``."""
    return [np.asarray(column).dtype.kind for column in side.columns]
