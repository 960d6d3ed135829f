"""The rule of the data plane: what the server gets and what the client gets is what was sent, whatever was sent, however cut."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.exchange import Outcome
from tests.parts import wait_until
from tests.relay import Relay, ScriptedServer, read_exactly, relay, send_pieces

NAMES = st.sampled_from(["X-Trace", "x-a", "User-Agent", "ACCEPT", "Cookie", "traceparent"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
BODIES = st.binary(max_size=3000)
OTHER_PROTOCOLS = [b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"hello\n"]
CUTS = st.lists(st.integers(0, 20000), max_size=6)


def head(start: str, fields: list[tuple[str, str]]) -> bytes:
    return "".join([start, "\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode()


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    pieces = draw(st.lists(st.binary(min_size=1, max_size=500), max_size=5))
    extension = draw(st.sampled_from([b"", b";a=b", b" ;q"]))
    trailer = draw(st.sampled_from([b"", b"Checksum: 1\r\n"]))
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes]:
    method = draw(st.sampled_from(["POST", "PUT", "GET", "HEAD", "DELETE"]))
    fields = draw(FIELDS)
    body = b""
    if method in ("POST", "PUT"):
        if draw(st.booleans()):
            body = draw(chunked())
            fields = [*fields, ("Transfer-Encoding", "chunked")]
        else:
            body = draw(BODIES)
            fields = [("Content-Length", str(len(body))), *fields]
    path = draw(st.sampled_from(["/v1/models/m:predict", "/v2/models/m/infer?x=%20", "/", "*"]))
    return method, head(f"{method} {path} HTTP/1.1", [("Host", "model"), *fields]) + body


@st.composite
def responses(draw: st.DrawFn, method: str) -> bytes:
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]))
    status = draw(st.sampled_from(["200 OK", "200 ", "204 No Content", "304 Not Modified", "500 Oh no", "422 Unprocessable"]))
    fields = draw(FIELDS)
    bodiless = method == "HEAD" or status[:3] in ("204", "304")
    if draw(st.booleans()):
        body = draw(chunked())
        fields = [*fields, ("Transfer-Encoding", "chunked")]
    else:
        body = draw(BODIES)
        fields = [*fields, ("content-length", str(len(body)))]
    return interim + head(f"HTTP/1.1 {status}", fields) + (b"" if bodiless else body)


@dataclass
class Play:
    """What goes over one connection, and how it is cut."""

    requests: list[bytes] = field(default_factory=list)
    responses: list[bytes] = field(default_factory=list)
    pipelined: bool = False
    request_cuts: list[int] = field(default_factory=list)
    response_cuts: list[int] = field(default_factory=list)


@st.composite
def plays(draw: st.DrawFn) -> Play:
    pairs = draw(st.lists(requests(), min_size=1, max_size=4))
    return Play(
        [request for _, request in pairs],
        [draw(responses(method)) for method, _ in pairs],
        draw(st.booleans()),
        draw(CUTS),
        draw(CUTS),
    )


class Stage:
    """A relay before a server that plays the model server's part of a `Play`."""

    def __init__(self) -> None:
        self.play = Play()
        self.received = b""
        self.server = ScriptedServer(self.perform)

    def perform(self, client: socket.socket) -> None:
        for request, response in zip(self.play.requests, self.play.responses, strict=True):
            self.received += read_exactly(client, len(request))
            send_pieces(client, response, self.play.response_cuts)
        client.recv(1)  # the client closes first


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Stage, Relay]]:
    played = Stage()
    with relay(played.server.port) as running:
        yield played, running
    played.server.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(play=plays())
def test_bytes_pass_untouched_and_each_exchange_is_recorded_once(stage: tuple[Stage, Relay], play: Play) -> None:
    played, running = stage
    played.play, played.received = play, b""
    before = len(running.records)
    expected = b"".join(play.responses)
    with running.connect() as client:
        if play.pipelined:
            send_pieces(client, b"".join(play.requests), play.request_cuts)
            got = read_exactly(client, len(expected))
        else:
            got = b""
            for request, response in zip(play.requests, play.responses, strict=True):
                send_pieces(client, request, play.request_cuts)
                got += read_exactly(client, len(response))
    assert got == expected
    assert played.received == b"".join(play.requests)
    records = running.wait_for_records(before + len(play.requests))[before:]
    assert [record.request for record in records] == play.requests
    assert [record.response for record in records] == play.responses
    assert {record.outcome for record in records} == {Outcome.COMPLETE}
    assert all(0 < record.sent_ns <= record.end_ns and 0 < record.first_byte_ns <= record.end_ns for record in records)


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from(OTHER_PROTOCOLS),
    there=BODIES,
    back=BODIES,
    cuts=CUTS,
)
def test_what_is_no_http_passes_as_a_tunnel(
    stage: tuple[Stage, Relay], start: bytes, there: bytes, back: bytes, cuts: list[int]
) -> None:
    played, running = stage
    played.play, played.received = Play([start + there], [back]), b""
    before = len(running.records)
    with running.connect() as client:
        send_pieces(client, start + there, cuts)
        assert read_exactly(client, len(back)) == back
    wait_until(lambda: len(running.records) > before, "the tunnel's record")
    assert played.received == start + there
    record = running.records[-1]
    assert (record.outcome, record.request_size, record.response_size) == (Outcome.TUNNEL, len(start + there), len(back))
