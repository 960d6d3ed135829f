"""Server-sent events, and when each of them arrived.

Lines end in LF, CR LF or CR. ``field: value`` lines make up an event, an empty line ends it; several ``data`` lines are joined
by LF; lines that begin with a colon are comments, such as keep-alives. By the standard an event without its empty line is
dropped. Servers of this field forget that line at the end of a stream, so there it is taken if its own last line is whole,
unless the stream was cut: then more lines may have followed.

The proxy notes when each piece of a streamed body arrived (`agent.exchange.MARK`) with its size on the wire. The place of an
event in the body is turned into its place on the wire, behind the sizes of chunks, and that says in which piece its end was.

Sources: WHATWG HTML section 9.2 "Server-sent events"; RFC 9112 section 7.1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from agent.decode.message import Head
from agent.exchange import MARK, Exchange

_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"([^\r\n]*+)(\r\n|\r|\n|\Z)")
"""A line and its end, or the rest: so a match never fails, which would begin again behind each byte. They are taken one at a
time, because a list of all would take many times the body's size."""


class Event(NamedTuple):
    """One event."""

    kind: bytes
    """The field ``event``, empty where there is none."""
    data: bytes
    """The lines of ``data``, joined by LF."""
    end: int
    """Where in the body the last line of its data ends."""


def events(body: bytes, *, cut: bool = False) -> Iterator[Event]:
    """Split a body into its events with data; of one that was `cut`, those that are whole. Never raises. Cost: 1 µs an event."""
    data: list[bytes] = []
    kind, end = b"", 0
    for line in _LINE.finditer(body, len(_BOM) if body.startswith(_BOM) else 0):
        text, newline = line.groups()
        if not newline:
            break  # the end, or a line that was cut off
        if not text:
            if data:
                yield Event(kind, b"\n".join(data), end)
            kind, data = b"", []
            continue
        name, _, value = text.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
            end = line.end()
        elif name == b"event":
            kind = value.removeprefix(b" ")
    if data and not cut:
        yield Event(kind, b"\n".join(data), end)


def arrivals(ends: Sequence[int], head: Head, exchange: Exchange) -> list[int]:
    """Tell when places in a response's body had arrived.

    Parameters
    ----------
    ends
        Places in the body with its codings undone, in rising order: the first byte that no longer belongs to what is asked for.
    head
        Of the final response.
    exchange
        With the response as far as it was recorded.

    Returns
    -------
    times
        Nanoseconds after the exchange's start, for each of `ends` from the first on, as far as it is known: marks may end
        early (`Flag.MARKS_CUT`), and of a compressed body, or one whose length was known beforehand, nothing is known.
    """
    if head.coding or head.charset or (head.length >= 0 and not head.chunked):
        return []
    marks = [(after_ns, size >> 2) for after_ns, size in MARK.iter_unpack(exchange.marks) if size & 1]
    if not marks:
        return [exchange.first_byte_ns] * len(ends) if exchange.first_byte_ns else []
    raw = exchange.response
    places = _places(raw, _body_start(raw)) if head.chunked else [(0, 0)]
    in_body = [place for place, _ in places]
    pieces = list(accumulate(size for _, size in marks))
    times = []
    for end in ends:
        body_place, wire_place = places[bisect_right(in_body, end - 1) - 1]
        piece = bisect_right(pieces, wire_place + end - 1 - body_place)
        if piece == len(pieces):
            break
        times.append(marks[piece][0])
    return times


def _body_start(raw: bytes) -> int:
    """Find the end of the final response's head, behind any interim ones."""
    at = 0
    while True:
        end = raw.find(b"\r\n\r\n", at) + 4
        if end < 4:
            return len(raw)
        if raw[raw.find(b" ", at, end) + 1 : end].startswith(b"1"):
            at = end
            continue
        return end


def _places(raw: bytes, start: int) -> list[tuple[int, int]]:
    """Give for each chunk where it begins in the body, and where behind the head on the wire.

    The chunks have been joined before (`agent.decode.message.unchunk`), so their grammar is right.
    """
    places: list[tuple[int, int]] = []
    at, joined = start, 0
    while True:
        line_end = raw.find(b"\r\n", at)
        size = int(raw[at:line_end].partition(b";")[0], 16) if line_end > at else 0
        if not size:
            return places or [(0, 0)]
        places.append((joined, line_end + 2 - start))
        joined += size
        at = line_end + 2 + size + 2
