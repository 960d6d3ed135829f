"""Ending a connection the way the other side ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``struct linger``: on, with no time, so that closing sends a reset."""

_LINGER_S = 2.0


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, so that a response cut short does not look like one that ended."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def answer_and_close(transport: asyncio.Transport, response: bytes) -> None:
    """Send a last answer and close. The client may get a reset before it has read it."""
    transport.write(response)
    transport.close()


def answer_and_linger(transport: asyncio.Transport, response: bytes, loop: asyncio.AbstractEventLoop) -> None:
    """Send a last answer and close a moment later, so that the client can read it before a reset (RFC 9112 §9.6)."""
    transport.resume_reading()
    transport.write(response)
    if transport.can_write_eof():
        transport.write_eof()
    loop.call_later(_LINGER_S, transport.close)
