"""One way through the proxy: a listener's connections, and the model server that they lead to."""

from __future__ import annotations

import logging

from agent.proxy.context import Context
from agent.spelling import Upstream

log = logging.getLogger("outrider.proxy")


class Lane:
    """One for each pair of ``OUTRIDER_LISTEN`` and ``OUTRIDER_UPSTREAM``.

    Parameters
    ----------
    context
        What all lanes share.
    upstream
        The model server at the end of this one.
    """

    __slots__ = ("_is_unreachable", "context", "upstream")

    def __init__(self, context: Context, upstream: Upstream) -> None:
        self.context = context
        self.upstream = upstream
        self._is_unreachable = False

    def unreachable(self, error: Exception) -> None:
        """Count a request that was answered 503; say so once until the upstream answers again."""
        self.context.counters.unreachable += 1
        if not self._is_unreachable:
            self._is_unreachable = True
            reason = str(error) or type(error).__name__
            log.error("upstream unreachable; clients get 503 until it is back upstream=%s reason=%r", self.upstream, reason)

    def reached(self) -> None:
        """Note that the upstream takes connections."""
        if self._is_unreachable:
            self._is_unreachable = False
            log.info("upstream reachable again upstream=%s", self.upstream)
