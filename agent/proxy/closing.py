"""Ending a connection the way the other side ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``struct linger``: on, with no time, so that closing sends a reset."""


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, so that a response cut short does not look like one that ended."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
