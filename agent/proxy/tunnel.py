"""A link whose bytes pass unseen: only when, how much, and what it seems to speak."""

from __future__ import annotations

from agent.exchange import Exchange, Outcome
from agent.proxy.link import Link
from agent.proxy.talk import Talk


class Tunnel(Talk):
    """The talk of a link from the moment it is not followed any more.

    Parameters
    ----------
    link
        The link, connected.
    protocol
        What it seems to speak: ``tunnel`` or ``http/2``.
    """

    __slots__ = ("_link", "_protocol", "_received", "_sent", "_start_ns")

    def __init__(self, link: Link, protocol: str = "tunnel") -> None:
        self._link = link
        self._protocol = protocol
        self._start_ns = link.context.now_ns()
        self._received = 0
        self._sent = 0

    @property
    def is_busy(self) -> bool:
        """Always: nothing tells when a tunnel may close, so it has until the drain's end."""
        return True

    def from_client(self, data: bytes) -> None:
        """Pass it on."""
        self._received += len(data)
        if self._link.upstream is not None:
            self._link.upstream.write(data)

    def from_upstream(self, data: bytes) -> None:
        """Pass it on."""
        self._sent += len(data)
        self._link.client.write(data)

    def passed_before(self, *, received: int = 0, sent: int = 0) -> None:
        """Count bytes, of the client or to it, that were passed on before it was known that they belong to a tunnel."""
        self._received += received
        self._sent += sent

    def client_ended(self) -> None:
        """Pass the end on; the way back stays open."""
        self._link.end_upstream()

    def upstream_ended(self) -> bool:
        """Pass the end on; the way there stays open."""
        self._link.end_client()
        return True

    def land(self, outcome: Outcome) -> None:  # noqa: ARG002 - however it ended, it was a tunnel
        """Hand the record over."""
        tap = self._link.context.tap
        duration_ns = tap.now_ns() - self._start_ns
        start_ns = self._start_ns + tap.epoch_ns
        kind = int(Outcome.TUNNEL)
        tap.add(Exchange(self._protocol, "", "", 0, kind, 0, start_ns, 0, 0, duration_ns, self._received, self._sent, b"", b""))


def become_tunnel(link: Link, from_client: bytes = b"", protocol: str = "tunnel", *, received: int = 0, sent: int = 0) -> None:
    """From here on, bytes pass unseen both ways.

    Parameters
    ----------
    from_client
        What the client has sent and the upstream has not got yet.
    received, sent
        Bytes that have passed already, unseen.
    """
    tunnel = link.talk = Tunnel(link, protocol)
    tunnel.passed_before(received=received, sent=sent)
    link.hold_back(False)
    if from_client:
        tunnel.from_client(from_client)
