"""Hostile bytes on both sides of a link: they pass as they are, nothing raises, nothing stays behind, nothing takes for ever."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.exchange import Outcome
from agent.proxy.http2.follow import MAX_CALLS, PREFACE
from agent.proxy.http2.frames import BrokenError
from tests.exchanges import CAPTURES
from tests.fuzz.links import CLIENT, CONNECT, PASS, UPSTREAM, Play, Step, bytes_of, steps_of
from tests.http2 import (
    ANSWER,
    GRPC,
    GRPC_ANSWER,
    OPENING,
    REQUEST,
    Watched,
    data,
    frame,
    goaway,
    headers,
    in_pieces,
    literal,
    message,
    plain,
    rst,
)

FRAMES = st.one_of(
    st.builds(
        frame,
        st.integers(0, 10),
        st.sampled_from([0, 1, 4, 5, 8, 9, 12, 13, 0x20, 0x24, 0x2C, 0xFF]),
        st.sampled_from([0, 1, 1, 1, 2, 3, 5, 0x7FFFFFFF, 0xFFFFFFFF]),
        st.one_of(st.binary(max_size=30), st.sampled_from([plain(REQUEST), plain(ANSWER), literal("a", "b"), b"\xbe", b"\x20"])),
    ),
    st.builds(headers, st.integers(1, 9), st.sampled_from([plain(GRPC), plain(GRPC_ANSWER), plain(ANSWER)]), last=st.booleans()),
    st.builds(data, st.integers(1, 9), st.sampled_from([b"", message(b"abc"), message(b""), b"xyz"]), last=st.booleans()),
    st.builds(rst, st.integers(1, 9)),
    st.builds(goaway, st.integers(0, 9)),
    st.builds(in_pieces, st.integers(1, 9), st.just(plain(GRPC)), st.integers(1, 60)),
)
HTTP1_IN = [
    b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nHost: m\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: m\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"2\r\n{}\r\n",
    b"0\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /ws HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    b"CONNECT m:1 HTTP/1.1\r\nHost: m\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 1100,
    b"\r\n",
    b"zz\r\n",
    b"\n\n",
]
HTTP1_OUT = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"2\r\nok\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\n",
    b"zz\r\n",
]


def happenings(client: st.SearchStrategy[bytes], upstream: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.one_of(
            st.tuples(st.just(CLIENT), client),
            st.tuples(st.just(CLIENT), client),
            st.tuples(st.just(UPSTREAM), upstream),
            st.tuples(st.just(UPSTREAM), upstream),
            st.tuples(st.just(CONNECT), st.just(b"")),
            st.tuples(st.integers(0, PASS), st.sampled_from([b"", b"x"])),
        ),
        max_size=25,
    )


def cut_up(steps: list[Step], sizes: list[int]) -> list[Step]:
    """The same bytes in other pieces."""
    found: list[Step] = []
    for (kind, said), size in zip(steps, itertools.cycle(sizes), strict=False):
        step = max(size, len(said) // 50 + 1)
        found += [(kind, said[at : at + step]) for at in range(0, len(said), step)] or [(kind, said)]
    return found


def dialogues(client: st.SearchStrategy[bytes], upstream: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Step]]:
    """Mostly questions and answers in turn, now and then anything."""
    asked, answered = (st.lists(side, min_size=1, max_size=3).map(b"".join) for side in (client, upstream))
    turn = st.one_of(
        *[st.tuples(st.tuples(st.just(CLIENT), asked), st.tuples(st.just(UPSTREAM), answered))] * 4,
        st.tuples(st.tuples(st.just(CLIENT), asked)),
        st.tuples(st.tuples(st.just(UPSTREAM), answered)),
        st.tuples(st.tuples(st.integers(0, PASS), st.sampled_from([b"", b"x"]))),
    )
    return st.lists(turn, max_size=12).map(lambda turns: [(CONNECT, b""), *itertools.chain.from_iterable(turns)])


SIZES = st.lists(st.sampled_from([1, 2, 7, 40, 100_000]), min_size=1, max_size=5)
HTTP1 = happenings(st.sampled_from(HTTP1_IN), st.sampled_from(HTTP1_OUT))
TALK = dialogues(
    st.one_of(st.sampled_from(HTTP1_IN), *[st.sampled_from([*HTTP1_IN[:3], HTTP1_IN[6]])] * 3),
    st.one_of(st.sampled_from(HTTP1_OUT), *[st.sampled_from(HTTP1_OUT[:2])] * 3),
)
HTTP2 = happenings(FRAMES, FRAMES).map(lambda steps: [(CONNECT, b""), (CLIENT, OPENING), (UPSTREAM, frame(4)), *steps])
ANYTHING = st.one_of(st.binary(max_size=50), FRAMES, st.sampled_from([*HTTP1_IN, *HTTP1_OUT, PREFACE, OPENING]))


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.one_of(TALK, TALK, HTTP1, HTTP2, happenings(ANYTHING, ANYTHING)), sizes=SIZES, connected=st.booleans())
def test_whatever_happens_to_a_link_it_passes_bytes_and_leaves_nothing(
    steps: list[Step], sizes: list[int], connected: bool
) -> None:
    start: list[Step] = [(CONNECT, b"")] if connected else []
    Play().run(start + cut_up(steps, sizes))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(client=st.lists(FRAMES, max_size=12), upstream=st.lists(FRAMES, max_size=12), sizes=SIZES, noise=st.binary(max_size=30))
def test_a_follower_raises_nothing_but_that_it_is_broken(
    client: list[bytes], upstream: list[bytes], sizes: list[int], noise: bytes
) -> None:
    watched = Watched(OUTRIDER_CAPTURE_BYTES="1KiB", OUTRIDER_TAP_BYTES="8KiB")
    said = [(CLIENT, piece) for piece in (OPENING, *client, noise)], [(UPSTREAM, piece) for piece in (frame(4), *upstream, noise)]
    steps = [step for pair in itertools.zip_longest(*said) for step in pair if step is not None]
    try:
        for kind, piece in cut_up(steps, sizes):
            if kind == CLIENT:
                watched.client(piece)
            else:
                watched.upstream(piece)
            assert len(watched.follower.calls) <= MAX_CALLS
    except BrokenError:
        pass
    watched.follower.calls.land_all(Outcome.TUNNEL)
    watched.tap.flush()
    assert watched.tap.free == watched.free


def captures() -> list[str]:
    return sorted(str(path.relative_to(CAPTURES))[:-4] for path in CAPTURES.rglob("*.req")) if CAPTURES.is_dir() else []


def capture(case: str) -> list[Step]:
    sent, received = (CAPTURES / f"{case}.req").read_bytes(), (CAPTURES / f"{case}.resp").read_bytes()
    return [(CONNECT, b""), (CLIENT, sent), (UPSTREAM, received)]


@pytest.mark.skipif(not captures(), reason="part missing: recorded captures beside the repository")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.data(), sizes=SIZES)
def test_captures_with_bytes_changed_pass_all_the_same(drawn: st.DataObject, sizes: list[int]) -> None:
    steps = capture(drawn.draw(st.sampled_from(captures())))
    for place in (1, 2):
        kind, said = steps[place]
        changed = bytearray(said)
        for at, byte in drawn.draw(st.lists(st.tuples(st.integers(0, len(said) - 1), st.integers(0, 255)), max_size=4)):
            changed[at] = byte
        steps[place] = (kind, bytes(changed))
    Play().run(cut_up(steps, sizes))


def test_steps_are_written_and_read_back() -> None:
    steps = [(CONNECT, b""), (CLIENT, b"abc"), (UPSTREAM, b"x" * 65535)]
    assert steps_of(bytes_of(steps)) == steps


# Work, counted in lines that run, not in time


Tracer = Callable[[FrameType, str, Any], Any]


def lines_run(act: Callable[[], object]) -> int:
    count = 0

    def local(_frame: FrameType, event: str, _argument: object) -> Tracer:
        nonlocal count
        count += event == "line"
        return local

    def trace(current: FrameType, event: str, _argument: object) -> Tracer | None:
        return local if "/agent/" in current.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def many_calls(count: int) -> tuple[bytes, bytes]:
    streams = range(1, 2 * count, 2)
    there = b"".join(headers(stream, plain(GRPC)) + data(stream, message(b"abc"), last=True) for stream in streams)
    back = b"".join(headers(stream, plain(GRPC_ANSWER)) + data(stream, message(b"a"), last=True) for stream in streams)
    return OPENING + there, frame(4) + back


def one_block(count: int) -> tuple[bytes, bytes]:
    return OPENING + in_pieces(1, plain([("a", "b")]) * count, 100), frame(4)


def one_body(count: int) -> tuple[bytes, bytes]:
    return OPENING + headers(1, plain(GRPC)) + data(1, message(b"x" * 20)) * count, frame(4)


def many_resets(count: int) -> tuple[bytes, bytes]:
    return OPENING + b"".join(headers(2 * turn + 1, plain(REQUEST)) + rst(2 * turn + 1) for turn in range(count)), frame(4)


def goodbyes(count: int) -> tuple[bytes, bytes]:
    return OPENING + headers(1, plain(REQUEST)), frame(4) + goaway(1) * count


def pipelined(count: int) -> tuple[bytes, bytes]:
    return HTTP1_IN[0] * count, HTTP1_OUT[0] * count


def chunks(count: int) -> tuple[bytes, bytes]:
    return HTTP1_IN[3] + HTTP1_IN[4] * count + HTTP1_IN[5], HTTP1_OUT[2] + HTTP1_OUT[3] * count + HTTP1_OUT[4]


@pytest.mark.parametrize("make", [many_calls, one_block, one_body, many_resets, goodbyes, pipelined, chunks])
@pytest.mark.parametrize("size", [1 << 30, 1000, 13])
def test_work_grows_with_the_bytes_and_not_faster(make: Callable[[int], tuple[bytes, bytes]], size: int) -> None:
    def run(count: int) -> int:
        sent, received = make(count)
        sent_pieces: list[Step] = [(CLIENT, sent[at : at + size]) for at in range(0, len(sent), size)]
        received_pieces: list[Step] = [(UPSTREAM, received[at : at + size]) for at in range(0, len(received), size)]
        return lines_run(lambda: Play().run([(CONNECT, b""), *sent_pieces, *received_pieces]))

    few, many = run(50), run(500)
    assert many < 15 * few


class Copied:
    """Counts the bytes that a follower keeps from one piece to the next, which are those it copies again and again."""

    def __init__(self) -> None:
        self.watched = Watched().client(OPENING).upstream(frame(4))
        self.bytes = 0

    def feed(self, stream: bytes, size: int) -> int:
        requests = self.watched.follower._requests
        for at in range(0, len(stream), size):
            self.watched.client(stream[at : at + size])
            self.bytes += len(requests._rest)
        return self.bytes


def test_a_body_is_never_kept_to_be_cut() -> None:
    for size in (1, 100):
        copied = Copied()
        start = headers(1, plain(REQUEST))
        copied.watched.client(start)
        body = data(1, b"x" * 16000) * 4
        assert copied.feed(body, size) <= 4 * 9 * 9


def test_a_head_that_trickles_in_is_copied_within_its_bound() -> None:
    block = in_pieces(1, plain([("x", "y" * 60_000)]), 16384)
    assert Copied().feed(block, 1000) <= len(block) * 17
