"""Model servers that break HTTP/2, as gRPC speaks it; others call over HTTP/1.1 all the while."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from agent.proxy.http2.follow import PREFACE
from agent.proxy.http2.frames import SETTINGS
from tests.http2 import GRPC, GRPC_ANSWER, OPENING, data, frame, goaway, headers, message, plain, rst
from tests.integration.faults.parts_faults import (
    HEAD_END,
    Books,
    Upstream,
    dial,
    end_of,
    others_unaffected,
    reset,
    upstream_that,
)
from tests.parts import wait_until
from tests.relay import read_all, read_exactly
from tests.sidecar import Sidecar, sidecar

HELLO = frame(SETTINGS)
ASKED = headers(1, plain(GRPC)) + data(1, message(b"one"), last=True)
ALSO_ASKED = headers(3, plain(GRPC)) + data(3, message(b"two"), last=True)
STREAMING = headers(5, plain(GRPC)) + data(5, message(b"three"))
ENDED = data(5, message(b"end"), last=True)
THREE_CALLS = OPENING + ASKED + ALSO_ASKED + STREAMING


def answered(stream: int) -> bytes:
    trailers = headers(stream, plain([("grpc-status", "0")]), last=True)
    return headers(stream, plain(GRPC_ANSWER)) + data(stream, message(b"fine")) + trailers


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


@pytest.fixture(scope="module")
def running(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with sidecar(tmp_path_factory.mktemp("faults"), upstream.port, {"OUTRIDER_READY": "none"}) as process:
        yield process


def read_calls(accepted: socket.socket, rest: bytes, sent: bytes = THREE_CALLS) -> None:
    """Read what the client sends, of which the first lines of the preface were taken for a head."""
    begun = PREFACE.index(HEAD_END) + len(HEAD_END)
    assert rest + read_exactly(accepted, len(sent) - begun - len(rest)) == sent[begun:]


def test_a_server_that_closes_ends_the_calls_under_way_and_no_others(running: Sidecar, upstream: Upstream) -> None:
    said = HELLO + answered(1) + headers(5, plain(GRPC_ANSWER))

    def leave(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(said)

    upstream.scripts["*"] = leave
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert read_all(client) == said
    books.balance(complete=others.calls + 1, upstream_gone=2)


def test_a_server_that_resets_the_connection_resets_the_client(running: Sidecar, upstream: Upstream) -> None:
    def die(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        reset(accepted)

    upstream.scripts["*"] = die
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert end_of(client) == "reset"
    books.balance(complete=others.calls, upstream_gone=3)


def test_a_stream_that_the_server_resets_is_the_only_one_lost(running: Sidecar, upstream: Upstream) -> None:
    said = HELLO + headers(1, plain(GRPC_ANSWER)) + rst(1) + answered(3)

    def break_one(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(said)
        assert read_exactly(accepted, len(ENDED)) == ENDED
        accepted.sendall(answered(5))
        end_of(accepted)

    upstream.scripts["*"] = break_one
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert read_exactly(client, len(said)) == said
        wait_until(lambda: books.since().get("upstream_gone") == 1, "the lost call, before the others end")
        client.sendall(ENDED)
        assert read_exactly(client, len(answered(5))) == answered(5)
    books.balance(complete=others.calls + 2, upstream_gone=1)


def test_calls_that_a_goaway_leaves_out_are_lost_and_the_rest_ends_well(running: Sidecar, upstream: Upstream) -> None:
    said = HELLO + goaway(3) + answered(1) + answered(3)

    def go_away(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(said)
        end_of(accepted)

    upstream.scripts["*"] = go_away
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert read_exactly(client, len(said)) == said
        wait_until(lambda: books.since().get("upstream_gone") == 1, "the lost call, before the connection ends")
    books.balance(complete=others.calls + 2, upstream_gone=1)


def test_a_client_that_leaves_ends_its_calls_at_the_server(running: Sidecar, upstream: Upstream) -> None:
    ends: list[str] = []

    def wait(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(HELLO)
        ends.append(end_of(accepted))

    upstream.scripts["*"] = wait
    books = Books(running)
    with others_unaffected(running.port) as others:
        client = dial(running.port)
        client.sendall(THREE_CALLS)
        assert read_exactly(client, len(HELLO)) == HELLO
        reset(client)
        wait_until(lambda: bool(ends), "the end at the server", 5)
    books.balance(complete=others.calls, client_gone=3)


def test_a_call_that_the_client_resets_is_client_gone(running: Sidecar, upstream: Upstream) -> None:
    said = HELLO + answered(1) + answered(3)

    def answer_two(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest, THREE_CALLS + rst(5))
        accepted.sendall(said)
        end_of(accepted)

    upstream.scripts["*"] = answer_two
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS + rst(5))
        assert read_exactly(client, len(said)) == said
        wait_until(lambda: books.since().get("client_gone") == 1, "the call, before the connection ends")
    books.balance(complete=others.calls + 2, client_gone=1)


def test_frames_that_are_none_are_passed_on_and_the_connection_is_a_tunnel(running: Sidecar, upstream: Upstream) -> None:
    broken = HELLO + answered(1) + headers(3, b"\xff\xff\xff\xff\xff\xff") + b"no frame at all" * 10

    def babble(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(broken)

    upstream.scripts["*"] = babble
    books, faults = Books(running), running.metric("outrider_proxy_faults_total")
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert read_all(client) == broken
    books.balance(complete=others.calls + 1, unseen=2, tunnel=1)  # two calls, and what the rest of the connection carried
    assert running.metric("outrider_proxy_faults_total") == faults + 1


def test_a_server_that_answers_in_http1_is_passed_on(running: Sidecar, upstream: Upstream) -> None:
    said = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def answer_in_http1(accepted: socket.socket, rest: bytes) -> None:
        read_calls(accepted, rest)
        accepted.sendall(said)

    upstream.scripts["*"] = answer_in_http1
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(THREE_CALLS)
        assert read_all(client) == said
    books.balance(complete=others.calls, unseen=3, tunnel=1)  # these bytes are no frames


def test_nothing_is_left_of_all_that(running: Sidecar) -> None:
    wait_until(lambda: running.metrics().get("outrider_proxy_connections") == 0, "the end of all connections")
    assert running.metrics()["http_server_active_requests"] == 0
    assert "Traceback" not in running.log()
