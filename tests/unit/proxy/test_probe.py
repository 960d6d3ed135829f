"""Checks of upstreams: real servers where there are some, scripted bytes for what real ones rarely do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from hpack import Encoder, HPACKError
from hypothesis import given
from hypothesis import strategies as st

from agent.proxy import probe
from agent.proxy.grpc_health import HealthCall
from agent.proxy.probe import check, speaks_http2
from agent.proxy.tls import ListenerTls, upstream_tls
from agent.spelling import Readiness, Upstream
from tests.health_service import health_service
from tests.parts import free_port

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TCP = Readiness("tcp")
HTTP = Readiness("http", "/health")
GRPC = Readiness("grpc")


def here(port: int, scheme: str = "http") -> Upstream:
    return Upstream(scheme, "127.0.0.1", port)


def ask(script: Script, how: Readiness, timeout_s: float = 10.0) -> str:
    """Check a server that runs `script` for one connection."""
    return str(uvloop.run(_with_server(script, lambda loop, upstream: check(loop, upstream, how, timeout_s, None))))


def ask_http2(script: Script, timeout_s: float = 10.0) -> bool:
    return bool(uvloop.run(_with_server(script, lambda loop, upstream: speaks_http2(loop, upstream, timeout_s, None))))


async def _with_server(script: Script, use: Callable[[asyncio.AbstractEventLoop, Upstream], Awaitable[Any]]) -> Any:
    finished: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        finished.append(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        result = await use(asyncio.get_running_loop(), here(server.sockets[0].getsockname()[1]))
        for task in finished:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await task
        return result


def check_now(upstream: Upstream, how: Readiness, tls: Callable[[bool], ssl.SSLContext] | None = None) -> str:
    async def run() -> str:
        return await check(asyncio.get_running_loop(), upstream, how, 10.0, tls)

    return uvloop.run(run())


def answering(*pieces: bytes, after: bytes = b"\r\n\r\n") -> Script:
    """Read up to `after`, answer piece by piece, and hang up when the client does."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(after)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return script


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


# TCP


@pytest.mark.parametrize("how", [TCP, HTTP, GRPC])
def test_a_refused_connection_is_said(how: Readiness) -> None:
    assert check_now(here(free_port()), how) == "connection refused"


def test_a_connection_is_enough_for_tcp() -> None:
    assert ask(silent, TCP) == ""


def test_none_is_always_good() -> None:
    assert check_now(here(free_port()), Readiness("none")) == ""


def test_a_socket_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert check_now(Upstream("unix", "", 0, str(tmp_path / "s")), TCP) == "no such file or directory"


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
def test_a_host_that_is_no_name_is_a_reason_and_no_error(host: str) -> None:
    assert check_now(Upstream("http", host, 80), TCP)


def test_the_plain_event_loop_gives_the_same_words() -> None:
    async def run() -> str:
        return await check(asyncio.get_running_loop(), here(free_port()), TCP, 10.0, None)

    assert asyncio.run(run()) == "connection refused"


# HTTP


def test_the_request_says_what_it_wants_and_that_it_is_the_last() -> None:
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert ask(script, HTTP) == ""
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "GET /health HTTP/1.1"
    assert any(line.startswith("host: 127.0.0.1:") for line in lines)
    assert "connection: close" in lines


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", ""),
        (b"HTTP/1.0 299 Odd\r\n\r\n", ""),
        (b"HTTP/1.1 200\r\n\r\n", ""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 301 Moved\r\n\r\n", "HTTP 301"),
        (b"HTTP/1.1 503 Loading\r\n\r\n", "HTTP 503"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 abc\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n", "the connection was closed before the answer"),
        (b"", "the connection was closed before the answer"),
        (b"x" * 200_000, "an answer without an end"),
    ],
)
def test_http_answers(answer: bytes, reason: str) -> None:
    assert ask(answering(answer[:7], answer[7:]), HTTP) == reason


def test_silence_is_cut_off() -> None:
    assert ask(silent, HTTP, timeout_s=0.2) == "no answer in 0.2s"


