"""Header blocks to the few facts that following needs (RFC 9113 §8, RFC 7541).

The table of HPACK changes with the blocks that insert into it, so every block has to be read, in order, whatever becomes of
its exchange. But clients repeat themselves: a block that inserts nothing means the same until another one does. Such blocks
are remembered by their bytes. `tests/bench/grpc.py` pays for that: a look-up costs 0.1 µs, reading and digesting nine fields
15 µs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from agent.exchange import NO_GRPC_STATUS
from agent.proxy.heads import NOT_PLAIN, Framing, RequestHead
from agent.proxy.http2.compression import Field, FieldTable

Fields = Sequence[Field]


class CallHead(NamedTuple):
    """What the head of a request says."""

    head: RequestHead
    text: bytes
    """The head as lines, as `agent.exchange.Exchange.request` has it."""
    is_grpc: bool


class AnswerHead(NamedTuple):
    """What the head or the trailers of a response say."""

    status: int
    """0 in trailers."""
    grpc_status: int
    has_length: bool
    text: bytes


_KNOWN_BLOCKS = 64
_KNOWN_BLOCK_BYTES = 1024
_KNOWN_TEXT_BYTES = 4096
"""Together they bound what is remembered to 320 KiB for each direction of a connection."""

_MAX_METHOD = 32
_MAX_TARGET = 1024
"""What is kept of a longer target: calls hold it while they are under way, and a byte on the wire can name it again."""

Facts = TypeVar("Facts")


class Blocks(Generic[Facts]):
    """Reads the header blocks of one direction, all of them, in order.

    Parameters
    ----------
    digest
        Makes the facts of the fields of a block.
    """

    __slots__ = ("_digest", "_known", "_table")

    def __init__(self, digest: Callable[[Fields], Facts]) -> None:
        self._digest = digest
        self._table = FieldTable()
        self._known: dict[bytes, Facts] = {}

    def read(self, block: bytes) -> Facts:
        """Read a block.

        Raises
        ------
        BrokenError
            It can't be read; nothing behind it can either.
        """
        facts = self._known.get(block)
        return self._learn(block) if facts is None else facts

    def _learn(self, block: bytes) -> Facts:
        changes = self._table.changes
        fields = self._table.read(block)
        facts = self._digest(fields)
        if self._table.changes != changes:
            self._known.clear()
        elif len(block) <= _KNOWN_BLOCK_BYTES and sum(map(len, chain.from_iterable(fields))) <= _KNOWN_TEXT_BYTES:
            if len(self._known) >= _KNOWN_BLOCKS:
                self._known.clear()
            self._known[block] = facts
        return facts


def call_head(fields: Fields) -> CallHead:
    """Give the facts of a request's fields."""
    method = target = b""
    traceparents: list[bytes] = []
    is_grpc = False
    for name, value in fields:
        match name:
            case b":method":
                method = value
            case b":path":
                target = value
            case b"content-type":
                is_grpc = _is_grpc(value)
            case b"traceparent":
                traceparents.append(value)
    head = RequestHead(
        # Interned, so that calls of the same target hold it together.
        method=sys.intern(method[:_MAX_METHOD].decode("latin-1")),
        target=sys.intern(target[:_MAX_TARGET].decode("latin-1")),
        framing=Framing.NONE,
        length=0,
        upgrade=False,
        traceparent=traceparents[0] if len(traceparents) == 1 else b"",
        plain_length=NOT_PLAIN,
        protocol="grpc" if is_grpc else "http/2",
    )
    return CallHead(head, _text(b"%b %b HTTP/2" % (method, target), fields), is_grpc)


def answer_head(fields: Fields) -> AnswerHead:
    """Give the facts of a response's fields, or of its trailers."""
    status, grpc_status = 0, NO_GRPC_STATUS
    has_length = False
    for name, value in fields:
        match name:
            case b":status":
                status = _number(value, 999)
            case b"grpc-status":
                grpc_status = _number(value, 1 << 31, NO_GRPC_STATUS)
            case b"content-length":
                has_length = True
    return AnswerHead(status, grpc_status, has_length, _text(b"HTTP/2 %d" % status, fields))


def _is_grpc(media: bytes) -> bool:
    return media.startswith(b"application/grpc") and not media.startswith(b"application/grpc-web")


def _number(digits: bytes, most: int, default: int = 0) -> int:
    if not digits.isdigit() or len(digits) > 10:
        return default
    number = int(digits)
    return number if number <= most else default


def _text(start: bytes, fields: Fields) -> bytes:
    """Write fields as lines. What would break the lines is left out; the record is for reading, the wire has it all."""
    lines = [b"%b: %b" % (name, value) for name, value in fields if b":" not in name]
    host = [b"host: " + value for name, value in fields if name == b":authority"]
    text = b"\r\n".join((start, *host, *lines, b"", b""))
    ends = len(host) + len(lines) + 2
    if text.count(b"\n") == ends and text.count(b"\r") == ends and b"\0" not in text:
        return text
    sound = [line for line in (*host, *lines) if not any(sign in line for sign in _BREAKS)]
    return b"\r\n".join((b"? ? HTTP/2" if any(sign in start for sign in _BREAKS) else start, *sound, b"", b""))


_BREAKS = (b"\r", b"\n", b"\0")
