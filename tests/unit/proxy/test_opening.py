"""How a link begins: what the first bytes tell, what waits for the upstream connection, and what a server may say before."""

from __future__ import annotations

import pytest

from agent.exchange import Exchange, Outcome
from tests.fuzz.links import CLIENT, CLIENT_ENDS, CONNECT, FAIL, UPSTREAM, UPSTREAM_ENDS, Play, Step
from tests.http2 import ANSWER, OPENING, REQUEST, frame, headers, plain, records_in

GET = b"GET / HTTP/1.1\r\nHost: m\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CALL = OPENING + headers(1, plain(REQUEST), last=True)
SETTINGS, ANSWERED = frame(4), headers(1, plain(ANSWER), last=True)


class Played:
    """What came of some steps."""

    def __init__(self, *steps: Step) -> None:
        self.play = Play()
        monitor = self.play.watch()
        self.play.run(list(steps))
        self.records: list[Exchange] = records_in(monitor.written)
        self.to_upstream = bytes(self.play.uplinks[-1].written) if self.play.uplinks else b""
        self.to_client = bytes(self.play.client.written)

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        return [(record.protocol, record.status, record.outcome) for record in self.records]


HTTP1, HTTP2 = ("http/1.1", 200, int(Outcome.COMPLETE)), ("http/2", 200, int(Outcome.COMPLETE))
TUNNEL = ("tunnel", 0, int(Outcome.TUNNEL))


@pytest.mark.parametrize("first", [CONNECT, CLIENT])
def test_a_request_waits_for_the_connection_or_the_connection_for_it(first: int) -> None:
    start: list[Step] = [(CONNECT, b""), (CLIENT, GET)]
    played = Played(*(start if first == CONNECT else start[::-1]), (UPSTREAM, OK))
    assert (played.to_upstream, played.to_client, played.kinds) == (GET, OK, [HTTP1])


@pytest.mark.parametrize(("start", "kind"), [(GET, HTTP1), (CALL, HTTP2), (b"\x16\x03\x01\0\0", TUNNEL)])
@pytest.mark.parametrize("connected_after", [0, 1, 4, 100])
def test_the_protocol_is_known_however_the_first_bytes_are_cut(
    start: bytes, kind: tuple[str, int, int], connected_after: int
) -> None:
    pieces: list[Step] = [(CLIENT, start[at : at + 1]) for at in range(len(start))]
    pieces.insert(min(connected_after, len(pieces)), (CONNECT, b""))
    played = Played(*pieces, (UPSTREAM, {HTTP1: OK, HTTP2: SETTINGS + ANSWERED}.get(kind, b"hello")))
    assert played.to_upstream == start
    assert played.kinds == [kind]


def test_settings_that_the_server_sends_first_are_followed_too() -> None:
    played = Played((CONNECT, b""), (UPSTREAM, SETTINGS[:4]), (UPSTREAM, SETTINGS[4:]), (CLIENT, CALL), (UPSTREAM, ANSWERED))
    assert played.to_client == SETTINGS + ANSWERED
    assert played.kinds == [HTTP2]


@pytest.mark.parametrize("start", [GET, b"hello\n"])
def test_what_else_a_server_says_first_makes_it_a_tunnel(start: bytes) -> None:
    played = Played((CONNECT, b""), (UPSTREAM, b"220 ready\r\n"), (CLIENT, start), (UPSTREAM, b"more"))
    assert (played.to_upstream, played.to_client, played.kinds) == (start, b"220 ready\r\nmore", [TUNNEL])
    assert (played.records[0].request_size, played.records[0].response_size) == (len(start), 15)


def test_a_server_that_says_too_much_first_makes_it_a_tunnel() -> None:
    played = Played((CONNECT, b""), (CLIENT, CALL[:10]), (UPSTREAM, b"x" * 70_000), (CLIENT, CALL[10:]))
    assert (played.to_upstream, len(played.to_client), played.kinds) == (CALL, 70_000, [TUNNEL])


@pytest.mark.parametrize("start", [b"GET / HT", b"PRI * HT", b"hello"])
def test_a_client_that_ends_before_its_protocol_is_known_is_passed_on(start: bytes) -> None:
    for steps in ([(CONNECT, b""), (CLIENT, start), (CLIENT_ENDS, b"")], [(CLIENT, start), (CLIENT_ENDS, b""), (CONNECT, b"")]):
        played = Played(*steps, (UPSTREAM, b"no"), (UPSTREAM_ENDS, b""))
        assert (played.to_upstream, played.to_client, played.kinds) == (start, b"no", [TUNNEL])


def test_a_connection_that_says_nothing_leaves_no_record() -> None:
    assert Played((CONNECT, b"")).records == []
    assert Played((CONNECT, b""), (CLIENT_ENDS, b"")).records == []
    assert Played((FAIL, b"")).records == []


def test_without_an_upstream_a_request_is_answered_503_and_one_that_is_not_whole_waits_for_another_try() -> None:
    played = Played((FAIL, b""), (CLIENT, GET[:10]), (FAIL, b""), (CLIENT, GET[10:]), (FAIL, b""))
    assert played.to_client.startswith(b"HTTP/1.1 503 ")
    assert played.kinds == [("http/1.1", 503, Outcome.UNREACHABLE)]
    again = Played((FAIL, b""), (CLIENT, GET[:10]), (FAIL, b""), (CLIENT, GET[10:]), (CONNECT, b""), (UPSTREAM, OK))
    assert (again.to_upstream, again.kinds) == (GET, [HTTP1])


def test_without_an_upstream_what_cannot_be_answered_is_closed() -> None:
    played = Played((CLIENT, CALL), (FAIL, b""))
    assert played.to_client == b""
    assert played.kinds == [("http/2", 0, Outcome.UNREACHABLE)]
