"""Message heads to the few facts that relaying needs: where the body ends, and what to call the exchange.

llhttp (through httptools) reads each head in strict mode, so what it refuses as ambiguous is refused here: two lengths, a
length beside a transfer coding, a bare line feed, a space before a colon (RFC 9112 §6.3, §11.2). A head is a function of its
bytes, and clients repeat theirs, so facts are remembered by the bytes of the head. `tests/bench/proxy.py` pays for that: a
look-up costs 0.2 µs, reading a head of six lines 5 µs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

import httptools


class Framing(IntEnum):
    """Where a message's body ends."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    UNTIL_CLOSE = 3


NOT_PLAIN = -(1 << 62)
"""A `plain_length` that no message has."""


class RequestHead(NamedTuple):
    """What a request's head says. `length` is 0 unless the framing is `LENGTH`."""

    method: str
    target: str
    framing: Framing
    length: int
    upgrade: bool
    """Whether the bytes after this message may belong to another protocol."""
    traceparent: bytes
    """The value of the header, empty if there is none or several."""
    plain_length: int = NOT_PLAIN
    """The body's length where that is all there is to know: neither chunks nor an upgrade."""
    protocol: str = "http/1.1"
    """As in `agent.exchange.Exchange`."""
    is_plainly_answered: bool = False
    """Whether the framing of the response is what its own head says: the request is neither HEAD nor asks for an upgrade."""


class ResponseHead(NamedTuple):
    """What a response's head says, before the request's method is taken into account."""

    status: int
    framing: Framing
    length: int
    plain_length: int
    """The body's length where that is all there is to know: a final response to a request that is no HEAD."""


class RefusedError(Exception):
    """A message that can't be relayed safely, because two readers could disagree about where it ends."""


class TooLongError(RefusedError):
    """A head beyond `OUTRIDER_MAX_HEAD`."""


class NotHttpError(Exception):
    """Bytes that are no HTTP/1 message at all."""


_MEMO_ENTRIES = 1024
_MEMO_HEAD_BYTES = 2048
"""Together they bound a memo to 2 MiB of heads."""

Facts = TypeVar("Facts", RequestHead, ResponseHead)


class Memo(Generic[Facts]):
    """Facts by the bytes of a head. Bounded; when it is full it starts anew, which costs one reading per live head."""

    __slots__ = ("_facts", "get")

    def __init__(self) -> None:
        self._facts: dict[bytes, Facts] = {}
        self.get: Callable[[bytes], Facts | None] = self._facts.get

    def put(self, head: bytes, facts: Facts) -> None:
        """Remember the facts of a head, unless it is unusually long."""
        if len(head) > _MEMO_HEAD_BYTES:
            return
        if len(self._facts) >= _MEMO_ENTRIES:
            self._facts.clear()
        self._facts[head] = facts


class _Reading:
    """Takes llhttp's callbacks while one head is read."""

    def __init__(self) -> None:
        self.target = b""
        self.length = -1
        self.chunked = False
        self.coded = False
        self.upgrade = False
        self.traceparents: list[bytes] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length":
                self.length = int(value)
            case b"transfer-encoding":
                self.coded = True
                self.chunked = value.rpartition(b",")[2].strip().lower() == b"chunked"
            case b"upgrade":
                self.upgrade = True
            case b"traceparent":
                self.traceparents.append(value)

    def on_headers_complete(self) -> None:
        self.complete = True


def _read(parser: httptools.HttpRequestParser | httptools.HttpResponseParser, reading: _Reading, head: bytes) -> None:
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        reading.upgrade = True
    except httptools.HttpParserInvalidMethodError as error:
        raise NotHttpError(str(error)) from error
    except (httptools.HttpParserError, ValueError) as error:
        # After the last field, llhttp only "pauses" for a 101, which it reports as an error where no Upgrade field stands.
        if not (reading.complete and isinstance(parser, httptools.HttpResponseParser)):
            raise RefusedError(str(error)) from error
    if not reading.complete:
        raise RefusedError("the head does not end where its last empty line is")


