"""One client's connection and the upstream connection that belongs to it: how they begin, hold each other back, and end.

What passes between them is the business of a `Talk`: `agent.proxy.opening` until the first bytes tell the protocol, then
`agent.proxy.http1` or `agent.proxy.http2.talk`, `agent.proxy.tunnel` for what can't be followed, and a plain `Talk` when
nothing passes any more. Each goes over into the next by setting `Link.talk`, and only downward in this list.

Flow control: each side's full buffer pauses the reading of the other side, so a link never holds more than a few buffers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from agent.exchange import Outcome
from agent.proxy import answers
from agent.proxy.closing import answer_and_close, answer_and_linger, reset
from agent.proxy.dial import Dial
from agent.proxy.lane import Lane
from agent.proxy.talk import Talk

_LINGERING = 16
"""Connections too many that are closed only when their client has had time to read why."""


class Link:
    """Both connections and what they speak.

    Parameters
    ----------
    lane
        Where the connection leads.
    links
        All links; this one is among them from its beginning to its end.
    begin
        Makes the first `Talk`.

    Attributes
    ----------
    client, upstream
        The transports; `upstream` is ``None`` while there is none.
    has_opened
        Whether the client's connection stands, its TLS handshake included.
    client_has_ended, upstream_has_ended
        Whether that side has closed its direction.
    talk
        What is spoken at present.
    quiet
        How often in a row the sweep for idle links found that nothing had passed.
    """

    __slots__ = (
        "_congested",
        "_dial",
        "_links",
        "_talk_waits",
        "client",
        "client_has_ended",
        "context",
        "has_opened",
        "lane",
        "quiet",
        "talk",
        "upstream",
        "upstream_has_ended",
    )

    client: asyncio.Transport

    def __init__(self, lane: Lane, links: Links, begin: Callable[[Link], Talk]) -> None:
        self.lane = lane
        self.context = lane.context
        self._links = links
        self.upstream: asyncio.Transport | None = None
        self.has_opened = False
        self.client_has_ended = False
        self.upstream_has_ended = False
        self.quiet = 0
        self._congested = False
        self._talk_waits = False
        self._dial = Dial(lane, lambda: UpstreamSide(self), self._unreachable)
        self.talk: Talk = begin(self)

    # The client's connection

    def open(self, transport: asyncio.Transport) -> None:
        """Take the client in, and connect to the upstream at once, so that a server that speaks first is heard."""
        self.client = transport
        self.has_opened = True
        counters = self.context.counters
        counters.accepted += 1
        counters.connections += 1
        self._links.add(self)
        if self.context.is_full:
            self._turn_away()
        elif self.lane.dials_at_once:
            self._dial.start()

    def _turn_away(self) -> None:
        """Refuse a connection too many. Few may linger: each keeps an open file that the others, and probes, need."""
        counters = self.context.counters
        self.context.turn_away()
        self.talk = Talk()
        if counters.connections - self.context.max_connections > _LINGERING:
            answer_and_close(self.client, answers.FULL)
        else:
            self.answer(answers.FULL)

    def close(self, exc: Exception | None) -> None:
        """Let the upstream go, at once if it still works for the client that has left."""
        self._links.discard(self)
        self._links.half_closed.discard(self)
        self.context.counters.connections -= 1
        self._dial.stop()
        abruptly = exc is not None or self.talk.calls > 0
        self.talk.land(Outcome.CLIENT_GONE)
        self.talk = Talk()
        self.leave_upstream(abruptly=abruptly)

    def hold_back(self, hold: bool) -> None:
        """Read no more from the client, or read on, as the talk needs it."""
        self._talk_waits = hold
        self._read()

    def congest(self, congested: bool) -> None:
        """Read no more from the client while the upstream takes no more."""
        self._congested = congested
        self._read()

    def hold_upstream_back(self, hold: bool) -> None:
        """Read no more from the upstream while the client takes no more, or read on."""
        upstream = self.upstream
        if upstream is None or upstream.is_closing():
            return
        if hold:
            upstream.pause_reading()
        else:
            upstream.resume_reading()

    def _read(self) -> None:
        if self.client.is_closing():
            return
        if self._congested or self._talk_waits:
            self.client.pause_reading()
        else:
            self.client.resume_reading()

    def answer(self, response: bytes) -> None:
        """Send an answer of our own; nothing more passes then."""
        self.talk = Talk()
        self.leave_upstream(abruptly=True)
        if not self.client.is_closing():
            answer_and_linger(self.client, response, self.context.loop)

    def end_of_client(self) -> bool:
        """Note that the client sends no more; tell whether the connection stays open for the answer."""
        self.client_has_ended = True
        self._links.half_closed.add(self)
        if self.upstream is None:
            return self._dial.is_under_way
        self.talk.client_ended()
        return not self.upstream_has_ended

    # The upstream connection

    @property
    def is_dialling(self) -> bool:
        """Whether the upstream connection is being opened."""
        return self._dial.is_under_way

    def dial(self, *, http2: bool = False) -> None:
        """Open the upstream connection; `http2` matters only where it has to be negotiated."""
        self._dial.start(http2=http2)

    def _unreachable(self, error: Exception) -> None:
        self.talk.unreachable(error)

    def connect(self, transport: asyncio.Transport) -> None:
        """Take the upstream connection."""
        self.upstream = transport
        self.lane.reached()
        self.talk.connected()
        if self.client_has_ended:
            self.talk.client_ended()

    def leave_upstream(self, *, abruptly: bool) -> None:
        """Close the upstream connection for good, with or without what waits to be sent."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            if abruptly:
                upstream.abort()
            else:
                upstream.close()

    def lose_upstream(self, exc: Exception | None) -> None:
        """Close the client's side the way the upstream's was closed."""
        self.upstream = None
        self.talk.land(Outcome.CLIENT_GONE if self.client_has_ended else Outcome.UPSTREAM_GONE)
        self.talk = Talk()
        if exc is None:
            self.client.close()
        else:
            reset(self.client)

    def end_client(self) -> None:
        """Tell the client that nothing more will come, where its connection can say so."""
        if not self.client.is_closing() and self.client.can_write_eof():
            self.client.write_eof()

    def end_upstream(self) -> None:
        """Tell the upstream that nothing more will come.

        Over TLS that can't be said; then it is told by closing, once nothing is awaited.
        """
        upstream = self.upstream
        if upstream is None or upstream.is_closing():
            return
        if upstream.can_write_eof():
            upstream.write_eof()
        elif not self.talk.calls:
            upstream.close()


