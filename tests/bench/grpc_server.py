"""A gRPC server that answers every unary call alike, as quickly as one in C: the upstream of the gRPC bench.

``python tests/bench/grpc_server.py PORT ANSWER_FILE``; the file has the message with gRPC's five bytes in front.

It reads of HTTP/2 only what it needs (RFC 9113: where frames end, which call is whole) and answers with frames made in advance.
What it sends is like what gRPC's own servers send: nothing before the request is whole, then headers, message and trailers in
one write, header blocks through HPACK's dynamic table where the client has one. nginx and nghttpd, the quick servers at hand,
each miss something: nginx needs three writes for an answer, and nghttpd can't send a content type.

It does not count the client's flow-control windows: the answers are small, and every client gives them back in time.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from pathlib import Path

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 4, 6, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_HEADER_TABLE_SIZE = 1
_LARGEST_WINDOW, _FIRST_WINDOW = 2**31 - 1, 65_535
_TYPE, _STATUS = b"\x10application/grpc", b"\x0bgrpc-status\x010"

_FIRST = (b"\x88\x5f" + _TYPE, b"\x40" + _STATUS)
"""Header blocks of an answer, headers and trailers: ``:status: 200`` of the static table, then both fields are remembered."""

_LATER = (b"\x88\xbf", b"\xbe")
"""The same once both are in the dynamic table: the older one has the higher number."""

_FIRST_WITHOUT_TABLE = (b"\x20\x88\x0f\x10" + _TYPE, b"\x00" + _STATUS)
"""For clients without a dynamic table, as nginx is: said to be of size 0 first, and nothing is remembered."""

_LATER_WITHOUT_TABLE = (b"\x88\x0f\x10" + _TYPE, b"\x00" + _STATUS)


def _head(length: int, kind: int, flags: int) -> bytes:
    """Write a frame's head up to the number of its stream."""
    return struct.pack(">I", length)[1:] + bytes((kind, flags))


class Answer:
    """The three frames of an answer, but for the stream's number."""

    def __init__(self, blocks: tuple[bytes, bytes], message: bytes) -> None:
        headers, trailers = blocks
        self._headers = _head(len(headers), _HEADERS, _END_HEADERS)
        self._message = headers + _head(len(message), _DATA, 0)
        self._trailers = message + _head(len(trailers), _HEADERS, _END_HEADERS | _END_STREAM)
        self._end = trailers

    def on(self, stream: bytes) -> bytes:
        """Write it for a stream."""
        return b"".join((self._headers, stream, self._message, stream, self._trailers, stream, self._end))


class Connection:
    """A client's connection: bytes in, answers out."""

    def __init__(self, sock: socket.socket, message: bytes) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._received = b""
        self._greeted = False
        self._taken = 0
        self._message = message
        self._first: Answer | None = Answer(_FIRST, message)
        self._later = Answer(_LATER, message)

    def readable(self) -> bool:
        """Answer what is there; say whether the connection goes on."""
        chunk = self.sock.recv(262_144)
        if not chunk:
            return False
        self._received += chunk
        out: list[bytes] = []
        if not self._greeted:
            if len(self._received) < len(_PREFACE):
                return True
            if not self._received.startswith(_PREFACE):
                return False
            self._greeted = True
            self._received = self._received[len(_PREFACE) :]
            out = [_head(0, _SETTINGS, 0), b"\0\0\0\0", _window_update(_LARGEST_WINDOW - _FIRST_WINDOW)]
        self._read_frames(out)
        if out:
            self.sock.sendall(b"".join(out))
        return True

    def _read_frames(self, out: list[bytes]) -> None:
        received, at = self._received, 0
        while len(received) - at >= 9:
            end = at + 9 + (received[at] << 16 | received[at + 1] << 8 | received[at + 2])
            if end > len(received):
                break
            kind, flags = received[at + 3], received[at + 4]
            if kind in (_DATA, _HEADERS):
                if kind == _DATA:
                    self._take(end - at - 9, out)
                if flags & _END_STREAM:
                    out.append((self._first or self._later).on(received[at + 5 : at + 9]))
                    self._first = None
            elif kind == _SETTINGS and not flags & _ACK:
                self._take_settings(received[at + 9 : end])
                out.append(_head(0, _SETTINGS, _ACK) + b"\0\0\0\0")
            elif kind == _PING and not flags & _ACK:
                out.append(_head(8, _PING, _ACK) + received[at + 5 : end])
            at = end
        self._received = received[at:]

    def _take(self, length: int, out: list[bytes]) -> None:
        self._taken += length
        if self._taken > _LARGEST_WINDOW // 2:
            out.append(_window_update(self._taken))
            self._taken = 0

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _HEADER_TABLE_SIZE and value < 4096 and self._first is not None:
                self._first = Answer(_FIRST_WITHOUT_TABLE, self._message)
                self._later = Answer(_LATER_WITHOUT_TABLE, self._message)


def _window_update(increment: int) -> bytes:
    return _head(4, _WINDOW_UPDATE, 0) + b"\0\0\0\0" + struct.pack(">I", increment)


def serve(port: int, message: bytes) -> None:
    """Answer until the process ends."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, Connection] = {}
    while True:
        for number, _ in epoll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                connections[sock.fileno()] = Connection(sock, message)
                epoll.register(sock, select.EPOLLIN)
                continue
            try:
                goes_on = connections[number].readable()
            except OSError:
                goes_on = False
            if not goes_on:
                epoll.unregister(number)
                connections.pop(number).sock.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
