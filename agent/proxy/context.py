"""What all connections share: limits, what to remember, where to count."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import Any

from agent.config import Settings
from agent.proxy.counters import Counters
from agent.proxy.heads import Memo, RequestHead, ResponseHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Sampler
from agent.spelling import Upstream

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
    count_active
        Counts the requests under way.
    """

    __slots__ = (
        "_said",
        "connect_timeout_s",
        "counters",
        "draining",
        "known_request",
        "loop",
        "max_connections",
        "max_head_bytes",
        "now_ns",
        "requests",
        "responses",
        "sampler",
        "tap",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, sampler: Sampler | None, count_active: Callable[[], int]
    ) -> None:
        self.loop = loop
        self.connect_timeout_s = settings.connect_timeout_s
        self.max_head_bytes = settings.max_head_bytes
        self.max_connections = settings.max_connections or connections_allowed()
        self.sampler = sampler
        self.counters = Counters()
        self.tap = Tap(loop, self.counters, count_active, settings)
        self.requests: Memo[RequestHead] = Memo()
        # Where heads may have to be touched, each one has to be looked at: no request is "known" then.
        self.known_request = self.requests.get if sampler is None else _unknown
        self.responses: Memo[ResponseHead] = Memo()
        self.draining = False
        self.now_ns = self.tap.now_ns
        self._said: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than may be."""
        return self.counters.connections > self.max_connections

    def refuse(self, reason: str) -> None:
        """Count a request that was answered 400 or 431; the first one is said in the log."""
        self.counters.refused += 1
        self._say_once("refused a request that can not be relayed safely reason=%r", reason)

    def lose_track(self, error: Exception, upstream: Upstream) -> None:
        """Count a connection that can't be followed any further and goes on as a tunnel; the first one is said in the log."""
        self.counters.faults += 1
        reason = f"{type(error).__name__}: {error}"
        self._say_once("a connection can not be followed and goes on unseen upstream=%s reason=%r", upstream, reason)

    def turn_away(self) -> None:
        """Count a connection too many."""
        self.counters.connections_refused += 1
        message = "more connections than there may be (OUTRIDER_MAX_CONNECTIONS, or the limit of open files) get 503 limit=%d"
        self._say_once(message, self.max_connections)

    def fail_handshake(self) -> None:
        """Count a client whose TLS handshake failed."""
        self.counters.handshakes_failed += 1
        self._say_once("a TLS handshake failed: the client speaks no TLS, or does not trust OUTRIDER_TLS_CERT")

    def _say_once(self, message: str, *values: object) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning(message + "; further ones are only counted", *values)

    def defect(self, _loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        """Count an error that nobody caught; the first one is said in the log. It is the event loop's exception handler."""
        self.counters.faults += 1
        if "defect" not in self._said:
            self._said.add("defect")
            error = what.get("exception")
            log.error("a defect of Outrider's own; further ones are only counted what=%r", what["message"], exc_info=error)


def connections_allowed() -> int:
    """How many client connections the limit of open files allows: each needs a second one to the upstream."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if limit == resource.RLIM_INFINITY else max(1, (limit - _other_files(limit)) // 2)


def _other_files(limit: int) -> int:
    """How many open files are no links: listeners, probes, the monitor, clients turned away. An eighth, from 64 to 1,024."""
    return max(64, min(limit // 8, 1024))


def _unknown(_head: bytes) -> RequestHead | None:
    return None
