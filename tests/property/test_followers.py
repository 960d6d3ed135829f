"""HTTP/1 as the relay follows it and as `h11` reads it: the same messages, with the same ends, however they are cut."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.exchange import Outcome
from tests.fuzz.links import CLIENT, CONNECT, UPSTREAM, UPSTREAM_ENDS, Play, Step
from tests.http1 import content_of, exchanges_in
from tests.http2 import marks_of, records_in

VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
FIELDS = st.lists(st.tuples(st.sampled_from(["X-A", "user-agent", "Cookie", "traceparent"]), VALUES), max_size=3)
TARGETS = ["/v1/models/m:predict", "/v2/models/m/infer?x=%20", "http://model:8080/v1?a=b", "*", "/"]
INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
]
STATUSES = ["200 OK", "200 ", "204 No Content", "304 Not Modified", "206 Partial", "404 Not Found", "500 Oh no"]
EXTENSIONS = [b"", b"", b";a", b";a=b;c=d", b';a="quoted"']
TRAILERS = [b"", b"", b"Checksum: 1\r\n", b"A: 1\r\nB: two words\r\n"]


@dataclass(frozen=True)
class Message:
    """As on the wire, and whether it only ends with the connection."""

    wire: bytes
    method: str = ""
    until_close: bool = False


def head(start: str, fields: list[tuple[str, str]]) -> bytes:
    return "".join([start, "\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode()


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    pieces = draw(st.lists(st.binary(min_size=1, max_size=60), max_size=5))
    parts = [
        draw(st.sampled_from([b"%x", b"%X", b"0%x", b"000%x"])) % len(piece)
        + draw(st.sampled_from(EXTENSIONS))
        + b"\r\n"
        + piece
        + b"\r\n"
        for piece in pieces
    ]
    end = draw(st.sampled_from([b"0", b"000", b"0;last"])) + b"\r\n" + draw(st.sampled_from(TRAILERS)) + b"\r\n"
    return b"".join(parts) + end


@st.composite
def requests(draw: st.DrawFn) -> Message:
    method = draw(st.sampled_from(["POST", "PUT", "GET", "HEAD", "DELETE", "OPTIONS", "PATCH"]))
    fields = [("Host", "model"), *draw(FIELDS)]
    match draw(st.sampled_from(["none", "length", "chunked", "expect"])):
        case "none":
            body = b""
        case "chunked":
            body = draw(chunked())
            fields.append(("Transfer-Encoding", draw(st.sampled_from(["chunked", "Chunked"]))))
        case kind:
            body = draw(st.binary(max_size=300))
            fields.insert(draw(st.integers(0, len(fields))), ("Content-Length", str(len(body))))
            fields += [("Expect", "100-continue")] * (kind == "expect")
    target = draw(st.sampled_from(TARGETS))
    return Message(head(f"{method} {target} HTTP/1.1", fields) + body, method)


@st.composite
def responses(draw: st.DrawFn, method: str, *, last: bool) -> Message:
    interim = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=3)))
    status = draw(st.sampled_from(STATUSES))
    fields = draw(FIELDS)
    bodiless = method == "HEAD" or status[:3] in ("204", "304")
    kind = draw(st.sampled_from(["length", "chunked", "close"]))
    if kind == "close" and not last:
        kind = "length"
    body = draw(chunked()) if kind == "chunked" else draw(st.binary(max_size=300))
    if kind == "chunked":
        fields = [*fields, ("transfer-encoding", "chunked")]
    elif kind == "length":
        fields = [*fields, ("content-length", str(len(body)))]
    wire = interim + head(f"HTTP/1.1 {status}", fields) + (b"" if bodiless else body)
    return Message(wire, until_close=kind == "close" and not bodiless)


@st.composite
def connections(draw: st.DrawFn) -> list[tuple[Message, Message]]:
    asked = draw(st.lists(requests(), min_size=1, max_size=5))
    return [(request, draw(responses(request.method, last=request is asked[-1]))) for request in asked]


def steps_of(connection: list[tuple[Message, Message]], turns: list[bool], size: int) -> list[Step]:
    """Questions and answers in an order that can be: no answer before its question."""
    asked, answered = [request for request, _ in connection], [response for _, response in connection]
    steps: list[Step] = [(CONNECT, b"")]
    turn = itertools.cycle(turns)
    waiting = 0
    while asked or answered:
        is_asked = next(turn) or not waiting
        if asked and is_asked:
            steps += pieces(CLIENT, asked.pop(0).wire, size)
            waiting += 1
        elif waiting:
            steps += pieces(UPSTREAM, answered.pop(0).wire, size)
            waiting -= 1
    return steps


def pieces(kind: int, wire: bytes, size: int) -> list[Step]:
    return [(kind, wire[at : at + size]) for at in range(0, len(wire), size)]


def joined(steps: list[Step]) -> list[Step]:
    """What one side says in a row comes in one piece."""
    return [(kind, b"".join(data for _, data in group)) for kind, group in itertools.groupby(steps, key=lambda step: step[0])]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    connection=connections(),
    turns=st.lists(st.booleans(), min_size=1, max_size=8).filter(any),
    size=st.sampled_from([1, 2, 7, 64, 10_000]),
    in_one=st.booleans(),
)
def test_messages_end_where_h11_sees_them_end(
    connection: list[tuple[Message, Message]], turns: list[bool], size: int, in_one: bool
) -> None:
    steps = steps_of(connection, turns, size)
    until_close = connection[-1][1].until_close
    play = Play(OUTRIDER_MAX_HEAD="8KiB", OUTRIDER_CAPTURE_BYTES="64KiB", OUTRIDER_TAP_BYTES="1MiB")
    monitor = play.watch()
    play.run((joined(steps) if in_one else steps) + [(UPSTREAM_ENDS, b"")] * until_close)
    assert play.context.counters.faults == play.context.counters.refused == 0
    records = records_in(monitor.written)
    sent, received = (b"".join(message.wire for message in side) for side in zip(*connection, strict=True))
    assert (bytes(play.given), bytes(play.client.written)) == (sent, received)
    assert [(record.request, record.response) for record in records] == [(one.wire, other.wire) for one, other in connection]
    opinions = exchanges_in(sent, received, has_ended=until_close)
    assert [(record.method, record.target, record.status) for record in records] == [
        (opinion.method, opinion.target, opinion.status) for opinion in opinions
    ]
    assert {record.outcome for record in records} == {Outcome.COMPLETE}
    for record, opinion, (_, response) in zip(records, opinions, connection, strict=True):
        assert content_of(record.request) == opinion.request
        assert opinion.method == "HEAD" or content_of(record.response) == opinion.response
        marks = marks_of(record)
        assert sum(size for _, size, _ in marks) in (0, len(response.wire) - body_at(response.wire))
        assert [at for at, _, _ in marks] == sorted(at for at, _, _ in marks)


def body_at(wire: bytes) -> int:
    """Where the final response's body begins."""
    at = 0
    while wire.startswith(b"HTTP/1.1 1", at):
        at = wire.index(b"\r\n\r\n", at) + 4
    return wire.index(b"\r\n\r\n", at) + 4
