"""Serving the admin API on the running event loop."""

from __future__ import annotations

from typing import Self

from aiohttp import web

from agent.config import Address
from agent.errors import OutriderError


class Serving:
    """An application that is being served. Made by `serve`.

    Attributes
    ----------
    address
        Where; with the port that the system chose, if it was asked to.
    """

    def __init__(self, runner: web.AppRunner, address: Address) -> None:
        self._runner = runner
        self.address = address

    async def stop(self) -> None:
        """Close the port and what is connected to it; requests under way get a second."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def serve(app: web.Application, address: Address) -> Serving:
    """Open a port and answer from now on, without an access log.

    Parameters
    ----------
    address
        Port 0 takes any free one.

    Raises
    ------
    OutriderError
        If the port is in use or may not be opened.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise OutriderError(f"OUTRIDER_ADMIN={address}: can't listen there ({reason}); set another port") from error
    return Serving(runner, Address(address.host, runner.addresses[0][1]))
