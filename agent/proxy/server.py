"""The proxy's listeners, and how they close: delay, drain, cut."""

from __future__ import annotations

import asyncio
import logging
import socket

from agent.config import Settings
from agent.errors import ConfigError
from agent.proxy.context import Context
from agent.proxy.health import HealthSide
from agent.proxy.lane import Lane
from agent.proxy.link import ClientSide, Link
from agent.proxy.opening import Opening
from agent.proxy.trace import Sampler
from agent.spelling import Address

log = logging.getLogger("outrider.proxy")

_BACKLOG = 1024


class ProxyServer:
    """All listeners of the proxy process.

    Parameters
    ----------
    loop
        The event loop.
    settings
        Where to listen, how much to keep, how long to drain.
    sampler
        Which exchanges become spans; ``None`` for none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, sampler: Sampler | None) -> None:
        self._settings = settings
        self._links: set[Link] = set()
        self.context = Context(loop, settings, sampler, self._count_active)
        self._servers: list[asyncio.AbstractServer] = []
        self._health: asyncio.AbstractServer | None = None
        self.ready = False

    async def open(self) -> None:
        """Open all ports.

        Raises
        ------
        ConfigError
            With every port that can't be had.
        """
        loop, settings, context = self.context.loop, self._settings, self.context
        faults: list[str] = []
        sockets: list[socket.socket] = []
        names = [("OUTRIDER_LISTEN", address) for address in settings.listen]
        for name, address in (*names, ("OUTRIDER_HEALTH", settings.health)):
            try:
                sockets.append(_listen(address))
            except OSError as error:
                faults.append(f"{name}={address}: can't listen there ({error.strerror or error}); choose a free address")
        if faults:
            for opened in sockets:
                opened.close()
            raise ConfigError(faults)
        *inference, health = sockets
        for opened, upstream in zip(inference, settings.upstream, strict=True):
            self._servers.append(await self._serve(Lane(context, upstream), opened))
        self._health = await loop.create_server(lambda: HealthSide(lambda: self.ready), sock=health)
        self.ready = True

    async def _serve(self, lane: Lane, opened: socket.socket) -> asyncio.AbstractServer:
        def make() -> ClientSide:
            return ClientSide(Link(lane, self._links, Opening))

        return await self.context.loop.create_server(make, sock=opened, backlog=_BACKLOG)

    async def drain(self, *, delay_s: float) -> None:
        """Fail readiness, take connections for `delay_s` more, then finish what is under way, up to the drain timeout."""
        context = self.context
        self.ready = False
        log.info("draining delay_s=%g timeout_s=%g requests=%d", delay_s, self._settings.drain_timeout_s, self._under_way)
        await asyncio.sleep(delay_s)
        for server in self._servers:
            server.close()
        context.draining = True  # what is busy now closes when its last exchange ends
        for link in list(self._links):
            link.talk.wind_down()
        deadline = context.loop.time() + self._settings.drain_timeout_s
        while self._unfinished and context.loop.time() < deadline:  # noqa: ASYNC110 - an event would cost every exchange
            await asyncio.sleep(0.02)
        if self._under_way:
            log.warning("drain timed out; cutting what is left requests=%d", self._under_way)
        for link in list(self._links):
            link.client.abort()
        await asyncio.sleep(0)
        if self._health is not None:
            self._health.close()

    @property
    def _under_way(self) -> int:
        return sum(link.talk.is_busy for link in self._links)

    @property
    def _unfinished(self) -> bool:
        return any(link.talk.is_busy or link.client.get_write_buffer_size() for link in self._links)

    def _count_active(self) -> int:
        return sum(link.talk.calls for link in self._links)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
