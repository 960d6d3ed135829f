"""One stream of HTTP/2 while it is under way, and the gRPC messages in it.

A gRPC message is a byte of flags, of which the lowest says "compressed", four bytes of length, and as many bytes; DATA frames
may cut it anywhere (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

from agent.exchange import Flag
from agent.proxy.flight import COMPRESSED, FROM_CLIENT, FROM_UPSTREAM, Flight
from agent.proxy.tap import Tap

_PREFIX_BYTES = 5


class Messages:
    """Counts the messages of one direction, however they are cut."""

    __slots__ = ("_flags", "_left", "_prefix", "_size")

    def __init__(self) -> None:
        self._prefix = b""
        self._left = 0
        self._size = 0
        self._flags = 0

    def feed(self, data: bytes, start: int, end: int) -> list[tuple[int, bool]]:
        """Take ``data[start:end]``; give each message that ends there: its size without the prefix, whether it is compressed."""
        found: list[tuple[int, bool]] = []
        while start < end:
            if self._left:
                step = min(self._left, end - start)
                start += step
                self._left -= step
            else:
                step = min(_PREFIX_BYTES - len(self._prefix), end - start)
                self._prefix += data[start : start + step]
                start += step
                if len(self._prefix) < _PREFIX_BYTES:
                    break
                self._flags = self._prefix[0]
                self._size = self._left = int.from_bytes(self._prefix[1:], "big")
                self._prefix = b""
            if not self._left:
                found.append((self._size, bool(self._flags & 1)))
        return found


class Call(Flight):
    """One stream.

    Parameters
    ----------
    is_grpc
        Whether its content is gRPC messages.
    marks_content
        Whether the pieces of its response are marked as they come: no gRPC, and its length was not known beforehand.
    wire_in, wire_out
        Bytes of its frames, from the client and to it; `request_size` and `response_size` count what could be kept until it
        lands.
    """

    is_grpc: bool = False
    marks_content: bool = False
    wire_in: int = 0
    wire_out: int = 0
    request_reader: Messages | None = None
    response_reader: Messages | None = None

    def take_request(self, data: bytes, start: int, end: int, at_ns: int, tap: Tap) -> None:
        """Take a piece of the request's content."""
        piece = data[start:end]
        self.keep_request(piece, tap)
        if not self.is_grpc:
            return
        reader = self.request_reader
        if reader is None:
            if _is_one_message(piece):
                self._count_request(len(piece) - _PREFIX_BYTES, piece[0] & 1, at_ns, tap)
                return
            reader = self.request_reader = Messages()
        for size, compressed in reader.feed(piece, 0, len(piece)):
            self._count_request(size, compressed, at_ns, tap)

    def take_response(self, data: bytes, start: int, end: int, at_ns: int, tap: Tap) -> None:
        """Take a piece of the response's content."""
        piece = data[start:end]
        self.keep_response(piece, tap)
        if not self.is_grpc:
            if self.marks_content:
                self.mark(at_ns, len(piece), FROM_UPSTREAM, tap, first=not self.early)
            return
        reader = self.response_reader
        if reader is None:
            if _is_one_message(piece):
                self._count_response(len(piece) - _PREFIX_BYTES, piece[0] & 1, at_ns, tap)
                return
            reader = self.response_reader = Messages()
        for size, compressed in reader.feed(piece, 0, len(piece)):
            self._count_response(size, compressed, at_ns, tap)

    def _count_request(self, size: int, compressed: int, at_ns: int, tap: Tap) -> None:
        self.request_messages += 1
        if compressed:
            self.flags |= Flag.COMPRESSED
        self.mark(at_ns, size, FROM_CLIENT | (COMPRESSED if compressed else 0), tap, first=self.request_messages == 1)

    def _count_response(self, size: int, compressed: int, at_ns: int, tap: Tap) -> None:
        self.response_messages += 1
        if compressed:
            self.flags |= Flag.COMPRESSED
        self.mark(at_ns, size, FROM_UPSTREAM | (COMPRESSED if compressed else 0), tap, first=self.response_messages == 1)

    def land(self, outcome: int, tap: Tap, since_ns: int = 0) -> None:
        """Hand the record to the tap, with the sizes on the wire; call it once."""
        self.request_size, self.response_size = self.wire_in, self.wire_out
        super().land(outcome, tap, since_ns)


def _is_one_message(piece: bytes) -> bool:
    return len(piece) >= _PREFIX_BYTES and int.from_bytes(piece[1:_PREFIX_BYTES], "big") == len(piece) - _PREFIX_BYTES
