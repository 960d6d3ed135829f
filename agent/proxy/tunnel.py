"""A connection whose bytes pass unseen: only when, how much, and what it seems to speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.exchange import Exchange, Outcome
from agent.proxy.heads import HTTP2_PREFACE

if TYPE_CHECKING:
    from agent.proxy.context import Context


class Tunnel:
    """From the moment a connection stops being followed.

    Parameters
    ----------
    context
        Clocks and the tap.
    """

    __slots__ = ("_context", "_start_ns", "protocol", "received", "sent")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._start_ns = context.now_ns()
        self.protocol = "tunnel"
        self.received = 0
        """Bytes from the client."""
        self.sent = 0
        """Bytes to the client."""

    def begin(self, data: bytes) -> None:
        """Note the first bytes."""
        self.received += len(data)
        if data.startswith(HTTP2_PREFACE):
            self.protocol = "http/2"

    def land(self) -> None:
        """Hand the record to the tap; call it once."""
        context = self._context
        duration_ns = context.now_ns() - self._start_ns
        start_ns = self._start_ns + context.epoch_ns
        outcome = int(Outcome.TUNNEL)
        context.tap.add(
            Exchange(self.protocol, "", "", 0, outcome, 0, start_ns, 0, 0, duration_ns, self.received, self.sent, b"", b"")
        )
