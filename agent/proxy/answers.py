"""The only responses of our own: 503 where the upstream can't be reached, 400 where a message is ambiguous."""

from __future__ import annotations

import msgspec

from agent.proxy.heads import Framing, RequestHead

REFUSED_HEAD = RequestHead("", "", Framing.NONE, 0, upgrade=False, traceparent=b"")
"""Stands for a request whose head could not be read."""


def _response(status: bytes, error: bytes, message: str) -> bytes:
    body = msgspec.json.encode({"error": message, "source": "outrider"})
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n"
        b"x-outrider-error: %b\r\n\r\n%b" % (status, len(body), error, body)
    )


UNREACHABLE = _response(
    b"503 Service Unavailable",
    b"upstream-unreachable",
    "the model server can't be reached; nothing of this request was sent to it, so it is safe to send it again",
)


def refused(reason: str) -> bytes:
    """Give the answer to a message that two readers could understand differently."""
    return _response(b"400 Bad Request", b"ambiguous-message", f"the request can't be relayed safely: {reason}")
