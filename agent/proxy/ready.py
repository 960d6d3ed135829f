"""Whether the model servers answer: checks over and over, and a verdict that one lost check does not turn.

What is decided is `Standing`'s, without clock or network; `Watch` asks and waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from agent.config import Settings
from agent.proxy.probe import TlsFor, check
from agent.spelling import Readiness, Upstream

log = logging.getLogger("outrider.proxy")

_FIRST_S = 0.25
"""Between checks until the first success: a pod takes part as soon as its model is loaded."""

_FAILING_S = 1.0
"""At most between checks while they fail."""

_SUCCESSES = 2
"""So many in a row make a fallen upstream good again; the first of all needs no second."""

Check = Callable[[Upstream, Readiness, float], Awaitable[str]]
"""Asks once: whom, what, within how many seconds. Gives empty text or a reason, and raises nothing."""


class Standing:
    """What is known of one upstream.

    Parameters
    ----------
    failures
        How many failures in a row make it fall.
    interval_s
        Between checks while all is well.
    now_s
        The time, on a clock that only goes forward.

    Attributes
    ----------
    ready
        The verdict.
    reason
        Why the last check failed; empty if it did not.
    since_s
        When the verdict was reached.
    """

    def __init__(self, failures: int, interval_s: float, now_s: float) -> None:
        self.ready = False
        self.reason = "not asked yet"
        self.since_s = now_s
        self._failures = failures
        self._interval_s = interval_s
        self._was_ready = False
        self._in_a_row = 0
        """Checks in a row that spoke against the verdict."""

    def take(self, reason: str, now_s: float) -> bool:
        """Take the result of a check; tell whether it turned the verdict."""
        self.reason = reason
        if self.ready == (not reason):
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        if self._in_a_row < self._needed:
            return False
        self.ready = not self.ready
        self._was_ready = True
        self.since_s = now_s
        self._in_a_row = 0
        return True

    @property
    def _needed(self) -> int:
        if self.ready:
            return self._failures
        return _SUCCESSES if self._was_ready else 1

    @property
    def wait_s(self) -> float:
        """How long to wait until the next check."""
        if self.ready and not self.reason:
            return self._interval_s
        return min(self._interval_s, _FAILING_S if self._was_ready else _FIRST_S)

    def describe(self, now_s: float) -> str:
        """Say how it stands and for how long, behind the name."""
        age = f"{now_s - self.since_s:.0f}s"
        if not self.ready:
            return f"failed: {self.reason or f'answers again, {self._in_a_row} of {_SUCCESSES} checks'} (for {age})"
        return f"ok (for {age})" + (
            f", though check {self._in_a_row} of {self._failures} failed: {self.reason}" if self.reason else ""
        )


class Watch:
    """Asks all upstreams over and over, each on its own.

    Parameters
    ----------
    loop
        The event loop.
    settings
        Whom to ask, what, and how often.
    tls
        Gives the contexts of ``https`` upstreams; ``None`` where there are none.
    ask
        Asks once, instead of `agent.proxy.probe.check`.

    Attributes
    ----------
    on_change
        Called with each upstream whose verdict turned, and the verdict; once with ``True`` for each that is not asked.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, tls: TlsFor | None = None, ask: Check | None = None
    ) -> None:
        self._loop = loop
        self._interval_s = settings.ready_interval_s
        self._ask: Check = ask or (lambda upstream, how, timeout_s: check(loop, upstream, how, timeout_s, tls))
        self.on_change: Callable[[Upstream, bool], None] = lambda _upstream, _ready: None
        checks = settings.ready * len(settings.upstream) if len(settings.ready) == 1 else settings.ready
        self._watched = [
            (upstream, how, Standing(settings.ready_failures, settings.ready_interval_s, loop.time()))
            for upstream, how in zip(settings.upstream, checks, strict=True)
        ]
        for _, how, standing in self._watched:
            if how.kind == "none":
                standing.take("", loop.time())

    @property
    def ready(self) -> bool:
        """Whether all upstreams answer."""
        return all(standing.ready for _, _, standing in self._watched)

    @property
    def reason(self) -> str:
        """Which upstreams do not answer, and why; empty if all do."""
        return "; ".join(
            f"upstream {upstream}: {standing.reason or 'answers again, but not yet often enough'}"
            for upstream, _, standing in self._watched
            if not standing.ready
        )

    def lines(self) -> list[str]:
        """Say how each upstream stands, as Kubernetes' own servers say it."""
        now = self._loop.time()
        return [
            f"[{'+' if standing.ready else '-'}]upstream {upstream} ({how}) {standing.describe(now)}"
            for upstream, how, standing in self._watched
        ]

    async def run(self) -> None:
        """Ask until cancelled."""
        for upstream, how, _ in self._watched:
            if how.kind == "none":
                self._tell(upstream, ready=True)
        asked = (self._watch(*watched) for watched in self._watched if watched[1].kind != "none")
        await asyncio.gather(self._loop.create_future(), *asked)

    async def _watch(self, upstream: Upstream, how: Readiness, standing: Standing) -> None:
        said = False
        while True:
            reason = await self._ask(upstream, how, self._interval_s)
            if standing.take(reason, self._loop.time()):
                self._turned(upstream, how, standing)
            elif reason and not standing.ready and not said:
                log.info("waiting for the model server upstream=%s check=%s reason=%r", upstream, how, reason)
            said = True
            await asyncio.sleep(standing.wait_s)

    def _turned(self, upstream: Upstream, how: Readiness, standing: Standing) -> None:
        if standing.ready:
            log.info("upstream ready upstream=%s check=%s", upstream, how)
        else:
            log.warning("upstream not ready upstream=%s check=%s reason=%r", upstream, how, standing.reason)
        self._tell(upstream, ready=standing.ready)

    def _tell(self, upstream: Upstream, *, ready: bool) -> None:
        try:
            self.on_change(upstream, ready)
        except Exception:
            log.exception("what follows from readiness failed upstream=%s", upstream)