class Links(set[Link]):
    """All links.

    Attributes
    ----------
    half_closed
        Those whose client has ended its direction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.half_closed: set[Link] = set()


class ClientSide(asyncio.Protocol):
    """What the event loop calls for the client's connection."""

    __slots__ = ("__weakref__", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the link."""
        self._link.open(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Hand over what came."""
        link = self._link
        link.quiet = 0
        link.talk.from_client(data)

    def eof_received(self) -> bool:
        """Pass the client's end on and keep the way back open. TLS closes both ways at once, as asyncio has it."""
        return self._link.end_of_client() and self._link.client.can_write_eof()

    def pause_writing(self) -> None:
        """Stop reading from the upstream until the client has taken what waits."""
        self._link.hold_upstream_back(True)

    def resume_writing(self) -> None:
        """Go on reading from the upstream."""
        self._link.hold_upstream_back(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the link."""
        self._link.close(exc)


class UpstreamSide(asyncio.Protocol):
    """What the event loop calls for the connection to the model server."""

    __slots__ = ("_link", "_transport")

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the link."""
        self._transport = cast("asyncio.Transport", transport)
        self._link.connect(self._transport)

    def data_received(self, data: bytes) -> None:
        """Hand over what came."""
        link = self._link
        link.quiet = 0
        link.talk.from_upstream(data)

    def eof_received(self) -> bool:
        """Pass the upstream's end on."""
        link = self._link
        link.upstream_has_ended = True
        return link.talk.upstream_ended() and not link.client_has_ended and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Stop reading from the client until the upstream has taken what waits."""
        self._link.congest(True)

    def resume_writing(self) -> None:
        """Go on reading from the client."""
        self._link.congest(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the link end, unless it left first."""
        if self._link.upstream is self._transport:
            self._link.lose_upstream(exc)