def read_request(head: bytes, limit: int) -> RequestHead:
    """Read a whole request head, its empty line included.

    Raises
    ------
    RefusedError
        Two readers could disagree about it.
    TooLongError
        It has more than `limit` bytes.
    NotHttpError
        It starts with no method that is known.
    """
    if len(head) > limit:
        raise TooLongError(_too_long(limit))
    if b"\r\n " in head or b"\r\n\t" in head:
        raise RefusedError("a header line that goes on in the next line")  # llhttp reads it; RFC 9112 §5.2 lets us refuse it
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    _read(parser, reading, head)
    if parser.get_http_version() not in ("1.1", "1.0"):
        raise RefusedError("a version that is neither HTTP/1.1 nor HTTP/1.0")
    framing = Framing.CHUNKED if reading.chunked else Framing.LENGTH if reading.length > 0 else Framing.NONE
    if reading.coded and not reading.chunked:
        raise RefusedError("a transfer coding that is not chunked")
    if reading.coded and parser.get_http_version() == "1.0":
        raise RefusedError("a transfer coding in HTTP/1.0")  # RFC 9112 §6.1: its framing is faulty
    method = parser.get_method().decode("ascii")
    length = reading.length if framing is Framing.LENGTH else 0
    upgrade = reading.upgrade or method == "CONNECT"
    return RequestHead(
        method=method,
        target=reading.target.decode("latin-1"),
        framing=framing,
        length=length,
        upgrade=upgrade,
        traceparent=reading.traceparents[0] if len(reading.traceparents) == 1 else b"",
        plain_length=NOT_PLAIN if upgrade or framing is Framing.CHUNKED else length,
        is_plainly_answered=method != "HEAD" and not upgrade,
    )


def _too_long(limit: int) -> str:
    return f"its head is longer than {limit} bytes (OUTRIDER_MAX_HEAD)"


def check_beginning(start: bytes, limit: int) -> None:
    """Check bytes that should become a request's head when more have come.

    Raises
    ------
    RefusedError
        A line ends with a bare line feed, which a lenient server might take for the end of a field or of the head.
    TooLongError
        They are more than `limit`.
    """
    if len(start) > limit:
        raise TooLongError(_too_long(limit))
    if b"\n\n" in start or b"\n\r\n" in start:
        raise RefusedError("a line that ends without a carriage return")


def head_of(start: bytes) -> RequestHead | None:
    """Read the head at the start of a connection, or give ``None`` where there is none that can be read."""
    end = start.find(b"\r\n\r\n")
    try:
        return read_request(start[: end + 4], end + 4) if end >= 0 else None
    except (RefusedError, NotHttpError):
        return None


def named(start: bytes) -> RequestHead:
    """Give method and target of a request that is refused, as far as its first line says them; empty where it doesn't."""
    found = _REQUEST_LINE.match(start.lstrip(b"\r\n")[:_NAMED_BYTES])
    method, target = (part.decode("latin-1") for part in found.groups()) if found else ("", "")
    return RequestHead(method, target, Framing.NONE, 0, upgrade=False, traceparent=b"")


_NAMED_BYTES = 2048
_REQUEST_LINE = re.compile(rb"([A-Z]{1,24}) ([^\x00-\x20\x7f]{1,1024}) ")


def read_response(head: bytes) -> ResponseHead:
    """Read a whole response head, its empty line included.

    Raises
    ------
    RefusedError
        It is no response that can be followed.
    NotHttpError
        It starts with no status line.
    """
    reading = _Reading()
    parser = httptools.HttpResponseParser(reading)
    _read(parser, reading, head)
    if reading.chunked and parser.get_http_version() != "1.0":
        framing = Framing.CHUNKED
    elif reading.coded or reading.length < 0:
        framing = Framing.UNTIL_CLOSE
    else:
        framing = Framing.LENGTH if reading.length else Framing.NONE
    status = parser.get_status_code()
    length = reading.length if framing is Framing.LENGTH else 0
    is_plain = framing in (Framing.NONE, Framing.LENGTH) and not has_no_body("", status)
    return ResponseHead(status, framing, length, length if is_plain else NOT_PLAIN)


def has_no_body(method: str, status: int) -> bool:
    """Whether a response to `method` ends with its head, whatever its fields say (RFC 9112 §6.3, rules 1 and 2)."""
    return method == "HEAD" or status in (204, 304) or 100 <= status < 200


def looks_like_http(start: bytes) -> bool | None:
    """Tell from the first bytes of a connection whether HTTP/1 is spoken: yes, no, or ``None`` for "too early to say".

    Only ``METHOD target HTTP/1.x`` counts; everything else is relayed as a tunnel, but for the preface of HTTP/2, which this
    calls a "no" too.
    """
    line, ended, _ = start.partition(b"\r\n")
    method, space, rest = line.partition(b" ")
    if len(method) > _LONGEST_METHOD or not all(byte in _METHOD_BYTES for byte in method):
        return False
    if not ended:
        return None if b"\n" not in start else False
    version = rest.rpartition(b" ")[2]
    return bool(method and space) and version in (b"HTTP/1.1", b"HTTP/1.0")


def looks_like_head(start: bytes) -> bool:
    """Tell whether a line that is too long to be waited for begins as a request does."""
    _, space, target = start.partition(b" ")
    return bool(space) and target[:1] in (b"/", b"*", b"h")


_LONGEST_METHOD = 24
_METHOD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
