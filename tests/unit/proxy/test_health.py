"""Probes and drains are answered by the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from agent.proxy.health import HealthSide
from tests.unit.proxy.fakes import FakeLoop, FakeTransport


class Told:
    """A proxy that stands as it is told to."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.drains = 0
        self.drained = asyncio.Event()

    def unready(self) -> str:
        return self.reason

    def verbose(self) -> list[str]:
        return ["[+]proxy ok", "[-]monitor dead, starts again in 4s (does not count)"]

    async def drain(self) -> None:
        self.drains += 1
        self.reason = "draining"
        await self.drained.wait()


class Probe(FakeTransport):
    """A transport whose reading can be paused."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.aborted = False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def abort(self) -> None:
        self.closed = self.aborted = True


def opened(reason: str = "", loop: FakeLoop | None = None) -> tuple[HealthSide, Probe]:
    side = HealthSide(Told(reason), (loop or FakeLoop()).as_loop)
    transport = Probe()
    side.connection_made(transport.as_transport)
    return side, transport


def ask(*pieces: bytes, reason: str = "") -> bytes:
    side, transport = opened(reason)
    for piece in pieces:
        if not transport.closed:
            side.data_received(piece)
    return transport.written


def request(line: str, *fields: str, body: str = "") -> bytes:
    return "\r\n".join((line, "Host: a", *fields, "", body)).encode()


@pytest.mark.parametrize(
    ("line", "reason", "status", "body"),
    [
        ("GET /livez HTTP/1.1", "", "200 OK", "alive\n"),
        ("GET /livez HTTP/1.1", "draining", "200 OK", "alive\n"),
        ("GET /livez?verbose HTTP/1.1", "", "200 OK", "alive\n"),
        ("GET /readyz HTTP/1.1", "", "200 OK", "ready\n"),
        ("GET /readyz HTTP/1.1", "draining", "503 Service Unavailable", "draining\n"),
        ("GET /readyz?x=1 HTTP/1.1", "", "200 OK", "ready\n"),
        ("GET /metrics HTTP/1.1", "", "404 Not Found", "only /livez, /readyz and /drain are here\n"),
        ("GET /livez/x HTTP/1.1", "", "404 Not Found", "only /livez, /readyz and /drain are here\n"),
    ],
)
def test_answers(line: str, reason: str, status: str, body: str) -> None:
    answer = ask(request(line), reason=reason).decode()
    assert answer.startswith(f"HTTP/1.1 {status}\r\n")
    assert f"content-length: {len(body)}\r\n" in answer
    assert answer.endswith(f"\r\n\r\n{body}")


@pytest.mark.parametrize(("query", "reason", "word"), [("verbose", "", "passed"), ("a=b&verbose=1", "draining", "failed")])
def test_the_verbose_answer_has_a_line_for_each_part_and_the_verdict(query: str, reason: str, word: str) -> None:
    answer = ask(request(f"GET /readyz?{query} HTTP/1.1"), reason=reason).decode()
    assert answer.startswith("HTTP/1.1 503" if reason else "HTTP/1.1 200")
    assert answer.partition("\r\n\r\n")[2].splitlines() == [
        "[+]proxy ok",
        "[-]monitor dead, starts again in 4s (does not count)",
        f"readyz check {word}",
    ]


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("POST /livez HTTP/1.1", "GET, HEAD"),
        ("DELETE /readyz HTTP/1.1", "GET, HEAD"),
        ("GET /drain HTTP/1.1", "POST"),
        ("HEAD /drain HTTP/1.1", "POST"),
    ],
)
def test_other_methods_are_told_which_ones_are_allowed(line: str, allowed: str) -> None:
    answer = ask(request(line)).decode()
    assert answer.startswith("HTTP/1.1 405 ")
    assert f"\r\nallow: {allowed}\r\n" in answer


def test_a_head_request_gets_the_head_alone() -> None:
    answer = ask(request("HEAD /livez HTTP/1.1"))
    assert b"content-length: 6\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_heads_may_come_in_pieces_and_one_after_the_other() -> None:
    probe = request("GET /livez HTTP/1.1")
    assert ask(probe[:9], probe[9:] + probe).count(b"200 OK") == 2


def test_a_body_is_skipped_wherever_it_is_cut() -> None:
    body = "GET /readyz HTTP/1.1\r\n\r\n"
    probe = request("POST /livez HTTP/1.1", f"Content-Length: {len(body)}", body=body) + request("GET /livez HTTP/1.1")
    for cut in range(len(probe)):
        answer = ask(probe[:cut], probe[cut:])
        assert (answer.count(b"HTTP/1.1 405"), answer.count(b"HTTP/1.1 200"), answer.count(b"ready")) == (1, 1, 0)


@pytest.mark.parametrize(
    "probe",
    [
        request("GET /livez HTTP/1.1", "Connection: close"),
        request("GET /livez HTTP/1.0"),
        request("POST /livez HTTP/1.1", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
    ],
)
def test_the_last_request_is_answered_and_closed_and_nothing_after_it_is_read(probe: bytes) -> None:
    side, transport = opened()
    side.data_received(probe + request("GET /livez HTTP/1.1"))
    assert transport.written.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in transport.written
    assert transport.closed


@pytest.mark.parametrize(
    "probe",
    [
        b"x" * 10_000,
        request("GET /livez HTTP/1.1", "X: " + "x" * 10_000),
        request("hello"),
        request("PRI * HTTP/2.0"),
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        request("POST /drain HTTP/1.1", "Content-Length: -1"),
        request("POST /drain HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
        request("POST /drain HTTP/1.1", "Content-Length: 9999999"),
        request("POST /drain HTTP/1.1", "Content-Length: " + "9" * 5000),
    ],
)
def test_what_cannot_be_read_is_refused_and_closed(probe: bytes) -> None:
    side, transport = opened()
    side.data_received(probe)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.closed


def test_who_does_not_read_gets_no_more_answers_until_it_does() -> None:
    side, transport = opened()
    side.pause_writing()
    side.data_received(request("GET /livez HTTP/1.1") * 3)
    assert (transport.written, transport.reads) == (b"", False)
    side.resume_writing()
    assert (transport.written.count(b"200 OK"), transport.reads) == (3, True)


def test_a_connection_without_an_answer_for_a_minute_is_closed() -> None:
    loop = FakeLoop()
    side, transport = opened(loop=loop)
    loop.advance(40)
    side.data_received(request("GET /livez HTTP/1.1") + b"GET /li")
    loop.advance(30)
    side.data_received(b"vez")  # drops of a head are no sign of life
    assert not transport.closed
    loop.advance(31)
    assert transport.aborted


def test_a_closed_connection_leaves_no_timer() -> None:
    loop = FakeLoop()
    side, transport = opened(loop=loop)
    side.connection_lost(None)
    loop.advance(1000)
    assert not transport.aborted


REQUEST_LINES = [
    b"GET /livez HTTP/1.1\r\n",
    b"POST /livez HTTP/1.1\r\n",
    b"GET /readyz?verbose HTTP/1.0\r\n",
    b"HEAD /livez HTTP/1.1\r\n",
]
FIELDS = [b"content-length: 3\r\n", b"content-length:\r\n", b"connection: close\r\n", b"transfer-encoding: x\r\n"]
PIECES = st.sampled_from([*REQUEST_LINES, *FIELDS, b"\r\n", b"\n", b"abc", b"\xff", b" "])


@given(st.lists(PIECES | st.binary(max_size=9), max_size=20).map(b"".join), st.integers(0, 400), st.integers(0, 400))
def test_no_bytes_raise_and_where_they_are_cut_makes_no_difference(data: bytes, first: int, second: int) -> None:
    cut, end = sorted((first, second))
    assert ask(data[:cut], data[cut:end], data[end:]) == ask(data)


# Drains, over real connections

Client = Callable[[bytes], Awaitable[bytes]]


def with_port(use: Callable[[Told, int], Coroutine[Any, Any, None]]) -> None:
    """Run `use` beside a health port."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        told = Told()
        opened: list[HealthSide] = []
        lost: list[HealthSide] = []

        class Side(HealthSide):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                opened.append(self)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.append(self)

        server = await loop.create_server(lambda: Side(told, loop), "127.0.0.1", 0)
        async with server, asyncio.timeout(20):
            await use(told, server.sockets[0].getsockname()[1])
            await until(lambda: len(lost) == len(opened))

    uvloop.run(run())


