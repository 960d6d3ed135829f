"""Header blocks to the few facts that following needs (RFC 9113 §8, RFC 7541).

The table of HPACK changes with the blocks that insert into it, so every block has to be read, in order, whatever becomes of
its exchange. But clients repeat themselves: a block that inserts nothing means the same until another one does. Such blocks
are remembered by their bytes. `tests/bench/grpc.py` pays for that: a look-up costs 0.1 µs, reading eight fields 20 to 40 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

from hpack import Decoder, HPACKError

from agent.exchange import NO_GRPC_STATUS
from agent.proxy.heads import NOT_PLAIN, Framing, RequestHead
from agent.proxy.http2.frames import BrokenError

Fields = Sequence[tuple[bytes, bytes]]


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


_MAX_TABLE_BYTES = 1 << 16
"""The largest table that is followed; 4 KiB is usual. It bounds what one connection may make us keep."""

_MAX_LIST_BYTES = 1 << 18
"""The longest list of fields that a block may unfold to: a few bytes can name a long field of the table again and again."""

_KNOWN_BLOCKS = 64
_KNOWN_BLOCK_BYTES = 1024

_INSERTS_SIZE, _SIZE_MASK = 0x20, 0xE0
"""A block that begins with a change of the table's size: it means something else the second time."""

Facts = TypeVar("Facts")


class Blocks(Generic[Facts]):
    """Reads the header blocks of one direction, all of them, in order.

    Parameters
    ----------
    digest
        Makes the facts of the fields of a block.
    """

    __slots__ = ("_decoder", "_digest", "_known")

    def __init__(self, digest: Callable[[Fields], Facts]) -> None:
        self._digest = digest
        self._decoder = Decoder(_MAX_LIST_BYTES)
        self._decoder.max_allowed_table_size = _MAX_TABLE_BYTES
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
        entries = self._decoder.header_table.dynamic_entries
        before = (len(entries), entries[0] if entries else None)
        try:
            facts = self._digest(cast("Fields", list(self._decoder.decode(block, raw=True))))
        except HPACKError as error:
            raise BrokenError(f"a header block can't be read: {type(error).__name__}") from error
        after = (len(entries), entries[0] if entries else None)
        if before[0] != after[0] or before[1] is not after[1]:
            self._known.clear()
        elif len(block) <= _KNOWN_BLOCK_BYTES and block and block[0] & _SIZE_MASK != _INSERTS_SIZE:
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
        match bytes(name):
            case b":method":
                method = bytes(value)
            case b":path":
                target = bytes(value)
            case b"content-type":
                is_grpc = _is_grpc(value)
            case b"traceparent":
                traceparents.append(bytes(value))
    head = RequestHead(
        method=method.decode("latin-1"),
        target=target.decode("latin-1"),
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
        match bytes(name):
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
    digits = bytes(digits)
    if not digits.isdigit() or len(digits) > 10:
        return default
    number = int(digits)
    return number if number <= most else default


_BREAKS = (b"\r", b"\n", b"\0")


def _text(start: bytes, fields: Fields) -> bytes:
    """Write fields as lines. What would break the lines is left out; the record is for reading, the wire has it all."""
    lines = [start if not any(sign in start for sign in _BREAKS) else b"? ? HTTP/2"]
    for field_name, value in fields:
        name = b"host" if field_name == b":authority" else field_name
        line = b"%b: %b" % (name, value)
        if not name.startswith(b":") and b":" not in name and not any(sign in line for sign in _BREAKS):
            lines.append(line)
    return b"\r\n".join((*lines, b"", b""))
