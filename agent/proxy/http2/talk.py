"""HTTP/2 with prior knowledge on one link: passed on byte for byte, followed afterwards.

One kind of frame of our own exists: while the proxy drains, the client is sent GOAWAY (RFC 9113 §6.8), between two of the
server's frames, and a second one with the last stream before the end. Without them, a client that always has calls under way
would never leave, and lose them when the drain's time is up.
"""

from __future__ import annotations

from agent.exchange import Outcome
from agent.proxy.http2.follow import Follower
from agent.proxy.http2.frames import BrokenError
from agent.proxy.link import Link
from agent.proxy.talk import Talk
from agent.proxy.tunnel import become_tunnel

_GOAWAY = bytes.fromhex("000008 07 00 00000000")
_NO_ERROR = bytes(4)
_NO_LIMIT = bytes.fromhex("7fffffff")
"""The highest stream: what is under way goes on, and new calls go elsewhere."""


class Http2(Talk):
    """The talk of a link that speaks HTTP/2.

    Parameters
    ----------
    link
        The link, connected.
    """

    __slots__ = ("_context", "_follower", "_has_said_goodbye", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._context = link.context
        self._follower = Follower(link.context)
        self._has_said_goodbye = False

    def begin(self, held: bytes, since_ns: int, said: bytes) -> None:
        """Take the first bytes of the client and when they came, and what the server has said before."""
        if self._link.upstream is not None:
            self._link.upstream.write(held)
        try:
            self._follower.from_client(held, since_ns, self._context.now_ns())
            self._follower.from_upstream(said, since_ns)
        except Exception as error:  # noqa: BLE001 - broken bytes, or a defect of ours: they have passed either way
            self._give_up(error, received=len(held), sent=len(said))  # nothing of use came before

    @property
    def calls(self) -> int:
        """Calls under way."""
        return len(self._follower.calls)

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._follower.calls)

    def from_client(self, data: bytes) -> None:
        """Pass it on, then follow."""
        now_ns = self._context.now_ns
        arrived_ns = now_ns()
        upstream = self._link.upstream
        if upstream is not None:
            upstream.write(data)
        try:
            self._follower.from_client(data, arrived_ns, now_ns())
        except Exception as error:  # noqa: BLE001 - broken bytes, or a defect of ours: they have passed either way
            self._give_up(error, received=_unseen(error))

    def from_upstream(self, data: bytes) -> None:
        """Pass it on, then follow."""
        arrived_ns = self._context.now_ns()
        self._link.client.write(data)
        try:
            self._follower.from_upstream(data, arrived_ns)
        except Exception as error:  # noqa: BLE001 - broken bytes, or a defect of ours: they have passed either way
            self._give_up(error, sent=_unseen(error))
            return
        if self._context.draining:
            self.wind_down()

    def _give_up(self, error: Exception, *, received: int = 0, sent: int = 0) -> None:
        """Relay the rest of the link unseen; the last bytes of one side have passed already."""
        self._context.lose_track(error, self._link.lane.upstream)
        self.land(Outcome.UNSEEN)
        become_tunnel(self._link, protocol="http/2", received=received, sent=sent)

    def client_ended(self) -> None:
        """Pass the end on."""
        self._link.end_upstream()

    def upstream_ended(self) -> bool:
        """Nothing more can come for any call: let it close."""
        return False

    def land(self, outcome: Outcome) -> None:
        """Make records of all calls under way."""
        self._follower.calls.land_all(outcome)

    def wind_down(self) -> None:
        """Ask the client to go, and close when no call is under way."""
        if not self._has_said_goodbye:
            if not self._follower.may_say_goodbye:
                return
            self._has_said_goodbye = True
            self._link.client.write(_GOAWAY + _NO_LIMIT + _NO_ERROR)
        if not self.is_busy:
            if self._follower.may_say_goodbye:
                # The last stream that was passed on: whatever the client sends now was not, and can be sent again safely.
                self._link.client.write(_GOAWAY + self._follower.calls.last_stream.to_bytes(4, "big") + _NO_ERROR)
            self._link.client.close()


def _unseen(error: Exception) -> int:
    return error.unseen if isinstance(error, BrokenError) else 0
