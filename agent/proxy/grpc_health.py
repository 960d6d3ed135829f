"""The question of gRPC's health service and what may come back, by hand: bytes in, a result out, no input or output.

HTTP/2 with prior knowledge (RFC 9113), one call of ``grpc.health.v1.Health/Check``, the answer read out of its first message
and its trailers (the gRPC health checking protocol and "gRPC over HTTP2"). A library for one call of one method every few
seconds would weigh more than the proxy.
"""

from __future__ import annotations

import struct

from agent.proxy.http2.follow import PREFACE
from agent.proxy.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
)

PING = 6
ACK = 0x1

FRAME = struct.Struct(">BHBBL")
"""Length in two parts, kind, flags, stream."""

MAX_FRAME_BYTES = 16384
"""What a server may send as long as it was not allowed more (RFC 9113 §4.2)."""

_MAX_MESSAGE_BYTES = 4096
_MAX_BLOCK_BYTES = 65536

_SERVING = 1
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_MEANINGS = {"5": "it does not know this service", "12": "it has no health service"}


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Write a frame."""
    size = len(payload)
    return FRAME.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


GOODBYE = frame(GOAWAY, payload=bytes(8))


def request(service: str, authority: str, scheme: str) -> bytes:
    """Write all that a client sends for one call, the preface first.

    Parameters
    ----------
    service
        ASCII, below 128 characters; empty for the server as a whole.
    authority
        Host and port.
    scheme
        That of the upstream; anything but ``https`` is plain.
    """
    from hpack import Encoder  # noqa: PLC0415 - only this check needs it

    headers = [
        (":method", "POST"),
        (":scheme", "https" if scheme == "https" else "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "outrider"),
    ]
    name = service.encode("ascii")
    message = b"\x0a" + bytes([len(name)]) + name if name else b""
    return (
        PREFACE
        + frame(SETTINGS)
        + frame(HEADERS, END_HEADERS, 1, Encoder().encode(headers))
        + frame(DATA, END_STREAM, 1, b"\0" + len(message).to_bytes(4, "big") + message)
    )


class HealthCall:
    """What the server says to the one call on stream 1; it does no input or output.

    Attributes
    ----------
    ended
        Whether there is a result.
    reason
        The result: empty where the service is SERVING, else why not, in a few words.
    """

    def __init__(self) -> None:
        from hpack import Decoder  # noqa: PLC0415 - only this check needs it

        self.ended = False
        self.reason = ""
        self._decoder = Decoder()
        self._block = b""
        self._ends = False
        self._message = b""

    def take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        """Take a frame; give what to answer, mostly nothing.

        Raises
        ------
        hpack.HPACKError, IndexError
            The server breaks the protocol.
        """
        if kind == SETTINGS and not flags & ACK:
            return frame(SETTINGS, ACK)
        if kind == PING and not flags & ACK:
            return frame(PING, ACK, payload=payload)
        if kind < 0:
            self._end("a frame that is too long")
        elif kind == GOAWAY and int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF < 1:  # this call will not be served
            self._end(f"the connection was given up (HTTP/2 error {int.from_bytes(payload[4:8], 'big')})")
        elif stream == 1:
            self._take_own(kind, flags, payload)
        return b""

    def _take_own(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == RST_STREAM:
            self._end(f"the call was reset (HTTP/2 error {int.from_bytes(payload, 'big')})")
        elif kind == DATA:
            self._message += _unpadded(flags, payload)
            if len(self._message) > _MAX_MESSAGE_BYTES:
                self._end("an answer that is too long")
            elif flags & END_STREAM:
                self._end("no grpc status")
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS:
                payload = _unpadded(flags, payload)
                self._block = payload[5:] if flags & PRIORITY else payload
                self._ends = bool(flags & END_STREAM)
            else:
                self._block += payload
            if len(self._block) > _MAX_BLOCK_BYTES:
                self._end("headers that are too long")
            elif flags & END_HEADERS:
                self._take_headers({bytes(name): bytes(value) for name, value in self._decoder.decode(self._block, raw=True)})

    def _take_headers(self, headers: dict[bytes, bytes]) -> None:
        status = headers.get(b":status", b"200").decode("ascii", "replace")
        grpc_status = headers.get(b"grpc-status", b"").decode("ascii", "replace")
        if status.startswith("1") and not self._ends:
            return
        if grpc_status.isdecimal() and int(grpc_status):
            meaning = _MEANINGS.get(grpc_status)
            self._end(f"grpc status {int(grpc_status)}" + (f": {meaning}" if meaning else ""))
        elif status != "200":
            self._end(f"HTTP {status}" if status.isdecimal() else "no HTTP answer")
        elif self._ends:
            self._end(_reason_in(self._message) if grpc_status else "no grpc status")

    def _end(self, reason: str) -> None:
        if not self.ended:
            self.ended = True
            self.reason = reason


def _unpadded(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload


def _reason_in(message: bytes) -> str:
    """Read a ``HealthCheckResponse`` behind its five bytes of length."""
    if len(message) < 5 or message[0] or int.from_bytes(message[1:5], "big") != len(message) - 5:
        return "no health answer"
    status, position = 0, 5
    while position < len(message):
        key, position = _varint(message, position)
        if key & 7 == 2:  # a field that is not known yet
            size, position = _varint(message, position)
            position += size
        elif key & 7 == 0:
            value, position = _varint(message, position)
            status = value if key >> 3 == 1 else status
        else:
            return "no health answer"
    if status == _SERVING:
        return ""
    return _STATUSES[status] if status < len(_STATUSES) else f"health status {status}"


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Give a number of protobuf's and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
