"""Forms with files: ``multipart/form-data`` split into its parts.

A delimiter is a line of ``--`` and the boundary; the last one has ``--`` behind it. A part has header lines, an empty line and
its content, whose last line end belongs to the delimiter. Parts may come without a content type: then they are text.

Source: RFC 7578; RFC 2046 section 5.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from agent.errors import DecodeError

MAX_PARTS = 1000
"""More parts than this are refused: no form of a model has as many fields, and each costs a microsecond."""

MAX_BOUNDARY = 70
"""RFC 2046 section 5.1.1."""

_NAME = re.compile(rb'(?i)(?:^|[;\s])name=(?:"((?:[^"\\\r\n]|\\.)*)"|([^;"\s]+))')

_QUOTED = re.compile(rb"\\(.)")
_EXTENDED = re.compile(rb"(?i)(?:^|[;\s])name\*=utf-8'[^';\s]*'([^;\s]+)")


class Part(NamedTuple):
    """One field of a form."""

    name: str
    """Empty where it says none."""
    media: str
    """Its content type in lower case without parameters, empty for none."""
    content: bytes


def parts_of(body: bytes, boundary: str) -> list[Part]:
    """Split a form. What is before the first delimiter and behind the last one is skipped.

    Raises
    ------
    DecodeError
        ``multipart`` where it is no form, ``incomplete`` where its end is missing.
    """
    if not 0 < len(boundary) <= MAX_BOUNDARY or not boundary.isascii():
        raise DecodeError("multipart", "multipart")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), MAX_PARTS + 1)
    if len(pieces) > MAX_PARTS + 1 or len(pieces) == 1:
        raise DecodeError("multipart", "multipart")
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        padding, line_end, rest = piece.partition(b"\r\n")
        if padding.strip(b" \t") or not line_end:
            raise DecodeError("multipart", "multipart")
        parts.append(_part(b"\r\n" + rest))
    raise DecodeError("multipart", "incomplete", offset=len(body))


def _part(text: bytes) -> Part:
    head, empty_line, content = text.partition(b"\r\n\r\n")
    if not empty_line:
        raise DecodeError("multipart", "multipart")
    name, media = "", ""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        match key.strip().lower():
            case b"content-disposition":
                name = _name_in(value)
            case b"content-type":
                media = value.partition(b";")[0].strip().lower().decode("latin-1")
    return Part(name, media, content)


def _name_in(disposition: bytes) -> str:
    found = _NAME.search(disposition)
    if found is not None:
        return _QUOTED.sub(rb"\1", found[1] or found[2] or b"").decode(errors="replace")
    extended = _EXTENDED.search(disposition)  # RFC 7578 forbids it, and aiohttp writes it where a name is not ASCII
    return unquote_to_bytes(extended[1]).decode(errors="replace") if extended is not None else ""
