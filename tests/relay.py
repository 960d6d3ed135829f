"""The relay on a thread of its own, between a scripted model server and plain sockets, with its records read back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import uvloop

from agent import config
from agent.exchange import Exchange, Frame, ProxyStats
from agent.proxy.server import ProxyServer
from agent.proxy.trace import Sampler
from tests.parts import free_ports, wait_until

Script = Callable[[socket.socket], None]
"""What the model server does with one accepted connection."""


class ScriptedServer:
    """Listens, and runs one script per connection on a thread of its own."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(20)
            self.script(accepted)

    def close(self) -> None:
        self._listener.close()


class Relay:
    """A running relay and the records it made."""

    def __init__(self, upstream: int, sampler: Sampler | None, settings: dict[str, str]) -> None:
        self.port, health = free_ports(2)
        self.settings = config.load(
            {
                "OUTRIDER_LISTEN": f"127.0.0.1:{self.port}",
                "OUTRIDER_HEALTH": f"127.0.0.1:{health}",
                "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{upstream}",
                "OUTRIDER_READY": "none",  # a script plays for the client only
                **settings,
            }
        )
        self.records: list[Exchange] = []
        self.stats = ProxyStats()
        self._loop = uvloop.new_event_loop()
        self._ours, self._theirs = socket.socketpair()
        self.server = ProxyServer(self._loop, self.settings, sampler)
        self.context = self.server.context
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._reader = threading.Thread(target=self._read_records, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._reader.start()
        self.call(self.server.open())
        self.call(self._loop.create_connection(lambda: self.context.tap, sock=self._ours))

    def call(self, coroutine: object, within_s: float = 20) -> object:
        """Run a coroutine on the relay's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(within_s)  # type: ignore[arg-type]

    def _read_records(self) -> None:
        decoder = msgspec.msgpack.Decoder(Frame)
        with self._theirs, self._theirs.makefile("rb") as stream:
            while size := stream.read(4):
                frame = decoder.decode(stream.read(int.from_bytes(size, "little")))
                self.records += frame.exchanges
                self.stats = frame.stats or self.stats
                with contextlib.suppress(OSError):
                    self._theirs.send(b"\x01")

    def wait_for_records(self, count: int) -> list[Exchange]:
        wait_until(lambda: len(self.records) >= count, f"{count} records")
        return self.records

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def stop(self) -> None:
        self.call(self.server.drain(delay_s=0))
        self.call(self.server.close())
        self._loop.call_soon_threadsafe(self.context.tap.finish)
        self._reader.join(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._ours.close()


@contextmanager
def relay(upstream: int, sampler: Sampler | None = None, **settings: str) -> Iterator[Relay]:
    """Run a relay before a local port."""
    running = Relay(upstream, sampler, {"OUTRIDER_DRAIN_TIMEOUT": "0s", **settings})
    running.start()
    try:
        yield running
    finally:
        running.stop()


def read_exactly(source: socket.socket, size: int) -> bytes:
    """Read `size` bytes, or what comes before the end."""
    data = b""
    while len(data) < size:
        piece = source.recv(min(65536, size - len(data)))
        if not piece:
            break
        data += piece
    return data


def read_all(source: socket.socket) -> bytes:
    """Read until the end; a reset counts as one."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := source.recv(65536):
            data += piece
    return data


def send_pieces(target: socket.socket, data: bytes, cuts: list[int]) -> None:
    """Send `data` in pieces cut at the given offsets, apart enough to arrive apart now and then."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        target.sendall(data[start:end])
        time.sleep(0)
