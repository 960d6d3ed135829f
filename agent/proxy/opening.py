"""The first bytes of a link: they tell what is spoken, and wait until the upstream connection is there.

HTTP/1 begins with ``METHOD target HTTP/1.x``, HTTP/2 with prior knowledge (RFC 9113 §3.4) with its preface. Anything else, and
any server that speaks before its client, apart from the SETTINGS of HTTP/2, is passed on unseen.
"""

from __future__ import annotations

import contextlib
from enum import Enum, auto

from agent.exchange import Outcome
from agent.proxy import answers
from agent.proxy.flight import Flights
from agent.proxy.heads import head_of, looks_like_head, looks_like_http
from agent.proxy.http1 import Http1
from agent.proxy.http2.follow import PREFACE, Follower
from agent.proxy.http2.frames import BrokenError
from agent.proxy.http2.talk import Http2
from agent.proxy.link import Link
from agent.proxy.talk import Talk
from agent.proxy.tunnel import become_tunnel

_HEAD_END = b"\r\n\r\n"
_MOST_SAID = 65536
"""What a server may say before its client, to be still followed."""


class _Spoken(Enum):
    UNKNOWN = auto()
    HTTP1 = auto()
    HTTP2 = auto()
    OTHER = auto()


class Opening(Talk):
    """The first talk of a link.

    Parameters
    ----------
    link
        The link.
    """

    __slots__ = ("_held", "_link", "_said", "_since_ns")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._held = b""
        """What the client has sent so far."""
        self._since_ns = 0
        """When it began to."""
        self._said = b""
        """What the server has sent so far; the client has got it already."""

    @property
    def is_busy(self) -> bool:
        """Whether a request has begun to come."""
        return bool(self._held)

    @property
    def head_since_ns(self) -> int:
        """When the first byte came."""
        return self._since_ns if self._held else 0

    def from_client(self, data: bytes) -> None:
        """Hold it until it tells the protocol and the upstream is there."""
        link = self._link
        if not self._held:
            self._since_ns = link.context.now_ns()
        self._held += data
        spoken = self._spoken()
        if link.upstream is not None:
            self._go_on(spoken)
            return
        # Where the connection at accept time failed, this request deserves a try of its own. Over TLS, the protocol is
        # negotiated, so it has to be known first.
        if not link.is_dialling and (link.lane.dials_at_once or spoken is not _Spoken.UNKNOWN):
            link.dial(http2=spoken is _Spoken.HTTP2)
        if self._is_enough(spoken):
            link.hold_back(True)

    def from_upstream(self, data: bytes) -> None:
        """Pass it on, and remember it for whoever follows HTTP/2."""
        self._link.client.write(data)
        self._said += data
        if len(self._said) > _MOST_SAID:
            become_tunnel(self._link, self._held, sent=len(self._said))

    def connected(self) -> None:
        """Send what waited."""
        self._link.hold_back(False)
        if self._held:
            self._go_on(self._spoken())

    def unreachable(self, error: Exception) -> None:
        """Answer what has come so far, if it can be answered; else wait for the rest, which tries again."""
        link, held, head = self._link, self._held, head_of(self._held)
        if not (link.client_has_ended or head or self._is_enough(self._spoken())):
            return
        if not held:
            link.client.close()
            return
        self._held = b""
        link.lane.unreachable(error)
        if head is None:
            self._land_http2(held)
            link.client.abort()
            return
        flights = Flights(link.context.tap)
        flight = flights.launch(head, self._since_ns)
        flight.keep_request(held, link.context.tap)
        flight.status = 503
        flights.land_oldest(Outcome.UNREACHABLE)
        link.answer(answers.UNREACHABLE)

    def _land_http2(self, held: bytes) -> None:
        """Make records of the calls of HTTP/2 that had begun."""
        if not held.startswith(PREFACE):
            return
        follower = Follower(self._link.context)
        with contextlib.suppress(BrokenError):
            follower.from_client(held, self._since_ns, 0)
        follower.calls.land_all(Outcome.UNREACHABLE)

    def client_ended(self) -> None:
        """Pass on what is held: it is all that will come, and no protocol that is followed begins so."""
        if self._held:
            become_tunnel(self._link, self._held, sent=len(self._said))
        self._link.end_upstream()

    def wind_down(self) -> None:
        """Close, unless a request has begun to come."""
        if not self._held:
            self._link.client.close()

    def _spoken(self) -> _Spoken:
        start = self._held.lstrip(b"\r\n")  # empty lines before a request mean nothing (RFC 9112 §2.2)
        if start.startswith(PREFACE):
            return _Spoken.HTTP2
        if PREFACE.startswith(start):
            return _Spoken.UNKNOWN
        is_http = looks_like_http(start)
        if is_http is None and len(start) > self._link.context.max_head_bytes:
            is_http = looks_like_head(start)
        if is_http is None:
            return _Spoken.UNKNOWN
        return _Spoken.HTTP1 if is_http else _Spoken.OTHER

    def _is_enough(self, spoken: _Spoken) -> bool:
        """Whether nothing more has to come before the upstream connection is there."""
        is_long = len(self._held) > self._link.context.max_head_bytes
        return spoken in (_Spoken.HTTP2, _Spoken.OTHER) or is_long or _HEAD_END in self._held

    def _go_on(self, spoken: _Spoken) -> None:
        link, held = self._link, self._held
        if spoken is _Spoken.UNKNOWN:
            return
        if spoken is _Spoken.HTTP2:
            talk = link.talk = Http2(link)
            talk.begin(held, self._since_ns, self._said)
        elif spoken is _Spoken.OTHER or self._said:
            become_tunnel(link, held, sent=len(self._said))
        else:
            http1 = link.talk = Http1(link)
            http1.begin(held, self._since_ns)