def test_a_good_server_may_write_its_answer_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_LAST_READ_S", 10.0)
    written: list[bool] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)  # the client must still be there after a pause
        written.append(not reader.at_eof())
        writer.write(b"body")

    assert ask(script, HTTP) == ""
    assert written == [True]


def test_a_unix_socket_is_asked_too(tmp_path: Path) -> None:
    path = str(tmp_path / "model.sock")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(b"HTTP/1.1 200 OK\r\n\r\n")(reader, writer)
        writer.close()

    async def run() -> str:
        async with await asyncio.start_unix_server(serve, path):
            return await check(asyncio.get_running_loop(), Upstream("unix", "", 0, path), HTTP, 10.0, None)

    assert uvloop.run(run()) == ""


@pytest.mark.parametrize(("name", "reason"), [("127.0.0.1", ""), ("b.example", "TLS: IP address mismatch")])
def test_an_https_upstream_is_asked_over_tls_and_its_name_is_checked(tmp_path: Path, name: str, reason: str) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert(name)
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "crt"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "key"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    listener = ListenerTls(str(tmp_path / "crt"), str(tmp_path / "key"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(b"HTTP/1.1 200 OK\r\n\r\n")(reader, writer)
        writer.close()

    async def run() -> str:
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=listener.context) as server:
            upstream = here(server.sockets[0].getsockname()[1], "https")
            tls = lambda http2: upstream_tls(str(tmp_path / "ca"), True, http2=http2)  # noqa: E731
            return await check(asyncio.get_running_loop(), upstream, HTTP, 10.0, tls)

    assert uvloop.run(run()).startswith(reason) if reason else uvloop.run(run()) == ""


def test_an_https_upstream_without_tls_is_a_reason() -> None:
    async def run() -> Any:
        def use(loop: asyncio.AbstractEventLoop, upstream: Upstream) -> Awaitable[str]:
            secure = upstream._replace(scheme="https")
            return check(loop, secure, HTTP, 10.0, lambda http2: upstream_tls("", False, http2=http2))

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        return await _with_server(script, use)

    assert "TLS: " in uvloop.run(run())


# gRPC, against a real server


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("", ""),
        ("sick", "NOT_SERVING"),
        ("new", "UNKNOWN"),
        ("odd", "health status 9"),
        ("other", "grpc status 5: it does not know this service"),
    ],
)
def test_a_real_health_service(service: str, reason: str) -> None:
    with health_service({"": 1, "sick": 2, "new": 0, "odd": 9}) as port:
        assert check_now(here(port), Readiness("grpc", service)) == reason


def test_a_real_server_without_a_health_service() -> None:
    with health_service({}) as port:
        assert check_now(here(port), GRPC) == "grpc status 12: it has no health service"


# gRPC, scripted


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(*fields: tuple[str, str]) -> bytes:
    return bytes(Encoder().encode(fields))


