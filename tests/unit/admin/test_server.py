from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from agent.admin.server import AdminServer
from agent.errors import OutriderError
from agent.spelling import Address


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/", hello)
    return made


def test_port_zero_takes_a_free_one_and_says_which() -> None:
    async def scenario() -> str:
        async with (
            AdminServer(app(), Address("127.0.0.1", 0)) as server,
            aiohttp.ClientSession() as session,
            session.get(f"http://{server.address}/") as answer,
        ):
            return await answer.text()

    assert asyncio.run(scenario()) == "hello"


def test_port_in_use_is_a_clear_error() -> None:
    async def scenario(port: int) -> None:
        server = AdminServer(app(), Address("127.0.0.1", port))
        with pytest.raises(OutriderError, match=rf"OUTRIDER_ADMIN=127\.0\.0\.1:{port}: can't listen there \(.*in use"):
            await server.start()
        await server.stop()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        asyncio.run(scenario(taken.getsockname()[1]))


def test_stop_closes_the_port() -> None:
    async def scenario() -> None:
        server = AdminServer(app(), Address("127.0.0.1", 0))
        await server.start()
        await server.stop()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server.address.port)

    asyncio.run(scenario())


def test_a_request_line_that_is_too_long_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> list[int]:
        async with AdminServer(app(), Address("127.0.0.1", 0)) as server:
            return [await status_of(server.address.port, b"GET /?" + b"x" * 60_000) for _ in range(2)]

    async def status_of(port: int, line: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        return int(answer.split()[1])

    assert asyncio.run(scenario()) == [400, 400]
    (record,) = caplog.records
    assert record.exc_info is None
    assert record.getMessage().startswith('admin bad request reason="LineTooLong')
    assert "\n" not in record.getMessage()
