"""HTTP messages as the proxy recorded them: the head's facts, and the body with its codings undone.

HTTP/1.1 as it was on the wire, RFC 9112. A start line, header lines, an empty line; then, for a request: chunks if
`Transfer-Encoding: chunked`, else `Content-Length` bytes, else nothing. For a response, without either: everything until the
connection closes. Responses of 1xx other than 101 come before the final one and have no body; 204 and 304, and answers to
HEAD, have none either.

HTTP/2, RFC 9113, comes with its head written the same way and ``HTTP/2`` in the start line. There frames end the body, so it
is all that follows: no chunks, and a `Content-Length` only as a promise that the frames keep or break (section 8.1.1).

The proxy has parsed these bytes strictly before; here they are only split again, so that records need no state. Still no
byte is trusted: what does not follow the grammar raises `DecodeError`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from agent.decode.codings import decompress
from agent.errors import DecodeError

BODILESS = frozenset({204, 304})
"""Statuses of final responses that have no body whatever their head says."""

_TOKEN = rb"[!#-'*+\-.0-9A-Z^-z|~]++"
_FIELDS = rb"(?:" + _TOKEN + rb":[^\x00\r\n]*+\r\n)*+\r\n"
_REQUEST = re.compile(_TOKEN + rb" [^\x00-\x20\x7f]++ HTTP/(?:1\.[01]|2)\r\n" + _FIELDS)
_RESPONSE = re.compile(rb"HTTP/(?:1\.[01]|2) [1-9]\d\d(?: [^\x00\r\n]*+)?\r\n" + _FIELDS)
# The first letters of the names below in any case; half the time of a search for the names themselves.
_MAYBE_WANTED = re.compile(rb"\r\n((?:[CcTtIi][OoRrNn][NnAaFf][TtNnEe]|[Gg][Rr][Pp][Cc]|[Cc][Ee]-[Ss][Pp])[^\r]*+)")
_EVENT_ID = re.compile(rb"\r\n[Cc][Ee]-[Ii][Dd]:([^\r]*+)")
_WANTED = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"inference-header-content-length",
     b"grpc-encoding", b"ce-specversion"}
)  # fmt: skip
_UTF_8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_OTHER_CHARSETS = frozenset({"iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252", "utf-16"})


class Head(msgspec.Struct, frozen=True, gc=False):
    """What a head says about its body.

    Parameters
    ----------
    method, target
        Of a request, else empty. The target is still percent-encoded.
    status
        Of a response, else 0.
    length
        `Content-Length`, or -1.
    chunked
        Whether the body comes in chunks.
    framed
        Whether frames ended the body, as in HTTP/2: it is all that follows.
    coding
        `Content-Encoding` in lower case, empty for none.
    media
        `Content-Type` in lower case without parameters, empty for none.
    charset
        Of the content type, in lower case, empty for UTF-8.
    boundary
        Of a multipart content type, as it was written, empty for none.
    json_length
        `Inference-Header-Content-Length`, or -1.
    grpc_encoding
        `Grpc-Encoding` in lower case: how messages with the compressed flag are compressed; empty for none.
    is_event
        Whether the message is a CloudEvent in binary mode: it has a `Ce-Specversion`. `event_id` finds its id, which is not here
        because it differs each time, and heads that mean the same are remembered.
    """

    method: str
    target: str
    status: int
    length: int
    chunked: bool
    framed: bool
    coding: str
    media: str
    charset: str
    boundary: str
    json_length: int
    grpc_encoding: str
    is_event: bool = False

    @property
    def plain(self) -> bool:
        """Whether the body is just the next `length` bytes."""
        return self.length >= 0 and not (self.chunked or self.coding or self.charset)


Lines = tuple[bytes, ...]
"""A start line and the header lines that matter for the body: what makes two heads mean the same."""


def request_lines(head: bytes) -> Lines:
    """Check a request's head, the empty line included, and give the lines that matter.

    Raises
    ------
    DecodeError
        ``head``
    """
    if _REQUEST.fullmatch(head) is None:
        raise DecodeError("http", "head")
    return (head[: head.find(b"\r\n")], *_MAYBE_WANTED.findall(head))


def response_lines(head: bytes) -> Lines:
    """Check a response's head as `request_lines` does. The reason may be empty, as TorchServe's is."""
    if _RESPONSE.fullmatch(head) is None:
        raise DecodeError("http", "head")
    return (head[: head.find(b"\r\n")], *_MAYBE_WANTED.findall(head))


def request_head(lines: Lines) -> Head:
    """Read what `request_lines` gave.

    Raises
    ------
    DecodeError
        ``head`` where a length is none, or a header comes twice and differs; ``transfer_encoding`` where the coding is not
        ``chunked``.
    """
    method, target, version = lines[0].split(b" ")
    return _head(lines, version, method.decode("ascii"), target.decode("latin-1"), 0)


def response_head(lines: Lines) -> Head:
    """Read what `response_lines` gave. Errors as `request_head`."""
    version, status = lines[0].split(b" ", 2)[:2]
    return _head(lines, version, "", "", int(status))


def _head(lines: Lines, version: bytes, method: str, target: str, status: int) -> Head:
    found: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, _, text = line.partition(b":")
        key, value = name.lower(), text.strip(b" \t")
        if key in _WANTED and found.setdefault(key, value) != value:
            raise DecodeError("http", "head")  # two different lengths or types: no telling which one counted
    get = found.get
    media, _, parameters = get(b"content-type", b"").decode("latin-1").partition(";")
    coding = get(b"content-encoding", b"").decode("latin-1").lower()
    framed = version == b"HTTP/2"
    transfer = b"" if framed else get(b"transfer-encoding", b"").lower()
    if transfer not in (b"", b"chunked"):
        raise DecodeError("http", "transfer_encoding")
    return Head(
        method=method,
        target=target,
        status=status,
        length=_count(get(b"content-length")),
        chunked=transfer == b"chunked",
        framed=framed,
        coding="" if coding == "identity" else coding,
        media=media.strip().lower(),
        charset=_charset(parameters),
        boundary=_parameter(parameters, "boundary"),
        json_length=_count(get(b"inference-header-content-length")),
        grpc_encoding=get(b"grpc-encoding", b"").decode("latin-1").lower(),
        is_event=b"ce-specversion" in found,
    )


def event_id(raw: bytes) -> str:
    """Give the `Ce-Id` in a request's head, empty where there is none.

    Characters that a header can't hold are percent-encoded, and the value may be quoted (CloudEvents HTTP binding, section
    3.1.3.2).
    """
    found = _EVENT_ID.search(raw, 0, raw.find(b"\r\n\r\n") + 2)
    if found is None:
        return ""
    text = found[1].decode("latin-1").strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote(text)


def _count(digits: bytes | None) -> int:
    if digits is None:
        return -1
    if not digits.isdigit() or len(digits) > 18:
        raise DecodeError("http", "head")
    return int(digits)


def _charset(parameters: str) -> str:
    charset = _parameter(parameters, "charset").lower()
    return "" if charset in _UTF_8 else charset


def _parameter(parameters: str, wanted: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == wanted:
            return value.strip('"')
    return ""


def body_of(head: Head, raw: bytes, start: int, *, bodiless: bool = False, cut: bool = False) -> bytes:
    """Give the body as UTF-8 text or as raw bytes, with transfer and content codings undone.

    Parameters
    ----------
    raw, start
        The message, and where its head ends. Bytes behind the body are not looked at.
    bodiless
        Whether this is the answer to a HEAD request.
    cut
        Whether the message is known to end early: what is there is wanted, and nothing counts as missing.

    Raises
    ------
    DecodeError
        ``incomplete`` where bytes are missing, ``chunked``, ``content_encoding``, ``compression``, ``too_large``, ``charset``.
    """
    if bodiless or head.status in BODILESS:
        return b""
    if head.chunked:
        body = unchunk(raw, start, cut=cut)
    elif head.framed:
        body = raw[start:]
        if len(body) < head.length and not cut:
            raise DecodeError("http", "incomplete", offset=len(body))
    elif head.length >= 0:
        end = start + head.length
        if end > len(raw) and not cut:
            raise DecodeError("http", "incomplete", offset=len(raw) - start)
        body = raw[start:end]
    else:
        body = raw[start:] if head.status else b""
    if head.coding:
        body = decompress(body, head.coding, cut=cut)
    return _to_utf_8(body, head.charset) if head.charset else body


def unchunk(raw: bytes, start: int, *, cut: bool = False) -> bytes:
    """Join the chunks of a body (RFC 9112 section 7.1). Chunk extensions and trailers are skipped.

    Of a body that is `cut`, the last chunk may be a part of one.

    Raises
    ------
    DecodeError
        ``chunked`` where the framing is wrong, ``incomplete`` where it ends early.
    """
    chunks: list[bytes] = []
    at = start
    while True:
        line_end = raw.find(b"\r\n", at)
        if line_end < 0:
            if cut:
                return b"".join(chunks)
            raise DecodeError("http", "incomplete", offset=len(raw) - start)
        digits = raw[at:line_end].partition(b";")[0].rstrip(b" \t")
        if not _HEX.fullmatch(digits):
            raise DecodeError("http", "chunked", offset=at - start)
        size = int(digits, 16)
        at = line_end + 2
        if size == 0:
            return b"".join(chunks)
        if at + size + 2 > len(raw):
            if cut:
                return b"".join([*chunks, raw[at : at + size]])
            raise DecodeError("http", "incomplete", offset=len(raw) - start)
        if raw[at + size : at + size + 2] != b"\r\n":
            raise DecodeError("http", "chunked", offset=at + size - start)
        chunks.append(raw[at : at + size])
        at += size + 2


_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}")


def _to_utf_8(body: bytes, charset: str) -> bytes:
    if charset not in _OTHER_CHARSETS:
        raise DecodeError("http", "charset")
    try:
        return body.decode(charset).encode()
    except UnicodeDecodeError:
        raise DecodeError("http", "charset") from None
