"""Keeps a monitor running beside the proxy: starts it, starts it again when it dies, ends it in order.

The monitor is a child that sees the end of its stream when the proxy goes, however it goes, and then ends by itself. Nothing
here is ever waited for by the inference path.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from agent.proxy.context import Context
from agent.proxy.tap import Tap

log = logging.getLogger("outrider")

MONITOR = (sys.executable, "-m", "agent", "monitor")
"""The command; the number of its socket is added."""

_SOCKET_BYTES = 1 << 20

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""The monitor's arrays are short: threads of its own cost six times the CPU time of the work they share, beside the model."""

_HUNG_LOOKS = 2
"""So many looks in a row must find it hung: after both processes were frozen, the first one comes before its answer."""

_SILENT_S = 10.0
"""From when on silence shows in the status; records are answered within a second or two."""

_LAST_BYTES_S = 2.0
"""How long what a dead monitor has answered may take to be read."""

_SLACK_S = 0.1
"""By how much the first frame may be younger than the connection."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the keeper waits for what, in seconds."""

    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    sound_life_s: float = 60.0
    """A monitor that lived this long was sound: the next restart waits the first back-off again."""
    hung_s: float = 120.0
    """One that has answered nothing for this long while frames wait is hung: twice the longest pause that is put up with."""
    look_s: float = 5.0
    """Between looks at whether it hangs."""
    last_export_s: float = 10.0
    """How long it may take to export a last time."""


class Backoff:
    """How long to wait before the next start: doubled each time, up to a cap, and short again after a sound life."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._next_s = patience.first_backoff_s

    def after(self, lived_s: float) -> float:
        """Give the wait after a life of so many seconds."""
        patience = self._patience
        wait_s = patience.first_backoff_s if lived_s > patience.sound_life_s else self._next_s
        self._next_s = min(2 * wait_s, patience.longest_backoff_s)
        return wait_s


class _Line(asyncio.Protocol):
    """The tap's connection to one monitor; `lost` says when it is over, so that none overlaps with the next."""

    def __init__(self, tap: Tap, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._tap = tap
        self._sock = sock
        self.lost: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._tap.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._tap.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tap.connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)

    async def end(self) -> None:
        """Read what is left of a monitor that has ended."""
        await asyncio.wait([self.lost], timeout=_LAST_BYTES_S)
        if not self.lost.done():
            self.transport.abort()
            await self.lost
        # Where the connection was lost before it was made, uvloop closes the descriptor and leaves the socket its number, under
        # which some other connection would be closed when the socket is collected.
        self._sock.detach()


class MonitorKeeper:
    """Starts the monitor, and starts it again when it dies or hangs.

    Parameters
    ----------
    context
        Whose tap is connected to the monitor.
    environ
        What the monitor is configured by: the same variables.
    command
        What to start.
    patience
        How long to wait for what.
    """

    def __init__(
        self,
        context: Context,
        environ: Mapping[str, str],
        *,
        command: Sequence[str] = MONITOR,
        patience: Patience | None = None,
    ) -> None:
        self._context = context
        self._loop = context.loop
        self._environ = _ONE_THREAD | dict(environ)
        self._command = command
        self._patience = patience or Patience()
        self._process: Process | None = None
        self._connected_s = 0.0
        self._starts_s = 0.0
        """When the next start comes, while one is waited for; else 0."""
        self._turn = asyncio.Lock()
        """Held while a monitor is started or dismissed, which must not overlap."""
        self._at_once = asyncio.Event()
        self._is_dismissed = False
        self._is_ending = False

    async def keep(self) -> None:
        """Run one monitor after another, until `finish`."""
        backoff = Backoff(self._patience)
        while not self._is_ending:
            started = self._loop.time()
            code = await self._live()
            if self._is_dismissed:
                self._is_dismissed = False
                continue
            wait_s = backoff.after(self._loop.time() - started)
            log.error("monitor died; inference goes on without it exit_code=%d restart_in_s=%g", code, wait_s)
            await self._pause(wait_s)
            self._context.counters.monitor_restarts += not self._is_ending

    async def _live(self) -> int:
        """Run one monitor from start to end; give its exit code."""
        async with self._turn:
            if self._is_ending:
                self._is_dismissed = True
                return 0
            try:
                process, line = await self._start()
            except OSError as error:
                return error.errno or 1
            self._process = process
        looking = self._loop.create_task(self._kill_if_hung(process, line))
        try:
            code = await process.wait()
            await line.end()
        finally:
            looking.cancel()
        return code

    async def _pause(self, wait_s: float) -> None:
        self._starts_s = self._loop.time() + wait_s
        try:
            async with asyncio.timeout(wait_s):
                await self._at_once.wait()
        except TimeoutError:
            pass
        finally:
            self._at_once.clear()
            self._starts_s = 0.0

    async def _start(self) -> tuple[Process, _Line]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(theirs.fileno()),
                    env=self._environ,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except BaseException:
                ours.close()
                raise
        line = _Line(self._context.tap, self._loop, ours)
        try:
            await self._loop.create_connection(lambda: line, sock=ours)
        except BaseException:
            process.kill()
            raise
        self._connected_s = self._loop.time()
        return process, line

    async def _kill_if_hung(self, process: Process, line: _Line) -> None:
        looks = 0
        while looks < _HUNG_LOOKS or self._is_dismissed or self._is_ending:
            await asyncio.sleep(self._patience.look_s)
            is_hung = self._context.tap.unanswered_s > self._patience.hung_s or line.lost.done()
            looks = looks + 1 if is_hung else 0
        log.error("monitor hangs; killing it silent_s=%.0f", self._context.tap.unanswered_s)
        process.kill()

    def status(self) -> str:
        """Say how the monitor is: ``ok``, ``starting``, ``dead, starts again in 4s`` or ``silent for 45s``."""
        now = self._loop.time()
        if self._starts_s:
            return f"dead, starts again in {max(self._starts_s - now, 0):.0f}s"
        if self._process is None or self._process.returncode is not None:
            return "starting"
        silent_s = self._context.tap.unanswered_s
        if silent_s > now - self._connected_s - _SLACK_S:
            return "starting"
        return f"silent for {silent_s:.0f}s" if silent_s > _SILENT_S else "ok"

    async def reload(self) -> None:
        """End the present monitor in order, so that the next one, which starts at once, reads its files again.

        Returns when the present one has ended. What happens until the next one is connected is counted as lost.
        """
        if self._is_ending:
            return
        async with self._turn:
            process = self._process
            if process is None or process.returncode is not None:
                self._at_once.set()
                return
            log.info("monitor starts anew")
            self._is_dismissed = True
            await self._dismiss(process)

    async def finish(self) -> None:
        """Let the monitor take in the rest, export a last time and end; no other one is started."""
        self._is_ending = self._is_dismissed = True
        self._at_once.set()
        async with self._turn:
            if self._process is None or self._process.returncode is not None:
                self._context.tap.finish()
            else:
                await self._dismiss(self._process)

    async def _dismiss(self, process: Process) -> None:
        self._context.tap.finish()
        patience_s = self._patience.last_export_s
        try:
            async with asyncio.timeout(patience_s):
                await process.wait()
        except TimeoutError:
            log.warning("the monitor took too long to export a last time; stopping it after_s=%g", patience_s)
            process.kill()
            await process.wait()
