"""How a client's connection is treated."""

from __future__ import annotations

from enum import Enum, auto


class Mode(Enum):
    """From the first byte on; apart from an upgrade that was declined, a connection only moves downward in this list."""

    START = auto()
    """Nothing has come yet that tells the protocol."""
    HTTP = auto()
    """HTTP/1, followed message by message."""
    UPGRADING = auto()
    """HTTP/1, and the answer to an upgrade is awaited: what the client sends meanwhile waits too, and HTTP may go on."""
    TUNNEL = auto()
    """Bytes pass unseen both ways."""
    LINGER = auto()
    """Our own answer went out; what still comes is thrown away until the client closes."""
