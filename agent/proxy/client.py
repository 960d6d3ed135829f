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
from agent.proxy.closing import answer_and_linger, reset
from agent.proxy.dial import Dial
from agent.proxy.flight import Flight, Flights
from agent.proxy.framing import MORE, Body, body_of
from agent.proxy.heads import (
    MAX_HEAD_BYTES,
    NotHttpError,
    RefusedError,
    check_beginning,
    head_of,
    looks_like_http,
    read_request,
)
from agent.proxy.lane import Lane
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
    lane
        Where the connection leads.
    connections
        All connections; this one is among them from its beginning to its end.
    """

    __slots__ = (
        "_body",
        "_connections",
        "_dial",
        "_held",
        "_lane",
        "_refused",
        "congested",
        "context",
        "ended",
        "flights",
        "mode",
        "transport",
        "tunnel",
        "upstream",
    )

    def __init__(self, lane: Lane, connections: set[ClientSide]) -> None:
        context = self.context = lane.context
        self._lane = lane
        self._connections = connections
        self.mode = Mode.START
        self.flights = Flights(context.tap)
        self.upstream: UpstreamSide | None = None
        self.tunnel: Tunnel | None = None
        self._body: Body | None = None
        self._held = b""
        self.ended = False
        self._refused = ""
        self.congested = False
        self._dial = Dial(lane, lambda: UpstreamSide(self), self._unreachable)

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the upstream at once, so that a server that speaks first is heard."""
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self.context.counters.accepted += 1
        self.context.counters.connections += 1
        self._dial.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Land what was under way and let the upstream know."""
        self._connections.discard(self)
        self.context.counters.connections -= 1
        self._dial.stop()
        self._land_all(Outcome.CLIENT_GONE)
        if self.upstream is not None:
            self.upstream.leave(abruptly=exc is not None)

    def eof_received(self) -> bool:
        """Pass the client's end on and keep the way back open."""
        if self.mode is Mode.LINGER:
            return False
        self.ended = True
        if self.upstream is None:
            return self._dial.is_under_way
        self._pass_end()
        return not self.upstream.ended

    def _pass_end(self) -> None:
        upstream = self.upstream
        if not self.ended or upstream is None or upstream.transport.is_closing():
            return
        if self._held:
            if self.mode is Mode.UPGRADING:
                return  # what is held goes out after the answer, and the end after it
            if self.mode is Mode.START:
                self.become_tunnel(b"")
            else:
                held, self._held = self._held, b""
                upstream.transport.write(held)
        upstream.transport.write_eof()

    def read_on(self) -> None:
        """Read from the client again, unless there is a reason left not to."""
        if not (self.congested or self._refused or len(self._held) > MAX_HEAD_BYTES or self.transport.is_closing()):
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """Stop reading from the upstream until the client has taken what waits."""
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the upstream."""
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    # The upstream connection

    def _unreachable(self, error: Exception) -> None:
        """Answer what has come so far, if it can be answered; else wait for the rest, which tries again."""
        held, head = self._held, head_of(self._held)
        if not (self.ended or head or len(held) > MAX_HEAD_BYTES or looks_like_http(held) is False or _HEAD_END in held):
            return
        self._held = b""
        self._lane.unreachable(error)
        if head is None:
            self.transport.abort()
            return
        flight = self.flights.launch(head)
        flight.keep_request(held, self.context.tap)
        flight.status = 503
        self.flights.land_oldest(Outcome.UNREACHABLE)
        self._answer(answers.UNREACHABLE)

    def connected(self, upstream: UpstreamSide) -> None:
        """Send what waited for the upstream connection."""
        self.upstream = upstream
        self._lane.reached()
        held, self._held = self._held, b""
        self.read_on()
        if held:
            self._take(held)
        self._pass_end()

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
        held, self._held = self._held, b""
        self._take(held + data)

    def _hold_until_connected(self, data: bytes) -> None:
        if self.mode is Mode.LINGER:
            return
        self._held += data
        if not self._dial.is_under_way:
            # The connection at accept time failed; this request deserves a try of its own.
            self._dial.start()
        if looks_like_http(self._held) is False or _HEAD_END in self._held or len(self._held) > MAX_HEAD_BYTES:
            self.transport.pause_reading()

    def _take(self, data: bytes) -> None:
        mode = self.mode
        if mode is Mode.HTTP or (mode is Mode.UPGRADING and self._body is not None):
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
                out.append(self._begin(head))
                position = end
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
        """Keep the start of a head, unless it can't become one; while an upgrade is awaited, keep anything."""
        if self.mode is not Mode.UPGRADING:
            check_beginning(rest)
        self._held = rest
        if len(rest) > MAX_HEAD_BYTES:
            self.transport.pause_reading()

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
            answer_and_linger(self.transport, response, self.context.loop)

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
        if self._refused:
            self.transport.abort()
            return
        self.mode = Mode.TUNNEL
        self.tunnel = Tunnel(self.context.tap)
        data, self._held = self._held + data, b""
        self._body = None
        self.read_on()
        if data and self.upstream is not None:
            self.tunnel.begin(data)
            self.upstream.transport.write(data)

    def upgrade_answered(self, *, accepted: bool) -> None:
        """Go on after the answer to an upgrade: as a tunnel, or as HTTP as before."""
        if accepted:
            self.become_tunnel(b"")
            self._pass_end()
            return
        self.mode = Mode.HTTP
        held, self._held = self._held, b""
        self.read_on()
        if held:
            self._take(held)
        self._pass_end()

    # Landing

    @property
    def is_busy(self) -> bool:
        """Whether an exchange or a tunnel is under way."""
        return bool(self.flights or self._held) or self.tunnel is not None

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
        elif self.upstream is not None and self.upstream.ended:
            self.transport.close()
        elif self.context.draining:
            self.close_if_idle()

    def _land_all(self, outcome: Outcome) -> None:
        self.flights.land_all(outcome)
        if self.tunnel is not None:
            self.tunnel.land()
            self.tunnel = None

    def upstream_lost(self, exc: Exception | None) -> None:
        """Close the client's side the way the upstream's was closed."""
        self._land_all(Outcome.CLIENT_GONE if self.ended else Outcome.UPSTREAM_GONE)
        self.mode = Mode.LINGER
        self.upstream = None
        if exc is None:
            self.transport.close()
        else:
            reset(self.transport)
