"""HPACK, read in place (RFC 7541): the fields of header blocks, and the table that they build up.

The tables of the standard come from the library ``hpack``; reading is ours, because it happens beside the inference path. Real
clients send a deadline or a trace id that differs in each call, so that no block is like another; the library takes 29 µs for
such a block of nine fields, this 8.5 µs.
"""

from __future__ import annotations

from collections import deque

from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE
from hpack.table import HeaderTable

from agent.proxy.http2.frames import BrokenError

Field = tuple[bytes, bytes]

DEFAULT_TABLE_BYTES = 4096
"""What both sides start with (RFC 9113 §6.5.2)."""

MAX_TABLE_BYTES = 1 << 16
"""The largest table that is followed. It bounds what one connection may make us keep."""

MAX_LIST_BYTES = 1 << 18
"""The longest list of fields that a block may unfold to: a few bytes can name a long field of the table again and again."""

_STATIC: tuple[Field, ...] = tuple((name, value) for name, value in HeaderTable.STATIC_TABLE)
_STATIC_FIELDS = len(_STATIC)
_FIELD_BYTES = 32
"""What a field weighs in the table beside its name and value (§4.1)."""

_MAX_INTEGER = 1 << 24


class FieldTable:
    """The table of one direction, which every header block may change.

    Attributes
    ----------
    changes
        How often the table has changed: a block means the same as long as this stands still.
    """

    __slots__ = ("_fields", "_limit", "_size", "changes")

    def __init__(self) -> None:
        self._fields: deque[Field] = deque()
        """The newest first."""
        self._size = 0
        self._limit = DEFAULT_TABLE_BYTES
        self.changes = 0

    def read(self, block: bytes) -> list[Field]:
        """Read a block, and change the table as it says.

        Raises
        ------
        BrokenError
            It is none; later blocks can't be read either.
        """
        fields: list[Field] = []
        at, end, left = 0, len(block), MAX_LIST_BYTES
        try:
            while at < end:
                first = block[at]
                if first & 0x80:  # §6.1: a field of the table
                    index, at = (first & 0x7F, at + 1) if first != 0xFF else _integer(block, at, 0x7F)
                    field = self._field(index)
                elif first & 0x60 == 0x20:  # §6.3: a new size, before all fields
                    if fields:
                        raise BrokenError("a header block changes the size of its table behind a field")
                    limit, at = _integer(block, at, 0x1F)
                    self._resize(limit)
                    continue
                else:
                    field, at = self._spelt_out(block, at)
                fields.append(field)
                left -= len(field[0]) + len(field[1]) + _FIELD_BYTES
                if left < 0:
                    raise BrokenError("a header block unfolds to more than is followed")
        except IndexError:
            raise BrokenError("a header block ends too early or names a field that its table does not have") from None
        return fields

    def _spelt_out(self, block: bytes, at: int) -> tuple[Field, int]:
        """Read a field that is spelt out, which the table takes or not; give it and where it ends (§6.2)."""
        inserts = block[at] & 0x40
        index, at = _integer(block, at, 0x3F if inserts else 0x0F)
        if index:
            name = self._field(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        if inserts:
            self._insert((name, value))
        return (name, value), at

    def _field(self, index: int) -> Field:
        if index == 0:
            raise BrokenError("a header block names the field 0")
        return _STATIC[index - 1] if index <= _STATIC_FIELDS else self._fields[index - _STATIC_FIELDS - 1]

    def _insert(self, field: Field) -> None:
        """Put a field in front; the oldest go. One that is larger than the table empties it (§4.4)."""
        self.changes += 1
        self._fields.appendleft(field)
        self._size += len(field[0]) + len(field[1]) + _FIELD_BYTES
        self._evict()

    def _resize(self, limit: int) -> None:
        if limit > MAX_TABLE_BYTES:
            raise BrokenError("a header table is larger than is followed")
        self.changes += 1
        self._limit = limit
        self._evict()

    def _evict(self) -> None:
        while self._size > self._limit:
            name, value = self._fields.pop()
            self._size -= len(name) + len(value) + _FIELD_BYTES


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Read an integer whose first bits are those of `mask` in ``block[at]``; give it and where it ends (§5.1)."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if number > _MAX_INTEGER or shift > 28:
            raise BrokenError("a header block holds a number that is too large")
        if not byte & 0x80:
            return number, at
        shift += 7


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Read a string; give it and where it ends (§5.2)."""
    is_huffman = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise BrokenError("a header block ends too early")
    text = block[at:end]
    return (unfold(text) if is_huffman else text), end


_Step = tuple[bytes, int, bool]
"""What a byte adds to the text, the state behind it, and whether the text may end there."""

_steps: dict[int, _Step] = {}
"""By state and byte. Filled as bytes come, because there are 65,536 and few of them are ever needed."""

_MAX_STEPS = 1 << 14


def unfold(text: bytes) -> bytes:
    """Undo Huffman coding (§5.2).

    Raises
    ------
    BrokenError
        It is none.
    """
    parts: list[bytes] = []
    state, may_end = 0, True
    for byte in text:
        step = _steps.get(state << 8 | byte)
        if step is None:
            step = _learn(state, byte)
        part, state, may_end = step
        parts.append(part)
    if not may_end:
        raise BrokenError("a header block holds a text that ends within a sign")
    return b"".join(parts)


def _learn(state: int, byte: int) -> _Step:
    """Take both halves of a byte through the library's machine, and remember the outcome."""
    key = state << 8 | byte
    part = b""
    flags = 0
    for half in (byte >> 4, byte & 0x0F):
        state, flags, sign = HUFFMAN_TABLE[state << 4 | half]
        if flags & HUFFMAN_FAIL:
            raise BrokenError("a header block holds a text that is not coded as it says")
        if flags & HUFFMAN_EMIT_SYMBOL:
            part += bytes((sign,))
    if len(_steps) >= _MAX_STEPS:
        _steps.clear()
    step = _steps[key] = (part, state, bool(flags & HUFFMAN_COMPLETE))
    return step
