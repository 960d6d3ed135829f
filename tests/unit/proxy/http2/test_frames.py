"""Frames are cut right in whatever pieces they come, and what breaks the rules is called broken at once."""

from __future__ import annotations

from typing import Any

import pytest

from agent.proxy.http2.follow import PREFACE
from agent.proxy.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MAX_BLOCK_BYTES,
    PADDED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    BrokenError,
    Frames,
)
from tests.http2 import PING, PRIORITY_FRAME, WINDOW_UPDATE, data, frame, goaway, headers, in_pieces, rst

Event = tuple[object, ...]

BEGIN = frame(SETTINGS)


class Kept(Frames):
    """Notes what each frame means; the pieces of one DATA frame are joined."""

    def __init__(self, skip: int = 0) -> None:
        super().__init__(skip)
        self.events: list[Event] = []
        self._content = b""
        self._size = 0
        self.seen = 0
        """Bytes of content handed on."""

    def content(self, stream: int, data: bytes, start: int, end: int, size: int, *, last: bool) -> None:
        assert 0 <= start <= end <= len(data)
        self.seen += end - start
        self._content += data[start:end]
        self._size += size
        if last or not self._data:
            self.events.append(("content", stream, self._content, self._size, last))
            self._content, self._size = b"", 0

    def headers(self, stream: int, block: bytes, size: int, *, last: bool) -> None:
        self.events.append(("headers", stream, block, size, last))

    def reset(self, stream: int, size: int) -> None:
        self.events.append(("reset", stream, size))

    def goaway(self, last_stream: int) -> None:
        self.events.append(("goaway", last_stream))


def cut(*pieces: bytes, skip: int = 0) -> list[Event]:
    kept = Kept(skip)
    for piece in pieces:
        kept.cut(piece)
    return kept.events


def cut_after_settings(*pieces: bytes) -> list[Event]:
    return cut(BEGIN, *pieces)


def padded(kind: int, flags: int, stream: int, payload: bytes, padding: int) -> bytes:
    return frame(kind, flags | PADDED, stream, bytes([padding]) + payload + bytes(padding))


