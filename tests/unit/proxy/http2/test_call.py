"""gRPC messages are counted however they are cut, and a stream counts its frames."""

from __future__ import annotations

import itertools

import pytest

from agent.exchange import MAX_MARKS, NO_GRPC_STATUS, Flag, Outcome
from agent.proxy.http2.call import Call, Messages
from agent.proxy.http2.fields import call_head
from tests.http2 import GRPC, REQUEST, Watched, marks_of, message

STORY = [(b"", False), (b"a", False), (b"abc" * 100, True), (b"", True), (b"xyz", False)]
STREAM = b"".join(message(content, compressed=compressed) for content, compressed in STORY)
FOUND = [(len(content), compressed) for content, compressed in STORY]


def found(pieces: list[bytes]) -> list[tuple[int, bool]]:
    messages = Messages()
    return list(itertools.chain.from_iterable(messages.feed(piece, 0, len(piece)) for piece in pieces))


def test_messages_in_one_piece_are_found() -> None:
    assert found([STREAM]) == FOUND


def test_messages_byte_by_byte_are_found() -> None:
    assert found([STREAM[at : at + 1] for at in range(len(STREAM))]) == FOUND


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_messages_in_two_pieces_are_found(at: int) -> None:
    assert found([STREAM[:at], STREAM[at:]]) == FOUND


def test_only_the_part_that_is_meant_is_read() -> None:
    assert Messages().feed(b"xx" + message(b"abc") + message(b"d"), 2, 10) == [(3, False)]


def test_only_the_lowest_bit_says_compressed() -> None:
    assert found([b"\xfe\0\0\0\1x\xff\0\0\0\1x"]) == [(1, False), (1, True)]


def test_a_message_that_never_ends_is_not_counted() -> None:
    assert found([b"\0\xff\xff\xff\xff", b"x" * 100_000]) == []


class Stage:
    """One call of a client, with pieces at times that grow by ten."""

    def __init__(self, fields: list[tuple[str, str]] = GRPC, *, marks_content: bool = False, **settings: str) -> None:
        self.watched = Watched(**settings)
        facts = call_head([(name.encode(), value.encode()) for name, value in fields])
        self.call = Call(facts.head, 100, is_grpc=facts.is_grpc, marks_content=marks_content)
        self.at_ns = 100

    def request(self, *pieces: bytes) -> Stage:
        for piece in pieces:
            self.at_ns += 10
            self.call.take_request(b"_" + piece + b"_", 1, 1 + len(piece), self.at_ns, self.watched.tap)
        return self

    def response(self, *pieces: bytes) -> Stage:
        for piece in pieces:
            self.at_ns += 10
            self.call.take_response(b"_" + piece + b"_", 1, 1 + len(piece), self.at_ns, self.watched.tap)
        return self

    def messages(self) -> tuple[int, int]:
        return self.call.request_messages, self.call.response_messages


def test_one_message_each_way_leaves_no_marks() -> None:
    stage = Stage().request(message(b"q")).response(message(b"a"))
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert (record.request_messages, record.response_messages, record.marks) == (1, 1, b"")
    assert (record.request, record.response) == (message(b"q"), message(b"a"))
    assert (record.flags, record.grpc_status) == (0, NO_GRPC_STATUS)


def test_a_stream_marks_each_message() -> None:
    stage = (
        Stage()
        .request(message(b"q"))
        .response(message(b"a"), message(b"bb", compressed=True), message(b""))
        .request(message(b"r"))
    )
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert marks_of(record) == [(10, 1, 0), (20, 1, 1), (30, 2, 3), (40, 0, 1), (50, 1, 0)]
    assert (record.request_messages, record.response_messages, record.flags) == (2, 3, Flag.COMPRESSED)


def test_several_messages_in_one_piece_share_its_time() -> None:
    stage = Stage().request(message(b"q") + message(b"rr")).response(message(b"a"))
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert marks_of(record) == [(10, 1, 0), (10, 2, 0), (20, 1, 1)]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_pieces_of_content_count_the_same_however_cut(at: int) -> None:
    stage = Stage().request(STREAM[:at], STREAM[at:]).response(STREAM[:at], STREAM[at:])
    assert stage.messages() == (5, 5)
    assert stage.call.flags == Flag.COMPRESSED


def test_a_piece_that_looks_like_a_message_inside_one_is_none() -> None:
    stage = Stage().request(b"\0\0\0\0\x0a", message(b""), message(b"")).response(b"\0\0\0\0", b"\x05", message(b""))
    assert stage.messages() == (1, 1)


def test_what_is_no_grpc_has_no_messages() -> None:
    stage = Stage(REQUEST).request(message(b"q")).response(message(b"a"), message(b"b"))
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert (record.request_messages, record.response_messages, record.marks) == (0, 0, b"")


def test_content_of_unknown_length_is_marked_piece_by_piece() -> None:
    stage = Stage(REQUEST, marks_content=True).request(b"q", b"q").response(b"a", b"bb", b"ccc")
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert marks_of(record) == [(30, 1, 1), (40, 2, 1), (50, 3, 1)]


def test_the_sizes_are_those_of_the_wire() -> None:
    stage = Stage().request(b"x" * 1000).response(b"y" * 1000)
    stage.call.wire_in, stage.call.wire_out = 1017, 1099
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert (record.request_size, record.response_size) == (1017, 1099)


def test_marks_are_bounded_and_all_messages_are_counted() -> None:
    stage = Stage(OUTRIDER_CAPTURE_BYTES="1KiB").response(*[message(b"x")] * (MAX_MARKS + 100))
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    (record,) = stage.watched.records()
    assert len(marks_of(record)) == MAX_MARKS
    assert record.response_messages == MAX_MARKS + 100
    assert record.flags == Flag.MARKS_CUT | Flag.RESPONSE_CUT
    assert len(record.response) == 1024


@pytest.mark.parametrize("size", ["4KiB", "16KiB", "1MiB"])
def test_whatever_a_call_kept_is_given_back(size: str) -> None:
    stage = Stage(OUTRIDER_CAPTURE_BYTES="1KiB", OUTRIDER_TAP_BYTES=size)
    stage.request(*[message(b"q" * 99)] * 50).response(*[message(b"a" * 99, compressed=True)] * 500).request(b"rest")
    assert stage.watched.tap.free < stage.watched.free
    assert stage.messages() == (50, 500)
    stage.call.land(Outcome.COMPLETE, stage.watched.tap)
    stage.watched.tap.flush()
    assert stage.watched.tap.free == stage.watched.free
