"""A connection whose bytes pass unseen: only when, how much, and what it seems to speak."""

from __future__ import annotations

from agent.clock import Now
from agent.exchange import Exchange, Outcome
from agent.proxy.heads import HTTP2_PREFACE
from agent.proxy.tap import Tap


class Tunnel:
    """From the moment a connection stops being followed.

    Parameters
    ----------
    wall_ns, now_ns
        Clocks.
    """

    __slots__ = ("_now_ns", "_start_ns", "_wall_ns", "protocol", "received", "sent")

    def __init__(self, wall_ns: Now, now_ns: Now) -> None:
        self._wall_ns = wall_ns()
        self._now_ns = now_ns
        self._start_ns = now_ns()
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

    def land(self, tap: Tap) -> None:
        """Hand the record to the tap; call it once."""
        duration_ns = self._now_ns() - self._start_ns
        outcome = int(Outcome.TUNNEL)
        tap.add(
            Exchange(self.protocol, "", "", 0, outcome, 0, self._wall_ns, 0, 0, duration_ns, self.received, self.sent, b"", b"")
        )