STORY = b"".join(
    [
        frame(SETTINGS, 0, 0, bytes(6)),
        headers(1, b"block"),
        data(1, b"abc"),
        padded(DATA, 0, 1, b"def", 5),
        frame(PING, 0, 0, b"12345678"),
        padded(DATA, END_STREAM, 1, b"", 2),
        padded(HEADERS, END_HEADERS | PRIORITY, 3, b"\0\0\0\0\x10block", 3),
        in_pieces(5, b"a longer block", 5, last=True),
        in_pieces(5, b"", 5),
        frame(PUSH_PROMISE, 0, 1, b"\0\0\0\2prom") + frame(CONTINUATION, END_HEADERS, 1, b"ise"),
        padded(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\4promise", 1),
        frame(WINDOW_UPDATE, 0, 3, b"\0\0\0\1"),
        frame(PRIORITY_FRAME, 0, 3, b"\0\0\0\0\1"),
        frame(0xFA, 0xFF, 7, b"nobody knows"),
        data(3),
        data(3, last=True),
        rst(5),
        goaway(3, debug=b"bye"),
    ]
)
MEANING: list[Event] = [
    ("headers", 1, b"block", 14, False),
    ("content", 1, b"abc", 12, False),
    ("content", 1, b"def", 18, False),
    ("content", 1, b"", 12, True),
    ("headers", 3, b"block", 23, False),
    ("headers", 5, b"a longer block", 41, True),
    ("headers", 5, b"", 9, False),
    ("headers", 0, b"promise", 29, False),
    ("headers", 0, b"promise", 22, False),
    ("content", 3, b"", 9, False),
    ("content", 3, b"", 9, True),
    ("reset", 5, 13),
    ("goaway", 3),
]


def test_each_frame_means_what_it_should() -> None:
    assert cut(STORY) == MEANING


def test_byte_by_byte_means_the_same() -> None:
    assert cut(*(STORY[at : at + 1] for at in range(len(STORY)))) == MEANING


@pytest.mark.parametrize("at", range(1, len(STORY)))
def test_two_pieces_mean_the_same(at: int) -> None:
    assert cut(STORY[:at], STORY[at:]) == MEANING


def test_the_preface_is_skipped_however_it_is_cut() -> None:
    stream = PREFACE + STORY
    for at in range(len(PREFACE) + 12):
        assert cut(stream[:at], stream[at:], skip=len(PREFACE)) == MEANING
    assert cut(*(stream[at : at + 1] for at in range(len(stream))), skip=len(PREFACE)) == MEANING


def test_the_reserved_bit_of_a_stream_is_ignored() -> None:
    assert cut_after_settings(frame(RST_STREAM, 0, 0x80000005, bytes(4))) == [("reset", 5, 13)]
    assert cut_after_settings(frame(GOAWAY, 0, 0, b"\x80\0\0\5" + bytes(4))) == [("goaway", 5)]


def test_content_is_handed_on_before_its_frame_is_whole() -> None:
    kept = Kept()
    kept.cut(BEGIN + b"\xff\xff\xff" + b"\0\1\0\0\0\1")
    for _ in range(3):
        kept.cut(b"x" * 1000)
    assert kept.seen == 3000
    assert not kept._rest


def test_a_frame_of_16_mb_is_followed_or_skipped_without_being_kept() -> None:
    size = (1 << 24) - 1
    for kind, stream in ((DATA, 1), (0x33, 1), (SETTINGS, 0), (PING, 0)):
        kept = Kept()
        kept.cut(BEGIN + size.to_bytes(3, "big") + bytes([kind, 0]) + stream.to_bytes(4, "big"))
        left = size
        while left:
            piece = min(left, 65536)
            kept.cut(b"x" * piece)
            left -= piece
            assert not kept._rest
        kept.cut(rst(7))
        assert kept.events[-1] == ("reset", 7, 13)


BROKEN: dict[str, list[tuple[bytes, ...]]] = {
    "does not begin with SETTINGS": [
        (headers(1, b"x"),),
        (data(1, b"x"),),
        (frame(PING, 0, 0, bytes(8)),),
        (frame(SETTINGS, 0, 1),),
        (goaway(0),),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    ],
    "DATA of no stream": [(BEGIN, data(0, b"x"))],
    "a frame of the wrong stream": [
        (BEGIN, headers(0, b"x")),
        (BEGIN, rst(0)),
        (BEGIN, frame(PUSH_PROMISE, END_HEADERS, 0, bytes(5))),
        (BEGIN, frame(GOAWAY, 0, 1, bytes(8))),
    ],
    "CONTINUATION of nothing": [
        (BEGIN, frame(CONTINUATION, END_HEADERS, 1, b"x")),
        (BEGIN, headers(1, b"x"), frame(CONTINUATION, END_HEADERS, 1, b"x")),
        (BEGIN, frame(CONTINUATION, END_HEADERS, 0, b"x")),
    ],
    "a header block is interrupted": [
        (BEGIN, frame(HEADERS, 0, 1, b"x"), data(1, b"x")),
        (BEGIN, frame(HEADERS, 0, 1, b"x"), data(0, b"x")),
        (BEGIN, frame(HEADERS, 0, 1, b"x"), headers(1, b"x")),
        (BEGIN, frame(HEADERS, 0, 1, b"x"), frame(CONTINUATION, END_HEADERS, 3, b"x")),
        (BEGIN, frame(HEADERS, 0, 1, b"x"), frame(PING, 0, 0, bytes(8))),
        (BEGIN, frame(HEADERS, 0, 1, b"x"), frame(0xFA, 0, 1, b"x")),
        (BEGIN, frame(PUSH_PROMISE, 0, 1, bytes(4)), rst(1)),
    ],
    "more padding than there is room": [
        (BEGIN, frame(DATA, PADDED, 1, b"\3ab")),
        (BEGIN, frame(DATA, PADDED, 1, b"\1")),
        (BEGIN, frame(HEADERS, PADDED | END_HEADERS, 1, b"\3ab")),
        (BEGIN, frame(HEADERS, PADDED | PRIORITY | END_HEADERS, 1, b"\1\0\0\0\0\0")),
        (BEGIN, frame(HEADERS, PRIORITY | END_HEADERS, 1, b"\0\0\0\0")),
        (BEGIN, frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0")),
    ],
    "padding without its length": [
        (BEGIN, frame(HEADERS, PADDED | END_HEADERS, 1)),
    ],
    "GOAWAY is too short": [
        (BEGIN, frame(GOAWAY)),
        (BEGIN, frame(GOAWAY, 0, 0, bytes(7))),
    ],
    "a header block is too long": [
        (BEGIN, (MAX_BLOCK_BYTES + 1).to_bytes(3, "big") + b"\1\4\0\0\0\1"),
        (BEGIN, frame(HEADERS, 0, 1), *[frame(CONTINUATION, 0, 1, bytes(16384))] * (MAX_BLOCK_BYTES // 16384)),
        (BEGIN, frame(HEADERS, 0, 1), frame(CONTINUATION, 0, 1) * (MAX_BLOCK_BYTES // 9)),
    ],
}


@pytest.mark.parametrize(("reason", "pieces"), [(reason, pieces) for reason, cases in BROKEN.items() for pieces in cases])
def test_what_breaks_the_protocol_is_named(reason: str, pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(BrokenError, match=reason):
        cut(*pieces)


@pytest.mark.parametrize(("reason", "pieces"), [(reason, pieces) for reason, cases in BROKEN.items() for pieces in cases[:4]])
def test_byte_by_byte_it_is_named_the_same(reason: str, pieces: tuple[bytes, ...]) -> None:
    stream = b"".join(pieces)
    with pytest.raises(BrokenError, match=reason):
        cut(*(stream[at : at + 1] for at in range(min(len(stream), 100))), stream[100:])


@pytest.mark.parametrize("length", [1, 5, 7, 6, 65536])
def test_settings_of_a_wrong_length_are_the_ends_business(length: int) -> None:
    assert cut(frame(SETTINGS, 0, 0, bytes(length)), frame(SETTINGS, 1, 0, bytes(length)), rst(1)) == [("reset", 1, 13)]


def test_an_empty_padded_data_frame_is_taken_as_empty() -> None:
    # RFC 9113 §6.1 makes this an error of the frame's size; the ends will say so, and nothing is misread meanwhile.
    assert cut_after_settings(frame(DATA, PADDED | END_STREAM, 1)) == [("content", 1, b"", 9, True)]


def test_padding_that_fills_a_frame_leaves_no_content() -> None:
    assert cut_after_settings(padded(DATA, END_STREAM, 1, b"", 255)) == [("content", 1, b"", 265, True)]
    assert cut_after_settings(padded(HEADERS, END_HEADERS, 1, b"", 255)) == [("headers", 1, b"", 265, False)]


def test_a_frame_of_our_own_fits_only_between_frames() -> None:
    kept = Kept()
    stream = frame(SETTINGS, 0, 0, bytes(6)) + padded(DATA, 0, 1, b"abc", 4) + in_pieces(1, b"block", 2) + rst(1)
    ends = {15, 15 + 17, 15 + 17 + 9 * 3 + 5, len(stream)}
    for at in range(len(stream)):
        kept.cut(stream[at : at + 1])
        assert kept.is_between_frames == (at + 1 in ends), at


def test_a_frame_of_our_own_never_goes_before_the_servers_settings() -> None:
    assert not Kept().is_between_frames


class Counted(bytes):
    """Bytes that count how much of them is copied by slicing and adding."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = bytes.__getitem__(self, key)
        if isinstance(found, bytes):
            Counted.copied += len(found)
            return Counted(found)
        return found


def test_a_large_body_in_one_piece_is_not_copied() -> None:
    Counted.copied = 0
    stream = Counted(b"".join([BEGIN, *(data(1, b"x" * 16384) for _ in range(64))]))
    kept = Kept()
    taken = 0

    def content(stream: int, data: bytes, start: int, end: int, size: int, *, last: bool) -> None:
        nonlocal taken
        taken += end - start

    kept.content = content  # type: ignore[method-assign]
    kept.cut(stream)
    assert taken == 64 * 16384
    assert Counted.copied == 0


def test_a_frame_that_comes_in_pieces_keeps_no_more_than_itself() -> None:
    kept = Kept()
    kept.cut(BEGIN)
    stream = headers(1, b"x" * 20_000)
    for at in range(0, len(stream), 100):
        kept.cut(stream[at : at + 100])
        assert len(kept._rest) <= len(stream)
    assert kept._rest == b""
    assert kept.events == [("headers", 1, b"x" * 20_000, 20_009, False)]
