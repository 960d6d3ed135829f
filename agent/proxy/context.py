"""What all connections share: where to connect, what to remember, where to count."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agent.clock import Now, monotonic_ns, wall_ns
from agent.config import Settings
from agent.exchange import ProxyStats
from agent.proxy.counters import Counters
from agent.proxy.heads import Memo, RequestHead, ResponseHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Sampler

if TYPE_CHECKING:
    from agent.proxy.client import ClientSide

log = logging.getLogger("outrider.proxy")


class Context:
    """One for the life of the proxy.

    Parameters
    ----------
    loop
        The event loop.
    settings
        The effective configuration.
    sampler
        Which exchanges become spans; ``None`` for none at all, and then no head is ever touched.
    """

    __slots__ = (
        "_is_unreachable",
        "_refused_before",
        "capture_bytes",
        "connect_timeout_s",
        "connections",
        "counters",
        "draining",
        "epoch_ns",
        "known_request",
        "loop",
        "now_ns",
        "requests",
        "responses",
        "sampler",
        "tap",
        "upstream",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, sampler: Sampler | None) -> None:
        self.loop = loop
        self.upstream = settings.upstream
        self.connect_timeout_s = settings.connect_timeout_s
        self.capture_bytes = settings.capture_bytes
        self.sampler = sampler
        self.counters = Counters()
        self.tap = Tap(loop, self.counters, self._stats, settings.tap_bytes)
        self.requests: Memo[RequestHead] = Memo()
        # Where heads may have to be touched, each one has to be looked at: no request is "known" then.
        self.known_request = self.requests.get if sampler is None else _unknown
        self.responses: Memo[ResponseHead] = Memo()
        self.connections: set[ClientSide] = set()
        self.draining = False
        self.now_ns: Now = monotonic_ns
        self.epoch_ns = wall_ns() - monotonic_ns()
        """What makes a wall clock's time of a monotonic one; taken anew every second, because clocks are set."""
        self._is_unreachable = False
        self._refused_before = False

    def _stats(self) -> ProxyStats:
        """Freeze the counters; requests under way are counted here, which is cheaper than counting each one up and down."""
        self.epoch_ns = wall_ns() - self.now_ns()
        return self.counters.stats(sum(len(client.flights) for client in self.connections))

    def opened(self, client: ClientSide) -> None:
        """Count a client's connection."""
        self.connections.add(client)
        self.counters.accepted += 1
        self.counters.connections += 1

    def closed(self, client: ClientSide) -> None:
        """Forget a client's connection."""
        self.connections.discard(client)
        self.counters.connections -= 1

    def unreachable(self, error: Exception) -> None:
        """Count a request that was answered 503; say so once until the upstream answers again."""
        self.counters.unreachable += 1
        if not self._is_unreachable:
            self._is_unreachable = True
            reason = str(error) or type(error).__name__
            log.error("upstream unreachable; clients get 503 until it is back upstream=%s reason=%r", self.upstream, reason)

    def reached(self) -> None:
        """Note that the upstream takes connections."""
        if self._is_unreachable:
            self._is_unreachable = False
            log.info("upstream reachable again upstream=%s", self.upstream)

    def refuse(self, reason: str) -> None:
        """Count a request that was answered 400; the first one is said in the log."""
        self.counters.refused += 1
        if not self._refused_before:
            self._refused_before = True
            log.warning("refused an ambiguous request with 400; further ones are only counted reason=%r", reason)

    def begin_drain(self) -> None:
        """Close what is idle now, and every other connection when its last exchange ends."""
        self.draining = True
        for client in list(self.connections):
            client.close_if_idle()


def _unknown(_head: bytes) -> RequestHead | None:
    return None
