"""Closing links on which nothing happens, and those whose client has gone without a sound.

A timer for each link would cost every request. Instead all links are looked at now and then, and each remembers how often in
a row it was found quiet; whatever passes sets that to zero. The bytes of a head that has begun don't count as something that
passes, or a client could hold a connection for ever with one of them now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from itertools import islice

from agent.clock import Now, monotonic_ns
from agent.proxy.counters import Counters
from agent.proxy.link import Link

_LOOKS = 4
"""Looks per time-out: a link is closed when the time has passed, and at most a quarter later."""

_AT_ONCE = 500
"""Links looked at without a break: 0.1 ms of the event loop."""

_SHORTEST_S = 0.01

_HALF_CLOSED_S = 0.5
_TCP_CLOSE = 7
"""The state of a connection that was reset (``TCP_CLOSE`` of the kernel's ``tcp_states.h``), the first byte of `TCP_INFO`."""


async def sweep(links: set[Link], counters: Counters, timeout_s: float, now_ns: Now = monotonic_ns) -> None:
    """Close links with no call under way on which nothing has passed for `timeout_s`, until cancelled. 0 s: close none."""
    if timeout_s <= 0:
        return
    while True:
        await asyncio.sleep(max(timeout_s / _LOOKS, _SHORTEST_S))
        looked_at = iter(list(links))
        while some := list(islice(looked_at, _AT_ONCE)):
            oldest_ns = now_ns() - round(timeout_s * 1e9)
            for link in some:
                _look(link, counters, oldest_ns)
            await asyncio.sleep(0)


def _look(link: Link, counters: Counters, oldest_ns: int) -> None:
    link.quiet += 1
    if link.client.is_closing():
        return
    is_quiet = link.quiet > _LOOKS and not link.talk.calls
    if is_quiet or 0 < link.talk.head_since_ns < oldest_ns:
        counters.connections_idle += 1
        link.client.close()


async def notice_resets(half_closed: set[Link]) -> None:
    """Cut links whose client ended its direction and then reset the connection, until cancelled.

    After a client's end, its connection is no longer read, so the event loop would notice a reset only when it writes the
    answer, and the model server would work on it till then.
    """
    while True:
        await asyncio.sleep(_HALF_CLOSED_S)
        for link in list(half_closed):
            if not link.client.is_closing() and _was_reset(link.client):
                link.client.abort()


def _was_reset(transport: asyncio.Transport) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        state: bytes = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return state[0] == _TCP_CLOSE
    return False
