"""What a link speaks: the part that is the same whatever it is."""

from __future__ import annotations

from agent.exchange import Outcome


class Talk:
    """How the bytes of a link are passed on and followed. This one is that of a link that is over: it throws them away.

    Whatever comes, none of these methods raises.
    """

    __slots__ = ()

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return 0

    @property
    def is_busy(self) -> bool:
        """Whether closing the link now would cut something."""
        return False

    @property
    def head_since_ns(self) -> int:
        """When the head began of which a part is still to come, by the monotonic clock; 0 where none has begun."""
        return 0

    def connected(self) -> None:
        """Go on: the upstream connection is there."""

    def unreachable(self, error: Exception) -> None:
        """Go on: the upstream connection can't be had."""

    def from_client(self, data: bytes) -> None:
        """Take bytes of the client."""

    def from_upstream(self, data: bytes) -> None:
        """Take bytes of the model server."""

    def client_ended(self) -> None:
        """Pass the client's end of stream on, when its time has come."""

    def upstream_ended(self) -> bool:
        """Pass the upstream's end of stream on; tell whether its connection stays open for the other direction."""
        return False

    def land(self, outcome: Outcome) -> None:
        """Make records of all that is under way: the link is over."""

    def wind_down(self) -> None:
        """Close the link when nothing is under way, now or later: the proxy drains."""
