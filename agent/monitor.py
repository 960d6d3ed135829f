"""The monitor process: everything that thinks, beside the inference path and never in it.

It reads frames of records from the proxy's socket, answers each with one byte once its records are taken in, evaluates at
the end of every pane, and exports. When the proxy ends the stream, it takes in the rest, exports a last time and ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Mapping
from importlib.metadata import version
from typing import cast

import msgspec
import uvloop

from agent import config
from agent.admin.app import Sources, make_app
from agent.admin.server import AdminServer
from agent.clock import wall_ns
from agent.config import Settings
from agent.errors import OutriderError, ProfileError
from agent.exchange import Exchange, Frame
from agent.export.figures import ExportCounters, Figures, own_process, proxy_process
from agent.export.telemetry import Telemetry
from agent.log import set_up
from agent.pipeline import Pipeline
from agent.profile.format import Profile
from agent.profile.read import read
from agent.profile.schema import schema_of
from agent.window.ring import BinTotals

log = logging.getLogger("outrider.monitor")

_NICENESS = 19
"""The inference path goes first on a shared core. At 10 it keeps 0.79 of nginx's throughput there, at 15 0.89, at 19 0.90
(medians of five rounds); what is left to the monitor suffices to count every exchange."""

_GATHER_RECORDS = 4096
_GATHER_BYTES = 4 << 20
_GATHER_S = 0.25
"""Records are taken in when so many or so much wait, or the oldest has waited so long: columns are cheap when they are long."""


class TapReader(asyncio.Protocol):
    """Reads the proxy's frames and feeds the pipeline.

    Parameters
    ----------
    pipeline
        What takes the records.
    telemetry
        What builds spans of them.
    """

    def __init__(self, pipeline: Pipeline, telemetry: Telemetry) -> None:
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._decoder = msgspec.msgpack.Decoder(Frame)
        self._buffer = bytearray()
        self._pending: list[Exchange] = []
        self._pending_bytes = 0
        self._unanswered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut frames out of the stream."""
        buffer = self._buffer
        buffer += data
        start, size = 0, len(buffer)
        while size - start >= 4:
            end = start + 4 + int.from_bytes(buffer[start : start + 4], "little")
            if end > size:
                break
            self._take_frame(bytes(memoryview(buffer)[start + 4 : end]))
            start = end
            if len(self._pending) >= _GATHER_RECORDS or self._pending_bytes >= _GATHER_BYTES:
                self.flush()
        if start:
            del buffer[:start]
        if self._unanswered and self._timer is None:
            self._timer = self._loop.call_later(_GATHER_S, self.flush)

    def _take_frame(self, payload: bytes) -> None:
        self._unanswered += 1
        try:
            frame = self._decoder.decode(payload)
        except msgspec.DecodeError:
            self._pipeline.activity.fault("frame")
            return
        self._pending += frame.exchanges
        self._pending_bytes += len(payload)
        for bare in frame.bare:
            self._pipeline.take_bare(bare)
        if frame.stats is not None:
            self._pipeline.activity.proxy = frame.stats

    def flush(self) -> None:
        """Take in what waits and tell the proxy so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending = self._pending, []
        self._pending_bytes = 0
        if pending:
            routes = self._pipeline.take(pending, wall_ns())
            self._telemetry.record(pending, routes, self._pipeline.pop_scored())
        if self._unanswered and not self._transport.is_closing():
            self._transport.write(b"\x01" * self._unanswered)
        self._unanswered = 0

    def eof_received(self) -> bool:
        """Take in the rest: the proxy is done."""
        self.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the proxy has gone either way
        """End the monitor."""
        self.flush()
        if not self.ended.done():
            self.ended.set_result(None)


class Monitor:
    """Composes the process: profile, pipeline, exporters, admin server.

    Parameters
    ----------
    settings
        The effective configuration.
    environ
        For OpenTelemetry's own variables.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._start_ns = wall_ns()
        self._version = version("outrider")
        self._exports = ExportCounters()
        self._totals: Mapping[str, BinTotals] = {}
        self._profile, learns = _read_profile(settings)
        schema = schema_of(self._profile) if self._profile is not None else None
        self.pipeline = Pipeline(settings, schema, learns=learns)
        if not learns and schema is None:
            self.pipeline.activity.fault("profile")
        self._telemetry = Telemetry(self.figures, environ, self._exports)
        sources = Sources(
            report=lambda: self.pipeline.report,
            profile=lambda: self._profile,
            metrics=self._telemetry.prometheus,
            faults=self.pipeline.activity.faults,
            waiting=lambda: self.pipeline.waiting,
            segments=self.pipeline.segments,
            segment=self.pipeline.segment,
            strangest=lambda: self.pipeline.strangest(wall_ns()),
            model=self._model,
            version=self._profile.model.version if self._profile is not None else "",
            start_ns=self._start_ns,
        )
        self._admin = AdminServer(make_app(sources), settings.admin)

    @property
    def _model(self) -> str:
        profile = self._profile
        return profile.model.name if profile is not None and profile.model.name else self._settings.model_name

    def figures(self) -> Figures:
        """Gather what is exported, as it stands now. Called on the exporters' threads too: everything in it is safe there."""
        pipeline = self.pipeline
        profile = self._profile
        return Figures(
            version=self._version,
            model=self._model,
            model_version=profile.model.version if profile is not None else "",
            profile_format=profile.format if profile is not None else "",
            start_ns=self._start_ns,
            activity=pipeline.activity,
            exports=self._exports,
            report=pipeline.report,
            totals=self._totals,
            schema=pipeline.schema,
            max_columns=self._settings.max_columns,
            segments=pipeline.segments(),
            segment_rows=pipeline.segment_rows(),
            processes=(proxy_process(pipeline.activity.proxy), own_process("monitor")),
        )

    async def serve(self, tap: socket.socket) -> None:
        """Work until the proxy ends the stream."""
        loop = asyncio.get_running_loop()
        _, reader = await loop.create_connection(lambda: TapReader(self.pipeline, self._telemetry), sock=tap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, reader.connection_lost, None)
        await self._open_admin()
        self._telemetry.start()
        ticking = loop.create_task(self._tick_at_each_pane())
        counting = loop.create_task(self._count_totals())
        await reader.ended
        ticking.cancel()
        counting.cancel()
        self.pipeline.tick(wall_ns())
        self._totals = self.pipeline.totals()
        await asyncio.to_thread(self._telemetry.shutdown, _LAST_EXPORT_S)
        await self._admin.stop()

    async def _open_admin(self) -> None:
        try:
            await self._admin.start()
        except OutriderError as error:
            self.pipeline.activity.fault("admin")
            log.error("no admin server; monitoring goes on reason=%r", str(error))

    async def _count_totals(self) -> None:
        while True:
            self._totals = self.pipeline.totals()
            await asyncio.sleep(_TOTALS_S)

    async def _tick_at_each_pane(self) -> None:
        pane_ns = round(self._settings.pane_s * 1e9)
        while True:
            now = wall_ns()
            await asyncio.sleep((pane_ns - now % pane_ns) / 1e9)
            self.pipeline.tick(wall_ns())


