"""What all connections share: limits, what to remember, where to count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from agent.config import Settings
from agent.proxy.counters import Counters
from agent.proxy.heads import Memo, RequestHead, ResponseHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Sampler

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
        "_refused_before",
        "connect_timeout_s",
        "counters",
        "draining",
        "known_request",
        "loop",
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
        self.sampler = sampler
        self.counters = Counters()
        self.tap = Tap(loop, self.counters, count_active, settings)
        self.requests: Memo[RequestHead] = Memo()
        # Where heads may have to be touched, each one has to be looked at: no request is "known" then.
        self.known_request = self.requests.get if sampler is None else _unknown
        self.responses: Memo[ResponseHead] = Memo()
        self.draining = False
        self.now_ns = self.tap.now_ns
        self._refused_before = False

    def refuse(self, reason: str) -> None:
        """Count a request that was answered 400; the first one is said in the log."""
        self.counters.refused += 1
        if not self._refused_before:
            self._refused_before = True
            log.warning("refused an ambiguous request with 400; further ones are only counted reason=%r", reason)


def _unknown(_head: bytes) -> RequestHead | None:
    return None
