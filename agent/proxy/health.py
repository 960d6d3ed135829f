"""The health port: ``/livez``, ``/readyz`` and ``/drain``, answered by the proxy itself, so that a dead monitor fails no probe.

``POST /drain`` is for the model container's preStop hook: it is answered when the last call is over, so that the model lives
as long as calls are under way.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol, cast

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 8192
_MAX_BODY_BYTES = 1 << 20
"""Nothing here wants a body; one that is sent along is read and forgotten."""
_IDLE_S = 60.0
"""How long a connection may be open without an answer."""

_OK = b"200 OK"
_UNAVAILABLE = b"503 Service Unavailable"


class Health(Protocol):
    """What is told here; `agent.proxy.server.ProxyServer` in the process."""

    def unready(self) -> str:
        """Say why no requests should be sent here; empty if they should."""
        ...

    def verbose(self) -> list[str]:
        """Say how each part stands, a line each."""
        ...

    async def drain(self) -> None:
        """Begin to drain, or join the drain under way; return when it is over."""
        ...


class _Request(NamedTuple):
    method: bytes
    path: bytes
    query: bytes
    length: int
    is_last: bool


class _Answer(NamedTuple):
    status: bytes
    body: str
    headers: bytes = b""


class _BadRequestError(Exception):
    """A request that can't be read."""


class HealthSide(asyncio.Protocol):
    """One probe's connection: each complete request gets one answer, one after the other.

    Parameters
    ----------
    health
        What to tell.
    loop
        The event loop.
    """

    def __init__(self, health: Health, loop: asyncio.AbstractEventLoop) -> None:
        self._health = health
        self._loop = loop
        self._held = b""
        self._request: _Request | None = None
        """Whose body is still being read."""
        self._unread = 0
        self._draining: asyncio.Task[None] | None = None
        self._is_congested = False
        self._answered_s = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._timer = self._loop.call_later(_IDLE_S, self._look_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it is over either way; a drain goes on
        """Forget the timer."""
        self._timer.cancel()

    def eof_received(self) -> bool:
        """Keep the other direction for the answer that is still due."""
        return self._draining is not None

    def pause_writing(self) -> None:
        """Answer no more until what was written is read."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_congested = False
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._held += data
        self._go_on()

    @property
    def _waits(self) -> bool:
        return self._is_congested or self._draining is not None

    def _go_on(self) -> None:
        held, position = self._held, 0
        try:
            while not (self._waits or self._transport.is_closing()):
                if self._request is None:
                    end = held.find(_HEAD_END, position)
                    if (end if end >= 0 else len(held)) - position > _MAX_HEAD_BYTES:
                        raise _BadRequestError("a head that is too long")
                    if end < 0:
                        break
                    self._request = _read(held[position:end])
                    self._unread = self._request.length
                    position = end + len(_HEAD_END)
                piece = min(self._unread, len(held) - position)
                self._unread -= piece
                position += piece
                if self._unread:
                    break
                request, self._request = self._request, None
                self._take(request)
        except _BadRequestError as error:
            self._answer(_Request(b"", b"", b"", 0, is_last=True), _Answer(b"400 Bad Request", str(error)))
        self._held = held[position:]
        if self._transport.is_closing():
            return
        if self._waits:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take(self, request: _Request) -> None:
        if request.path == b"/drain" and request.method == b"POST":
            self._draining = self._loop.create_task(self._drain(request))
        else:
            self._answer(request, self._answer_to(request))

    async def _drain(self, request: _Request) -> None:
        await self._health.drain()
        self._draining = None
        if not self._transport.is_closing():
            self._answer(request._replace(is_last=True), _Answer(_OK, "drained"))

    def _answer_to(self, request: _Request) -> _Answer:
        if request.path not in (b"/livez", b"/readyz", b"/drain"):
            return _Answer(b"404 Not Found", "only /livez, /readyz and /drain are here")
        allowed = (b"POST",) if request.path == b"/drain" else (b"GET", b"HEAD")
        if request.method not in allowed:
            listed = b", ".join(allowed)
            return _Answer(b"405 Method Not Allowed", f"only {listed.decode()}", b"allow: %b\r\n" % listed)
        if request.path == b"/livez":
            return _Answer(_OK, "alive")
        reason = self._health.unready()
        status = _UNAVAILABLE if reason else _OK
        if any(part.partition(b"=")[0] == b"verbose" for part in request.query.split(b"&")):
            return _Answer(status, "\n".join((*self._health.verbose(), f"readyz check {'failed' if reason else 'passed'}")))
        return _Answer(status, reason or "ready")

    def _answer(self, request: _Request, answer: _Answer) -> None:
        body = f"{answer.body}\n".encode()
        more = answer.headers + (b"connection: close\r\n" if request.is_last else b"")
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n%b\r\n" % (
            answer.status,
            len(body),
            more,
        )
        self._answered_s = self._loop.time()
        self._transport.write(head if request.method == b"HEAD" else head + body)
        if request.is_last:
            self._transport.close()

    def _look_if_idle(self) -> None:
        left_s = self._answered_s + _IDLE_S - self._loop.time()
        if self._draining is not None:
            left_s = _IDLE_S
        elif left_s <= 0:
            self._transport.abort()
            return
        self._timer = self._loop.call_later(left_s, self._look_if_idle)


def _read(head: bytes) -> _Request:
    """Read a head without its end.

    Raises
    ------
    _BadRequestError
        It is none.
    """
    line, *fields = head.split(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise _BadRequestError("no HTTP/1.1 request")
    lengths: set[bytes] = set()
    is_last = words[2] == b"HTTP/1.0"
    for field in fields:
        name, _, value = field.partition(b":")
        name, value = name.lower(), value.strip().lower()
        if name == b"content-length":
            lengths.add(value)
        elif name == b"transfer-encoding" or (name == b"connection" and value == b"close"):
            is_last = True  # of a body in chunks nothing is read any more
    length = lengths.pop() if lengths else b"0"
    if lengths or not length.isdigit() or len(length) > 9 or int(length) > _MAX_BODY_BYTES:
        raise _BadRequestError("a length that can't be")
    path, _, query = words[1].partition(b"?")
    return _Request(words[0], path, query, int(length), is_last)
