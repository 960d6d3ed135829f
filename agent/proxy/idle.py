"""Closing links on which nothing happens.

A timer for each link would cost every request. Instead all links are looked at now and then, and each remembers how often in
a row it was found quiet; whatever passes sets that to zero.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from agent.proxy.counters import Counters
from agent.proxy.link import Link

_LOOKS = 4
"""Looks per time-out: a link is closed when the time has passed, and at most a quarter later."""

_AT_ONCE = 500
"""Links looked at without a break: 0.1 ms of the event loop."""

_SHORTEST_S = 0.01


async def sweep(links: set[Link], counters: Counters, timeout_s: float) -> None:
    """Close links with no call under way on which nothing has passed for `timeout_s`, until cancelled. 0 s: close none."""
    if timeout_s <= 0:
        return
    while True:
        await asyncio.sleep(max(timeout_s / _LOOKS, _SHORTEST_S))
        looked_at = iter(list(links))
        while some := list(islice(looked_at, _AT_ONCE)):
            for link in some:
                _look(link, counters)
            await asyncio.sleep(0)


def _look(link: Link, counters: Counters) -> None:
    link.quiet += 1
    if link.quiet > _LOOKS and not link.talk.calls and not link.client.is_closing():
        counters.connections_idle += 1
        link.client.close()
