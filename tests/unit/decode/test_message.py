"""Heads and bodies as they are on the wire."""

from __future__ import annotations

import gzip

import pytest

from agent.decode.message import body_of, request_head, request_lines, response_head, response_lines, unchunk
from agent.errors import DecodeError


def reason_of(error: pytest.ExceptionInfo[DecodeError]) -> str:
    return error.value.reason


def test_request_head_says_where_the_body_goes_and_what_it_is() -> None:
    head = request_head(
        request_lines(
            b"POST /v2/models/m/infer?x=1 HTTP/1.1\r\nHost: a\r\nCONTENT-TYPE:application/JSON; Charset=UTF-8\r\n"
            b"content-length: 12 \r\nConnection: keep-alive\r\nInference-Header-Content-Length: 7\r\n\r\n"
        )
    )
    assert (head.method, head.target, head.length, head.media, head.charset, head.json_length) == (
        "POST", "/v2/models/m/infer?x=1", 12, "application/json", "", 7,
    )  # fmt: skip
    assert head.plain


def test_a_status_line_may_have_no_reason() -> None:
    assert response_head(response_lines(b"HTTP/1.1 200 \r\nx-a: b\r\ncontent-length: 0\r\n\r\n")).status == 200
    assert response_head(response_lines(b"HTTP/1.1 200\r\n\r\n")).length == -1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"POS",
        b"POST /\r\n\r\n",
        b"POST  / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/2.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nspace : before\r\n\r\n",
        b"POST / HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
        b"POST / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
        b"POST / HTTP/1.1\r\na: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1234567890123456789\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    ],
)
def test_a_malformed_request_head_is_refused(head: bytes) -> None:
    with pytest.raises(DecodeError) as error:
        request_head(request_lines(head))
    assert reason_of(error) == "head"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2.0 200\r\n\r\n",
        b"HTTP/2\r\n\r\n",
    ],
)
def test_a_malformed_response_head_is_refused(head: bytes) -> None:
    with pytest.raises(DecodeError):
        response_head(response_lines(head))


def test_the_same_length_twice_is_one_length() -> None:
    lines = request_lines(b"POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n")
    assert request_head(lines).length == 3


def test_heads_that_differ_in_other_lines_mean_the_same() -> None:
    one = request_lines(b"POST / HTTP/1.1\r\ntraceparent: 1\r\nContent-Length: 3\r\n\r\n")
    two = request_lines(b"POST / HTTP/1.1\r\ntraceparent: 2\r\nContent-Length: 3\r\n\r\n")
    assert one == two


