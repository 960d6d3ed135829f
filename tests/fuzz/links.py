"""A link between transports that only note what they are told. Whatever both do, nothing raises, leaks or changes a byte."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, cast

from agent.config import Settings, load
from agent.proxy.context import Context
from agent.proxy.heads import NotHttpError, RefusedError
from agent.proxy.http2.follow import MAX_CALLS
from agent.proxy.http2.frames import BrokenError
from agent.proxy.lane import Lane
from agent.proxy.link import ClientSide, Link, Links, UpstreamSide
from agent.proxy.opening import Opening
from agent.spelling import Upstream
from tests.unit.proxy.fakes import FakeLoop, FakeTransport

GOAWAY = bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")
OWN_ANSWERS = (b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"HTTP/1.1 503 ")

CLIENT, UPSTREAM, CLIENT_ENDS, UPSTREAM_ENDS, CLIENT_GOES, UPSTREAM_GOES, CONNECT, FAIL, DRAIN, FILL, EMPTY, PASS = range(12)
"""What can happen: bytes of a side, its end, its loss, the upstream connection or none, a drain, full buffers, time."""

Step = tuple[int, bytes]


class Dialling:
    """A task of the loop that never runs."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        self.is_done = False

    def done(self) -> bool:
        return self.is_done

    def cancel(self) -> None:
        self.is_done = True


class Loop(FakeLoop):
    def __init__(self) -> None:
        super().__init__()
        self.dialling: Dialling | None = None

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> Dialling:
        assert self.dialling is None or self.dialling.is_done, "two connections for one client"
        self.dialling = Dialling(coroutine)
        return self.dialling


