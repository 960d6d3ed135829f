"""HTTP/1 to the letter, over real connections: targets, limits, bodies of every framing, and who may end what when."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.exchange import Exchange, Outcome
from tests.http2 import marks_of
from tests.parts import wait_until
from tests.relay import Relay, Script, ScriptedServer, read_all, read_exactly, relay

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: m\r\n\r\n"
POST = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"POST /bad HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"


@contextmanager
def before(script: Script, **settings: str) -> Iterator[Relay]:
    server = ScriptedServer(script)
    with relay(server.port, None, **settings) as running:
        yield running
    server.close()


def plays(*turns: tuple[bytes, bytes]) -> Script:
    """Read this, then answer that, in turn; the client closes first."""

    def script(client: socket.socket) -> None:
        for request, response in turns:
            assert read_exactly(client, len(request)) == request
            client.sendall(response)
        client.recv(1)

    return script


def exchanged(*turns: tuple[bytes, bytes]) -> list[Exchange]:
    """Play turns over one connection, and see that all of it arrived as it was."""
    with before(plays(*turns)) as running, running.connect() as client:
        for request, response in turns:
            client.sendall(request)
            assert read_exactly(client, len(response)) == response
        return list(running.wait_for_records(len(turns)))


def refused(request: bytes, **settings: str) -> tuple[bytes, Exchange, list[bytes]]:
    """Give the answer to a request, its record, and what the server got."""
    got: list[bytes] = []
    done = threading.Event()

    def script(client: socket.socket) -> None:
        got.append(read_all(client))
        done.set()

    with before(script, **settings) as running, running.connect() as client:
        client.sendall(request)
        answer = read_all(client)
        (record,) = running.wait_for_records(1)
        assert done.wait(10)
    return answer, record, got


# Targets


@pytest.mark.parametrize(
    "target",
    ["http://model:8080/v1/models/m:predict?a=b", "*", "/a%2Fb?x=%20#y", "//double", "/?q=http://other/", "/" + "a" * 4000],
)
def test_a_target_is_passed_and_recorded_as_it_is(target: str) -> None:
    (record,) = exchanged((POST.replace(b"/v1/models/m:predict", target.encode()), OK))
    assert (record.target, record.status, record.outcome) == (target, 200, Outcome.COMPLETE)


# Heads that are refused


@pytest.mark.parametrize("fold", [b"X-A: 1\r\n 2\r\n", b"X-A: 1\r\n\t2\r\n", b"X-A:\r\n Content-Length: 5\r\n"])
def test_a_field_that_goes_on_in_the_next_line_is_400(fold: bytes) -> None:
    answer, record, got = refused(POST.replace(b"Host: m\r\n", b"Host: m\r\n" + fold))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (record.status, record.outcome) == (400, Outcome.REFUSED)
    assert got == [b""]


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_beyond_the_limit_is_431_whole_or_not(end: bytes) -> None:
    long = b"GET / HTTP/1.1\r\nHost: m\r\nX-A: " + b"a" * 4200 + end
    answer, record, got = refused(long, OUTRIDER_MAX_HEAD="4KiB")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"x-outrider-error: head-too-long" in answer
    assert b"4096 bytes" in answer
    assert (record.status, record.outcome) == (431, Outcome.REFUSED)
    assert got == [b""]


def test_a_head_as_long_as_the_limit_passes() -> None:
    request = GET.replace(b"Host: m", b"Host: m\r\nX-A: " + b"a" * (4096 - len(GET) - 7))
    assert len(request) == 4096
    with before(plays((request, OK)), OUTRIDER_MAX_HEAD="4KiB") as running, running.connect() as client:
        client.sendall(request)
        assert read_exactly(client, len(OK)) == OK


def test_a_later_head_beyond_the_limit_is_431_behind_the_answers_before_it() -> None:
    with before(plays((POST, OK)), OUTRIDER_MAX_HEAD="4KiB") as running, running.connect() as client:
        client.sendall(POST + b"GET / HTTP/1.1\r\nX-A: " + b"a" * 4200)
        assert read_all(client).startswith(OK + b"HTTP/1.1 431 ")
        assert [record.status for record in running.wait_for_records(2)] == [200, 431]


def test_pipelined_requests_around_a_refused_one_go_no_further() -> None:
    got: list[bytes] = []

    def script(client: socket.socket) -> None:
        got.append(read_exactly(client, len(GET + POST)))
        client.sendall(OK)
        client.sendall(OK)
        got.append(read_all(client))

    with before(script) as running, running.connect() as client:
        client.sendall(GET + POST + BAD + GET)
        answer = read_all(client)
        records = running.wait_for_records(3)
        wait_until(lambda: len(got) == 2, "the server's end")
        assert answer.startswith(OK + OK + b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 3
        assert [record.status for record in records] == [200, 200, 400]
    assert got == [GET + POST, b""]


# Responses of every framing


def test_a_response_to_head_has_no_body_whatever_its_length_says() -> None:
    head = GET.replace(b"GET", b"HEAD")
    bare = b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
    first, second = exchanged((head, bare), (POST, OK))
    assert (first.method, first.response, first.outcome) == ("HEAD", bare, Outcome.COMPLETE)
    assert second.response == OK


@pytest.mark.parametrize("framing", [b"Content-Length: 12345", b"Transfer-Encoding: chunked", b"X-A: 1"])
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_a_body_has_none_whatever_its_fields_say(status: bytes, framing: bytes) -> None:
    bare = b"HTTP/1.1 %b\r\n%b\r\n\r\n" % (status, framing)
    first, second = exchanged((GET, bare), (POST, OK))
    assert (first.status, first.response, first.outcome) == (int(status[:3]), bare, Outcome.COMPLETE)
    assert second.response == OK


def test_a_series_of_interim_responses_belongs_to_the_final_one() -> None:
    interim = b"".join(b"HTTP/1.1 %d X\r\nX-A: 1\r\n\r\n" % status for status in (100, 102, 103, 103, 199))
    (record,) = exchanged((POST, interim + OK))
    assert (record.status, record.response) == (200, interim + OK)


def test_trailers_belong_to_the_message_before_them() -> None:
    chunked = b"\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\n{}\r\n0\r\nChecksum: 1\r\nOther: 2\r\n\r\n"
    request, response = b"POST / HTTP/1.1\r\nHost: m" + chunked, b"HTTP/1.1 200 OK" + chunked
    first, second = exchanged((request, response), (POST, OK))
    assert (first.request, first.response) == (request, response)
    assert (second.request, second.response) == (POST, OK)


def in_parts(head: bytes, parts: list[bytes], *, ends: bool = False) -> list[tuple[int, int, int]]:
    """Send a response in parts, each once the one before has arrived; give its marks."""
    arrived = threading.Semaphore(0)

    def script(client: socket.socket) -> None:
        read_exactly(client, len(GET))
        for part in (head, *parts):
            client.sendall(part)
            assert arrived.acquire(timeout=10)
        if not ends:
            client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(GET)
        for part in (head, *parts):
            assert read_exactly(client, len(part)) == part
            arrived.release()
        (record,) = running.wait_for_records(1)
    assert (record.outcome, record.response) == (Outcome.COMPLETE, head + b"".join(parts))
    marks = marks_of(record)
    assert not marks or record.first_byte_ns <= marks[0][0] < marks[-1][0] <= record.end_ns
    assert [at for at, _, _ in marks] == sorted({at for at, _, _ in marks})
    return marks


EVENTS = [b"data: {}\n\n", b"data: {1}\n\n", b"data: [DONE]\n\n"]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_the_pieces_of_a_chunked_stream_are_marked_as_they_come() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [*map(chunk, EVENTS), b"0\r\n\r\n"]
    assert [(size, bits) for _, size, bits in in_parts(head, parts)] == [(len(part), 1) for part in parts]


def test_the_pieces_of_a_stream_until_close_are_marked_as_they_come() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    assert [(size, bits) for _, size, bits in in_parts(head, EVENTS, ends=True)] == [(len(part), 1) for part in EVENTS]


def test_the_pieces_of_a_known_length_are_not_marked() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(b"".join(EVENTS))
    assert in_parts(head, EVENTS) == []


# Who ends a connection that is kept


def test_a_client_may_end_a_kept_connection_between_requests() -> None:
    ended = threading.Event()

    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        client.sendall(OK)
        assert client.recv(1) == b""
        ended.set()

    with before(script) as running:
        with running.connect() as client:
            client.sendall(POST)
            read_exactly(client, len(OK))
        assert ended.wait(10)
        wait_until(lambda: running.context.counters.connections == 0, "no connection")
        assert [record.outcome for record in running.wait_for_records(1)] == [Outcome.COMPLETE]


def test_a_server_may_end_a_kept_connection_between_requests() -> None:
    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        client.sendall(OK)

    with before(script) as running, running.connect() as client:
        client.sendall(POST)
        assert read_all(client) == OK
        wait_until(lambda: running.context.counters.connections == 0, "no connection")
        assert [record.outcome for record in running.wait_for_records(1)] == [Outcome.COMPLETE]


def test_a_client_that_ends_its_side_still_gets_every_answer() -> None:
    def script(client: socket.socket) -> None:
        assert read_all(client) == GET + POST
        client.sendall(OK + OK)

    with before(script) as running, running.connect() as client:
        client.sendall(GET + POST)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == OK + OK
        assert [record.outcome for record in running.wait_for_records(2)] == [Outcome.COMPLETE] * 2


def test_requests_that_a_closing_server_does_not_answer_are_recorded_as_such() -> None:
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")

    def script(client: socket.socket) -> None:
        read_exactly(client, len(GET + POST))
        client.sendall(closing)

    with before(script) as running, running.connect() as client:
        client.sendall(GET + POST)
        assert read_all(client) == closing
        first, second = running.wait_for_records(2)
    assert (first.outcome, second.outcome, second.status) == (Outcome.COMPLETE, Outcome.UPSTREAM_GONE, 0)
