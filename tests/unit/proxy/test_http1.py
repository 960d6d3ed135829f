"""HTTP/1 followed on fake transports: what only an order of events can bring about."""

from __future__ import annotations

from agent.exchange import Exchange, Outcome
from tests.fuzz.links import CLIENT, CONNECT, DRAIN, UPSTREAM, Play, Step
from tests.http2 import records_in

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: m\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 100\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"


def played(*steps: Step) -> tuple[Play, list[Exchange]]:
    play = Play()
    monitor = play.watch()
    play.run([(CONNECT, b""), *steps])
    return play, records_in(monitor.written)


def test_what_follows_a_declined_upgrade_may_be_no_http() -> None:
    play, records = played((CLIENT, UPGRADE), (CLIENT, b"~~~ ~~~\r\n\r\n"), (UPSTREAM, EMPTY), (CLIENT, b"more"))
    assert play.context.counters.faults == 1
    first, tunnel = records
    assert (first.status, first.outcome, first.response) == (200, Outcome.COMPLETE, EMPTY)
    assert (tunnel.outcome, tunnel.request_size) == (Outcome.TUNNEL, len(b"~~~ ~~~\r\n\r\nmore"))


def test_a_second_answer_to_a_request_that_is_still_sent_is_nobodys() -> None:
    play, records = played((CLIENT, POST), (UPSTREAM, TOO_LARGE), (UPSTREAM, OK), (CLIENT, b"x" * 100))
    first, tunnel = records
    assert (first.status, first.response, first.outcome) == (413, TOO_LARGE, Outcome.COMPLETE)
    assert (tunnel.outcome, tunnel.response_size) == (Outcome.TUNNEL, len(OK))
    assert play.given == play.uplinks[0].written


def test_bytes_behind_a_response_belong_to_the_tunnel_alone() -> None:
    _, records = played((CLIENT, GET), (UPSTREAM, OK + b"garbage"))
    assert [record.response_size for record in records] == [len(OK), len(b"garbage")]


def test_a_transfer_coding_in_http_1_0_is_refused() -> None:
    # RFC 9112 §6.1: its framing is faulty. A server of that version takes what follows the head for the next request.
    play, records = played((CLIENT, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
    assert play.client.written.startswith(b"HTTP/1.1 400 ")
    assert [record.outcome for record in records] == [Outcome.REFUSED]


def test_a_blank_behind_a_chunks_size_is_refused_unless_an_extension_follows() -> None:
    # RFC 9112 §7.1.1 allows it there only; the reader promises plain digits.
    play, _ = played((CLIENT, b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n"))
    assert play.client.written.startswith(b"HTTP/1.1 400 ")


def test_an_upgrade_accepted_during_a_drain_has_until_its_end() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    play, _ = played((CLIENT, UPGRADE), (DRAIN, b""), (UPSTREAM, switch), (CLIENT, b"hello"))
    assert play.uplinks[0].written == UPGRADE + b"hello"