class Wire:
    """A transport as strict as uvloop's: nothing is written behind an end, nothing is used once it is lost."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_reading = True
        self.ended = False
        self.closing = False
        self.lost = False

    def _use(self) -> None:
        assert not self.lost, "a transport that is lost was used"

    def write(self, data: bytes) -> None:
        self._use()
        assert not self.ended, "written behind the end"
        if not self.closing:
            self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._use()
        self.ended = True

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self._use()
        self.is_reading = False

    def resume_reading(self) -> None:
        self._use()
        self.is_reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> object:
        return self

    def setsockopt(self, *_option: object) -> None:
        pass


class Watching(Context):
    """Sees which errors were caught: only those that say something about the bytes may be."""

    def __init__(self, loop: asyncio.AbstractEventLoop, given: Settings) -> None:
        super().__init__(loop, given, None, lambda: 0)
        logging.getLogger("outrider.proxy").setLevel(logging.CRITICAL)

    def lose_track(self, error: Exception, upstream: Upstream) -> None:
        if not isinstance(error, BrokenError | RefusedError | NotHttpError):
            raise AssertionError("a defect was caught") from error
        super().lose_track(error, upstream)


class Play:
    """One link from its beginning to its end."""

    def __init__(self, **settings: str) -> None:
        self.loop = Loop()
        self.links = Links()
        given = load({"OUTRIDER_MAX_HEAD": "1KiB", "OUTRIDER_CAPTURE_BYTES": "1KiB", "OUTRIDER_TAP_BYTES": "16KiB", **settings})
        self.context = Watching(self.loop.as_loop, given)
        self.context.tap.now_ns = self.context.now_ns = itertools.count(1000).__next__
        self.free = self.context.tap.free
        self.lane = Lane(self.context, Upstream("http", "127.0.0.1", 1))
        self.link = Link(self.lane, self.links, Opening)
        self.client_side = ClientSide(self.link)
        self.client = Wire()
        self.upstream_side: UpstreamSide | None = None
        self.upstream: Wire | None = None
        self.uplinks: list[Wire] = []
        self.given = bytearray()
        """What the client has sent."""
        self.answered = bytearray()
        """What the server has sent while there was somebody to send it to."""
        self._waiting = {CLIENT: bytearray(), UPSTREAM: bytearray()}
        self._ended = {CLIENT: False, UPSTREAM: False}
        self._acts: dict[int, Callable[[bytes], None]] = {
            CLIENT: self._client_sends,
            UPSTREAM: self._upstream_sends,
            CLIENT_ENDS: self._client_ends,
            UPSTREAM_ENDS: self._upstream_ends,
            CLIENT_GOES: self._client_goes,
            UPSTREAM_GOES: self._upstream_goes,
            CONNECT: self._connect,
            FAIL: self._fail,
            DRAIN: self._drain,
            FILL: lambda _: self._fill(full=True),
            EMPTY: lambda _: self._fill(full=False),
            PASS: self._pass,
        }
        self.client_side.connection_made(cast("Any", self.client))

    def watch(self) -> FakeTransport:
        """Give a monitor that takes the records in."""
        monitor = FakeTransport()
        self.context.tap.connection_made(monitor.as_transport)
        self.free = self.context.tap.free
        return monitor

    def run(self, steps: list[Step]) -> None:
        """Let it all happen, then let both sides go, and see that nothing is left."""
        for kind, data in steps:
            self._acts[kind](data)
            self._settle()
        if not self.client.lost:
            self._lose_client()
        self._settle()
        self.loop.advance(10)
        self.context.tap.flush()
        assert not self.links
        assert not self.links.half_closed
        assert self.context.counters.connections == 0
        assert self.link.talk.calls == 0
        assert self.context.tap.free == self.free
        assert all(uplink.closing for uplink in self.uplinks)

    def _settle(self) -> None:
        """What waited comes now, unless it is held back; what was closed is lost; and what passed is what was given."""
        for side in (CLIENT, UPSTREAM):
            waiting = self._waiting[side]
            while waiting and self._may_come(side):
                data = bytes(waiting)
                waiting.clear()
                self._deliver(side, data)
        if self.upstream is not None and self.upstream.closing:
            self._lose_upstream()
        if self.client.closing and not self.client.lost:
            self._lose_client()
        assert self.link.talk.calls <= MAX_CALLS
        self._compare()

    def _compare(self) -> None:
        if self.uplinks:
            assert self.given.startswith(self.uplinks[-1].written)
            assert not any(uplink.written for uplink in self.uplinks[:-1])
        passed, own = self.client.written[: len(self.answered)], bytes(self.client.written[len(self.answered) :])
        if GOAWAY in self.client.written and self.context.draining:
            expected = (self.answered, self.answered.replace(GOAWAY, b"", 1))
            without_first = self.client.written.replace(GOAWAY, b"", 1)
            ends_with_last = self.client.closing and without_first[-17:-8] == GOAWAY[:9]
            assert without_first in expected or (ends_with_last and without_first[:-17] in expected)
            return
        assert passed == self.answered
        assert not own or own.startswith(OWN_ANSWERS)

    def _may_come(self, side: int) -> bool:
        if side == CLIENT:
            return self.client.is_reading and not self.client.closing
        return self.upstream is not None and self.upstream.is_reading and not self.upstream.closing

    def _deliver(self, side: int, data: bytes) -> None:
        if side == CLIENT:
            self.given += data
            self.client_side.data_received(data)
            return
        assert self.upstream_side is not None
        if not self.client.closing:
            self.answered += data
        self.upstream_side.data_received(data)

    def _client_sends(self, data: bytes) -> None:
        if not self._ended[CLIENT] and data:
            self._waiting[CLIENT] += data

    def _upstream_sends(self, data: bytes) -> None:
        if self.upstream is not None and not self._ended[UPSTREAM] and data:
            self._waiting[UPSTREAM] += data

    def _client_ends(self, _: bytes) -> None:
        if not self._ended[CLIENT] and self._may_come(CLIENT):
            self._ended[CLIENT] = True
            if not self.client_side.eof_received():
                self.client.close()

    def _upstream_ends(self, _: bytes) -> None:
        if not self._ended[UPSTREAM] and self._may_come(UPSTREAM):
            self._ended[UPSTREAM] = True
            assert self.upstream_side is not None
            assert self.upstream is not None
            if not self.upstream_side.eof_received():
                self.upstream.close()

    def _client_goes(self, data: bytes) -> None:
        if not self.client.lost:
            self._lose_client(ConnectionResetError() if data else None)

    def _upstream_goes(self, data: bytes) -> None:
        if self.upstream is not None:
            self._lose_upstream(ConnectionResetError() if data else None)

    def _lose_client(self, error: Exception | None = None) -> None:
        self.client.closing = True
        self.client_side.connection_lost(error)
        self.client.lost = True
        self._waiting[CLIENT].clear()
        if self.upstream is not None and self.upstream.closing:
            self._lose_upstream()

    def _lose_upstream(self, error: Exception | None = None) -> None:
        assert self.upstream is not None
        assert self.upstream_side is not None
        self.upstream.closing = True
        self.upstream_side.connection_lost(error)
        self.upstream.lost = True
        self.upstream = self.upstream_side = None
        self._waiting[UPSTREAM].clear()

    def _connect(self, _: bytes) -> None:
        if self.upstream is None and self.loop.dialling is not None and not self.loop.dialling.is_done:
            self.loop.dialling.is_done = True
            self.upstream, self.upstream_side = Wire(), UpstreamSide(self.link)
            self.uplinks.append(self.upstream)
            self._ended[UPSTREAM] = False
            self.upstream_side.connection_made(cast("Any", self.upstream))

    def _fail(self, _: bytes) -> None:
        if self.loop.dialling is not None and not self.loop.dialling.is_done:
            self.loop.dialling.is_done = True
            self.link._unreachable(OSError("nobody there"))

    def _drain(self, _: bytes) -> None:
        self.context.draining = True
        if self.link in self.links:
            self.link.talk.wind_down()

    def _fill(self, *, full: bool) -> None:
        if not self.client.lost:
            self.client_side.pause_writing() if full else self.client_side.resume_writing()
        if self.upstream_side is not None:
            self.upstream_side.pause_writing() if full else self.upstream_side.resume_writing()

    def _pass(self, _: bytes) -> None:
        self.loop.advance(1)


def steps_of(data: bytes) -> list[Step]:
    """Steps as a fuzzer writes them: a byte that says what happens, two of length, and as many bytes; at most 500."""
    steps: list[Step] = []
    while len(data) >= 3 and len(steps) < 500:
        length = int.from_bytes(data[1:3], "big")
        steps.append((data[0] % (PASS + 1), data[3 : 3 + length]))
        data = data[3 + length :]
    return steps


def bytes_of(steps: list[Step]) -> bytes:
    """The other way round; what is too long for one step becomes several."""
    return b"".join(
        bytes([kind]) + len(part).to_bytes(2, "big") + part
        for kind, data in steps
        for part in ([data[at : at + 65535] for at in range(0, len(data), 65535)] or [b""])
    )
