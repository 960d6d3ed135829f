"""Where bodies end: whole, byte by byte, and with bytes of the next message behind."""

from __future__ import annotations

import pytest

from agent.proxy.framing import MORE, Body, ChunkedBody, LengthBody, UntilCloseBody, body_of
from agent.proxy.heads import Framing, RefusedError

CHUNKED = b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"


def ends(body: Body, data: bytes, piece: int) -> int:
    for start in range(0, len(data), piece):
        end = body.feed(data[start : start + piece], 0)
        if end != MORE:
            return start + end
    return MORE


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("trailing", [b"", b"GET / HTTP/1.1\r\n"])
def test_chunks_end_where_they_say(piece: int, trailing: bytes) -> None:
    assert ends(ChunkedBody(), CHUNKED + trailing, piece) == len(CHUNKED)


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
def test_a_length_ends_after_that_many_bytes(piece: int) -> None:
    assert ends(LengthBody(5), b"helloGET", piece) == 5


def test_until_close_never_ends() -> None:
    assert UntilCloseBody().feed(b"abc", 0) == MORE


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\nhello",
        b"+5\r\nhello",
        b"0x5\r\nhello",
        b"\r\n",
        b"5\r\nhelloX\r\n",
        b"5 5\r\nhello\r\n",
        b"1000000000000000\r\n",
        b"5\r\r\nhello",
        b"5;" + b"a" * 20000,
        b"-1\r\n",
    ],
)
@pytest.mark.parametrize("piece", [1, 100_000])
def test_malformed_chunks_are_refused(chunks: bytes, piece: int) -> None:
    with pytest.raises(RefusedError):
        ends(ChunkedBody(), chunks, piece)


def test_framings_have_their_readers() -> None:
    assert body_of(Framing.NONE, 0) is None
    assert isinstance(body_of(Framing.LENGTH, 4), LengthBody)
    assert isinstance(body_of(Framing.CHUNKED, 0), ChunkedBody)
    assert isinstance(body_of(Framing.UNTIL_CLOSE, 0), UntilCloseBody)