_TOTALS_S = 1.0
"""How often the counts in frozen bins are copied for the exporters, on the thread that also adds to them."""

_LAST_EXPORT_S = 5.0
"""How long the last export may take; less than the proxy waits for the monitor's end."""


def _read_profile(settings: Settings) -> tuple[Profile | None, bool]:
    """Give the profile, and whether to learn a reference in its stead: only where none was asked for."""
    if not settings.profile:
        log.info("no profile; the first rows become the reference rows=%d", settings.warmup_rows)
        return None, True
    try:
        profile = read(settings.profile)
    except ProfileError as error:
        log.error("the profile can't be used; inference goes on, without drift reason=%r", str(error))
        return None, False
    log.info(
        "profile model=%s version=%s rows=%d columns=%d",
        profile.model.name,
        profile.model.version,
        profile.rows,
        len(profile.columns),
    )
    return profile, False


def serve(environ: Mapping[str, str], descriptor: int) -> int:
    """Be the monitor on the socket that the proxy opened; give the exit code."""
    # A group of its own, because Ctrl-C is for the proxy, which then ends the monitor in order. Not a session of its own:
    # Linux weighs sessions alike (sched_autogroup), and niceness would only count inside each.
    os.setpgid(0, 0)
    os.nice(_NICENESS)
    settings = config.load(environ)
    set_up(settings.log_level)
    uvloop.run(_serve(settings, environ, descriptor))
    return 0


async def _serve(settings: Settings, environ: Mapping[str, str], descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as tap:
        await Monitor(settings, environ).serve(tap)