async def talk(port: int, data: bytes, *, ends: bool = False) -> bytes:
    """Send, and read until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if ends:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def flood(writer: asyncio.StreamWriter) -> int:
    """Send until the other end takes no more; give how many bytes, about."""
    sent = 0
    while sent < 100_000_000:
        writer.write(bytes(100_000))
        try:
            async with asyncio.timeout(0.5):
                await writer.drain()
        except TimeoutError:
            break
        sent += 100_000
    return sent


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(("length", "body", "ends"), [(None, "", False), (0, "", True), (5, "hello", False)])
def test_a_drain_is_answered_when_it_is_over(length: int | None, body: str, ends: bool) -> None:
    async def use(told: Told, port: int) -> None:
        fields = [] if length is None else [f"Content-Length: {length}"]
        task = asyncio.ensure_future(talk(port, request("POST /drain HTTP/1.1", *fields, body=body), ends=ends))
        await until(lambda: told.drains == 1)
        probe = await talk(port, request("GET /readyz HTTP/1.1", "Connection: close"))
        assert probe.startswith(b"HTTP/1.1 503")
        assert not task.done()
        told.drained.set()
        answer = await task
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"\r\n\r\ndrained\n")

    with_port(use)


def test_a_body_is_waited_for_before_the_drain_begins() -> None:
    async def use(told: Told, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("POST /drain HTTP/1.1", "Content-Length: 300000"))
        for _ in range(3):
            assert told.drains == 0
            writer.write(bytes(100_000))
            await writer.drain()
        await until(lambda: told.drains == 1)
        told.drained.set()
        assert b"200 OK" in await reader.read()
        writer.close()

    with_port(use)


def test_each_caller_of_a_drain_is_answered_and_one_that_leaves_stops_nothing() -> None:
    async def use(told: Told, port: int) -> None:
        line = request("POST /drain HTTP/1.1")
        callers = [asyncio.ensure_future(talk(port, line)) for _ in range(2)]
        _, leaving = await asyncio.open_connection("127.0.0.1", port)
        leaving.write(line)
        await until(lambda: told.drains == 3)
        leaving.transport.abort()
        told.drained.set()
        assert all(b"200 OK" in answer for answer in await asyncio.gather(*callers))

    with_port(use)


def test_what_is_sent_behind_a_drain_is_not_kept() -> None:
    async def use(told: Told, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("POST /drain HTTP/1.1"))
        await until(lambda: told.drains == 1)
        assert await flood(writer) < 50_000_000
        writer.transport.abort()
        told.drained.set()

    with_port(use)


def test_an_idle_drain_is_not_closed() -> None:
    async def run() -> None:
        loop = FakeLoop()
        told = Told()
        transport = Probe()
        loop.create_task = asyncio.get_running_loop().create_task  # type: ignore[attr-defined]
        side = HealthSide(told, loop.as_loop)
        side.connection_made(transport.as_transport)
        side.data_received(request("POST /drain HTTP/1.1"))
        for _ in range(10):
            loop.advance(61)
        assert not transport.closed
        told.drained.set()
        await until(lambda: transport.closed)
        assert b"200 OK" in transport.written

    asyncio.run(run())
