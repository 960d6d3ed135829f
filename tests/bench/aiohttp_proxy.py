"""A reverse proxy as one would write it with aiohttp: streams both ways, on uvloop.

``python tests/bench/aiohttp_proxy.py LISTEN_PORT UPSTREAM_PORT``
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})


async def serve(listen: int, upstream: int) -> None:
    """Relay until the process ends."""
    async with ClientSession(
        connector=TCPConnector(limit=0),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
    ) as session:

        async def relay(request: web.BaseRequest) -> web.StreamResponse:
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
            target = f"http://127.0.0.1:{upstream}{request.raw_path}"
            data = request.content if request.body_exists else None
            async with session.request(request.method, target, headers=headers, data=data, allow_redirects=False) as answer:
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(relay, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", listen).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
