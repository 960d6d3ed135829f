"""One check of one upstream, on a short connection of its own: whether it answers as it should."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.proxy.grpc_health import ACK, FRAME, GOODBYE, MAX_FRAME_BYTES, HealthCall, frame, request
from agent.proxy.http2.follow import PREFACE
from agent.proxy.http2.frames import SETTINGS
from agent.spelling import Address, Readiness, Upstream

if TYPE_CHECKING:
    import ssl

TlsFor = Callable[[bool], "ssl.SSLContext"]
"""Gives the context for an upstream: with ``True`` for HTTP/2, with ``False`` for HTTP/1.1."""

_MAX_HEAD_BYTES = 65536

_LAST_READ_S = 1.0
_LAST_READS = 100
"""How long and how often the rest of an answer is read: a server that still writes when we leave would log an error each time."""


async def check(loop: asyncio.AbstractEventLoop, upstream: Upstream, how: Readiness, timeout_s: float, tls: TlsFor | None) -> str:
    """Ask an upstream once.

    Parameters
    ----------
    loop
        The event loop.
    upstream
        Whom to ask.
    how
        What to ask. ``tcp`` is content with a connection, without TLS.
    timeout_s
        How long all of it may take.
    tls
        Needed for ``https`` upstreams.

    Returns
    -------
    str
        Empty when it answers as asked, else why not, in a few words that hold nothing of what the upstream said but numbers.
        Nothing is ever raised.
    """
    if how.kind == "none":
        return ""
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask(loop, upstream, how, tls)
    except Exception as error:  # noqa: BLE001 - whatever an upstream does, a check never ends the proxy
        return f"no answer in {timeout_s:g}s" if isinstance(error, TimeoutError) else _in_words(error)


async def speaks_http2(loop: asyncio.AbstractEventLoop, upstream: Upstream, timeout_s: float, tls: TlsFor | None) -> bool:
    """Whether an upstream understands HTTP/2 with prior knowledge: it answers the preface with its settings.

    Parameters are those of `check`. ``False`` too where it can't be reached. Nothing is ever raised.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, transport = await _connect(loop, upstream, _context(upstream, tls, http2=True))
            try:
                transport.write(PREFACE + frame(SETTINGS))
                kind, flags, stream, _ = await _read_frame(reader)
                transport.write(frame(SETTINGS, ACK) + GOODBYE)
                return (kind, flags & ACK, stream) == (SETTINGS, 0, 0)
            finally:
                transport.close()
    except Exception:  # noqa: BLE001 - whatever it says instead, it is not HTTP/2
        return False


async def _ask(loop: asyncio.AbstractEventLoop, upstream: Upstream, how: Readiness, tls: TlsFor | None) -> str:
    context = _context(upstream, tls, http2=how.kind == "grpc") if how.kind != "tcp" else None
    reader, transport = await _connect(loop, upstream, context)
    try:
        if how.kind == "http":
            return await _ask_http(reader, transport, upstream, how.detail)
        if how.kind == "grpc":
            return await _ask_grpc(reader, transport, upstream, how.detail)
        return ""
    finally:
        transport.close()


def _context(upstream: Upstream, tls: TlsFor | None, *, http2: bool) -> ssl.SSLContext | None:
    return tls(http2) if tls is not None and upstream.scheme == "https" else None


async def _connect(
    loop: asyncio.AbstractEventLoop, upstream: Upstream, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.WriteTransport]:
    reader = asyncio.StreamReader(limit=_MAX_HEAD_BYTES, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    if upstream.path:
        transport, _ = await loop.create_unix_connection(lambda: protocol, upstream.path)
    else:
        name = upstream.host if context is not None else None
        transport, _ = await loop.create_connection(
            lambda: protocol, upstream.host, upstream.port, ssl=context, server_hostname=name
        )
    return reader, transport


def _in_words(error: Exception) -> str:
    import ssl  # noqa: PLC0415 - only to tell its errors

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}; OUTRIDER_UPSTREAM_CA names the authorities to trust"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {str(error.reason or 'no handshake').lower().replace('_', ' ')}"
    if isinstance(error, OSError):
        # The system's own words where there are any: those of event loops hold addresses.
        known = max(error.errno or 0, 0)
        return (os.strerror(known) if known else error.strerror or str(error) or "no connection").lower()
    words = (words for kind, words in _FAULTS if isinstance(error, kind))
    return next(words, f"an answer that can't be read ({type(error).__name__})")


_FAULTS = (
    (asyncio.IncompleteReadError, "the connection was closed before the answer"),
    (asyncio.LimitOverrunError, "an answer without an end"),
    (UnicodeError, "a host name that DNS can't hold"),
)


def _authority(upstream: Upstream) -> str:
    return "localhost" if upstream.path else str(Address(upstream.host, upstream.port))


# HTTP/1.1


async def _ask_http(reader: asyncio.StreamReader, transport: asyncio.WriteTransport, upstream: Upstream, path: str) -> str:
    head = (
        f"GET {path} HTTP/1.1\r\nhost: {_authority(upstream)}\r\nuser-agent: outrider\r\naccept: */*\r\nconnection: close\r\n\r\n"
    )
    transport.write(head.encode("ascii"))
    status = 100
    while 100 <= status < 200:
        status = _status_of(await reader.readuntil(b"\r\n\r\n"))
    if not status:
        return "no HTTP answer"
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LAST_READ_S):
            for _ in range(_LAST_READS):
                if not await reader.read(_MAX_HEAD_BYTES):
                    break
    return "" if 200 <= status < 300 else f"HTTP {status}"


def _status_of(head: bytes) -> int:
    """Give the status of a response, 0 if it is none."""
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    code = rest[:3]
    return int(code) if version.startswith(b"HTTP/1.") and len(code) == 3 and code.isdigit() else 0


# gRPC


async def _ask_grpc(reader: asyncio.StreamReader, transport: asyncio.WriteTransport, upstream: Upstream, service: str) -> str:
    transport.write(request(service, _authority(upstream), upstream.scheme))
    call = HealthCall()
    first = True
    while not call.ended:
        kind, flags, stream, payload = await _read_frame(reader)
        if first and kind != SETTINGS:
            return "it does not speak HTTP/2"
        first = False
        answer = call.take(kind, flags, stream, payload)
        if answer:
            transport.write(answer)
    transport.write(GOODBYE)
    return call.reason


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Give kind, flags, stream and payload of the next frame."""
    high, low, kind, flags, stream = FRAME.unpack(await reader.readexactly(FRAME.size))
    size = high << 16 | low
    if size > MAX_FRAME_BYTES:  # as the text of an HTTP/1.1 server would have it
        return -1, 0, 0, b""
    return kind, flags, stream & 0x7FFF_FFFF, await reader.readexactly(size)
