"""Serving the admin API on the running event loop."""

from __future__ import annotations

import logging
from typing import Self

from aiohttp import web

from agent.errors import OutriderError
from agent.spelling import Address

_log = logging.getLogger("outrider.admin")

_REASON = 200
"""Characters of a reason that are logged."""


class _FirstInALine(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's faults, which anyone who sends nonsense causes: the first as one line, without a traceback; others counted."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger)
        self.faults = 0

    def log(self, level: int, msg: object, *_: object, exc_info: object = None, **__: object) -> None:
        """Take what aiohttp would log."""
        if level < logging.WARNING:
            return
        self.faults += 1
        if self.faults == 1:
            reason = f"{type(exc_info).__name__}: {exc_info}" if isinstance(exc_info, BaseException) else str(msg)
            _log.warning("admin bad request reason=%r; counted from now on", reason[:_REASON])


class AdminServer:
    """An application and its port, without an access log.

    Parameters
    ----------
    app
        As `agent.admin.app.make_app` makes it.
    address
        Where to listen; port 0 takes any free one.

    Attributes
    ----------
    address
        Where it listens; with the port that the system chose, once started.
    """

    def __init__(self, app: web.Application, address: Address) -> None:
        self.address = address
        self._faults = _FirstInALine(_log)
        self._runner = web.AppRunner(app, access_log=None, logger=self._faults, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Open the port and answer from now on.

        Raises
        ------
        OutriderError
            If the port is in use or may not be opened. Nothing is left behind then.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.address.host, self.address.port).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or str(error)
            raise OutriderError(f"OUTRIDER_ADMIN={self.address}: can't listen there ({reason}); set another port") from error
        self.address = Address(self.address.host, self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port; requests under way get a second. Does nothing where it never started."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
