"""The health port: ``/livez`` and ``/readyz``, answered by the proxy itself, so that a dead monitor never fails a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 8192


class HealthSide(asyncio.Protocol):
    """One probe's connection: each complete head gets one answer.

    Parameters
    ----------
    ready
        Whether requests should be sent here.
    """

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each head; probes have no bodies."""
        self._held += data
        while _HEAD_END in self._held:
            head, _, self._held = self._held.partition(_HEAD_END)
            self._transport.write(self._answer(head))
        if len(self._held) > _MAX_HEAD_BYTES:
            self._transport.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path == b"/livez":
            status, body = b"200 OK", b"alive\n"
        elif path == b"/readyz":
            status, body = (b"200 OK", b"ready\n") if self._ready() else (b"503 Service Unavailable", b"draining\n")
        else:
            status, body = b"404 Not Found", b"only /livez and /readyz are here\n"
        if method not in (b"GET", b"HEAD"):
            status, body = b"405 Method Not Allowed", b"only GET and HEAD\n"
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        return head if method == b"HEAD" else head + body