SETTINGS = frame(4, 0, 0)
HEADERS = frame(1, 4, 1, block((":status", "200"), ("content-type", "application/grpc")))
SERVING = frame(0, 0, 1, b"\0\0\0\0\x02\x08\x01")
TRAILERS = frame(1, 5, 1, block(("grpc-status", "0")))
GOOD = block((":status", "200"))
PREFACE_END = b"\x00\x00\x05\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00"
"""The DATA frame of an empty request, with which the client is done."""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SETTINGS + HEADERS + SERVING + TRAILERS, ""),
        (SETTINGS + frame(8, 0, 0, bytes(4)) + frame(6, 0, 0, bytes(8)) + HEADERS + SERVING + TRAILERS, ""),
        (SETTINGS + frame(1, 4, 1, block((":status", "103"))) + HEADERS + SERVING + TRAILERS, ""),
        (SETTINGS + frame(1, 0, 1, GOOD[:0]) + frame(9, 4, 1, GOOD) + SERVING + TRAILERS, ""),
        (SETTINGS + frame(1, 0x2C, 1, b"\x03" + bytes(5) + GOOD + bytes(3)) + SERVING + TRAILERS, ""),
        (SETTINGS + HEADERS + frame(0, 8, 1, b"\x02\0\0\0\0\x02\x08\x01" + bytes(2)) + TRAILERS, ""),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\0\0\0\0\x06\x12\x02ab\x08\x01") + TRAILERS, ""),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\0\0\0") + frame(0, 0, 1, b"\0\x02\x08\x02") + TRAILERS, "NOT_SERVING"),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\0\0\0\0\0") + TRAILERS, "UNKNOWN"),
        (SETTINGS + HEADERS + TRAILERS, "no health answer"),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\0\0\0\0\x01\x0d") + TRAILERS, "no health answer"),
        (SETTINGS + HEADERS + frame(0, 0, 1, b"\0\0\0\0\x02\x08\xff") + TRAILERS, "an answer that can't be read (IndexError)"),
        (SETTINGS + HEADERS + frame(0, 1, 1, b"\0\0\0\0\x02\x08\x01"), "no grpc status"),
        (SETTINGS + HEADERS + frame(0, 0, 1, bytes(9000)), "an answer that is too long"),
        (SETTINGS + frame(1, 5, 1, block((":status", "200"), ("grpc-status", "7"))), "grpc status 7"),
        (SETTINGS + frame(1, 5, 1, block((":status", "404"))), "HTTP 404"),
        (SETTINGS + frame(3, 0, 1, (8).to_bytes(4, "big")), "the call was reset (HTTP/2 error 8)"),
        (SETTINGS + frame(7, 0, 0, bytes(7) + b"\x0b"), "the connection was given up (HTTP/2 error 11)"),
        (SETTINGS + frame(1, 4, 1, b"\xff\xff\xff\xff\xff"), "an answer that can't be read (HPACKDecodingError)"),
        (SETTINGS + b"\xff" * 9, "a frame that is too long"),
        (SETTINGS + HEADERS[:11], "the connection was closed before the answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak HTTP/2"),
        (HEADERS, "it does not speak HTTP/2"),
    ],
)
def test_grpc_answers(answer: bytes, reason: str) -> None:
    cut = len(answer) // 2
    assert ask(answering(answer[:cut], answer[cut:], after=PREFACE_END), GRPC) == reason


def test_settings_and_pings_are_acknowledged() -> None:
    call = HealthCall()
    assert call.take(4, 0, 0, b"") == frame(4, 1, 0)
    assert call.take(4, 1, 0, b"") == b""
    assert call.take(6, 0, 0, b"12345678") == frame(6, 1, 0, b"12345678")
    assert call.take(6, 1, 0, b"12345678") == b""
    assert not call.ended


def test_headers_without_an_end_are_bounded() -> None:
    call = HealthCall()
    call.take(1, 0, 1, bytes(16384))
    for _ in range(4):
        call.take(9, 0, 1, bytes(16384))
    assert call.reason == "headers that are too long"


FRAMES = st.tuples(
    st.sampled_from([0, 1, 3, 4, 6, 7, 9, -1, 200]),
    st.sampled_from([0, 1, 4, 5, 8, 0x2C, 255]),
    st.sampled_from([0, 1, 2]),
    st.binary(max_size=40) | st.sampled_from([GOOD, b"\0\0\0\0\x02\x08\x01", HEADERS[9:], TRAILERS[9:]]),
)


@given(st.lists(FRAMES, max_size=8))
def test_a_call_raises_only_what_it_says(frames: list[tuple[int, int, int, bytes]]) -> None:
    call = HealthCall()
    with suppress(HPACKError, IndexError):
        for piece in frames:
            call.take(*piece)
    assert not (call.reason and not call.ended)


# Whether HTTP/2 is spoken


def test_a_real_grpc_server_speaks_http2() -> None:
    async def run(port: int) -> bool:
        return await speaks_http2(asyncio.get_running_loop(), here(port), 10.0, None)

    with health_service({}) as port:
        assert uvloop.run(run(port))
    assert not uvloop.run(run(free_port()))


@pytest.mark.parametrize("answer", [b"HTTP/1.1 505 No\r\n\r\n", b"", HEADERS, frame(4, 1, 0), b"\0\0"])
def test_other_answers_are_not_http2(answer: bytes) -> None:
    assert not ask_http2(answering(answer, after=b"SM\r\n\r\n"))


def test_silence_is_not_http2() -> None:
    assert not ask_http2(silent, timeout_s=0.2)
