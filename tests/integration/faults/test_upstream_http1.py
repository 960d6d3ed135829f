"""Model servers that refuse, reset, hang, die or talk nonsense over HTTP/1.1; one sidecar lives through all of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.integration.faults.parts_faults import (
    Books,
    Upstream,
    answer,
    ask,
    dial,
    end_of,
    others_unaffected,
    request,
    reset,
    upstream_that,
)
from tests.parts import wait_until
from tests.relay import read_all, read_exactly
from tests.sidecar import Sidecar, sidecar

SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"a" * 600
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n6\r\nsec"
GARBAGE = b"\x00\xffnothing that HTTP could be\r\n\r\n" + bytes(range(256))


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_that() as server:
        yield server


@pytest.fixture(scope="module")
def running(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with sidecar(tmp_path_factory.mktemp("faults"), upstream.port, {"OUTRIDER_READY": "none"}) as process:
        yield process


def test_refused_connections_are_answered_503_until_the_server_is_back(running: Sidecar, upstream: Upstream) -> None:
    books = Books(running)
    with others_unaffected(running.port) as others:
        upstream.refuse()
        refused = [ask(running.port) for _ in range(5)]
        upstream.listen()
        assert refused == [(503, "upstream-unreachable")] * 5
        assert ask(running.port) == (200, "")
    books.balance(complete=others.calls + 1, unreachable=5)
    assert running.metric("outrider_proxy_unreachable_total") == 5
    assert running.log().count("upstream unreachable") == running.log().count("upstream reachable again") == 1


def what_becomes_of(port: int, target: str = "/") -> str:
    """Call on a connection of its own; say how it ends: a status, ``end`` or ``reset``, which may come during connect()."""
    try:
        with dial(port) as client:
            client.sendall(request(target))
            return client.recv(12).decode()[9:] or "end"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"


def test_a_server_that_resets_at_once_touches_just_that_client(running: Sidecar, upstream: Upstream) -> None:
    books = Books(running)
    with others_unaffected(running.port) as others:
        upstream.resets_at_once = True
        ends = [what_becomes_of(running.port) for _ in range(20)]
        upstream.resets_at_once = False
        assert what_becomes_of(running.port) == "200"
    # The reset comes while the proxy connects: 503. Or later: a reset, and an exchange if the request had come by then.
    assert set(ends) <= {"503", "reset"}
    wait_until(lambda: books.since().get("complete") == others.calls + 1, "the records of the others")
    found = books.since()
    assert found.get("unreachable", 0) == ends.count("503")
    assert found.get("upstream_gone", 0) <= ends.count("reset")
    books.balance(**{outcome: count for outcome, count in found.items() if outcome != "exchanges"})


def test_a_server_that_resets_a_request_resets_its_client(running: Sidecar, upstream: Upstream) -> None:
    upstream.scripts["/reset"] = lambda accepted, _: reset(accepted)
    books = Books(running)
    with others_unaffected(running.port) as others:
        assert what_becomes_of(running.port, "/reset") == "reset"
    books.balance(complete=others.calls, upstream_gone=1)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["silent", "mid-head"])
def test_a_client_that_gives_a_hanging_server_up_is_client_gone(running: Sidecar, upstream: Upstream, beginning: bytes) -> None:
    ends: list[str] = []

    def hang(accepted: socket.socket, _: bytes) -> None:
        accepted.sendall(beginning)
        ends.append(end_of(accepted))

    upstream.scripts["/hang"] = hang
    books = Books(running)
    with others_unaffected(running.port) as others:
        with dial(running.port) as client:
            client.sendall(request("/hang"))
            others.each_calls_again()
            assert read_exactly(client, len(beginning)) == beginning
        wait_until(lambda: bool(ends), "the end at the server")
    books.balance(complete=others.calls, client_gone=1)


@pytest.mark.parametrize("start", [SHORT, CHUNKED], ids=["length", "chunked"])
def test_an_answer_that_ends_too_soon_comes_as_far_as_it_came(running: Sidecar, upstream: Upstream, start: bytes) -> None:
    upstream.scripts["/short"] = lambda accepted, _: accepted.sendall(start)
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/short"))
        assert read_all(client) == start
    books.balance(complete=others.calls, upstream_gone=1)


@pytest.mark.parametrize("start", [SHORT, CHUNKED], ids=["length", "chunked"])
def test_an_answer_that_is_reset_is_reset_for_the_client(running: Sidecar, upstream: Upstream, start: bytes) -> None:
    has_all = threading.Event()

    def die(accepted: socket.socket, _: bytes) -> None:
        accepted.sendall(start)
        has_all.wait(20)
        reset(accepted)

    upstream.scripts["/die"] = die
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/die"))
        assert read_exactly(client, len(start)) == start
        has_all.set()
        assert end_of(client) == "reset"
    books.balance(complete=others.calls, upstream_gone=1)


def test_an_answer_before_the_request_ended_reaches_a_client_that_is_still_sending(running: Sidecar, upstream: Upstream) -> None:
    early = answer(b"too large", "413 Content Too Large", "Connection: close")
    body = b"b" * 5_000_000
    received: list[int] = []

    def answer_early(accepted: socket.socket, rest: bytes) -> None:
        accepted.sendall(early)
        accepted.shutdown(socket.SHUT_WR)
        received.append(len(rest) + len(read_exactly(accepted, len(body) - len(rest))))

    upstream.scripts["/early"] = answer_early
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        whole = request("/early", body)
        client.sendall(whole[:1000])
        assert read_exactly(client, len(early)) == early
        client.sendall(whole[1000:])
        assert end_of(client) == "end"
    assert received == [len(body)]
    books.balance(complete=others.calls + 1)


def test_a_server_that_answers_early_and_leaves_ends_one_exchange(running: Sidecar, upstream: Upstream) -> None:
    early = answer(b"too large", "413 Content Too Large", "Connection: close")
    upstream.scripts["/leave"] = lambda accepted, _: accepted.sendall(early)
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/leave", b"b" * 5_000_000)[:1000])
        assert read_all(client) == early
    books.balance(complete=others.calls + 1)


def test_garbage_is_passed_on_as_it_came_and_counted_as_a_tunnel(running: Sidecar, upstream: Upstream) -> None:
    upstream.scripts["/garbage"] = lambda accepted, _: accepted.sendall(GARBAGE)
    books, faults = Books(running), running.metric("outrider_proxy_faults_total")
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/garbage"))
        assert read_all(client) == GARBAGE
    books.balance(complete=others.calls, unseen=1, tunnel=1)  # the request, and what the rest of the connection carried
    assert running.metric("outrider_proxy_faults_total") == faults + 1


def test_a_kept_connection_that_the_server_closes_is_closed_for_the_client(running: Sidecar, upstream: Upstream) -> None:
    upstream.scripts["/last"] = lambda accepted, _: accepted.sendall(answer(b"bye"))
    books = Books(running)
    with others_unaffected(running.port) as others, dial(running.port) as client:
        client.sendall(request("/last"))
        assert read_all(client) == answer(b"bye")
    books.balance(complete=others.calls + 1)


def test_nothing_is_left_of_all_that(running: Sidecar) -> None:
    wait_until(lambda: running.metrics().get("outrider_proxy_connections") == 0, "the end of all connections")
    assert running.metrics()["http_server_active_requests"] == 0
    assert "Traceback" not in running.log()