def test_another_transfer_coding_is_refused() -> None:
    with pytest.raises(DecodeError) as error:
        request_head(request_lines(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"))
    assert reason_of(error) == "transfer_encoding"


def body(raw: bytes, *, bodiless: bool = False) -> bytes:
    start = raw.index(b"\r\n\r\n") + 4
    if raw.startswith(b"HTTP/"):
        return body_of(response_head(response_lines(raw[:start])), raw, start, bodiless=bodiless)
    return body_of(request_head(request_lines(raw[:start])), raw, start)


def test_a_body_is_as_long_as_its_head_says() -> None:
    assert body(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcdef") == b"abc"
    assert body(b"POST / HTTP/1.1\r\n\r\nabcdef") == b""
    assert body(b"HTTP/1.1 200 OK\r\n\r\nuntil the end") == b"until the end"


def test_the_head_of_a_stream_is_read_like_any_other() -> None:
    head = request_head(
        request_lines(b"POST /v2/models/m/infer HTTP/2\r\nuser-agent: a\r\ncontent-type: application/json\r\n\r\n")
    )
    assert (head.method, head.target, head.length, head.media, head.framed) == (
        "POST", "/v2/models/m/infer", -1, "application/json", True,
    )  # fmt: skip
    answer = response_head(response_lines(b"HTTP/2 200\r\ncontent-encoding: gzip\r\n\r\n"))
    assert (answer.status, answer.coding, answer.framed) == (200, "gzip", True)
    assert not request_head(request_lines(b"POST / HTTP/1.1\r\n\r\n")).framed


def test_frames_end_the_body_of_a_stream() -> None:
    assert body(b"POST / HTTP/2\r\n\r\nabcdef") == b"abcdef"
    assert body(b"POST / HTTP/2\r\ncontent-length: 6\r\n\r\nabcdef") == b"abcdef"
    assert body(b"POST / HTTP/2\r\n\r\n") == b""
    assert body(b"HTTP/2 200\r\n\r\nabcdef") == b"abcdef"
    assert body(b"HTTP/2 204\r\n\r\n") == b""


def test_chunks_mean_nothing_in_a_stream() -> None:
    assert body(b"POST / HTTP/2\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").startswith(b"3\r\n")


def test_a_stream_that_breaks_its_promise_of_length_is_incomplete() -> None:
    with pytest.raises(DecodeError) as error:
        body(b"HTTP/2 200\r\ncontent-length: 9\r\n\r\nabc")
    assert reason_of(error) == "incomplete"
    assert error.value.offset == 3


def test_a_stream_may_be_compressed() -> None:
    assert body(b"HTTP/2 200\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"text")) == b"text"


def test_answers_without_a_body() -> None:
    assert body(b"HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nabc") == b""
    assert body(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n") == b""
    assert body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", bodiless=True) == b""


def test_a_short_body_is_incomplete() -> None:
    with pytest.raises(DecodeError) as error:
        body(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc")
    assert reason_of(error) == "incomplete"
    assert error.value.offset == 3


def test_chunks_are_joined_and_extensions_and_trailers_skipped() -> None:
    assert unchunk(b"3;a=b\r\nabc\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\n", 0) == b"abc0123456789"


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        (b"", "incomplete"),
        (b"3\r\nab", "incomplete"),
        (b"3\r\nabc\r\n", "incomplete"),
        (b"3\r\nabcd\r\n0\r\n\r\n", "chunked"),
        (b"3\r\nabcXX0\r\n\r\n", "chunked"),
        (b"x\r\nabc\r\n0\r\n\r\n", "chunked"),
        (b"-1\r\n\r\n", "chunked"),
        (b"\r\nabc", "chunked"),
        (b"0x3\r\nabc\r\n0\r\n\r\n", "chunked"),
        (b"ffffffffffffffff\r\n", "chunked"),
    ],
)
def test_bad_chunks_are_refused(chunks: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        unchunk(chunks, 0)
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("chunks", "joined"),
    [(b"", b""), (b"3", b""), (b"3\r\n", b""), (b"3\r\nab", b"ab"), (b"3\r\nabc\r", b"abc"), (b"3\r\nabc\r\n2\r\nd", b"abcd")],
)
def test_of_chunks_that_were_cut_what_is_there_is_joined(chunks: bytes, joined: bytes) -> None:
    assert unchunk(chunks, 0, cut=True) == joined


def test_what_is_no_chunk_is_refused_in_a_body_that_was_cut_too() -> None:
    with pytest.raises(DecodeError) as error:
        unchunk(b"3\r\nabcXX0\r\n", 0, cut=True)
    assert reason_of(error) == "chunked"


@pytest.mark.parametrize("start_line", [b"HTTP/1.1 200 OK", b"HTTP/2 200"])
def test_of_a_body_that_was_cut_its_beginning_is_given(start_line: bytes) -> None:
    raw = start_line + b"\r\nContent-Length: 9\r\n\r\nabc"
    head = response_head(response_lines(raw[: raw.find(b"\r\n\r\n") + 4]))
    assert body_of(head, raw, raw.find(b"\r\n\r\n") + 4, cut=True) == b"abc"


def test_text_in_another_charset_becomes_utf_8() -> None:
    raw = b'POST / HTTP/1.1\r\nContent-Type: text/csv; charset="ISO-8859-1"\r\nContent-Length: 1\r\n\r\n\xe9'
    assert body(raw) == "é".encode()


@pytest.mark.parametrize("charset", [b"klingon", b"utf-16"])
def test_text_that_is_not_in_its_charset_is_refused(charset: bytes) -> None:
    with pytest.raises(DecodeError) as error:
        body(b"POST / HTTP/1.1\r\nContent-Type: text/csv; charset=" + charset + b"\r\nContent-Length: 1\r\n\r\n\xe9")
    assert reason_of(error) == "charset"
