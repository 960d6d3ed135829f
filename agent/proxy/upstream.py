"""The model server's side of the inference path: responses are forwarded as they come, and followed afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from agent.proxy.flight import Flight
from agent.proxy.framing import MORE, Body, UntilCloseBody, body_of
from agent.proxy.heads import MAX_HEAD_BYTES, NotHttpError, RefusedError, has_no_body, read_response
from agent.proxy.mode import Mode

if TYPE_CHECKING:
    from agent.proxy.client import ClientSide

_HEAD_END = b"\r\n\r\n"


class UpstreamSide(asyncio.Protocol):
    """The connection to the model server that belongs to one client."""

    __slots__ = ("_body", "_held", "client", "ended", "transport")

    def __init__(self, client: ClientSide) -> None:
        self.client = client
        self.ended = False
        self._body: Body | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, and send what the client has sent meanwhile."""
        self.transport = cast("asyncio.Transport", transport)
        self.client.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the client side close, unless it left first."""
        if self.client.upstream is self:
            self.client.upstream_lost(exc)

    def leave(self, *, abruptly: bool) -> None:
        """Close because the client has gone."""
        if abruptly:
            self.transport.abort()
        else:
            self.transport.close()

    def eof_received(self) -> bool:
        """End a body that lasts until close; keep a tunnel's other direction open."""
        client = self.client
        self.ended = True
        if client.mode is Mode.TUNNEL:
            if not client.transport.is_closing():
                client.transport.write_eof()
            return not client.ended
        flights = client.flights
        if isinstance(self._body, UntilCloseBody) and flights:
            self._ended(flights[0])
        if flights and flights[0].response_done and not client.transport.is_closing():
            client.transport.write_eof()  # the client is still sending; the upstream may be reading on (RFC 9112 9.6)
            return not client.ended
        return False

    def pause_writing(self) -> None:
        """Stop reading from the client until the upstream has taken what waits."""
        self.client.congested = True
        self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading from the client."""
        self.client.congested = False
        self.client.read_on()

    # Responses

    def data_received(self, data: bytes) -> None:
        """Forward, then follow. The first branch is a whole response in one piece with a head seen before."""
        client = self.client
        context = client.context
        now_ns = context.now_ns()
        client.transport.write(data)
        flights = client.flights
        if flights and self._body is None and not self._held:
            flight = flights[0]
            end = data.find(_HEAD_END) + 4
            facts = context.responses.get(data[:end])
            if facts is not None and end + facts.plain_length == len(data) and flight.is_plain:
                flights.popleft()
                flight.land_whole(data, facts.status, now_ns, context.tap)
                client.completed()
                return
        if client.tunnel is not None:
            client.tunnel.sent += len(data)
        elif client.mode is not Mode.START:
            if self._held:
                data, self._held = self._held + data, b""
            self._follow(data, now_ns)

    def _follow(self, data: bytes, now_ns: int) -> None:
        client = self.client
        context = client.context
        position, size = 0, len(data)
        try:
            while position < size and client.tunnel is None and client.upstream is self:
                if not client.flights:
                    raise RefusedError("a response that nobody asked for")
                flight = client.flights[0]
                if self._body is not None:
                    end = self._body.feed(data, position)
                    done = end != MORE
                    piece = data[position:end] if done else data[position:] if position else data
                    flight.keep_response(piece, context.tap)
                    position = end if done else size
                    if done:
                        self._ended(flight)
                    continue
                end = data.find(_HEAD_END, position)
                if not flight.first_byte_ns:
                    flight.first_byte_ns = now_ns
                if end < 0:
                    self._hold_head(data[position:])
                    return
                end += 4
                self._begin(flight, data[position:end])
                position = end
        except (RefusedError, NotHttpError):
            # The bytes are out already; what can't be read is only no longer followed.
            context.counters.faults += 1
            client.become_tunnel(b"")
        if client.tunnel is not None:
            client.tunnel.sent += size - position

    def _hold_head(self, rest: bytes) -> None:
        if len(rest) > MAX_HEAD_BYTES:
            raise RefusedError("a head without an end")
        self._held = rest

    def _begin(self, flight: Flight, head: bytes) -> None:
        context = self.client.context
        facts = context.responses.get(head)
        if facts is None:
            facts = read_response(head)
            context.responses.put(head, facts)
        flight.keep_response(head, context.tap)
        status, framing, length, _ = facts
        if status < 200 and status != 101:
            return  # an interim response: the final one is still to come
        flight.status = status
        request = flight.head
        if request.upgrade:
            accepted = status == 101 or (request.method == "CONNECT" and 200 <= status < 300)
            if accepted:
                self._ended(flight)
            self.client.upgrade_answered(accepted=accepted)
            if accepted:
                return
        self._body = None if has_no_body(request.method, status) else body_of(framing, length)
        if self._body is None:
            self._ended(flight)

    def _ended(self, flight: Flight) -> None:
        client = self.client
        self._body = None
        flight.response_done = True
        if flight.request_done:
            client.complete()
