"""HTTP/2 for tests: frames built by hand, and a follower whose records are read back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec
from hpack import Encoder

from agent.config import load
from agent.exchange import Exchange, Frame
from agent.proxy.context import Context
from agent.proxy.http2.follow import PREFACE, Follower
from agent.proxy.http2.frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS
from tests.unit.proxy.fakes import FakeLoop, FakeTransport

PRIORITY_FRAME, PING, WINDOW_UPDATE = 2, 6, 8

REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/v2/models/m/infer"), (":authority", "m")]
GRPC = [*REQUEST, ("content-type", "application/grpc"), ("te", "trailers")]
ANSWER = [(":status", "200"), ("content-type", "application/json")]
GRPC_ANSWER = [(":status", "200"), ("content-type", "application/grpc")]

Fields = Iterable[tuple[str, str]]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


OPENING = PREFACE + frame(SETTINGS)
"""What a client begins with."""


def data(stream: int, content: bytes = b"", *, last: bool = False, flags: int = 0) -> bytes:
    return frame(DATA, flags | END_STREAM * last, stream, content)


def headers(stream: int, block: bytes, *, last: bool = False, flags: int = 0) -> bytes:
    return frame(HEADERS, flags | END_HEADERS | END_STREAM * last, stream, block)


def in_pieces(stream: int, block: bytes, size: int, *, last: bool = False) -> bytes:
    """A header block in one HEADERS and as many CONTINUATION frames as `size` bytes each need."""
    parts = [block[start : start + size] for start in range(0, len(block), size)] or [b""]
    ends = [END_HEADERS * (place == len(parts) - 1) for place in range(len(parts))]
    first = frame(HEADERS, ends[0] | END_STREAM * last, stream, parts[0])
    return first + b"".join(frame(CONTINUATION, end, stream, part) for part, end in zip(parts[1:], ends[1:], strict=True))


def rst(stream: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway(last_stream: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(7, 0, 0, last_stream.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def message(content: bytes, *, compressed: bool = False) -> bytes:
    """A gRPC message."""
    return bytes([compressed]) + len(content).to_bytes(4, "big") + content


def plain(fields: Fields) -> bytes:
    """A header block that inserts nothing: it can be read on any connection, at any time."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def literal(name: str, value: str) -> bytes:
    """A field that is inserted into the table."""
    return b"\x40" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    return integer(len(text), 7) + text.encode()


def integer(number: int, bits: int, high: int = 0) -> bytes:
    """An integer of HPACK (RFC 7541 §5.1) behind the bits of `high`."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([high | number])
    out, number = [high | most], number - most
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def table_size(size: int) -> bytes:
    """A change of the table's size."""
    return integer(size, 5, 0x20)


def encoded(encoder: Encoder, fields: Fields) -> bytes:
    return bytes(encoder.encode(list(fields)))


class Watched:
    """A follower on a clock of its own, and what its monitor gets."""

    def __init__(self, **settings: str) -> None:
        self.loop = FakeLoop()
        self.context = Context(self.loop.as_loop, load({"OUTRIDER_TAP_BYTES": "64MiB", **settings}), None, lambda: 0)
        self.tap = self.context.tap
        self.tap.now_ns = self.context.now_ns = itertools.count(1000).__next__
        self.monitor = FakeTransport()
        self.tap.connection_made(self.monitor.as_transport)
        self.free = self.tap.free
        self.follower = Follower(self.context)

    def client(self, *pieces: bytes) -> Watched:
        for piece in pieces:
            self.follower.from_client(piece, self.context.now_ns(), self.context.now_ns())
        return self

    def upstream(self, *pieces: bytes) -> Watched:
        for piece in pieces:
            self.follower.from_upstream(piece, self.context.now_ns())
        return self

    def records(self) -> list[Exchange]:
        """All records so far."""
        self.tap.flush()
        return records_in(self.monitor.written)


def records_in(stream: bytes) -> list[Exchange]:
    """The records that a monitor got."""
    found: list[Exchange] = []
    while stream:
        size = int.from_bytes(stream[:4], "little")
        found += msgspec.msgpack.decode(stream[4 : 4 + size], type=Frame).exchanges
        stream = stream[4 + size :]
    return found


def opened() -> Watched:
    """Both sides have begun."""
    return Watched().client(OPENING).upstream(frame(SETTINGS))


def body_of(message: bytes) -> bytes:
    """What follows the head in a record."""
    return message.partition(b"\r\n\r\n")[2]


def marks_of(record: Exchange) -> list[tuple[int, int, int]]:
    """Each mark: when, its size, its bits."""
    numbers = memoryview(record.marks).cast("q").tolist()
    return [(at, size >> 2, size & 3) for at, size in zip(numbers[::2], numbers[1::2], strict=True)]
