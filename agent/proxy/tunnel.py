"""A connection whose bytes pass unseen: only when, how much, and what it seems to speak."""

from __future__ import annotations

from agent.exchange import Exchange, Outcome
from agent.proxy.heads import HTTP2_PREFACE
from agent.proxy.tap import Tap


class Tunnel:
    """From the moment a connection stops being followed.

    Parameters
    ----------
    tap
        Where the record goes.
    """

    __slots__ = ("_start_ns", "_tap", "protocol", "received", "sent")

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._start_ns = tap.now_ns()
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
        """Hand the record over; call it once."""
        tap = self._tap
        duration_ns = tap.now_ns() - self._start_ns
        start_ns = self._start_ns + tap.epoch_ns
        outcome = int(Outcome.TUNNEL)
        tap.add(Exchange(self.protocol, "", "", 0, outcome, 0, start_ns, 0, 0, duration_ns, self.received, self.sent, b"", b""))
