"""The client's side of the inference path: requests are forwarded as they come, and followed.

Two protocols face each other: `ClientSide` here, `agent.proxy.upstream.UpstreamSide` there. Each accepted connection owns one
upstream connection. A request's head is read before it goes out, because it may have to be refused; everything else goes out
first and is looked at afterwards. What can't be followed is relayed as a tunnel. Pausing one side's reading when the other
side's buffer is full is the flow control, so a connection never holds more than a few buffers.

The precedence of the ways a connection can go is the order of `ClientSide._take`: lingering after an answer of our own,
tunnel, HTTP/1.
"""

from __future__ import annotations

import asyncio
from typing import cast

from agent.exchange import Outcome
from agent.proxy import answers
from agent.proxy.closing import reset
from agent.proxy.context import Context
from agent.proxy.flight import Flight, Flights
from agent.proxy.framing import MORE, Body, body_of
from agent.proxy.heads import (
    MAX_HEAD_BYTES,
    NotHttpError,
    RefusedError,
    looks_like_http,
    read_request,
)
from agent.proxy.mode import Mode
from agent.proxy.trace import splice
from agent.proxy.tunnel import Tunnel
from agent.proxy.upstream import UpstreamSide

_HEAD_END = b"\r\n\r\n"
_HTTP = Mode.HTTP
"""Looking a member up in its enum costs 50 ns, on the path of every request."""


