"""What the relay does at the edges of HTTP: upgrades, refusals, broken connections, an upstream that is not there."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from agent.exchange import Flag, Outcome
from agent.proxy.http2.follow import PREFACE
from agent.proxy.http2.frames import SETTINGS
from agent.proxy.trace import Sampler
from tests.http2 import frame, headers, plain
from tests.parts import free_ports, wait_until
from tests.relay import Relay, Script, ScriptedServer, read_all, read_exactly, relay

POST = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def before(script: Script, sampler: Sampler | None = None, **settings: str) -> Iterator[Relay]:
    server = ScriptedServer(script)
    with relay(server.port, sampler, **settings) as running:
        yield running
    server.close()


def answer_once(request_size: int = len(POST), response: bytes = OK) -> Script:
    def script(client: socket.socket) -> None:
        read_exactly(client, request_size)
        client.sendall(response)
        client.recv(1)

    return script


def test_expect_100_continue_passes_both_ways() -> None:
    head = POST[:-2].replace(b"Host", b"Expect: 100-continue\r\nHost")
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"

    def script(client: socket.socket) -> None:
        assert read_exactly(client, len(head)) == head
        client.sendall(interim)
        assert read_exactly(client, 2) == b"{}"
        client.sendall(OK)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(head)
        assert read_exactly(client, len(interim)) == interim
        client.sendall(b"{}")
        assert read_exactly(client, len(OK)) == OK
        (record,) = running.wait_for_records(1)
    assert (record.status, record.outcome, record.response) == (200, Outcome.COMPLETE, interim + OK)


def test_an_accepted_upgrade_becomes_a_tunnel() -> None:
    request = b"GET /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    def script(client: socket.socket) -> None:
        read_exactly(client, len(request))
        client.sendall(switch + b"\x81\x02hi")
        assert read_exactly(client, 5) == b"POST "
        client.sendall(b"\x88\x00")

    with before(script) as running:
        with running.connect() as client:
            client.sendall(request)
            assert read_exactly(client, len(switch) + 4) == switch + b"\x81\x02hi"
            client.sendall(b"POST ")
            assert read_all(client) == b"\x88\x00"
        upgrade, tunnel = running.wait_for_records(2)
    assert (upgrade.status, upgrade.outcome) == (101, Outcome.COMPLETE)
    assert (tunnel.protocol, tunnel.outcome, tunnel.request_size) == ("tunnel", Outcome.TUNNEL, 5)


def test_a_declined_upgrade_goes_on_as_http() -> None:
    request = b"GET /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    def script(client: socket.socket) -> None:
        read_exactly(client, len(request))
        client.sendall(OK)
        read_exactly(client, len(POST))
        client.sendall(OK)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(request + POST)
        assert read_exactly(client, 2 * len(OK)) == OK + OK
        assert [record.outcome for record in running.wait_for_records(2)] == [Outcome.COMPLETE] * 2


def test_http2_before_a_server_that_does_not_speak_it_goes_on_as_a_tunnel() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with before(answer_once(len(preface), answer)) as running:
        with running.connect() as client:
            client.sendall(preface)
            assert read_exactly(client, len(answer)) == answer
        (record,) = running.wait_for_records(1)
        assert running.context.counters.faults == 1
    assert (record.protocol, record.outcome, record.response_size) == ("http/2", Outcome.TUNNEL, len(answer))


def test_a_server_that_speaks_first_is_heard() -> None:
    with before(lambda client: client.sendall(b"220 ready\r\n")) as running, running.connect() as client:
        assert read_all(client) == b"220 ready\r\n"


def test_an_unreachable_upstream_is_503_and_the_next_request_tries_again() -> None:
    (port,) = free_ports(1)
    with relay(port) as running:
        with running.connect() as client:
            time.sleep(0.05)  # the connection at accept time has failed by now
            client.sendall(POST)
            answer = read_all(client)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"x-outrider-error: upstream-unreachable" in head
        assert json.loads(body)["source"] == "outrider"
        (record,) = running.wait_for_records(1)
        assert (record.status, record.outcome, record.method) == (503, Outcome.UNREACHABLE, "POST")
        assert running.context.counters.unreachable == 1
        listener = socket.create_server(("127.0.0.1", port))
        with running.connect() as client, listener:
            client.sendall(POST)
            accepted, _ = listener.accept()
            with accepted:
                assert read_exactly(accepted, len(POST)) == POST
                accepted.sendall(OK)
                assert read_exactly(client, len(OK)) == OK


@pytest.mark.parametrize(
    "smuggled",
    [
        b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: m\nContent-Length: 4\r\n\r\nabcd",
        b"GET / HTTP/1.1\r\nHost: m\n\r\n",
    ],
)
def test_an_ambiguous_request_is_400(smuggled: bytes) -> None:
    received: list[bytes] = []
    with before(lambda client: received.append(read_all(client))) as running, running.connect() as client:
        client.sendall(smuggled)
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"x-outrider-error: ambiguous-message" in answer
        (record,) = running.wait_for_records(1)
    assert (record.status, record.outcome) == (400, Outcome.REFUSED)


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    bad = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"

    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        time.sleep(0.05)
        client.sendall(OK)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(POST + bad)
        answer = read_all(client)
        assert answer.startswith(OK + b"HTTP/1.1 400 ")
        assert [record.outcome for record in running.wait_for_records(2)] == [Outcome.COMPLETE, Outcome.REFUSED]


def test_a_response_until_close_ends_with_the_connection() -> None:
    response = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000

    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        client.sendall(response)

    with before(script) as running, running.connect() as client:
        client.sendall(POST)
        assert read_all(client) == response
        (record,) = running.wait_for_records(1)
    assert (record.outcome, record.response) == (Outcome.COMPLETE, response)


def test_a_reset_upstream_resets_the_client() -> None:
    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        time.sleep(0.05)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with before(script) as running, running.connect() as client:
        client.sendall(POST)
        read_exactly(client, 23)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        (record,) = running.wait_for_records(1)
    assert (record.outcome, record.status) == (Outcome.UPSTREAM_GONE, 200)


def test_a_response_cut_short_is_passed_as_far_as_it_came() -> None:
    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    with before(script) as running, running.connect() as client:
        client.sendall(POST)
        assert read_all(client).endswith(b"\r\n\r\nhalf")
        (record,) = running.wait_for_records(1)
    assert record.outcome == Outcome.UPSTREAM_GONE


def test_a_client_that_leaves_is_recorded_and_the_server_is_told() -> None:
    told = threading.Event()

    def script(client: socket.socket) -> None:
        read_exactly(client, len(POST))
        read_all(client)
        told.set()

    with before(script) as running:
        with running.connect() as client:
            client.sendall(POST)
            time.sleep(0.05)
        assert told.wait(5)
        (record,) = running.wait_for_records(1)
    assert record.outcome in (Outcome.CLIENT_GONE, Outcome.UPSTREAM_GONE)


def test_an_early_answer_comes_through_while_the_body_is_still_sent() -> None:
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 100000\r\n\r\n"
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"

    def script(client: socket.socket) -> None:
        read_exactly(client, len(head))
        client.sendall(early)
        read_exactly(client, 100_000)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(head + b"x" * 10)
        assert read_exactly(client, len(early)) == early
        client.sendall(b"x" * 99_990)
        (record,) = running.wait_for_records(1)
    assert (record.status, record.outcome, record.request_size) == (413, Outcome.COMPLETE, len(head) + 100_000)


def test_a_large_body_is_relayed_whole_and_captured_in_part() -> None:
    body = Random(1).randbytes(20_000_000)
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n" % len(body)
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_exactly(client, len(head) + len(body)))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.sendall(body)
        client.recv(1)

    with before(script, OUTRIDER_CAPTURE_BYTES="64KiB") as running, running.connect() as client:
        client.sendall(head + body)
        got = read_all_of_response(client, len(body))
        (record,) = running.wait_for_records(1)
    assert got == body
    assert received == [head + body]
    assert record.flags == Flag.REQUEST_CUT | Flag.RESPONSE_CUT
    assert (len(record.request), len(record.response)) == (65536, 65536)
    assert record.request_size == len(head) + len(body)


def read_all_of_response(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    body = data.partition(b"\r\n\r\n")[2]
    while len(body) < size:
        body += client.recv(1 << 20)
    return bytes(body)


def test_a_slow_reader_holds_the_server_back_instead_of_filling_memory() -> None:
    sent = 0

    def script(client: socket.socket) -> None:
        nonlocal sent
        read_exactly(client, len(POST))
        client.settimeout(1)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                client.sendall(b"x" * 1_000_000)
                sent += 1_000_000

    with before(script) as running, running.connect() as client:
        client.sendall(POST)
        time.sleep(1.5)
        assert 0 < sent < 40_000_000


def test_the_trace_context_is_spliced_only_when_sampled() -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(client.recv(4096))
        client.sendall(OK)
        client.recv(1)

    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
    with before(script, Sampler(random=Random(1))) as running:
        for flags in (b"00", b"01"):
            with running.connect() as client:
                client.sendall(POST.replace(b"Host: m", b"Host: m\r\ntraceparent: " + parent + flags))
                assert read_exactly(client, len(OK)) == OK
        unsampled, sampled = running.wait_for_records(2)
    assert received[0] == POST.replace(b"Host: m", b"Host: m\r\ntraceparent: " + parent + b"00")
    assert unsampled.trace == b""
    ours = sampled.trace[16:24].hex().encode()
    assert received[1] == POST.replace(b"Host: m", b"Host: m\r\ntraceparent: " + parent[:36] + ours + b"-01")
    assert sampled.trace[:16].hex().encode() == parent[3:35]
    assert sampled.request == received[1]


def keep(received: list[bytes], response: bytes = b"") -> Script:
    """Read until the client ends; answer at once if there is something to say."""

    def script(client: socket.socket) -> None:
        received.append(client.recv(65536))
        if response:
            client.sendall(response)
        received.append(read_all(client))

    return script


def test_a_request_that_asks_for_an_upgrade_may_have_a_body() -> None:
    head = b"POST / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n"

    def script(client: socket.socket) -> None:
        assert read_exactly(client, len(head) + 2) == head + b"{}"
        client.sendall(OK)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        client.sendall(head)
        time.sleep(0.05)
        client.sendall(b"{}")
        assert read_exactly(client, len(OK)) == OK


def test_an_unknown_method_passes_whole() -> None:
    request = b"BREW /pot HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\nhi"
    with before(answer_once(len(request))) as running, running.connect() as client:
        client.sendall(request)
        assert read_exactly(client, len(OK)) == OK


def test_probes_of_a_port_without_an_upstream_leave_nothing_behind() -> None:
    (port,) = free_ports(1)
    with relay(port) as running:
        for start in (b"", b"POST / HT"):
            with running.connect() as client:
                time.sleep(0.05)
                client.sendall(start)
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == b""
        wait_until(lambda: running.context.counters.connections == 0, "no connection")


def test_nothing_passes_after_a_refusal() -> None:
    received: list[bytes] = []
    bad = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"
    smuggled = POST.replace(b"/v1", b"/smuggled")
    for response in (b"", b"garbage\r\n\r\n", OK + OK):
        with before(keep(received, response)) as running, running.connect() as client:
            client.sendall(POST + bad)
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                client.sendall(smuggled)
            client.settimeout(0.3)
            with contextlib.suppress(OSError):
                read_all(client)
    assert not any(b"smuggled" in data for data in received)


def test_a_body_that_nobody_reads_is_held_back_during_an_upgrade() -> None:
    head = b"GET /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    done = threading.Event()

    def script(client: socket.socket) -> None:
        read_exactly(client, len(head))
        client.sendall(switch)
        done.wait(10)

    with before(script) as running, running.connect() as client:
        client.sendall(head)
        read_exactly(client, len(switch))
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            for _ in range(100):
                client.sendall(b"x" * 1_000_000)
                sent += 1_000_000
        done.set()
    assert sent < 40_000_000


def test_a_traceparent_that_is_none_is_overwritten_as_a_value_only() -> None:
    received: list[bytes] = []
    with before(keep(received, OK), Sampler(random=Random(1))) as running, running.connect() as client:
        client.sendall(POST.replace(b"Host: m", b"Host: m\r\ntraceparent: a"))
        assert read_exactly(client, len(OK)) == OK
        (record,) = running.wait_for_records(1)
    ours = b"00-" + record.trace[:16].hex().encode() + b"-" + record.trace[16:24].hex().encode() + b"-01"
    assert received[0] == POST.replace(b"Host: m", b"Host: m\r\ntraceparent: " + ours)


def test_a_server_may_answer_early_end_its_side_and_read_on() -> None:
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 3000000\r\n\r\n"
    early = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    drained: list[int] = []

    def script(client: socket.socket) -> None:
        read_exactly(client, len(head))
        client.sendall(early)
        client.shutdown(socket.SHUT_WR)
        drained.append(len(read_exactly(client, 3_000_000)))

    with before(script) as running, running.connect() as client:
        client.sendall(head)
        time.sleep(0.1)
        for _ in range(3):
            client.sendall(b"x" * 1_000_000)
        assert read_all(client) == early
        (record,) = running.wait_for_records(1)
    assert drained == [3_000_000]
    assert (record.status, record.outcome) == (413, Outcome.COMPLETE)


def test_the_end_of_the_client_follows_what_was_held() -> None:
    received: list[bytes] = []
    with before(lambda client: received.append(read_all(client))) as running, running.connect() as client:
        client.sendall(b"HELLO")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
    assert received == [b"HELLO"]


def test_interim_responses_give_back_what_they_took() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"

    def script(client: socket.socket) -> None:
        for _ in range(20):
            read_exactly(client, len(POST))
            client.sendall(interim)
            time.sleep(0.005)
            client.sendall(OK)
        client.recv(1)

    with before(script) as running, running.connect() as client:
        for _ in range(20):
            client.sendall(POST)
            read_exactly(client, len(interim + OK))
        records = running.wait_for_records(20)
        wait_until(lambda: running.context.tap.free == running.settings.tap_bytes // 2, "all of the tap free again")
    assert {record.response for record in records} == {interim + OK}
    assert {record.response_size for record in records} == {len(interim + OK)}


def test_a_drain_waits_for_what_the_client_has_not_read_yet() -> None:
    size = 3_000_000
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    with before(answer_once(response=response), OUTRIDER_DRAIN_TIMEOUT="10s") as running, running.connect() as client:
        client.sendall(POST)
        running.wait_for_records(1)
        draining = threading.Thread(target=running.call, args=(running.server.drain(delay_s=0),))
        draining.start()
        time.sleep(0.3)
        assert read_all(client) == response
        draining.join(10)


def test_a_drain_says_goodbye_to_http2_waits_for_its_calls_and_names_the_last_one() -> None:
    goodbye = bytes.fromhex("000008 07 00 00000000")
    server = frame(SETTINGS) + headers(1, plain([(":status", "200")]), last=True)

    def script(client: socket.socket) -> None:
        read_exactly(client, len(PREFACE) + len(asked))
        client.sendall(server[:9])
        answered.wait(10)
        client.sendall(server[9:])
        client.recv(1)

    answered = threading.Event()
    asked = frame(SETTINGS) + headers(1, plain([(":method", "POST"), (":path", "/x.Y/Z")]), last=True)
    with before(script, OUTRIDER_DRAIN_TIMEOUT="10s") as running, running.connect() as client:
        client.sendall(PREFACE + asked)
        assert read_exactly(client, 9) == server[:9]
        draining = threading.Thread(target=running.call, args=(running.server.drain(delay_s=0),))
        draining.start()
        assert read_exactly(client, 17) == goodbye + bytes.fromhex("7fffffff 00000000")
        answered.set()
        assert read_all(client) == server[9:] + goodbye + bytes.fromhex("00000001 00000000")
        draining.join(10)
        (record,) = running.wait_for_records(1)
    assert (record.outcome, record.target, record.status) == (Outcome.COMPLETE, "/x.Y/Z", 200)
