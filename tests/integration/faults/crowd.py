"""Either end of thousands of connections, as a process of its own: each one needs files of its own.

``python crowd.py server`` answers all requests with 200 and prints its port. ``python crowd.py clients PORT COUNT`` opens the
connections, makes one call on each, prints how many were answered 200, keeps them until a line comes in, prints how many are
still open, closes them, and ends with the next line. Both end with their standard input.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import cast

import uvloop

REQUEST = b"GET /crowd HTTP/1.1\r\nHost: m\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ncalm"
AT_ONCE = 200


class Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


class Client(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answered: asyncio.Future[bool] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        if not self.answered.done():
            self.answered.set_result(data == ANSWER)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_result(False)


async def line() -> None:
    await asyncio.to_thread(sys.stdin.readline)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await line()


async def call(port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    clients: list[Client] = []
    while len(clients) < count:
        opening = [
            loop.create_connection(lambda: Client(loop), "127.0.0.1", port) for _ in range(min(AT_ONCE, count - len(clients)))
        ]
        fresh = [client for _, client in await asyncio.gather(*opening)]
        await asyncio.gather(*(client.answered for client in fresh))
        clients += fresh
    print(sum(client.answered.result() for client in clients), flush=True)
    await line()
    still_open = sum(not client.transport.is_closing() for client in clients)
    for client in clients:
        client.transport.close()
    print(still_open, flush=True)
    await line()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve() if sys.argv[1] == "server" else call(int(sys.argv[2]), int(sys.argv[3])))