class ClientSide(asyncio.Protocol):
    """The client's connection. Owns the upstream connection and the exchanges under way.

    Parameters
    ----------
    context
        What all connections share.
    connections
        All connections; this one is among them from its beginning to its end.
    """

    __slots__ = (
        "_body",
        "_connecting",
        "_connections",
        "_held",
        "_refused",
        "context",
        "ended",
        "flights",
        "mode",
        "transport",
        "tunnel",
        "upstream",
    )

    def __init__(self, context: Context, connections: set[ClientSide]) -> None:
        self.context = context
        self._connections = connections
        self.mode = Mode.START
        self.flights = Flights(context.tap)
        self.upstream: UpstreamSide | None = None
        self.tunnel: Tunnel | None = None
        self._body: Body | None = None
        self._held = b""
        self.ended = False
        self._refused = ""
        self._connecting: asyncio.Task[None] | None = None

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the upstream at once, so that a server that speaks first is heard."""
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self.context.counters.accepted += 1
        self.context.counters.connections += 1
        self._connect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Land what was under way and let the upstream know."""
        self._connections.discard(self)
        self.context.counters.connections -= 1
        if self._connecting is not None:
            self._connecting.cancel()
        self._land_all(Outcome.CLIENT_GONE)
        if self.upstream is not None:
            self.upstream.leave(abruptly=exc is not None)

    def eof_received(self) -> bool:
        """Pass the client's end on and keep the way back open."""
        if self.mode is Mode.LINGER:
            return False
        self.ended = True
        upstream = self.upstream
        if upstream is not None and not upstream.transport.is_closing():
            upstream.transport.write_eof()
        return upstream is None or not upstream.ended

    def pause_writing(self) -> None:
        """Stop reading from the upstream until the client has taken what waits."""
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the upstream."""
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    # The upstream connection

    def _connect(self) -> None:
        self._connecting = self.context.loop.create_task(self._open_upstream())

    async def _open_upstream(self) -> None:
        context = self.context
        host, port = context.upstream
        try:
            async with asyncio.timeout(context.connect_timeout_s):
                await context.loop.create_connection(lambda: UpstreamSide(self), host, port)
        except (OSError, TimeoutError) as error:
            self._connecting = None
            if self.ended or _HEAD_END in self._held or looks_like_http(self._held) is False:
                self._answer_unreachable(error)

    def connected(self, upstream: UpstreamSide) -> None:
        """Send what waited for the upstream connection."""
        self._connecting = None
        self.upstream = upstream
        self.context.reached()
        self.transport.resume_reading()
        held, self._held = self._held, b""
        if held:
            self._take(held)
        if self.ended and not upstream.transport.is_closing():
            upstream.transport.write_eof()

    def _answer_unreachable(self, error: Exception) -> None:
        self.context.unreachable(error)
        held, self._held = self._held, b""
        end = held.find(_HEAD_END)
        try:
            head = read_request(held[: end + 4]) if end >= 0 else None
        except (RefusedError, NotHttpError):
            head = None
        if head is None:
            self.transport.abort()
            return
        flight = self.flights.launch(head)
        flight.keep_request(held, self.context.tap)
        flight.status = 503
        self.flights.land_oldest(Outcome.UNREACHABLE)
        self._answer(answers.UNREACHABLE)

    # Requests

    def data_received(self, data: bytes) -> None:
        """Forward and follow.

        The first branch is a whole request in one piece with a head seen before, which nearly every request is. It pays for
        being written out: 1.5 µs of 4 per exchange (`tests/bench/proxy.py`).
        """
        upstream = self.upstream
        if self._body is None and self.mode is _HTTP and not self._held and upstream is not None:
            context = self.context
            end = data.find(_HEAD_END) + 4
            facts = context.known_request(data[:end])
            if facts is not None and end + facts.plain_length == len(data):
                flight = Flight(facts, context.now_ns())
                upstream.transport.write(data)
                flight.sent_ns = context.now_ns()
                flight.request_done = True
                flight.keep_request(data, context.tap)
                self.flights.append(flight)
                return
        self._take_anything(data)

    def _take_anything(self, data: bytes) -> None:
        if self.upstream is None:
            self._hold_until_connected(data)
            return
        if self._held:
            data, self._held = self._held + data, b""
        self._take(data)

    def _hold_until_connected(self, data: bytes) -> None:
        if self.mode is Mode.LINGER:
            return
        self._held += data
        if self._connecting is None:
            # The connection at accept time failed; this request deserves a try of its own.
            self._connect()
        if looks_like_http(self._held) is False or _HEAD_END in self._held or len(self._held) > MAX_HEAD_BYTES:
            self.transport.pause_reading()

    def _take(self, data: bytes) -> None:
        mode = self.mode
        if mode is Mode.HTTP:
            self._follow(data)
        elif mode is Mode.UPGRADING:
            self._hold_head(data)
        elif self.tunnel is not None:
            self.tunnel.received += len(data)
            cast("UpstreamSide", self.upstream).transport.write(data)
        elif mode is Mode.START:
            spoken = looks_like_http(data)
            if spoken is None:
                self._held = data
            elif spoken:
                self.mode = Mode.HTTP
                self._follow(data)
            else:
                self.become_tunnel(data)

    def _follow(self, data: bytes) -> None:
        position, size = 0, len(data)
        out: list[bytes] = []
        try:
            while position < size:
                if self._body is not None:
                    end = self._body.feed(data, position)
                    done = end != MORE
                    piece = data[position:end] if done else data[position:] if position else data
                    out.append(piece)
                    self._followed(self.flights[-1], piece, done=done)
                    position = end if done else size
                    continue
                end = data.find(_HEAD_END, position)
                if end < 0 or self.mode is Mode.UPGRADING:
                    self._hold_head(data[position:])
                    break
                end += 4
                head = data[position:end] if position or end < size else data
                position = end
                out.append(self._begin(head))
        except RefusedError as error:
            self._refuse(str(error))
        except NotHttpError:
            self._give_up(data[position:], out)
        if out and self.upstream is not None:
            self.upstream.transport.writelines(out) if len(out) > 1 else self.upstream.transport.write(out[0])

    def _begin(self, head: bytes) -> bytes:
        """Start an exchange; give the head as it goes out."""
        context = self.context
        facts = context.requests.get(head)
        if facts is None:
            if not head.strip(b"\r\n"):
                return head  # empty lines before a request line mean nothing (RFC 9112 §2.2)
            facts = read_request(head)
            context.requests.put(head, facts)
        flight = self.flights.launch(facts)
        body = self._body = body_of(facts.framing, facts.length)
        if facts.upgrade:
            self.mode = Mode.UPGRADING
        if context.sampler is not None:
            span = flight.span = context.sampler.span(facts.traceparent)
            if span is not None:
                head = splice(head, facts.traceparent, span)
        self._followed(flight, head, done=body is None)
        return head

    def _followed(self, flight: Flight, piece: bytes, *, done: bool) -> None:
        flight.keep_request(piece, self.context.tap)
        if done:
            self._body = None
            flight.request_done = True
            flight.sent_ns = self.context.now_ns()
            if flight.response_done:
                self.complete()

    def _hold_head(self, rest: bytes) -> None:
        """Keep the start of a head, unless it never ends or can't become one."""
        upgrading = self.mode is Mode.UPGRADING
        if upgrading or (len(rest) <= MAX_HEAD_BYTES and b"\n\n" not in rest):
            self._held = rest
            if len(rest) > MAX_HEAD_BYTES:
                self.transport.pause_reading()
        elif len(rest) > MAX_HEAD_BYTES:
            raise NotHttpError("a head without an end")
        else:
            raise RefusedError("a line that ends without a carriage return")

    # Leaving HTTP

    def _refuse(self, reason: str) -> None:
        self.context.refuse(reason)
        self._refused = reason
        self.transport.pause_reading()
        self._answer_refused()

    def _answer_refused(self) -> None:
        """Answer 400 once the responses before it are through."""
        if self.flights and self.flights[0].request_done:
            return
        flight = self.flights[0] if self.flights else self.flights.launch(answers.REFUSED_HEAD)
        if flight.response_size:
            # The upstream has begun to answer a request whose body went wrong: all that is left is to cut.
            self.transport.abort()
        else:
            flight.status = 400
            self._answer(answers.refused(self._refused))
        self.flights.land_oldest(Outcome.REFUSED)

    def _answer(self, response: bytes) -> None:
        """Send an answer of our own and linger, so that a reset does not overtake it (RFC 9112 §9.6)."""
        self.mode = Mode.LINGER
        if self.upstream is not None:
            self.upstream.leave(abruptly=True)
            self.upstream = None
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self.transport.write(response)
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.context.loop.call_later(answers.LINGER_S, self.transport.close)

    def _give_up(self, rest: bytes, out: list[bytes]) -> None:
        """Relay the rest of the connection unseen: it stopped being HTTP that can be followed."""
        self.context.counters.faults += 1
        if self.upstream is not None and out:
            self.upstream.transport.writelines(out)
            out.clear()
        self.become_tunnel(rest)

    def become_tunnel(self, data: bytes) -> None:
        """From here on, bytes pass unseen both ways, `data` first."""
        self._land_all(Outcome.TUNNEL)
        self.mode = Mode.TUNNEL
        self.tunnel = Tunnel(self.context.tap)
        data, self._held = self._held + data, b""
        self._body = None
        self.transport.resume_reading()
        if data and self.upstream is not None:
            self.tunnel.begin(data)
            self.upstream.transport.write(data)

    def upgrade_answered(self, *, accepted: bool) -> None:
        """Go on after the answer to an upgrade: as a tunnel, or as HTTP as before."""
        if accepted:
            self.become_tunnel(b"")
            return
        self.mode = Mode.HTTP
        held, self._held = self._held, b""
        self.transport.resume_reading()
        if held:
            self._take(held)

    # Landing

    @property
    def is_busy(self) -> bool:
        """Whether an exchange or a tunnel is under way."""
        return bool(self.flights) or self.tunnel is not None

    def close_if_idle(self) -> None:
        """Close, unless something is under way; then it closes when that ends."""
        if not self.is_busy:
            self.transport.close()

    def complete(self) -> None:
        """Land the oldest exchange, whose request and response have ended."""
        self.flights.land_oldest(Outcome.COMPLETE)
        self.completed()

    def completed(self) -> None:
        """See what is due after an exchange: an answer to a refused request, or the end of a drained connection."""
        if self._refused:
            self._answer_refused()
        elif self.context.draining:
            self.close_if_idle()

    def _land_all(self, outcome: Outcome) -> None:
        self.flights.land_all(outcome)
        if self.tunnel is not None:
            self.tunnel.land()
            self.tunnel = None

    def upstream_lost(self, exc: Exception | None) -> None:
        """Close the client's side the way the upstream's was closed."""
        self._land_all(Outcome.UPSTREAM_GONE)
        self.mode = Mode.LINGER
        self.upstream = None
        if exc is None:
            self.transport.close()
        else:
            reset(self.transport)
