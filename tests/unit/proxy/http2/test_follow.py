"""Both directions together: one record per stream, whatever order things come in and however a stream ends."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

import pytest
from hpack import Encoder

from agent.exchange import NO_GRPC_STATUS, Exchange, Flag, Outcome
from agent.proxy.http2.follow import MAX_CALLS, PREFACE
from agent.proxy.http2.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PUSH_PROMISE,
    SETTINGS,
    BrokenError,
)
from tests.http2 import (
    ANSWER,
    GRPC,
    GRPC_ANSWER,
    OPENING,
    PING,
    REQUEST,
    WINDOW_UPDATE,
    Watched,
    body_of,
    data,
    encoded,
    frame,
    goaway,
    headers,
    in_pieces,
    literal,
    marks_of,
    message,
    opened,
    plain,
    rst,
    table_size,
)

ASK, OK = plain(REQUEST), plain(ANSWER)
TRAILERS = plain([("grpc-status", "0")])


def only(watched: Watched) -> Exchange:
    assert not watched.follower.calls
    (record,) = watched.records()
    return record


# How a call goes


def test_a_call_is_recorded_once_with_all_that_passed() -> None:
    ask, content = headers(1, ASK), data(1, b"question", last=True)
    answer, pieces = headers(1, OK), [data(1, b"ans"), data(1, b"wer"), data(1, last=True)]
    record = only(opened().client(ask, content).upstream(answer, *pieces))
    assert (record.protocol, record.method, record.target) == ("http/2", "POST", "/v2/models/m/infer")
    assert (record.status, record.outcome, record.flags) == (200, Outcome.COMPLETE, 0)
    assert record.request == b"POST /v2/models/m/infer HTTP/2\r\nhost: m\r\n\r\nquestion"
    assert record.response == b"HTTP/2 200\r\ncontent-type: application/json\r\n\r\nanswer"
    assert record.request_size == len(ask + content)
    assert record.response_size == len(answer) + sum(map(len, pieces))
    assert 0 < record.sent_ns < record.first_byte_ns < record.end_ns
    assert [size for _, size, _ in marks_of(record)] == [3, 3]


def test_a_unary_grpc_call() -> None:
    watched = opened().client(headers(1, plain(GRPC)), data(1, message(b"q"), last=True))
    watched.upstream(headers(1, plain(GRPC_ANSWER)), data(1, message(b"a")), headers(1, TRAILERS, last=True))
    record = only(watched)
    assert (record.protocol, record.status, record.grpc_status, record.outcome) == ("grpc", 200, 0, Outcome.COMPLETE)
    assert (record.request_messages, record.response_messages, record.marks) == (1, 1, b"")
    assert (body_of(record.request), body_of(record.response)) == (message(b"q"), message(b"a"))


def test_a_grpc_call_that_fails_at_once_has_only_trailers() -> None:
    trailers_only = plain([*GRPC_ANSWER, ("grpc-status", "5"), ("grpc-message", "no such model")])
    record = only(opened().client(headers(1, plain(GRPC), last=True)).upstream(headers(1, trailers_only, last=True)))
    assert (record.status, record.grpc_status, record.response_messages, record.outcome) == (200, 5, 0, Outcome.COMPLETE)


def test_a_content_length_spares_the_marks() -> None:
    watched = opened().client(headers(1, ASK, last=True))
    watched.upstream(headers(1, plain([*ANSWER, ("content-length", "2")])), data(1, b"a"), data(1, b"b", last=True))
    assert only(watched).marks == b""


def test_interim_responses_are_not_the_answer() -> None:
    watched = opened().client(headers(1, ASK), data(1, b"q", last=True))
    watched.upstream(headers(1, plain([(":status", "100")])), headers(1, plain([(":status", "103"), ("link", "</a>")])))
    record = only(watched.upstream(headers(1, OK), data(1, b"a", last=True)))
    assert (record.status, record.outcome, body_of(record.response)) == (200, Outcome.COMPLETE, b"a")


def test_trailers_of_a_request_end_it() -> None:
    watched = opened().client(headers(1, ASK), data(1, b"q")).client(headers(1, plain([("x-sum", "1")]), last=True))
    record = only(watched.upstream(headers(1, OK, last=True)))
    assert (record.outcome, body_of(record.request)) == (Outcome.COMPLETE, b"q")
    assert 0 < record.sent_ns < record.first_byte_ns


def test_streams_interleave() -> None:
    watched = opened().client(headers(1, ASK), headers(3, ASK), data(3, b"3"), data(1, b"1", last=True), data(3, b"3", last=True))
    watched.upstream(headers(3, OK), headers(1, OK), data(3, b"c"), data(1, b"a", last=True), data(3, b"c", last=True))
    first, second = watched.records()
    assert (body_of(first.request), body_of(first.response)) == (b"1", b"a")
    assert (body_of(second.request), body_of(second.response)) == (b"33", b"cc")


def test_padding_is_counted_on_the_wire_but_is_no_content() -> None:
    content = frame(0, PADDED | END_STREAM, 1, b"\x07" + b"q" + bytes(7))
    record = only(opened().client(headers(1, ASK), content).upstream(headers(1, OK, last=True)))
    assert body_of(record.request) == b"q"
    assert record.request_size == len(headers(1, ASK)) + len(content)


def test_large_heads_go_on_in_continuation_frames() -> None:
    ask = plain([*REQUEST, ("x-long", "x" * 40_000)])
    block = in_pieces(1, ask, 16384, last=True)
    record = only(opened().client(block).upstream(in_pieces(1, OK, 1), data(1, b"a", last=True)))
    assert record.request_size == len(block)
    assert record.request.endswith(b"x\r\n\r\n")
    assert (record.status, record.outcome) == (200, Outcome.COMPLETE)


# How it ends otherwise


def test_an_answer_before_the_requests_end_waits_for_it() -> None:
    watched = opened().client(headers(1, ASK), data(1, b"q")).upstream(headers(1, plain([(":status", "413")]), last=True))
    assert len(watched.follower.calls) == 1
    record = only(watched.client(data(1, b"rest", last=True)))
    assert (record.status, record.outcome, body_of(record.request)) == (413, Outcome.COMPLETE, b"qrest")


@pytest.mark.parametrize("by_client", [True, False])
def test_a_reset_after_a_whole_answer_changes_nothing(by_client: bool) -> None:
    watched = opened().client(headers(1, ASK)).upstream(headers(1, OK, last=True))
    watched.client(rst(1)) if by_client else watched.upstream(rst(1, 0))
    assert only(watched).outcome == Outcome.COMPLETE


def test_a_client_that_gives_up() -> None:
    watched = opened().client(headers(1, ASK, last=True)).upstream(headers(1, OK), data(1, b"a")).client(rst(1))
    record = only(watched)
    assert (record.status, record.outcome, body_of(record.response)) == (200, Outcome.CLIENT_GONE, b"a")
    assert record.request_size == len(headers(1, ASK, last=True)) + 13


def test_a_server_that_breaks_off() -> None:
    watched = opened().client(headers(1, plain(GRPC), last=True)).upstream(rst(1, 7))
    record = only(watched)
    assert (record.status, record.outcome, record.grpc_status) == (0, Outcome.UPSTREAM_GONE, NO_GRPC_STATUS)
    assert record.response_size == 13


def test_a_server_that_goes_away_ends_what_it_will_not_do() -> None:
    watched = opened().client(*(headers(stream, ASK, last=True) for stream in (1, 3, 5))).upstream(goaway((1 << 31) - 1))
    assert list(watched.follower.calls) == [1, 3, 5]
    watched.upstream(goaway(3, debug=b"enough"))
    assert list(watched.follower.calls) == [1, 3]
    watched.upstream(headers(3, OK, last=True), headers(1, OK, last=True))
    assert [record.outcome for record in watched.records()] == [Outcome.UPSTREAM_GONE, Outcome.COMPLETE, Outcome.COMPLETE]


def test_a_client_that_goes_away_still_gets_its_answers() -> None:
    watched = opened().client(headers(1, ASK, last=True), goaway(0)).upstream(headers(1, OK, last=True))
    assert only(watched).outcome == Outcome.COMPLETE


def test_the_connections_end_ends_all_calls() -> None:
    watched = opened().client(headers(1, ASK, last=True), headers(3, ASK)).upstream(headers(3, OK, last=True))
    watched.follower.calls.land_all(Outcome.UPSTREAM_GONE)
    assert [record.outcome for record in watched.records()] == [Outcome.UPSTREAM_GONE, Outcome.COMPLETE]


# What breaks the rules of streams, but not of frames


def test_nothing_is_made_of_frames_of_unknown_streams() -> None:
    watched = opened().client(data(1, b"x"), data(1, last=True), rst(1), frame(WINDOW_UPDATE, 0, 1, bytes(4)))
    watched.upstream(headers(1, OK), data(1, b"x", last=True), rst(9), headers(2, OK))
    assert not watched.follower.calls
    assert watched.records() == []


def test_a_stream_is_not_begun_again() -> None:
    watched = opened().client(headers(5, ASK, last=True)).upstream(headers(5, OK, last=True))
    watched.client(headers(5, ASK, last=True), headers(3, ASK, last=True)).upstream(headers(3, OK, last=True))
    assert len(watched.records()) == 1


def test_a_stream_of_the_server_begun_by_the_client_breaks_the_connection() -> None:
    with pytest.raises(BrokenError, match="even number"):
        opened().client(headers(2, ASK))


def test_frames_after_a_streams_end_do_no_harm() -> None:
    watched = opened().client(headers(1, ASK, last=True), headers(1, ASK, last=True), data(1, b"more", last=True))
    watched.upstream(headers(1, OK, last=True), headers(1, OK, last=True), data(1, b"more", last=True))
    record = only(watched)
    assert (record.status, record.outcome) == (200, Outcome.COMPLETE)


def test_trailers_that_end_nothing_leave_the_stream_open() -> None:
    watched = opened().client(headers(1, ASK), headers(1, plain([("x", "1")])), data(1, b"q", last=True))
    watched.upstream(headers(1, OK), data(1, b"a"), headers(1, TRAILERS), data(1, b"b", last=True))
    assert body_of(only(watched).response) == b"ab"


def test_empty_header_blocks_are_heads_that_say_nothing() -> None:
    record = only(opened().client(headers(1, b"", last=True)).upstream(headers(1, b"", last=True)))
    assert (record.method, record.target, record.status, record.outcome) == ("", "", 0, Outcome.COMPLETE)


def test_empty_data_frames_are_no_content() -> None:
    watched = opened().client(headers(1, ASK), data(1), data(1, last=True)).upstream(headers(1, OK), data(1), data(1, last=True))
    record = only(watched)
    assert (body_of(record.request), body_of(record.response), record.marks) == (b"", b"", b"")


def test_a_promise_teaches_the_table_and_its_stream_is_not_followed() -> None:
    watched = opened().client(headers(1, ASK, last=True))
    promise = literal("x-pushed", "a") + literal("content-type", "text/plain")
    watched.upstream(frame(PUSH_PROMISE, 0, 1, b"\0\0\0\2" + promise[:5]) + frame(CONTINUATION, END_HEADERS, 1, promise[5:]))
    watched.upstream(headers(2, b"\x88"), data(2, b"pushed", last=True))
    record = only(watched.upstream(headers(1, b"\x88\xbe\xbf", last=True)))
    assert record.response == b"HTTP/2 200\r\ncontent-type: text/plain\r\nx-pushed: a\r\n\r\n"


def test_steering_frames_of_wrong_lengths_are_the_ends_business() -> None:
    odd = [frame(SETTINGS, 0, 0, b"x"), frame(PING, 0, 0, b"x"), frame(WINDOW_UPDATE, 0, 0, b"x"), frame(0x77, 0xFF, 0, b"x")]
    watched = opened().client(*odd, headers(1, ASK, last=True)).upstream(*odd, headers(1, OK, last=True))
    assert only(watched).outcome == Outcome.COMPLETE


BREAKING: list[tuple[str, Callable[[Watched], object]]] = [
    ("DATA of no stream", lambda watched: watched.client(data(0, b"x"))),
    ("CONTINUATION of nothing", lambda watched: watched.client(frame(CONTINUATION, END_HEADERS, 1))),
    ("a header block is interrupted", lambda watched: watched.upstream(frame(HEADERS, 0, 1), data(1))),
    ("more padding than there is room", lambda watched: watched.client(headers(1, ASK), frame(0, PADDED, 1, b"\2a"))),
    ("GOAWAY is too short", lambda watched: watched.upstream(frame(GOAWAY, 0, 0, b"\0\0\0\1"))),
    ("a header block", lambda watched: watched.client(headers(1, b"\xbe"))),
    ("a header block", lambda watched: watched.client(headers(1, literal("x", "y" * 4000)), headers(3, b"\xbe" * 100))),
    ("a header", lambda watched: watched.upstream(headers(1, table_size(1 << 17)))),
    ("does not begin with SETTINGS", lambda _: Watched().client(PREFACE + headers(1, ASK))),
]


@pytest.mark.parametrize(("reason", "act"), BREAKING)
def test_what_breaks_the_protocol_is_named(reason: str, act: Callable[[Watched], object]) -> None:
    with pytest.raises(BrokenError, match=reason):
        act(opened())


# Tables of header fields


def test_a_block_of_a_stream_that_is_over_still_teaches_the_table() -> None:
    watched = opened().client(headers(1, ASK, last=True), rst(1))
    watched.upstream(headers(1, b"\x88" + literal("x-late", "1")))
    watched.client(headers(3, ASK, last=True)).upstream(headers(3, b"\x88\xbe", last=True))
    assert watched.records()[1].response == b"HTTP/2 200\r\nx-late: 1\r\n\r\n"


def test_tables_of_both_directions_are_apart() -> None:
    watched = opened().client(headers(1, ASK + literal("x-way", "there"), last=True))
    watched.upstream(headers(1, b"\x88" + literal("x-way", "back"), last=True))
    watched.client(headers(3, ASK + b"\xbe", last=True)).upstream(headers(3, b"\x88\xbe", last=True))
    record = watched.records()[1]
    assert b"x-way: there" in record.request
    assert b"x-way: back" in record.response


# Bounds


def test_more_streams_at_once_than_are_followed_break_the_connection() -> None:
    watched = opened().client(b"".join(headers(stream, ASK) for stream in range(1, 2 * MAX_CALLS, 2)))
    assert len(watched.follower.calls) == MAX_CALLS
    with pytest.raises(BrokenError, match="too many"):
        watched.client(headers(2 * MAX_CALLS + 1, ASK))
    watched.follower.calls.land_all(Outcome.TUNNEL)
    watched.tap.flush()
    assert watched.tap.free == watched.free


def test_streams_of_a_full_tap_give_back_what_they_kept() -> None:
    watched = Watched(OUTRIDER_TAP_BYTES="4KiB", OUTRIDER_CAPTURE_BYTES="1KiB").client(OPENING).upstream(frame(SETTINGS))
    streams = range(1, 101, 2)
    watched.client(*(headers(stream, plain(GRPC)) for stream in streams))
    watched.client(*(data(stream, message(b"q" * 500)) for stream in streams))
    assert any(call.flags & Flag.BODIES_LEFT_OUT for call in watched.follower.calls.values())
    for stream in streams:
        watched.upstream(
            headers(stream, plain(GRPC_ANSWER)), data(stream, message(b"a") * 9), headers(stream, TRAILERS, last=True)
        )
        watched.client(data(stream, last=True))
    watched.tap.flush()
    assert not watched.follower.calls
    assert watched.tap.free == watched.free


def weight(watched: Watched) -> int:
    """Bytes of all that a follower keeps, by `sys.getsizeof`, however deep."""
    seen: set[int] = set()

    def weigh(thing: object) -> int:
        if id(thing) in seen or thing is watched.context or isinstance(thing, type):
            return 0
        seen.add(id(thing))
        parts: list[object] = []
        if isinstance(thing, dict):
            parts += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, deque)):
            parts += thing
        for kind in type(thing).__mro__:
            names = kind.__dict__.get("__slots__", ())
            parts += [getattr(thing, name) for name in names if hasattr(thing, name)]
        if type(thing).__module__.startswith(("agent", "hpack")):
            parts += vars(thing).values() if hasattr(thing, "__dict__") else []
        return sys.getsizeof(thing) + sum(weigh(part) for part in parts)

    return weigh(watched.follower)


def test_twenty_thousand_streams_leave_nothing_behind() -> None:
    watched = opened()
    there, back = Encoder(), Encoder()

    def run(first: int, count: int) -> None:
        for stream in range(first, first + 2 * count, 2):
            turn = stream // 2 % 100
            watched.client(headers(stream, encoded(there, [*GRPC, ("x-turn", str(turn))])), data(stream, message(b"q")))
            if turn % 10 == 1:
                watched.client(rst(stream))
                continue
            watched.client(data(stream, last=True)).upstream(headers(stream, encoded(back, GRPC_ANSWER)))
            if turn % 10 == 2:
                watched.upstream(rst(stream))
                continue
            watched.upstream(data(stream, message(b"a" * turn)))
            watched.upstream(headers(stream, encoded(back, [("grpc-status", "0"), ("x-turn", str(turn))]), last=True))

    run(1, 1000)
    before = weight(watched)
    assert before > 10_000  # the tables alone weigh more
    run(2001, 19_000)
    assert not watched.follower.calls
    assert watched.context.counters.exchanges == 20_000
    assert weight(watched) < 1.5 * before
    watched.tap.flush()
    assert watched.tap.free == watched.free


def test_a_few_bytes_per_stream_do_not_make_us_keep_a_long_target_for_each() -> None:
    watched = Watched(OUTRIDER_TAP_BYTES="1MiB", OUTRIDER_CAPTURE_BYTES="64KiB").client(OPENING).upstream(frame(SETTINGS))
    watched.client(headers(1, literal(":path", "/" + "p" * 4000)))
    for stream in range(3, 4003, 2):
        watched.client(headers(stream, b"\xbe" + plain([("x-turn", str(stream))])))
    kept = {id(call.head.target): len(call.head.target) for call in watched.follower.calls.values()}
    assert sum(kept.values()) < 2 << 20


def test_a_call_beyond_a_goodbye_is_over_at_once() -> None:
    # Its HEADERS crossed the server's GOAWAY, which says that it will not be worked on: no frame of it will ever come.
    watched = opened().client(headers(1, ASK, last=True)).upstream(goaway(1)).client(headers(3, ASK, last=True))
    assert list(watched.follower.calls) == [1]
    assert [record.outcome for record in watched.records()] == [Outcome.UPSTREAM_GONE]
