"""Heads to facts, and what is refused."""

from __future__ import annotations

import pytest

from agent.proxy.heads import (
    NOT_PLAIN,
    Framing,
    Memo,
    NotHttpError,
    RefusedError,
    RequestHead,
    TooLongError,
    check_beginning,
    has_no_body,
    looks_like_head,
    looks_like_http,
    read_request,
    read_response,
)

LIMIT = 4096


def read(head: bytes) -> RequestHead:
    return read_request(head, LIMIT)


def request(*lines: str, start: str = "POST /v1 HTTP/1.1") -> bytes:
    return "\r\n".join([start, "Host: model", *lines, "", ""]).encode("latin-1")


def response(*lines: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


def test_a_request_with_a_length() -> None:
    head = read(request("Content-Length: 5"))
    assert head == RequestHead(
        "POST", "/v1", Framing.LENGTH, 5, upgrade=False, traceparent=b"", plain_length=5, is_plainly_answered=True
    )


def test_a_request_without_a_body() -> None:
    head = read(request(start="GET /v2 HTTP/1.1"))
    assert (head.framing, head.plain_length) == (Framing.NONE, 0)


@pytest.mark.parametrize("coding", ["chunked", "gzip, chunked", "Chunked"])
def test_a_chunked_request_is_not_plain(coding: str) -> None:
    head = read(request(f"Transfer-Encoding: {coding}"))
    assert (head.framing, head.plain_length) == (Framing.CHUNKED, NOT_PLAIN)


@pytest.mark.parametrize(
    "head",
    [
        request("Content-Length: 5", "Content-Length: 6"),
        request("Content-Length: 5", "Transfer-Encoding: chunked"),
        request("Transfer-Encoding: chunked, gzip"),
        request("Transfer-Encoding : chunked"),
        request("Content-Length: +5"),
        request("Content-Length: 5", "X: a\n b"),
        request("X: a\x00b"),
        b"POST /v1 HTTP/1.1\nHost: model\r\n\r\n",
        b"GET /v1\r\n\r\n",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(head: bytes) -> None:
    with pytest.raises(RefusedError):
        read(head)


@pytest.mark.parametrize("fold", [b" folded", b"\tfolded"])
def test_a_header_line_that_goes_on_in_the_next_is_refused(fold: bytes) -> None:
    with pytest.raises(RefusedError, match="goes on in the next line"):
        read(b"GET / HTTP/1.1\r\nHost: m\r\nX: a\r\n" + fold + b"\r\n\r\n")


def test_a_head_up_to_the_limit_passes_and_a_longer_one_does_not() -> None:
    frame = len(request("X: "))
    assert read(request("X: " + "a" * (LIMIT - frame)))
    with pytest.raises(TooLongError, match="OUTRIDER_MAX_HEAD"):
        read(request("X: " + "a" * (LIMIT - frame + 1)))
    check_beginning(b"a" * LIMIT, LIMIT)
    with pytest.raises(TooLongError):
        check_beginning(b"a" * (LIMIT + 1), LIMIT)


@pytest.mark.parametrize(
    ("start", "expected"),
    [(b"GET /aaa", True), (b"GET http://m", True), (b"OPTIONS *", True), (b"GET", False), (b"HELLO you", False)],
)
def test_a_line_too_long_to_be_waited_for_may_begin_like_a_request(start: bytes, *, expected: bool) -> None:
    assert looks_like_head(start) is expected


def test_an_absolute_form_target_is_read_as_it_stands() -> None:
    assert (
        read(request(start="POST http://model:8000/v2/models/m/infer HTTP/1.1")).target == "http://model:8000/v2/models/m/infer"
    )


def test_an_unknown_method_is_no_http() -> None:
    with pytest.raises(NotHttpError):
        read(request(start="BREW /pot HTTP/1.1"))


def test_upgrades_are_seen() -> None:
    assert read(request("Connection: Upgrade", "Upgrade: websocket", start="GET /ws HTTP/1.1")).upgrade
    assert read(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n").upgrade


def test_a_traceparent_counts_only_when_it_is_the_only_one() -> None:
    assert read(request("TraceParent: 00-a")).traceparent == b"00-a"
    assert read(request("traceparent: 00-a", "traceparent: 00-b")).traceparent == b""


@pytest.mark.parametrize(
    ("head", "status", "framing", "length"),
    [
        (response("Content-Length: 3"), 200, Framing.LENGTH, 3),
        (response("Content-Length: 0"), 200, Framing.NONE, 0),
        (response("Transfer-Encoding: chunked"), 200, Framing.CHUNKED, 0),
        (response(), 200, Framing.UNTIL_CLOSE, 0),
        (response(start="HTTP/1.1 200 "), 200, Framing.UNTIL_CLOSE, 0),
        (response(start="HTTP/1.0 500 Oh"), 500, Framing.UNTIL_CLOSE, 0),
    ],
)
def test_responses(head: bytes, status: int, framing: Framing, length: int) -> None:
    assert read_response(head)[:3] == (status, framing, length)


@pytest.mark.parametrize("status", [100, 101, 204, 304])
def test_a_status_without_a_body_is_never_plain(status: int) -> None:
    assert read_response(response("Content-Length: 3", start=f"HTTP/1.1 {status} X")).plain_length == NOT_PLAIN
    assert has_no_body("GET", status)


def test_head_has_no_body() -> None:
    assert has_no_body("HEAD", 200)
    assert not has_no_body("GET", 200)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"", None),
        (b"PO", None),
        (b"POST /v1/models/a:predict HTT", None),
        (b"POST / HTTP/1.1\r\n", True),
        (b"GET /a b HTTP/1.0\r\n", True),
        (b"PRI * HTTP/2.0\r\n", False),
        (b"\x16\x03\x01", False),
        (b"hello\r\n", False),
        (b"HELO there\r\n", False),
        (b"GET / HTTP/1.1\n", False),
        (b"A" * 25, False),
    ],
)
def test_http_is_told_by_its_first_line(start: bytes, expected: bool | None) -> None:
    assert looks_like_http(start) is expected


def test_a_memo_stays_bounded() -> None:
    memo: Memo[RequestHead] = Memo()
    facts = read(request())
    for number in range(5000):
        memo.put(b"%d" % number, facts)
    memo.put(b"x" * 5000, facts)
    assert memo.get(b"4999") is facts
    assert memo.get(b"0") is None
    assert memo.get(b"x" * 5000) is None
