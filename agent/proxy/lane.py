"""One way through the proxy: a listener's connections, and the model server that they lead to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.proxy.context import Context
from agent.spelling import Upstream

if TYPE_CHECKING:
    import ssl

Tls = Callable[[bool], "ssl.SSLContext"]

log = logging.getLogger("outrider.proxy")


class Lane:
    """One for each pair of ``OUTRIDER_LISTEN`` and ``OUTRIDER_UPSTREAM``.

    Parameters
    ----------
    context
        What all lanes share.
    upstream
        The model server at the end of this one.
    tls
        Called with whether HTTP/2 is spoken, gives how to speak TLS with it; ``None`` where it speaks plainly.
    """

    __slots__ = ("_is_unreachable", "context", "tls", "upstream")

    def __init__(self, context: Context, upstream: Upstream, tls: Tls | None = None) -> None:
        self.context = context
        self.upstream = upstream
        self.tls = tls
        self._is_unreachable = False

    @property
    def dials_at_once(self) -> bool:
        """Whether the upstream connection can be opened before the client has said anything. TLS negotiates the protocol."""
        return self.tls is None

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
