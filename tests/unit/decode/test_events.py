"""Server-sent events, and when they arrived."""

from __future__ import annotations

import msgspec
import pytest

from agent.decode.events import Event, arrivals, events
from agent.decode.message import Head, response_head, response_lines
from agent.exchange import MARK, Exchange
from tests.exchanges import exchange


def data(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(event.kind, event.data) for event in events(body)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
        (b"data:a\ndata: b\ndata:  c\n\n", [(b"", b"a\nb\n c")]),
        (b": keep-alive\n\ndata: a\n: in between\n\n", [(b"", b"a")]),
        (b"event: error\nid: 7\nretry: 10\ndata: a\n\ndata: b\n\n", [(b"error", b"a"), (b"", b"b")]),
        (b"event: ping\n\ndata: a\n\n", [(b"", b"a")]),
        (b"data\n\n", [(b"", b"")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b"data: a\n\ndata: b\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\n\ndata: {cut o", [(b"", b"a")]),
        (b"nonsense\n\n\n", []),
        (b"", []),
    ],
)
def test_events(body: bytes, found: list[tuple[bytes, bytes]]) -> None:
    assert data(body) == found


def test_line_and_paragraph_separators_end_no_line() -> None:
    text = "data: a\x0bb\x0cc\x85d\u2028e\n\n".encode()
    assert data(text) == [(b"", text[6:-2])]


def test_an_event_ends_where_its_last_line_of_data_ends() -> None:
    body = b"\xef\xbb\xbfdata: a\n: x\n\ndata: b\r\n\r\n"
    assert list(events(body)) == [Event(b"", b"a", 11), Event(b"", b"b", 25)]
    assert [body[: event.end][-2:] for event in events(body)] == [b"a\n", b"\r\n"]


def streamed(head: bytes, body: bytes, pieces: list[tuple[int, int]], first_byte_ns: int = 7) -> tuple[Head, Exchange]:
    """An exchange whose body came in pieces of ``(time, size)``; one of them is the client's."""
    marks = b"".join(MARK.pack(time, size << 2 | 1) for time, size in pieces)
    if pieces:
        marks = MARK.pack(1, 5 << 2) + marks
    one = exchange(b"POST / HTTP/1.1\r\n\r\n", head + body)
    return response_head(response_lines(head)), msgspec.structs.replace(one, marks=marks, first_byte_ns=first_byte_ns)


FRAMED = b"HTTP/2 200\r\ncontent-type: text/event-stream\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def test_places_in_a_body_of_frames() -> None:
    head, one = streamed(FRAMED, b"0123456789", [(100, 4), (200, 4), (300, 2)])
    assert arrivals([1, 4, 5, 8, 9, 10], head, one) == [100, 100, 200, 200, 300, 300]


def test_places_behind_the_sizes_of_chunks() -> None:
    body = b"3;x=y\r\nabc\r\n002\r\nde\r\n0\r\n\r\n"
    # "abc" is on the wire from 7 to 9, "de" from 17 to 18.
    head, one = streamed(CHUNKED, body, [(100, 8), (200, 10), (300, len(body) - 18)])
    assert arrivals([1, 2, 3, 4, 5], head, one) == [100, 200, 200, 200, 300]


def test_interim_responses_are_passed_over() -> None:
    head, one = streamed(CHUNKED, b"3\r\nabc\r\n0\r\n\r\n", [(100, 4), (200, 9)])
    one = msgspec.structs.replace(one, response=b"HTTP/1.1 103 Early Hints\r\n\r\n" + one.response)
    assert arrivals([1, 2], head, one) == [100, 200]


def test_a_body_in_one_piece_came_with_the_first_byte() -> None:
    head, one = streamed(CHUNKED, b"3\r\nabc\r\n0\r\n\r\n", [])
    assert arrivals([1, 3], head, one) == [7, 7]
    assert arrivals([1], head, msgspec.structs.replace(one, first_byte_ns=0)) == []


def test_what_came_after_the_last_mark_is_not_known() -> None:
    head, one = streamed(FRAMED, b"0123456789", [(100, 4), (200, 4)])
    assert arrivals([4, 8, 9, 10], head, one) == [100, 200]


@pytest.mark.parametrize("line", [b"content-encoding: gzip", b"content-length: 10", b"content-type: text/plain; charset=latin-1"])
def test_of_compressed_bodies_and_those_of_known_length_nothing_is_known(line: bytes) -> None:
    head, one = streamed(b"HTTP/2 200\r\n" + line + b"\r\n\r\n", b"0123456789", [(100, 10)])
    assert arrivals([4], head, one) == []


@pytest.mark.parametrize("letters", [b"a", b"\n", b"data\n", b"\r", b"data: a\n\n"])
def test_time_grows_with_the_body_and_no_faster(letters: bytes) -> None:
    """Were it to grow with the square, this would take hours."""
    body = letters * (4_000_000 // len(letters))
    assert sum(len(event.data) for event in events(body)) <= len(body)
