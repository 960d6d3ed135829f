"""The proxy's listeners and everything that runs beside the links: readiness, idle links, the loop's lag, and the drain."""

from __future__ import annotations

import asyncio
import logging
import socket
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from agent.config import Settings
from agent.errors import ConfigError
from agent.proxy.context import Context
from agent.proxy.health import HealthSide
from agent.proxy.idle import notice_resets, sweep
from agent.proxy.lag import Lag
from agent.proxy.lane import Lane, Tls
from agent.proxy.link import ClientSide, Link, Links
from agent.proxy.opening import Opening
from agent.proxy.probe import speaks_http2
from agent.proxy.ready import Watch
from agent.proxy.trace import Sampler
from agent.spelling import Address, Upstream

if TYPE_CHECKING:
    from agent.proxy.tls import ListenerTls

log = logging.getLogger("outrider.proxy")

_BACKLOG = 1024
_LOOK_FOR_FILES_S = 5.0
"""How often it is looked whether the certificate's files are others."""

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A client whose machine is gone is noticed after two minutes. Linux hands these on from a listener to its connections."""


class ProxyServer:
    """The proxy process, but for its signals and its monitor.

    Parameters
    ----------
    loop
        The event loop.
    settings
        Where to listen, how much to keep, how long to drain.
    sampler
        Which exchanges become spans; ``None`` for none.

    Attributes
    ----------
    monitor_status
        Says in a word how the monitor is, for ``/readyz?verbose``; whoever keeps one sets it.
    has_drained
        Set when a drain is over.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings, sampler: Sampler | None) -> None:
        self._settings = settings
        self._links = Links()
        self.context = Context(loop, settings, sampler, self._count_active)
        self.monitor_status: Callable[[], str] = lambda: "not started"
        self._listeners: list[asyncio.AbstractServer] = []
        self._health: asyncio.AbstractServer | None = None
        self._certificates: list[ListenerTls] = []
        self._upstream_tls: Tls | None = None
        self._watch: Watch | None = None
        self._lag = Lag(loop, self.context.counters.lag)
        self._beside: set[asyncio.Task[None]] = set()
        self._drain: asyncio.Task[None] | None = None
        self.has_drained = asyncio.Event()

    async def open(self) -> None:
        """Open all ports and begin to ask the upstreams whether they answer.

        Raises
        ------
        ConfigError
            With every port that can't be had and every file that can't be used.
        """
        loop, settings = self.context.loop, self._settings
        loop.set_exception_handler(self.context.defect)
        sockets = self._prepare()
        *inference, health = sockets
        watch = self._watch = Watch(loop, settings, self._upstream_tls)
        for index, (opened, upstream) in enumerate(zip(inference, settings.upstream, strict=True)):
            lane = Lane(self.context, upstream, self._upstream_tls if upstream.scheme == "https" else None)
            certificate = self._certificates[index] if self._certificates else None
            self._listeners.append(await self._listen(lane, opened, certificate))
        self._health = await loop.create_server(lambda: HealthSide(self, loop), sock=health)
        watch.on_change = self._learn_protocol
        self.context.counters.upstreams = dict.fromkeys(map(str, settings.upstream), False)
        self._lag.start()
        self._run_beside(watch.run())
        self._run_beside(sweep(self._links, self.context.counters, settings.idle_timeout_s))
        self._run_beside(notice_resets(self._links.half_closed))
        if self._certificates:
            self._run_beside(self._look_for_certificates())

    def _run_beside(self, work: Coroutine[None, None, None]) -> None:
        task = self.context.loop.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _prepare(self) -> list[socket.socket]:
        """Open the sockets and read the files; all faults at once."""
        settings = self._settings
        faults: list[str] = []
        sockets: list[socket.socket] = []
        names = [("OUTRIDER_LISTEN", address) for address in settings.listen]
        for name, address in (*names, ("OUTRIDER_HEALTH", settings.health)):
            try:
                sockets.append(_bind(address))
            except OSError as error:
                faults.append(f"{name}={address}: can't listen there ({error.strerror or error}); choose a free address")
        try:
            self._read_certificates()
        except ConfigError as error:
            faults += error.faults
        if faults:
            for opened in sockets:
                opened.close()
            raise ConfigError(faults)
        return sockets

    def _read_certificates(self) -> None:
        settings = self._settings
        needs_tls = any(upstream.scheme == "https" for upstream in settings.upstream)
        if not (settings.tls_cert or needs_tls):
            return
        from agent.proxy.tls import ListenerTls, upstream_tls  # noqa: PLC0415 - OpenSSL costs 4 MB that few need

        if settings.tls_cert:
            self._certificates = [ListenerTls(settings.tls_cert, settings.tls_key) for _ in settings.listen]
        if needs_tls:
            contexts = [upstream_tls(settings.upstream_ca, settings.upstream_verify, http2=http2) for http2 in (False, True)]
            self._upstream_tls = lambda http2: contexts[http2]

    async def _listen(self, lane: Lane, opened: socket.socket, certificate: ListenerTls | None) -> asyncio.AbstractServer:
        def make() -> ClientSide:
            link = Link(lane, self._links, Opening)
            side = ClientSide(link)
            if certificate is not None:
                weakref.finalize(side, self._count_handshake, link)  # asyncio tells nobody of a handshake that failed
            return side

        context = certificate.context if certificate is not None else None
        return await self.context.loop.create_server(make, sock=opened, backlog=_BACKLOG, ssl=context)

    def _count_handshake(self, link: Link) -> None:
        if not link.has_opened:
            self.context.fail_handshake()

    # Certificates

    def _learn_protocol(self, upstream: Upstream, ready: bool) -> None:
        """Note the verdict; offer clients HTTP/2 over TLS only where the upstream understands it: bytes pass as they are."""
        self.context.counters.upstreams[str(upstream)] = ready
        if ready and self._certificates:
            self._run_beside(self._offer_protocol(upstream))

    async def _offer_protocol(self, upstream: Upstream) -> None:
        tls = self._upstream_tls if upstream.scheme == "https" else None
        understands = await speaks_http2(self.context.loop, upstream, self._settings.ready_interval_s, tls)
        log.info("clients are offered protocols=%s upstream=%s", "h2,http/1.1" if understands else "http/1.1", upstream)
        for certificate, other in zip(self._certificates, self._settings.upstream, strict=True):
            if other == upstream:
                certificate.offer_http2(understands)

    async def _look_for_certificates(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_FOR_FILES_S)
            for certificate in self._certificates:
                certificate.reload_if_changed()

    def reload(self) -> None:
        """Read the certificate's files again."""
        for certificate in self._certificates:
            certificate.reload()

    # Health

    def unready(self) -> str:
        """Say why no requests should be sent here; empty if they should."""
        if self._drain is not None:
            return "draining"
        return self._watch.reason if self._watch is not None else "starting"

    def verbose(self) -> list[str]:
        """Say how each part stands, a line each; the monitor's does not count."""
        proxy = "[-]proxy draining" if self._drain is not None else "[+]proxy ok"
        upstreams = self._watch.lines() if self._watch is not None else []
        status = self.monitor_status()
        monitor = f"[+]monitor {status}" if status == "ok" else f"[-]monitor {status} (does not count)"
        return [proxy, *upstreams, monitor]

    # The end

    async def drain(self, *, delay_s: float | None = None) -> None:
        """Fail readiness, take connections for `delay_s` more, then finish what is under way, up to the drain timeout.

        A second call waits for the same drain.

        Parameters
        ----------
        delay_s
            ``None`` for that of the settings.
        """
        if self._drain is None:
            delay = self._settings.drain_delay_s if delay_s is None else delay_s
            self._drain = self.context.loop.create_task(self._wind_down(delay))
        await asyncio.shield(self._drain)

    async def _wind_down(self, delay_s: float) -> None:
        context = self.context
        log.info("draining delay_s=%g timeout_s=%g requests=%d", delay_s, self._settings.drain_timeout_s, self._under_way)
        await asyncio.sleep(delay_s)
        for server in self._listeners:
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
        log.info("drained")
        self.has_drained.set()

    async def close(self) -> None:
        """Close the health port too, and end what runs beside the links; after the drain."""
        for task in list(self._beside):
            task.cancel()
        self._lag.stop()
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


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
