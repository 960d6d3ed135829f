"""Serving the admin API on the running event loop."""

from __future__ import annotations

from typing import Self

from aiohttp import web

from agent.errors import OutriderError
from agent.spelling import Address


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
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)

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
