"""The only responses of our own: 503 where there is no way to the upstream, 400 and 431 where a message can't be relayed."""

from __future__ import annotations

import msgspec


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


FULL = _response(
    b"503 Service Unavailable",
    b"too-many-connections",
    "there are as many connections as OUTRIDER_MAX_CONNECTIONS or the limit of open files allows; nothing was sent to the model "
    "server, so it is safe to send it again",
)


def too_long(reason: str) -> bytes:
    """Give the answer to a head that is too long (RFC 6585 §5)."""
    return _response(b"431 Request Header Fields Too Large", b"head-too-long", f"the request can't be relayed: {reason}")


def refused(reason: str) -> bytes:
    """Give the answer to a message that two readers could understand differently."""
    return _response(b"400 Bad Request", b"ambiguous-message", f"the request can't be relayed safely: {reason}")
