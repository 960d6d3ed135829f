"""Opening the upstream connection, once or again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.proxy.lane import Lane


class Dial:
    """One for each client connection.

    Parameters
    ----------
    lane
        Where to connect.
    make
        Makes the protocol of the new connection, which joins the link.
    failed
        Told why there is no connection.
    """

    __slots__ = ("_failed", "_lane", "_make", "_task")

    def __init__(self, lane: Lane, make: Callable[[], asyncio.Protocol], failed: Callable[[Exception], None]) -> None:
        self._lane = lane
        self._make = make
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a connection is being opened."""
        return self._task is not None and not self._task.done()

    def start(self, *, http2: bool = False) -> None:
        """Begin to open a connection."""
        self._task = self._lane.context.loop.create_task(self._open(http2))

    def stop(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()

    async def _open(self, http2: bool) -> None:
        lane = self._lane
        context, upstream = lane.context, lane.upstream
        try:
            async with asyncio.timeout(context.connect_timeout_s):
                if upstream.path:
                    await context.loop.create_unix_connection(self._make, upstream.path)
                else:
                    tls = lane.tls(http2) if lane.tls is not None else None
                    await context.loop.create_connection(self._make, upstream.host, upstream.port, ssl=tls)
        except (OSError, TimeoutError, UnicodeError) as error:  # a name may be none that DNS can hold
            self._task = None
            self._failed(error)
