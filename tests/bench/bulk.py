"""Large bodies in both directions at little cost: a server and a closed loop, each in one process with one thread.

``python tests/bench/bulk.py serve PORT``
``python tests/bench/bulk.py load PORT CONNECTIONS SECONDS REQUEST_BYTES ANSWER_BYTES`` prints one JSON object.

Bodies leave by ``sendfile`` from memory and arrive by ``recv`` with ``MSG_TRUNC``, which on TCP throws bytes away without
copying them (tcp(7)). So both ends together cost less than any proxy between them, and the proxy is what is measured. The
size of an answer is in the request: ``?answer=1000000``. A message is answered when all of it is there.

The loop sends no new request after its time, and waits for the answers to those under way: nothing is left half done, and
the time is that of the last answer.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.rows import PATH, rows

LARGEST = 16_000_000
_STRETCH = 1 << 20
_GRACE_S = 30.0


def body(opening: str, item: str, size: int) -> int:
    """Write a JSON object of one long array, padded to `size` bytes, into a file in memory; give its descriptor."""
    end = "]}"
    items = max(1, (size - len(opening) - len(end) + 1) // (len(item) + 1))
    text = (opening + ",".join([item] * items) + end).ljust(size)
    file = os.memfd_create("body")
    os.truncate(file, size)
    with mmap.mmap(file, size) as memory:
        memory[:] = text.encode()[:size]
    return file


class Connection:
    """One side of a connection: sends a head and a body, throws away a body after having read its head.

    Parameters
    ----------
    sock
        Connected.
    epoll
        Where it is registered, for as long as it lives.
    received
        Called with the head when a message has arrived whole.
    """

    __slots__ = ("_body", "_epoll", "_head", "_left", "_offset", "_out", "_received", "_scrap", "_size", "_sock")

    def __init__(self, sock: socket.socket, epoll: select.epoll, received: Callable[[Connection, bytes], None]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._epoll = epoll
        self._received = received
        self._head = b""
        self._left = -1
        self._out = b""
        self._body, self._offset, self._size = -1, 0, 0
        self._scrap = bytearray(_STRETCH)
        epoll.register(sock, select.EPOLLIN)

    def send(self, head: bytes, file: int, size: int) -> None:
        """Begin to send a message; the body is the first `size` bytes of the file."""
        self._out = head
        self._body, self._offset, self._size = file, 0, size
        self.writable()

    def writable(self) -> None:
        """Send what goes; ask to be called again if something is left."""
        try:
            while self._out:
                # MSG_MORE: a small body goes into the same packet as its head, as any good client does it.
                more = socket.MSG_MORE if self._size else 0
                self._out = self._out[self._sock.send(self._out, more) :]
            while self._offset < self._size:
                self._offset += os.sendfile(self._sock.fileno(), self._body, self._offset, self._size - self._offset)
        except BlockingIOError:
            self._epoll.modify(self._sock, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._epoll.modify(self._sock, select.EPOLLIN)

    def readable(self) -> None:
        """Read what is there.

        Raises
        ------
        ConnectionError
            If the other side is gone.
        """
        try:
            while self._left:
                if self._left < 0:
                    self._read_head()
                else:
                    got = self._sock.recv_into(self._scrap, min(self._left, _STRETCH), socket.MSG_TRUNC)
                    if not got:
                        raise ConnectionResetError("gone within a body")
                    self._left -= got
        except BlockingIOError:
            return
        head, self._head, self._left = self._head, b"", -1
        self._received(self, head)

    def _read_head(self) -> None:
        # Looked at first: what comes after the head is to be thrown away without being copied.
        seen = self._sock.recv(4096, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError("gone")
        end = (self._head + seen).find(b"\r\n\r\n")
        taken = len(seen) if end < 0 else end + 4 - len(self._head)
        self._head += self._sock.recv(taken)
        if end >= 0:
            _, _, rest = self._head.lower().partition(b"\r\ncontent-length:")
            self._left = int(rest.partition(b"\r\n")[0])

    def close(self) -> None:
        self._epoll.unregister(self._sock)
        self._sock.close()


def serve(port: int) -> None:
    """Answer until the process ends."""
    answer = body('{"predictions":[', "0.51234567", LARGEST)
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, Connection] = {}

    def received(connection: Connection, head: bytes) -> None:
        size = int(head.partition(b" HTTP/1.1\r\n")[0].partition(b"?answer=")[2])
        reply = f"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        connection.send(reply.encode(), answer, size)

    while True:
        for number, event in epoll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                connections[sock.fileno()] = Connection(sock, epoll, received)
                continue
            try:
                if event & select.EPOLLOUT:
                    connections[number].writable()
                if event & ~select.EPOLLOUT:
                    connections[number].readable()
            except OSError:
                connections.pop(number).close()


class Loop:
    """One run of the closed loop."""

    def __init__(self, port: int, request_bytes: int, answer_bytes: int) -> None:
        self.made = self.completed = self.failed = 0
        self.ends = 0.0
        self._file = body('{"instances":[', json.dumps(rows(1)[0]), request_bytes)
        self._size = request_bytes
        target = f"{PATH}?answer={answer_bytes}"
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {request_bytes}\r\n\r\n"
        ).encode()
        self._answer = f"content-length: {answer_bytes}\r\n".encode()
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._port = port

    def run(self, connections: int, seconds: float) -> float:
        """Give the seconds until the last answer."""
        start = time.perf_counter()
        self.ends = start + seconds
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", self._port))
            self._connections[sock.fileno()] = connection = Connection(sock, self._epoll, self._answered)
            self._next(connection)
        while self.completed + self.failed < self.made:
            for number, event in self._epoll.poll(1.0):
                self._event(number, event)
            if time.perf_counter() > self.ends + _GRACE_S:
                self.failed = self.made - self.completed
        return time.perf_counter() - start

    def _event(self, number: int, event: int) -> None:
        connection = self._connections[number]
        try:
            if event & select.EPOLLOUT:
                connection.writable()
            if event & ~select.EPOLLOUT:
                connection.readable()
        except OSError:
            self.failed += 1
            del self._connections[number]
            connection.close()

    def _answered(self, connection: Connection, head: bytes) -> None:
        if head.startswith(b"HTTP/1.1 200 ") and self._answer in head.lower():
            self.completed += 1
        else:
            self.failed += 1
        if time.perf_counter() < self.ends:
            self._next(connection)

    def _next(self, connection: Connection) -> None:
        self.made += 1
        connection.send(self._head, self._file, self._size)


def main(words: list[str]) -> int:
    if words[0] == "serve":
        serve(int(words[1]))
    port, connections, seconds, request_bytes, answer_bytes = (float(word) for word in words[1:])
    loop = Loop(int(port), int(request_bytes), int(answer_bytes))
    took_s = loop.run(int(connections), seconds)
    print(json.dumps({"made": loop.made, "completed": loop.completed, "failed": loop.failed, "seconds": took_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
