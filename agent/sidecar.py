"""The proxy process: listeners first, then the monitor as a child, then nothing but relaying until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Mapping

import uvloop

from agent import config
from agent.config import Settings
from agent.errors import ConfigError
from agent.keeper import MonitorKeeper
from agent.log import set_up
from agent.proxy.files import raise_limit
from agent.proxy.priority import ask_for_short_slices
from agent.proxy.server import ProxyServer
from agent.proxy.trace import Sampler, sampler_of

log = logging.getLogger("outrider")


def run(environ: Mapping[str, str]) -> int:
    """Be the sidecar until SIGTERM or SIGINT. SIGHUP makes it read its files again.

    Returns
    -------
    int
        0 after an orderly end, 2 where the configuration has faults (each is printed).
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until its handler is there: it never ends the process
    try:
        settings, sampler = _configure(environ)
        set_up(settings.log_level)
        return uvloop.run(_run(settings, sampler, environ))
    except ConfigError as error:
        for fault in error.faults:
            print(f"outrider: {fault}", file=sys.stderr)
        return 2


def _configure(environ: Mapping[str, str]) -> tuple[Settings, Sampler | None]:
    faults: list[str] = []
    settings: Settings | None = None
    sampler: Sampler | None = None
    try:
        settings = config.load(environ)
    except ConfigError as error:
        faults += error.faults
    try:
        sampler = sampler_of(environ)
    except ConfigError as error:
        faults += error.faults
    files = [environ.get(name, "").strip() for name in ("OUTRIDER_TLS_CERT", "OUTRIDER_TLS_KEY", "OUTRIDER_UPSTREAM_CA")]
    if any(files):
        from agent.proxy.tls import file_faults  # noqa: PLC0415 - OpenSSL costs 4 MB that few need

        faults += file_faults(*files)
    if faults or settings is None:
        raise ConfigError(faults)
    return settings, sampler


async def _run(settings: Settings, sampler: Sampler | None, environ: Mapping[str, str]) -> int:
    ask_for_short_slices()
    raise_limit()
    loop = asyncio.get_running_loop()
    orders = _Orders(loop)
    server = ProxyServer(loop, settings, sampler)
    context = server.context
    await server.open()
    for listen, upstream in zip(settings.listen, settings.upstream, strict=True):
        log.info("relaying listen=%s upstream=%s health=%s pid=%d", listen, upstream, settings.health, os.getpid())
    # What start-up left behind stays for good: no collection looks at it again, which took 1.8 ms each time.
    gc.collect()
    gc.freeze()
    keeper = MonitorKeeper(context, environ)
    server.monitor_status = keeper.status
    keeping = loop.create_task(keeper.keep())
    rereading = loop.create_task(_reread(orders.reread, server, keeper))
    leaving = loop.create_task(_leave_when_left_drained(server, orders.stop))
    stop = await orders.stop
    leaving.cancel()
    await server.drain(delay_s=settings.drain_delay_s if stop == signal.SIGTERM else 0.0)
    rereading.cancel()
    await keeper.finish()
    await keeping
    await server.close()
    log.info("stopped exchanges=%d records_dropped=%d", context.counters.exchanges, context.counters.records_dropped)
    return 0


async def _leave_when_left_drained(server: ProxyServer, stop: asyncio.Future[int]) -> None:
    """End a sidecar that was drained by ``POST /drain`` and then left alone.

    Kubernetes runs a container's preStop also when it only restarts that container; a sidecar that stayed drained then would
    refuse calls for good. Ended, it is started anew.
    """
    await server.has_drained.wait()
    await asyncio.sleep(_LEFT_DRAINED_S)
    if not stop.done():
        log.warning("drained, and no signal came; ending, so that it can be started anew after_s=%g", _LEFT_DRAINED_S)
        stop.set_result(signal.SIGTERM)


_LEFT_DRAINED_S = 60.0
"""Longer than a model container usually takes to end after its preStop hook: in a pod that ends, the signal comes first."""


async def _reread(asked: asyncio.Event, server: ProxyServer, keeper: MonitorKeeper) -> None:
    """Read all files again as often as that is asked; what is asked meanwhile is done once more afterwards."""
    while True:
        await asked.wait()
        asked.clear()
        log.info("reading files again")
        server.reload()
        await keeper.reload()


class _Orders:
    """What signals ask for.

    Attributes
    ----------
    stop
        The number of the first signal that ends the process. After it, SIGINT ends it at once.
    reread
        Set by SIGHUP, which never ends the process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.stop: asyncio.Future[int] = loop.create_future()
        self.reread = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self.reread.set)

    def _stop(self, number: int) -> None:
        if not self.stop.done():
            self.stop.set_result(number)
            self._loop.add_signal_handler(signal.SIGINT, os._exit, 130)
