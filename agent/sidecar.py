"""The proxy process: listeners first, then the monitor as a child, then nothing but relaying until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping

import uvloop

from agent import config
from agent.config import Settings
from agent.errors import ConfigError
from agent.log import set_up
from agent.proxy.context import Context
from agent.proxy.priority import ask_for_short_slices
from agent.proxy.server import ProxyServer
from agent.proxy.trace import Sampler, sampler_of

log = logging.getLogger("outrider")

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_SOUND_LIFE_S = 60.0
"""A monitor that lived this long was sound: the next restart waits the first back-off again."""

_LAST_EXPORT_S = 10.0
"""How long the monitor may take to export a last time."""

_SOCKET_BYTES = 1 << 20

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""The monitor's arrays are short: threads of its own cost six times the CPU time of the work they share, beside the model."""


def run(environ: Mapping[str, str]) -> int:
    """Be the sidecar until SIGTERM or SIGINT.

    Returns
    -------
    int
        0 after an orderly end, 2 where the configuration has faults (each is printed).
    """
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
    if faults or settings is None:
        raise ConfigError(faults)
    return settings, sampler


async def _run(settings: Settings, sampler: Sampler | None, environ: Mapping[str, str]) -> int:
    ask_for_short_slices()
    loop = asyncio.get_running_loop()
    server = ProxyServer(loop, settings, sampler)
    context = server.context
    await server.open()
    for listen, upstream in zip(settings.listen, settings.upstream, strict=True):
        log.info("relaying listen=%s upstream=%s health=%s pid=%d", listen, upstream, settings.health, os.getpid())
    # What start-up left behind stays for good: no collection looks at it again, which took 1.8 ms each time.
    gc.collect()
    gc.freeze()
    stopping = _signals(loop)
    keeper = MonitorKeeper(context, environ)
    keeping = loop.create_task(keeper.keep())
    signal_number = await stopping
    _quit_on_the_next_signal(loop)
    await server.drain(delay_s=settings.drain_delay_s if signal_number == signal.SIGTERM else 0.0)
    keeping.cancel()
    await keeper.finish()
    log.info("stopped exchanges=%d records_dropped=%d", context.counters.exchanges, context.counters.records_dropped)
    return 0


def _signals(loop: asyncio.AbstractEventLoop) -> asyncio.Future[int]:
    stopping: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if not stopping.done():
            stopping.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopping


def _quit_on_the_next_signal(loop: asyncio.AbstractEventLoop) -> None:
    loop.remove_signal_handler(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, os._exit, 130)


class MonitorKeeper:
    """Starts the monitor, and starts it again when it dies.

    Parameters
    ----------
    context
        Whose tap is connected to the monitor.
    environ
        What the monitor is configured by: the same variables.
    """

    def __init__(self, context: Context, environ: Mapping[str, str]) -> None:
        self._context = context
        self._environ = _ONE_THREAD | dict(environ)
        self._process: Process | None = None

    async def keep(self) -> None:
        """Run one monitor after another, until cancelled."""
        loop = self._context.loop
        backoff_s = _FIRST_BACKOFF_S
        while True:
            started = loop.time()
            try:
                self._process = await self._start()
                code = await self._process.wait()
            except OSError as error:
                code = error.errno or 1
            if loop.time() - started > _SOUND_LIFE_S:
                backoff_s = _FIRST_BACKOFF_S
            log.error("monitor died; inference goes on without it exit_code=%d restart_in_s=%g", code, backoff_s)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            self._context.counters.monitor_restarts += 1

    async def _start(self) -> Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "agent",
                "monitor",
                str(theirs.fileno()),
                env=self._environ,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        await self._context.loop.create_connection(lambda: self._context.tap, sock=ours)
        return process

    async def finish(self) -> None:
        """Let the monitor take in the rest, export a last time and end."""
        self._context.tap.finish()
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            async with asyncio.timeout(_LAST_EXPORT_S):
                await process.wait()
        except TimeoutError:
            log.warning("the monitor took too long to export a last time; stopping it after_s=%g", _LAST_EXPORT_S)
            process.kill()
            await process.wait()
